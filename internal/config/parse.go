package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Parse reads the config from the arguments (without the program's name) and
// the environment. Its error is ErrHelp, ErrVersion, or Faults with all that
// is wrong, and then there is no config.
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
	p.checkRenewal()
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
	flags  map[string]string // by hand: those that were given
	texts  map[string]string // by input, trimmed: what was given, or the default
	failed map[string]bool   // inputs at fault
	config *Config
	errs   InputErrors
}

func (p *parser) fail(input, found, want string) {
	p.failed[input] = true
	p.errs = append(p.errs, InputError{Input: p.config.Label(input), Got: found, Requirement: want})
}

// lacks is the fault of an input that is blank.
func (p *parser) missing(in, want string) {
	p.fail(in, p.describeBlank(in), want)
	for _, known := range p.inputs {
		if known.Name == in && known.Credential {
			p.errs[len(p.errs)-1].Kind = Blank
		}
	}
}

// look finds an input's text and label.
func (p *parser) read(in Input) {
	text, label, useEnv := "", in.Name, true
	switch {
	case p.config.Runner:
		// A credential in the step's environment was meant for something else.
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

// inputVariable is how the runner passes an input: its hyphens stay.
func inputVariable(input string) string { return "INPUT_" + strings.ToUpper(input) }

// trim drops the white space around; a list of nothing but separators is blank.
func (in Input) trim(text string) string {
	if in.list && len(splitList(text)) == 0 {
		return ""
	}
	return strings.TrimSpace(text)
}

// set validates an input's text.
func (p *parser) set(in Input) {
	text := p.texts[in.Name]
	if text == "" {
		if in.Required || in.Default != "" {
			p.missing(in.Name, "the "+in.Short)
		}
		return
	}
	problems := in.set(p.config, text)
	if strings.Contains(text, "${{") {
		problems = []invalid{{requirement: "its value: nothing expands the expression here"}}
	}
	for _, wrong := range problems {
		part := text
		if wrong.part != "" {
			part = wrong.part
		}
		found := wrong.got
		switch {
		case found != "":
		case in.Credential:
			found = describe(text)
		default:
			found = p.echo(part, text)
		}
		p.fail(in.Name, found, wrong.requirement)
		p.errs[len(p.errs)-1].Kind = wrong.kind
	}
}

// nothing describes a blank input.
func (p *parser) describeBlank(input string) string {
	for _, in := range p.inputs {
		if in.Name == input && in.Credential && p.config.Runner {
			return "nothing (a secret that does not exist, or is kept from this run, is empty)"
		}
	}
	return "nothing"
}

// echo quotes a part of a text, unless the text looks like a credential: two
// inputs are easily mixed up.
func (p *parser) echo(part, text string) string {
	if p.looksSecret(text) {
		return describe(part) + " that looks like a credential"
	}
	return quote(part)
}

var secretMarks = regexp.MustCompile(`gh[pousr]_|github_pat_|eyJ|PRIVATE KEY`)

func (p *parser) looksSecret(text string) bool {
	const tooShort = 8 // would be found everywhere
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

// checkCredentials wants GitHub's token or the App, and not both: which of
// them would be used could only be guessed.
func (p *parser) checkCredentials() {
	const token, id, key = "github-token", "github-app-id", "github-app-private-key"
	hasToken, hasID, hasKey := p.texts[token] != "", p.texts[id] != "", p.texts[key] != ""
	label := p.config.Label
	switch {
	case hasToken && (hasID || hasKey):
		p.fail(token, "a token beside a GitHub App", fmt.Sprintf("either %s, or %s and %s", label(token), label(id), label(key)))
	case hasToken, hasID && hasKey:
	case hasID:
		p.missing(key, "the private key of the App that "+label(id)+" names")
	case hasKey:
		p.missing(id, "the ID of the App that "+label(key)+" belongs to")
	default:
		p.missing(token, fmt.Sprintf("a token that may write secrets, or else %s and %s", label(id), label(key)))
	}
}

func (p *parser) checkRenewal() {
	const renew, lifetime = "renew-before-days", "token-lifetime-days"
	c := p.config
	if p.failed[renew] || p.failed[lifetime] || c.Policy.RenewBefore < c.Policy.Lifetime {
		return
	}
	p.fail(renew, fmt.Sprintf("%q, and %q in %s", p.texts[renew], p.texts[lifetime], c.Label(lifetime)),
		fmt.Sprintf("fewer days than that lifetime, %d at most", c.Policy.Lifetime/day-1))
}
