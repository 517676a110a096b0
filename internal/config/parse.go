package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Parse returns the config of the arguments, without the program's name, and the
// environment. The error is ErrHelp, ErrVersion, or InputErrors with everything that
// is wrong; the config is nil then.
func Parse(args []string, getenv func(string) string) (*Config, error) {
	p := &parser{
		getenv: getenv,
		inputs: Inputs(),
		flags:  map[string]string{},
		texts:  map[string]string{},
		failed: map[string]bool{},
		config: &Config{
			Runner: OnRunner(getenv),
			Debug:  getenv("RUNNER_DEBUG") == "1" || getenv("ACTIONS_STEP_DEBUG") == "true",
			labels: map[string]string{},
		},
	}
	if !p.config.Runner {
		p.inputs = append(p.inputs, yes)
	}
	if err := p.readArgs(args); err != nil {
		return nil, err
	}
	for _, in := range p.inputs {
		p.read(in)
	}
	for _, in := range p.inputs {
		p.set(in)
	}
	p.checkCredentials()
	p.checkNumbers()
	p.checkSwapped()
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	p.derive()
	return p.config, nil
}

// derive fills what follows from several inputs.
func (p *parser) derive() {
	c := p.config
	if c.Runner {
		c.serverURL = strings.TrimRight(p.getenv("GITHUB_SERVER_URL"), "/")
	}
	c.Policy.SelfHosted = c.SelfHosted()
	// A plan says which secrets will be overwritten, so it has to read them.
	c.Policy.CheckAllSecrets = c.DryRun || !c.Runner
}

// OnRunner reports whether the program runs on a runner of GitHub Actions.
func OnRunner(getenv func(string) string) bool { return getenv("GITHUB_ACTIONS") == "true" }

type parser struct {
	getenv func(string) string
	inputs []Input
	flags  map[string]string // the flags of the command line
	texts  map[string]string // by input: its value or default, trimmed
	failed map[string]bool   // the inputs with an error
	config *Config
	errs   InputErrors
}

// fail adds an error of an input.
func (p *parser) fail(input string, e InputError) {
	p.failed[input] = true
	e.Input = p.config.Label(input)
	p.errs = append(p.errs, e)
}

// missing adds the error of a blank input, unless the input has an error already, such
// as a typing error in its flag. More follows "is required".
func (p *parser) missing(in, more string) {
	if p.failed[in] {
		return
	}
	e := InputError{Problem: "is required" + more}
	for _, known := range p.inputs {
		if known.Name != in {
			continue
		}
		if known.Credential && p.config.Runner {
			e.Kind = Blank
			e.Problem += "; a secret that doesn't exist, or is hidden from this run, is empty"
		} else {
			e.Hint = known.Fix
		}
	}
	p.fail(in, e)
}

// read finds an input's value and label.
func (p *parser) read(in Input) {
	text, label, useEnv := "", in.Name, true
	switch {
	case p.config.Runner:
		// A credential in the step's environment is meant for something else.
		text, useEnv = p.getenv(inputVariable(in.Name)), !in.Credential
	case in.Credential:
		label = in.Env[0]
	default:
		text, label = p.flags[in.Name], "--"+in.Name
	}
	text = in.trim(text)
	for _, name := range in.Env {
		if text != "" || !useEnv {
			break
		}
		if text = in.trim(p.getenv(name)); text != "" && !p.config.Runner {
			label = name
		}
	}
	if text == "" {
		text = in.blank()
	}
	p.texts[in.Name], p.config.labels[in.Name] = text, label
}

// inputVariable returns the variable in which the runner passes an input. Hyphens
// are kept.
func inputVariable(input string) string { return "INPUT_" + strings.ToUpper(input) }

// trim removes surrounding white space. A list of separators only is blank.
func (in Input) trim(text string) string {
	if in.list && len(splitList(text)) == 0 {
		return ""
	}
	return strings.TrimSpace(text)
}

// valuePlaceholder stands for an input's value, a path, in a setter's problem.
const valuePlaceholder = "{value}"

