package config

import (
	"fmt"
	"strings"
)

// Usage returns the text of --help: purpose, an example, a line for each flag with
// its default in brackets, and the environment variables.
func Usage() string {
	var b strings.Builder
	b.WriteString(`Stores a Codacy project token in every repository of an organization.
Example: codacy-project-tokens --organization acme --dry-run
Docs:    https://github.com/codacy/codacy-project-tokens

`)
	var switches, variables []string
	for _, in := range append(Inputs(), yes) {
		switch preset := in.Default; {
		case in.Credential:
			variables = append(variables, strings.Join(in.Env, " or "))
		case in.boolean:
			switches = append(switches, fmt.Sprintf("--%s (%s)", in.Name, in.Short))
		default:
			if len(in.Env) > 0 {
				preset = "$" + in.Env[0]
			}
			if preset != "" {
				preset = " [" + preset + "]"
			}
			fmt.Fprintf(&b, "  --%-21s %s%s\n", in.Name, in.Short, preset)
		}
	}
	fmt.Fprintf(&b, "  %s\n  --version, --help\n", strings.Join(switches, ", "))
	fmt.Fprintf(&b, "Environment: %s\n", strings.Join(variables, ", "))
	return b.String()
}
