package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

var update = flag.Bool("update", false, "write the table in docs/inputs.md")

func TestUsage(t *testing.T) {
	t.Parallel()

	usage := config.Usage()
	lines := strings.Split(strings.TrimSuffix(usage, "\n"), "\n")
	if len(lines) > 30 {
		t.Errorf("%d lines, want 30 at most", len(lines))
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	for _, in := range config.Inputs() {
		flag := strings.Contains(usage, " --"+in.Name+" ")
		if flag == in.Credential {
			t.Errorf("--%s is listed: %v, and it is a credential: %v", in.Name, flag, in.Credential)
		}
		for _, name := range in.Env {
			if !strings.Contains(usage, name) {
				t.Errorf("%s is not listed", name)
			}
		}
	}
	for _, want := range []string{
		"  --concurrency           repositories at a time, 1 to 100 [16]\n",
		"  --organization          owner of the repositories [$GITHUB_REPOSITORY_OWNER]\n",
		"  --repositories          include globs, topic:GLOB, visibility:private [*]\n",
		"  --dry-run (read and decide, change nothing), --yes (skip the prompt)\n  --version, --help\n",
		"\nEnvironment: CODACY_API_TOKEN, GH_TOKEN or GITHUB_TOKEN, GITHUB_APP_PRIVATE_KEY\n",
		"Example: codacy-project-tokens --organization acme --dry-run\n", "https://github.com/codacy/codacy-project-tokens\n",
	} {
		if !strings.Contains(usage, want) {
			t.Errorf("%q is missing in\n%s", want, usage)
		}
	}
}

// TestDocs compares the docs' table with the list of inputs; -update writes it.
func TestDocs(t *testing.T) {
	t.Parallel()

	const file = "../../docs/inputs.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, _ := strings.Cut(string(b), "| input |")
	want := intro + markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("go test ./internal/config -update brings it up to date (-want +got):\n%s", diff)
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()

	for _, in := range config.Inputs() {
		if n := len(in.Short); n == 0 || n > 45 {
			t.Errorf("%s: the short description has %d characters", in.Name, n)
		}
		if in.Description == "" || strings.ContainsAny(in.Description, "\n|\"\\") || !strings.HasSuffix(in.Description, ".") {
			t.Errorf("%s: the description fits no line of Markdown and YAML: %q", in.Name, in.Description)
		}
		if in.Credential && len(in.Env) == 0 {
			t.Errorf("%s: a credential that can't be set on the command line", in.Name)
		}
	}
}

// TestAction reads action.yml and compares it with the list of inputs.
func TestAction(t *testing.T) {
	t.Parallel()

	b, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var got action
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	decoder.KnownFields(true)
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	var want []entry
	for _, in := range config.Inputs() {
		fields := map[string]string{"description": in.Description}
		if in.Required {
			fields["required"] = "true"
		}
		if in.Default != "" {
			fields["default"] = in.Default
		}
		want = append(want, entry{in.Name, fields})
	}
	if diff := cmp.Diff(want, []entry(got.Inputs)); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}

	outputs := []string{}
	for _, e := range got.Outputs {
		outputs = append(outputs, e.Name)
		if len(e.Fields) != 1 || e.Fields["description"] == "" {
			t.Errorf("output %s has %v, want a description only", e.Name, e.Fields)
		}
	}
	if diff := cmp.Diff([]string{"created", "renewed", "current", "kept", "skipped", "deferred", "failed", "next-expiry"}, outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}

	got.Inputs, got.Outputs = nil, nil
	if diff := cmp.Diff(action{
		Name: "Codacy project tokens", Description: got.Description,
		Branding: map[string]string{"icon": "refresh-cw", "color": "blue"},
		Runs:     map[string]string{"using": "docker", "image": "Dockerfile"},
	}, got); diff != "" || got.Description == "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// action is action.yml, with all that it may hold.
type action struct {
	Name, Description string
	Branding, Runs    map[string]string
	Inputs, Outputs   entries
}

// entry is an input or an output, with its fields.
type entry struct {
	Name   string
	Fields map[string]string
}

// entries returns the entries of a section, in their order.
type entries []entry

// UnmarshalYAML implements yaml.Unmarshaler.
func (e *entries) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		one := entry{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&one.Fields); err != nil {
			return err
		}
		*e = append(*e, one)
	}
	return nil
}

// code formats a default as code. A long one gets places to break, so that the table
// fits a phone. The first one keeps GitHub from turning the address into a link.
func code(text string) string {
	if len(text) <= 24 {
		return "`" + text + "`"
	}
	return "<code>" + strings.NewReplacer("https://", "https:<wbr>//", "/api", "<wbr>/api", "github.", "github.<wbr>").Replace(text) + "</code>"
}

// markdown returns the table of the inputs, for the docs.
func markdown() string {
	var b strings.Builder
	b.WriteString("| input | meaning |\n|---|---|\n") // a column for the default would not fit a phone
	for _, in := range config.Inputs() {
		fallback := ""
		switch {
		case in.Required:
			fallback = " Required."
		case in.Default != "":
			fallback = " Default: " + code(in.Default) + "."
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", in.Name, in.Description, fallback)
	}
	return b.String()
}
