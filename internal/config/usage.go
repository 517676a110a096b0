package config

import (
	"fmt"
	"io"
	"strings"
)

// Usage writes the text of --help, which fits on 40 lines of 80 columns. Who
// asks for help can do nothing about an error of the writer.
func Usage(w io.Writer) {
	var b strings.Builder
	line := func(name, meaning string) { fmt.Fprintf(&b, "  %-24s %s\n", name, meaning) }

	b.WriteString("Usage: codacy-project-tokens [flags]\n\nFlags, with their defaults in brackets:\n")
	for _, in := range append(Inputs(), yes) {
		if in.Credential {
			continue
		}
		meaning := in.Short
		if len(in.Env) > 0 {
			meaning += " [$" + in.Env[0] + "]"
		} else if in.Default != "" && !in.boolean {
			meaning += " [" + in.Default + "]"
		}
		line("--"+in.Name, meaning)
	}
	line("--version", "print the version")
	line("--help", "print this")

	b.WriteString("\nEnvironment:\n")
	for _, in := range Inputs() {
		if in.Credential {
			line(strings.Join(in.Env, ", "), in.Short)
		}
	}
	b.WriteString(`
The login of GitHub's CLI can be used: GH_TOKEN=$(gh auth token)

Exit codes: 0 all well; 1 some repository failed or is about to, a service
could not be had, or a report or outputs could not be written; 2 inputs wrong,
nothing selected, or credentials refused; 3 interrupted.
`)
	_, _ = io.WriteString(w, b.String())
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
