package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

var update = flag.Bool("update", false, "write the table in docs/inputs.md anew")

func TestUsage(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	config.Usage(&out)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) > 40 {
		t.Errorf("%d lines, want 40 at most", len(lines))
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	hasLine := func(begin string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, begin) })
	}
	for _, in := range config.Inputs() {
		if got := hasLine("  --" + in.Name + " "); got == in.Credential {
			t.Errorf("--%s is listed: %v, and it is a credential: %v", in.Name, got, in.Credential)
		}
		if in.Credential && !hasLine("  "+strings.Join(in.Env, ", ")+" ") {
			t.Errorf("the variables of %s are not listed", in.Name)
		}
		if !in.Credential && strings.HasPrefix(in.Default, "$") && !strings.Contains(out.String(), "[$"+in.Env[0]+"]") {
			t.Errorf("the default of --%s is not listed", in.Name)
		}
	}
	for _, want := range []string{
		"  --concurrency            repositories at once, 1 to 100 [16]\n",
		"  --dry-run                read and decide, change nothing\n",
		"  --yes ", "  --version ", "  --help ", "GH_TOKEN=$(gh auth token)", "Exit codes: 0 all well; 1 ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
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
	want := intro + config.Markdown()
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
			t.Errorf("%s: a credential that can't be given by hand", in.Name)
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
	got, err := readAction(string(b))
	if err != nil {
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
	if diff := cmp.Diff(want, got["inputs"]); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}

	outputs := []string{}
	for _, e := range got["outputs"] {
		outputs = append(outputs, e.Name)
		if len(e.Fields) != 1 || e.Fields["description"] == "" {
			t.Errorf("output %s has %v, want a description only", e.Name, e.Fields)
		}
	}
	if diff := cmp.Diff([]string{"created", "renewed", "current", "kept", "skipped", "deferred", "failed", "next-expiry"}, outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}

	for section, want := range map[string]map[string]string{
		"":         {"name": "Codacy project tokens", "description": got[""][0].Fields["description"]},
		"branding": {"icon": "refresh-cw", "color": "blue"},
		"runs":     {"using": "docker", "image": "Dockerfile"},
	} {
		if diff := cmp.Diff([]entry{{"", want}}, got[section]); diff != "" {
			t.Errorf("section %q (-want +got):\n%s", section, diff)
		}
	}
}

// entry is a named group of fields in a section of action.yml. The fields that
// stand in the section itself are in an entry without a name.
type entry struct {
	Name   string
	Fields map[string]string
}

// readAction reads YAML of the shape that action.yml has, and no other:
// sections, entries and fields by two blanks each, values on one line, plain
// or double-quoted.
func readAction(text string) (map[string][]entry, error) {
	sections := map[string][]entry{}
	section, last := "", 0
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(what string) (map[string][]entry, error) {
			return nil, fmt.Errorf("action.yml:%d: %s: %q", i+1, what, line)
		}
		body := strings.TrimLeft(line, " ")
		depth := len(line) - len(body)
		key, value, ok := strings.Cut(body, ":")
		if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz-") != "" || depth%2 != 0 || depth > last+2 || depth > 4 {
			return fail("not a line of the known shape")
		}
		last = depth
		if value == "" {
			switch depth {
			case 0:
				if section = key; sections[key] != nil {
					return fail("a second section of that name")
				}
				sections[key] = []entry{}
			case 2:
				sections[section] = append(sections[section], entry{key, map[string]string{}})
			default:
				return fail("an empty field")
			}
			continue
		}
		if depth == 0 {
			section = ""
		}
		entries := sections[section]
		if depth < 4 && len(entries) == 0 {
			entries = []entry{{"", map[string]string{}}}
		}
		if len(entries) == 0 || (entries[len(entries)-1].Name == "") != (depth < 4) {
			return fail("a field in an odd place")
		}
		sections[section] = entries
		fields := entries[len(entries)-1].Fields
		if _, twice := fields[key]; twice {
			return fail("a field that was there before")
		}
		var good bool
		if fields[key], good = scalar(value[1:]); !good || value[0] != ' ' {
			return fail("not a plain or double-quoted value")
		}
	}
	return sections, nil
}

func scalar(text string) (value string, ok bool) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		quoted, ok = strings.CutSuffix(quoted, `"`)
		return quoted, ok && !strings.ContainsAny(quoted, `"\`)
	}
	// Nothing that YAML would take for more than text.
	return text, text != "" && !strings.ContainsAny(text[:1], " -?:,[]{}#&*!|>'%@`") &&
		!strings.Contains(text, ": ") && !strings.Contains(text, " #") && strings.TrimSpace(text) == text
}

func TestReadAction(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		"inputs:\n  a: {b: c}\n",
		"inputs:\n  a:\n    b: 'c'\n",
		"inputs:\n  a:\n    b: \"c\\n\"\n",
		"inputs:\n  a:\n    b: >\n      c\n",
		"inputs:\n  a:\n    b: c: d\n",
		"inputs:\n  a:\n    b: c\n    b: d\n",
		"inputs:\n    b: c\n",
		"inputs:\n a: c\n",
		"inputs:\n  a:\n    b:\n",
		"inputs:\n  a:\n    b: c\ninputs:\n",
		"- a\n",
		"# a\n",
	} {
		if got, err := readAction(text); err == nil {
			t.Errorf("%q is read as %v, want an error", text, got)
		}
	}
}
