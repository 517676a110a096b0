package project

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRunIsSearched: tests start programs in few places, and each of them
// searches for leaks in what the program wrote.
func TestEveryRunIsSearched(t *testing.T) {
	t.Parallel()

	starts := regexp.MustCompile(`\bcommand\.Run\(|exec\.Command(Context)?\(|\bharness\.Command\(`)
	want := map[string]int{
		"e2e/leak_test.go":          1, // played
		"e2e/bench_test.go":         2, // benchmarks measure time and memory
		"e2e/hostile_run_test.go":   1, // attackRun
		"e2e/process_test.go":       3, // builds and starts a program of its own, without secrets
		"harness/harness.go":        3, // go build; a step; the command line
		"harness/terminal.go":       1,
		"project/container_test.go": 6, // go build and the servers; the step, with and without an engine
		"project/release_test.go":   2, // git, and the lines of a workflow
		"project/leave_test.go":     1, // the script that deletes everything
		"project/sandbox_test.go":   2, // go build; the commands of docs/sandbox.md
	}
	for _, dir := range []string{"e2e", "harness", "project"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		if err != nil || len(files) < 5 {
			t.Fatalf("%d files in %s, %v", len(files), dir, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(filepath.ToSlash(file), "../")
			code := regexp.MustCompile(`(?m)//.*$|regexp.MustCompile\(.*$`).ReplaceAllString(string(src), "")
			if got := len(starts.FindAllString(code, -1)); got != want[name] {
				t.Errorf("%s starts programs in %d places, want %d: does each search what the program wrote?", name, got, want[name])
			}
			if strings.Contains(code, "cli.Command{") && !strings.Contains(code, "played(") {
				t.Errorf("%s runs the program without played, which searches for leaks", name)
			}
		}
	}
}
