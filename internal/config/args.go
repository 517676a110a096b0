package config

import (
	"fmt"
	"strings"
)

// yes is read like an input, but is none: by hand only.
var yes = Input{
	Name: "yes", Default: "false", boolean: true,
	Short: "ask nothing",
	set:   boolean(func(c *Config) *bool { return &c.Yes }),
}

// readArgs reads the flags. The standard library's flag package would stop at
// the first fault, and echo what it found there.
func (p *parser) readArgs(args []string) error {
	for _, arg := range args {
		switch arg {
		case "-h", "--help":
			return ErrHelp
		case "--version":
			return ErrVersion
		}
	}
	if p.config.Runner {
		if len(args) > 0 {
			p.errs = append(p.errs, InputError{Input: "argument 1", Got: "an argument", Requirement: "none: on a runner only the inputs count"})
		}
		return nil
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		flag, text, hasText := strings.Cut(arg, "=")
		if !isFlag(flag) {
			// Not echoed: it may be a credential that somebody tried to pass.
			p.errs = append(p.errs, InputError{Input: fmt.Sprintf("argument %d", i+1), Got: "a word without a flag", Requirement: "flags only, see --help"})
			continue
		}
		in, known := p.byFlag(flag)
		switch {
		case hasText:
		case in.boolean:
			text, hasText = "true", true
		case i+1 < len(args) && !isFlag(args[i+1]):
			// After an unknown flag too: its value is no fault of its own.
			i++
			text, hasText = args[i], true
		}
		_, twice := p.flags[in.Name]
		label := flag
		if !known {
			label = p.echo(flag, arg)
		}
		fault := func(found, want string) {
			p.errs = append(p.errs, InputError{Input: label, Got: found, Requirement: want})
		}
		switch {
		case !known:
			fault("an unknown flag", "one of those that --help lists")
		case in.Credential:
			fault("a credential as a flag, which others can see", "it in the environment, as "+strings.Join(in.Env, " or "))
		case !hasText:
			fault("no value", in.Short)
		case twice: // the last one would win, over a list too
			fault("it more than once", "it once")
		default:
			p.flags[in.Name] = text
		}
	}
	return nil
}

// isFlag tells a flag from a value, which may be a negative number.
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
