package config

import (
	"fmt"
	"strings"
)

// Usage returns what --help tells of the flags, a line each with its default in
// brackets, and of the environment: on 22 lines of at most 80 columns.
func Usage() string {
	var b strings.Builder
	b.WriteString("Usage: GH_TOKEN=$(gh auth token) codacy-project-tokens [flags]\n")
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
	fmt.Fprintf(&b, "  %s, --version, --help\n", strings.Join(switches, ", "))
	fmt.Fprintf(&b, "Environment: %s\n", strings.Join(variables, ", "))
	return b.String()
}

// Markdown returns the table of the inputs, for the docs.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| input | default | meaning |\n|---|---|---|\n")
	for _, in := range Inputs() {
		preset := ""
		switch {
		case in.Required:
			preset = "required"
		case in.Default != "":
			preset = "`" + in.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", in.Name, preset, in.Description)
	}
	return b.String()
}
