package project

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

var (
	escape = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")
	erase  = regexp.MustCompile("\x1b\\[[02]?K")
)

// screen is the terminal at the end, without overwritten and erased text. Created
// repositories are sorted, because their order is random.
func screen(raw string) string {
	var all []string
	for text := range strings.Lines(strings.ReplaceAll(raw, "\r\n", "\n")) {
		text = strings.TrimSuffix(text, "\n")
		if i := strings.LastIndex(text, "\r"); i >= 0 {
			text = text[i+1:]
		}
		if at := erase.FindAllStringIndex(text, -1); at != nil {
			text = text[at[len(at)-1][1]:]
		}
		all = append(all, strings.TrimRight(escape.ReplaceAllString(text, ""), " "))
	}
	begin := 0
	for i := range len(all) + 1 {
		if i == len(all) || !strings.HasPrefix(all[i], "created ") {
			slices.Sort(all[begin:i])
			begin = i + 1
		}
	}
	return regexp.MustCompile(`\d{4}-\d\d-\d\d`).ReplaceAllString(strings.Join(all, "\n"), "DATE") + "\n"
}

// TestNewcomer follows a new user on a terminal: the help, a plan that is declined,
// the same plan applied, and one more run with nothing to do.
func TestNewcomer(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Latency: 60 * time.Millisecond})
	for _, name := range []string{"api", "billing", "docs", "legacy", "site", "web"} {
		f.Add(sandbox.Repository{Name: name, Archived: name == "legacy"})
	}
	f.Provision("web", harness.Aged(f.World, 1, 300, 65), "actions")
	f.Provision("docs", harness.Aged(f.World, 1, 10, 355), "actions")
	flags := []string{"--organization", "acme", "--codacy-api-url", f.Codacy, "--concurrency", "2"}
	started := time.Now()
	show := func(name, raw string) {
		harness.Golden(t, filepath.Join("testdata", "terminal", name+".txt"), screen(raw))
	}

	help := f.AtTerminal(nil, "--help").Ends(f.World, 0)
	show("help", help)
	// A terminal of 28 lines shows all of it.
	for i, line := range strings.Split(strings.TrimSuffix(screen(help), "\n"), "\n") {
		if i >= 28 || utf8.RuneCountInString(line) > 80 {
			t.Errorf("line %d of the help doesn't fit 28 lines of 80 columns: %q", i+1, line)
		}
	}

	x := f.AtTerminal(nil, flags...)
	x.Sees("[y/N] ")
	x.Types("n\n")
	show("no", x.Ends(f.World, 0))
	if n := f.Writes(); n != 0 {
		t.Errorf("%d writes after a no", n)
	}

	x = f.AtTerminal(nil, flags...)
	x.Sees("[y/N] ")
	x.Types("y\n")
	raw := x.Ends(f.World, 0)
	show("yes", raw)
	if !strings.Contains(raw, "\x1b[32mcreated\x1b[0m") {
		t.Errorf("no colour:\n%q", raw)
	}
	if !regexp.MustCompile(`[0-9]/6\D`).MatchString(raw) || !strings.Contains(raw, "repositories/") {
		t.Errorf("no bar with its rate:\n%q", raw)
	}
	for _, name := range []string{"api", "billing", "site"} {
		f.Provisioned(name)
	}

	x = f.AtTerminal(nil, flags...)
	show("again", x.Ends(f.World, 0))

	f.Add(sandbox.Repository{Name: "late"})
	x = f.AtTerminal([]string{"NO_COLOR=1"}, append(flags, "--yes")...)
	raw = x.Ends(f.World, 0)
	if !strings.Contains(raw, "created  acme/late") || strings.Contains(raw, "\x1b[3") {
		t.Errorf("colour in spite of NO_COLOR, or no line that would have any:\n%q", raw)
	}
	t.Logf("help, plan, apply, once more, and without colour: %v", time.Since(started).Round(time.Millisecond))
	f.Check(t)
}
