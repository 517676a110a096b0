package config

import (
	"fmt"
	"regexp"
	"strings"
)

// yes is a flag of the command line only.
var yes = Input{
	Name: "yes", Default: "false", boolean: true,
	Short: "skip the prompt",
	set:   boolean(func(c *Config) *bool { return &c.Yes }),
}

// readArgs parses the flags. The standard library's flag package would stop at the
// first error, and repeat the value.
func (p *parser) readArgs(args []string) error {
	for _, arg := range args {
		switch arg {
		case "-h", "-help", "--help":
			return ErrHelp
		case "--version":
			return ErrVersion
		}
	}
	switch {
	case !p.config.Runner && len(args) == 1 && args[0] == "help":
		return ErrHelp
	case p.config.Runner && len(args) > 0:
		p.errs = append(p.errs, InputError{Input: "argument 1", Problem: "arguments are not used on a runner; set the inputs"})
	}
	if p.config.Runner {
		return nil
	}
	for i := 0; i < len(args); {
		i += p.readFlag(args, i)
	}
	return nil
}

// readFlag parses the flag at an index, and returns the number of arguments that
// belong to it.
func (p *parser) readFlag(args []string, i int) (used int) {
	used = 1
	arg := args[i]
	flag, value, hasValue := strings.Cut(arg, "=")
	if !isFlag(flag) {
		// Not repeated: it may be a credential.
		p.errs = append(p.errs, InputError{
			Input: fmt.Sprintf("argument %d", i+1), Problem: "is neither a flag nor the value of one",
			Hint: "Write its flag before it (--organization acme), and a list in quotes ('api-*, web-*'); --help lists the flags",
		})
		return used
	}
	in, known := p.byFlag(flag)
	if !known {
		in = p.nearestFlag(flag)
	}
	next := ""
	if i+1 < len(args) {
		next = args[i+1]
	}
	switch {
	case hasValue:
	case in.boolean:
		value, hasValue = "true", true
		if isBoolean(next) {
			used, value = 2, next
		}
	case i+1 < len(args) && !isFlag(next):
		// After an unknown flag as well: its value is not another error.
		used, value, hasValue = 2, next, true
	}
	if problem := p.flagProblem(in, known, hasValue, flag); problem != "" {
		label := flag
		if !known && (!plainFlag.MatchString(flag) || p.looksSecret(arg)) {
			label = p.echo(flag, arg, maxEcho)
		}
		p.errs = append(p.errs, InputError{Input: label, Problem: problem})
		p.failed[in.Name] = true
		return used
	}
	p.flags[in.Name] = value
	return used
}

// flagProblem returns what is wrong with the use of a flag; empty if nothing is. The
// input of an unknown flag is the one that was probably meant.
func (p *parser) flagProblem(in Input, known, hasValue bool, flag string) string {
	_, twice := p.flags[in.Name]
	switch {
	case !known && in.Name != "":
		return "unknown flag; did you mean --" + in.Name + "?"
	case !known:
		return "unknown flag; --help lists the flags"
	case in.Credential:
		return "credentials are not flags; set " + strings.Join(in.Env, " or ") + " in the environment"
	case !hasValue:
		return "a value is required: " + in.Short
	case twice: // the last one would replace even a list
		return "set it only once"
	}
	return ""
}

// plainFlag matches an unknown flag that is repeated without quotes.
var plainFlag = regexp.MustCompile(`^--?[a-z-]{1,40}$`)

// isBoolean reports whether an argument is a value of a boolean flag.
func isBoolean(arg string) bool {
	return strings.EqualFold(arg, "true") || strings.EqualFold(arg, "false")
}

// isFlag reports whether an argument is a flag rather than a value, which may be a
// negative number.
func isFlag(arg string) bool {
	return strings.HasPrefix(arg, "--") || len(arg) > 1 && arg[0] == '-' && (arg[1] < '0' || arg[1] > '9')
}

func (p *parser) byFlag(flag string) (in Input, known bool) {
	for _, in := range p.inputs {
		if "--"+in.Name == flag {
			return in, true
		}
	}
	return Input{}, false
}

// nearestFlag returns the input whose flag is nearest to an unknown one; a zero one if
// none is near.
func (p *parser) nearestFlag(flag string) Input {
	names := make([]string, 0, len(p.inputs))
	for _, in := range p.inputs {
		if !in.Credential {
			names = append(names, "--"+in.Name)
		}
	}
	in, _ := p.byFlag(nearest(flag, names))
	return in
}

// suggestion returns a hint with the known word that is nearest to a value; empty if
// none is near.
func suggestion[T ~string](value string, words []T) string {
	if near := nearest(value, words); near != "" {
		return "Did you mean " + near + "?"
	}
	return ""
}

// nearest returns the known word that is nearest to a text; empty if none is near.
func nearest[T ~string](text string, words []T) string {
	best, distance := "", 0
	lower := strings.ToLower(text)
	for _, w := range words {
		d := editDistance(lower, strings.ToLower(string(w)))
		if len(lower) > 4 && strings.HasPrefix(string(w), lower) {
			d = 1
		}
		if d <= max(1, len(w)/4) && (best == "" || d < distance) {
			best, distance = string(w), d
		}
	}
	return best
}

// editDistance returns the Levenshtein distance of two short texts; a longer text is
// far from every word.
func editDistance(a, b string) int {
	const long = 60
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
