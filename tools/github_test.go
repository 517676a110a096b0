// Package tools_test checks those of .github's files that no tool of tools/go.mod
// knows, strictly: a key that GitHub doesn't know fails.
package tools_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../"

// form is an issue form.
// https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms
type form struct {
	Name, Description, Title string
	Labels                   []string
	Body                     []struct {
		Type, ID   string
		Attributes struct {
			Label, Description, Placeholder, Value, Render string
			Options                                        []yaml.Node
		}
		Validations struct{ Required bool }
	}
}

// TestIssueForms: GitHub takes the forms, and that for a fault asks for what is
// needed to look into it.
func TestIssueForms(t *testing.T) {
	t.Parallel()

	files, err := filepath.Glob(root + ".github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "config.yml" {
			continue
		}
		var f form
		load(t, file, &f)
		if f.Name == "" || f.Description == "" {
			t.Errorf("%s: no name or no description", file)
		}
		var required []string
		seen := map[string]bool{}
		for i, field := range f.Body {
			a := field.Attributes
			if field.Type == "markdown" {
				if a.Value == "" || field.ID != "" {
					t.Errorf("%s: field %d: text without a value, or with an id", file, i)
				}
				continue
			}
			if !slices.Contains([]string{"input", "textarea", "dropdown", "checkboxes"}, field.Type) {
				t.Errorf("%s: field %d is a %q", file, i, field.Type)
			}
			if !regexp.MustCompile(`^[\w-]+$`).MatchString(field.ID) || a.Label == "" || seen[field.ID] || seen[a.Label] {
				t.Errorf("%s: field %d: id %q and label %q, each has to be there, and only once", file, i, field.ID, a.Label)
			}
			seen[field.ID], seen[a.Label] = true, true
			if choice := field.Type == "dropdown" || field.Type == "checkboxes"; choice != (len(a.Options) > 0) {
				t.Errorf("%s: %s: %d options", file, field.ID, len(a.Options))
			}
			for _, option := range a.Options {
				if mapped := option.Kind == yaml.MappingNode; mapped != (field.Type == "checkboxes") {
					t.Errorf("%s: %s: an option of another kind of field", file, field.ID)
				}
			}
			if a.Render != "" && field.Type != "textarea" {
				t.Errorf("%s: %s: only a textarea is rendered", file, field.ID)
			}
			if field.Validations.Required {
				required = append(required, field.ID)
			}
			if field.ID == "inputs" && !strings.Contains(a.Description, "never their values") {
				t.Errorf("%s: it does not ask to leave the credentials out", file)
			}
		}
		if len(seen) == 0 {
			t.Errorf("%s asks nothing", file)
		}
		if filepath.Base(file) != "bug.yml" {
			continue
		}
		for _, id := range []string{"version", "inputs", "log"} {
			if !slices.Contains(required, id) {
				t.Errorf("%s does not require %s", file, id)
			}
		}
		if !seen["report"] {
			t.Errorf("%s does not ask for the report", file)
		}
	}

	var config struct {
		BlankIssues  bool                                `yaml:"blank_issues_enabled"`
		ContactLinks []struct{ Name, URL, About string } `yaml:"contact_links"`
	}
	config.BlankIssues = true
	load(t, root+".github/ISSUE_TEMPLATE/config.yml", &config)
	if config.BlankIssues || len(config.ContactLinks) == 0 {
		t.Fatal("config.yml: blank issues, or no links")
	}
	for _, l := range config.ContactLinks {
		if l.Name == "" || l.About == "" || !strings.HasPrefix(l.URL, "https://") {
			t.Errorf("config.yml: %+v", l)
		}
	}
	first := config.ContactLinks[0]
	if _, err := os.Stat(root + "SECURITY.md"); err != nil || !strings.HasSuffix(first.URL, "/security/policy") {
		t.Errorf("the first link leads to %s, not to SECURITY.md (%v)", first.URL, err)
	}
}

// TestDependabot: it looks after every module, and nothing that isn't there.
func TestDependabot(t *testing.T) {
	t.Parallel()

	var config struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
			Cooldown    struct {
				DefaultDays int `yaml:"default-days"`
			}
			Groups map[string]struct{ Patterns []string }
		}
	}
	load(t, root+".github/dependabot.yml", &config)
	got := map[string][]string{}
	for _, u := range config.Updates {
		got[u.Ecosystem] = append(u.Directories, u.Directory)
		if u.Schedule.Interval == "" {
			t.Errorf("%s: no interval", u.Ecosystem)
		}
		if u.Cooldown.DefaultDays < 7 {
			t.Errorf("%s: a version of %d days is old enough, want 7", u.Ecosystem, u.Cooldown.DefaultDays)
		}
	}
	for _, ecosystem := range []string{"docker", "github-actions"} {
		if !slices.Contains(got[ecosystem], "/") {
			t.Errorf("%s is not looked after", ecosystem)
		}
	}
	var modules []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "go.mod" {
			folder, _ := filepath.Rel(root, filepath.Dir(path))
			modules = append(modules, filepath.ToSlash(filepath.Join("/", folder)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := slices.DeleteFunc(got["gomod"], func(d string) bool { return d == "" })
	slices.Sort(modules)
	slices.Sort(listed)
	if config.Version != 2 || !slices.Equal(listed, modules) {
		t.Errorf("version %d, and the modules %v; there are %v", config.Version, listed, modules)
	}
}

// TestCodeOwners checks that every file has an owner, the workflows included: a
// later pattern would replace the first one for its files.
func TestCodeOwners(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(root + ".github/CODEOWNERS")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	if len(rules) != 1 || !regexp.MustCompile(`^\*( @[\w-]+(/[\w-]+)?)+$`).MatchString(rules[0]) {
		t.Errorf("the rules are %q, want owners for * and nothing else", rules)
	}
}

// load reads a YAML file into v; a key that v lacks fails the test.
func load(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
