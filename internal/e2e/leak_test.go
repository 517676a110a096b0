package e2e

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// noLeak searches what a run wrote for every credential and token that the World
// ever knew, and for more.
func noLeak(t testing.TB, w *sandbox.World, runner bool, written map[string]string, more ...string) {
	t.Helper()
	for _, found := range sandbox.Leaks(runner, written, append(w.Secrets(), more...)) {
		t.Errorf("a leak: %s", found)
	}
}

// played runs the program in this process and searches what it wrote, also into
// the files that its environment names.
func played(t testing.TB, w *sandbox.World, ctx context.Context, command cli.Command, args ...string) int {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout = io.MultiWriter(command.Stdout, &stdout)
	command.Stderr = io.MultiWriter(command.Stderr, &stderr)
	code := command.Run(ctx, args)
	written := map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}
	var more []string
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "INPUT_REPORT-FILE"} {
		if path := command.Getenv(name); path != "" {
			b, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Errorf("%s: %v", name, err)
			}
			written[name] = string(b)
		}
	}
	for _, name := range []string{
		"INPUT_CODACY-API-TOKEN", "INPUT_GITHUB-TOKEN", "INPUT_GITHUB-APP-PRIVATE-KEY",
		"CODACY_API_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GITHUB_APP_PRIVATE_KEY",
	} {
		more = append(more, command.Getenv(name))
	}
	noLeak(t, w, command.Getenv("GITHUB_ACTIONS") == "true", written, more...)
	return code
}

// files are all that stand in a directory, by their paths.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// TestEveryRunIsSearched: in this package the program is begun in three places
// alone, each of which searches what it wrote: played, start and the container.
func TestEveryRunIsSearched(t *testing.T) {
	t.Parallel()

	begins := regexp.MustCompile(`\bcommand\.Run\(|exec\.Command(Context)?\(|\bprogramWith\(`)
	want := map[string]int{
		"leak_test.go":      1, // played
		"harness_test.go":   5, // go build; start; byHand; programWith and its own
		"container_test.go": 6, // go build and what serves; the step, with and without an engine
		"newcomer_test.go":  1, // on a terminal
		"bench_test.go":     2, // benchmarks look at time and memory
	}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) < 15 {
		t.Fatal(err, len(names))
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code := regexp.MustCompile(`(?m)//.*$|regexp.MustCompile\(.*$`).ReplaceAllString(string(src), "")
		if got := len(begins.FindAllString(code, -1)); got != want[name] {
			t.Errorf("%s begins the program in %d places, want %d: is what it wrote searched?", name, got, want[name])
		}
		if strings.Contains(code, "cli.Command{") && !strings.Contains(code, "played(") {
			t.Errorf("%s runs the program around played", name)
		}
	}
}
