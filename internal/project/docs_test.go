package project

import (
	"debug/buildinfo"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

const root = "../../"

// TestReadmeTables compares README's tables of inputs, outputs and exit codes with
// the code and action.yml, and the exit codes of docs/monitoring.md; -update writes
// them.
func TestReadmeTables(t *testing.T) {
	t.Parallel()

	compareTables(t, root+"README.md", map[string]string{"inputs": inputsTable(t), "outputs": outputsTable(t), "exits": exitsTable()})
	compareTables(t, root+"docs/monitoring.md", map[string]string{"exits": exitsTable()})
}

// compareTables compares the tables of a file with the ones that it should have.
func compareTables(t *testing.T, file string, tables map[string]string) {
	t.Helper()
	got := harness.Read(t, file)
	want := got
	for name, table := range tables {
		begin, end := fmt.Sprintf("<!-- %s -->\n", name), fmt.Sprintf("<!-- /%s -->\n", name)
		head, rest, ok1 := strings.Cut(want, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no table between %q and %q", file, begin, end)
		}
		want = head + begin + table + end + tail
	}
	if *harness.Update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("go test ./internal/project -run TestReadmeTables -update writes it (-want +got):\n%s", diff)
	}
}

// inputsTable is the table of the inputs that people change.
func inputsTable(t *testing.T) string {
	t.Helper()
	common := []string{
		"repositories", "exclude-repositories", "secret-name", "secret-stores", "existing-secrets",
		"rotate", "renew-before-days", "dry-run", "report-file",
	}
	table := "| input | meaning |\n|---|---|\n" // a column for the default would not fit a phone
	for _, name := range common {
		i := slices.IndexFunc(config.Inputs(), func(in config.Input) bool { return in.Name == name })
		if i < 0 {
			t.Fatalf("there is no input %s", name)
		}
		in := config.Inputs()[i]
		fallback := ""
		if in.Default != "" {
			fallback = " Default: `" + in.Default + "`."
		}
		table += fmt.Sprintf("| `%s` | %s%s |\n", name, in.Description, fallback)
	}
	return table
}

// exitsTable is the table of the exit codes.
func exitsTable() string {
	table := "| exit code | meaning |\n|---|---|\n"
	for _, e := range outcome.Exits() {
		for _, cause := range e.Causes {
			table += fmt.Sprintf("| %d | %s |\n", e.Code, cause)
		}
	}
	return table
}

// outputsTable is the table of action.yml's outputs.
func outputsTable(t *testing.T) string {
	t.Helper()
	_, section, _ := strings.Cut(harness.Read(t, root+"action.yml"), "\noutputs:\n")
	section, _, _ = strings.Cut(section, "\nruns:\n")
	table := "| output | meaning |\n|---|---|\n"
	outputs := regexp.MustCompile(`(?m)^  ([a-z-]+):\n    description: "(.*)"$`).FindAllStringSubmatch(section, -1)
	var want, got []string
	for _, o := range outcome.All() {
		want = append(want, string(o))
	}
	want = append(want, "next-expiry")
	for _, o := range outputs {
		got = append(got, o[1])
		table += fmt.Sprintf("| `%s` | %s |\n", o[1], o[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the outputs of action.yml (-want +got):\n%s", diff)
	}
	return table
}

// TestDocsFlags asserts that the program knows every flag in the docs.
func TestDocsFlags(t *testing.T) {
	t.Parallel()

	known := []string{"yes", "help", "version"}
	for _, in := range config.Inputs() {
		if !in.Credential {
			known = append(known, in.Name)
		}
	}
	found := 0
	for _, file := range docs(t) {
		for line := range strings.Lines(harness.Read(t, file)) {
			_, args, ok := strings.Cut(line, "codacy-project-tokens --")
			if !ok {
				continue
			}
			for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch("--"+args, -1) {
				found++
				if !slices.Contains(known, flag[1]) {
					t.Errorf("%s: there is no flag --%s: %s", file, flag[1], line)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no call of the program is found in the docs")
	}
}

// TestDocsLinks asserts that every link inside the project has a target.
func TestDocsLinks(t *testing.T) {
	t.Parallel()

	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range docs(t) {
		for _, m := range link.FindAllStringSubmatch(harness.Read(t, file), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if u.IsAbs() {
				continue
			}
			to := file
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(file), u.Path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", file, err)
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(harness.Read(t, to)), u.Fragment) {
				t.Errorf("%s: %s has no heading %q", file, to, u.Fragment)
			}
		}
	}
}

// anchors are the anchors of the headings, as GitHub generates them.
func anchors(markdown string) []string {
	var all []string
	for line := range strings.Lines(markdown) {
		title := strings.TrimSpace(strings.TrimLeft(line, "#"))
		if !strings.HasPrefix(line, "#") {
			continue
		}
		title = strings.ReplaceAll(strings.ToLower(title), " ", "-")
		all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(title, ""))
	}
	return all
}

// TestContributing asserts that every folder has its row, and each row its folder.
func TestContributing(t *testing.T) {
	t.Parallel()

	text := harness.Read(t, root+"CONTRIBUTING.md")
	for _, pattern := range []string{root + "*", root + ".*", root + "internal/*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			name := strings.TrimPrefix(folder, root)
			info, err := os.Stat(folder)
			if err != nil || !info.IsDir() || slices.Contains([]string{".git", "internal", ".", ".."}, name) {
				continue
			}
			if !strings.Contains(text, "| `"+name+"` |") {
				t.Errorf("CONTRIBUTING.md does not say what %s is", name)
			}
		}
	}
	_, places, found := strings.Cut(text, "\n## Where things are\n")
	if !found {
		t.Fatal("CONTRIBUTING.md does not say where things are")
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(places, -1) {
		if _, err := os.Stat(root + m[1]); err != nil {
			t.Errorf("CONTRIBUTING.md has a row of something that is gone: %v", err)
		}
	}
}

// docs are the Markdown files of the project.
func docs(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

// TestDependencies: docs/dependencies.md gives a reason for each module in the
// program, and for no other.
func TestDependencies(t *testing.T) {
	t.Parallel()

	info, err := buildinfo.ReadFile(harness.Program)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, dep := range info.Deps {
		want = append(want, dep.Path)
	}
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (direct|indirect)[:,] .+ \\| .+ \\|$").FindAllStringSubmatch(harness.Read(t, root+"docs/dependencies.md"), -1) {
		got = append(got, row[1])
		indirect := strings.Contains(harness.Read(t, root+"go.mod"), row[1]+" ") &&
			regexp.MustCompile(regexp.QuoteMeta(row[1])+` \S+ // indirect`).MatchString(harness.Read(t, root+"go.mod"))
		if indirect != (row[2] == "indirect") {
			t.Errorf("%s is listed as %s, and go.mod disagrees", row[1], row[2])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 5 {
		t.Fatalf("the program names only %d modules", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/dependencies.md (-in the program +listed):\n%s", diff)
	}
}