// set validates an input's value.
func (p *parser) set(in Input) {
	text := p.texts[in.Name]
	if text == "" {
		if in.Required || in.Default != "" {
			p.missing(in.Name, "")
		}
		return
	}
	problems := in.set(p.config, text)
	if strings.Contains(text, "${{") {
		problems = []invalid{{requirement: "a value, because expressions are not expanded here"}}
	}
	for _, wrong := range problems {
		got := wrong.got
		switch {
		case got != "" || wrong.problem != "":
		case in.Credential:
			got = describe(text)
		case wrong.part != "":
			got = p.echo(wrong.part, text, maxEcho)
		default:
			got = p.echo(text, text, maxEcho)
		}
		problem := strings.Replace(wrong.problem, valuePlaceholder, p.echo(text, text, maxPathEcho), 1)
		p.fail(in.Name, InputError{Got: got, Requirement: wrong.requirement, Problem: problem, Hint: wrong.hint, Kind: wrong.kind})
	}
}

// echo quotes a part of a value, up to a number of characters, unless the value looks
// like a credential: two inputs are easily mixed up.
func (p *parser) echo(part, text string, most int) string {
	if p.looksSecret(text) {
		return describe(part) + " that looks like a credential"
	}
	return quote(part, most)
}

var secretMarks = regexp.MustCompile(`gh[pousr]_|github_pat_|eyJ|PRIVATE KEY`)

func (p *parser) looksSecret(text string) bool {
	const tooShort = 8 // to be recognized
	for _, in := range p.inputs {
		if !in.Credential {
			continue
		}
		for _, name := range append([]string{inputVariable(in.Name)}, in.Env...) {
			if v := strings.TrimSpace(p.getenv(name)); len(v) >= tooShort && strings.Contains(text, v) {
				return true
			}
		}
	}
	return secretMarks.MatchString(text)
}

// checkCredentials requires GitHub's token or the App, and not both: which of them
// is meant could only be guessed.
func (p *parser) checkCredentials() {
	const token, id, key = "github-token", "github-app-id", "github-app-private-key"
	hasToken, hasID, hasKey := p.texts[token] != "", p.texts[id] != "", p.texts[key] != ""
	label := p.config.Label
	switch {
	case hasToken && (hasID || hasKey):
		p.fail(token, InputError{Problem: fmt.Sprintf("must not be set together with %s and %s", label(id), label(key))})
	case hasToken, hasID && hasKey:
	case hasID:
		p.missing(key, " with "+label(id))
	case p.failed[token] || p.failed[id]: // its flag has an error already
	case hasKey:
		p.missing(id, " with "+label(key))
	default:
		p.missing(token, fmt.Sprintf(", or else %s and %s", label(id), label(key)))
	}
}

// checkNumbers compares the inputs that bound each other.
func (p *parser) checkNumbers() {
	const renew, lifetime, writes, stores = "renew-before-days", "token-lifetime-days", "writes-per-minute", "secret-stores"
	c := p.config
	if !p.failed[renew] && !p.failed[lifetime] && c.Policy.RenewBefore >= c.Policy.Lifetime {
		p.fail(renew, InputError{
			Requirement: fmt.Sprintf("less than %s (%s)", c.Label(lifetime), p.texts[lifetime]), Got: p.texts[renew],
		})
	}
	if n := len(c.Policy.Stores); !p.failed[writes] && !p.failed[stores] && c.WritesPerMinute > 0 && c.WritesPerMinute < n {
		p.fail(writes, InputError{
			Requirement: fmt.Sprintf("0, or at least %d, the number of stores in %s", n, c.Label(stores)), Got: p.texts[writes],
		})
	}
}

// projectTokenForm is the form of Codacy's project tokens. No token of GitHub's has it.
var projectTokenForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// checkSwapped reports tokens in each other's place before one is sent to the wrong
// service.
func (p *parser) checkSwapped() {
	const account, token = "codacy-api-token", "github-token"
	const hint = "Check that the two tokens are not in each other's place"
	v := p.texts[account]
	if !p.failed[account] && secretMarks.MatchString(v) {
		p.fail(account, InputError{
			Requirement: "a Codacy account API token", Got: describe(v) + " that looks like a credential for GitHub", Hint: hint,
		})
	}
	g := p.texts[token]
	switch {
	case p.failed[token] || p.failed[account] || g == "":
	case g == v:
		p.fail(token, InputError{Requirement: "a token for GitHub", Got: "the value of " + p.config.Label(account), Hint: hint})
	case projectTokenForm.MatchString(g):
		p.fail(token, InputError{Requirement: "a token for GitHub", Got: describe(g) + " that looks like a Codacy token", Hint: hint})
	}
}
