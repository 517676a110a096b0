// Command mutants tests the tests. It removes one thing after another from the code:
// a rule of the protocol, a protection of docs/threat-model.md or a message to users.
// Each time, the test that is listed for it must fail. It prints a table with the
// seconds that each test took. It takes some minutes; run it at the project's root.
//
//	go run ./internal/mutants             all of them
//	go run ./internal/mutants -list       the table alone
//	go run ./internal/mutants grace HTML  those with such words in their names
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	list := flag.Bool("list", false, "print the table alone")
	flag.Parse()
	if err := run(ctx, *list, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

//go:embed *.txt
var lists embed.FS

// mutant is one change that must not go unnoticed.
type mutant struct {
	name            string
	file            string
	search, replace string   // search stands once in the file
	dir, test       string   // the test that fails, and where it is
	args            []string // of the test
}

// read reads a list: four lines for each mutant, with an empty one in between.
// They are its name, the file, the text to replace with its replacement, and the
// package with the test and its arguments. " => " separates the parts of a line;
// \n, \t and \\ have their meaning in Go.
func read(name string) ([]mutant, error) {
	text, err := lists.ReadFile(name)
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace
	var all []mutant
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		lines := strings.Split(block, "\n")
		if len(lines) != 4 {
			return nil, fmt.Errorf("%s: not four lines: %q", name, block)
		}
		search, replace, ok1 := strings.Cut(lines[2], " => ")
		dir, test, ok2 := strings.Cut(lines[3], " => ")
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%s: %s: no \" => \" in its third or fourth line", name, lines[0])
		}
		words := strings.Fields(test)
		all = append(all, mutant{
			name: lines[0], file: lines[1], search: unescape(search), replace: unescape(replace),
			dir: dir, test: words[0], args: words[1:],
		})
	}
	return all, nil
}

func (m mutant) row() string {
	return fmt.Sprintf("| %s | `%s` | `%s` in `%s` |", m.name, m.file, m.test, m.dir)
}

// result is what became of a mutant.
type result struct {
	verdict string
	took    time.Duration
	err     error
}

func run(ctx context.Context, list bool, words []string, stdout io.Writer) error {
	var chosen []mutant
	for _, name := range []string{"protocol.txt", "protections.txt", "answers.txt"} {
		mutants, err := read(name)
		if err != nil {
			return err
		}
		for _, m := range mutants {
			if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(m.name, w) }) {
				chosen = append(chosen, m)
			}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]chan result, len(chosen))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	if !list {
		go func() {
			for i, m := range chosen {
				slots <- struct{}{}
				go func() {
					defer func() { <-slots }()
					began := time.Now()
					verdict, err := m.try(ctx)
					results[i] <- result{verdict, time.Since(began), err}
				}()
			}
		}()
	}
	missed := 0
	for i, m := range chosen {
		row := m.row()
		if !list {
			r := <-results[i]
			if r.err != nil {
				return fmt.Errorf("%s: %w", m.name, r.err)
			}
			if r.verdict != "fails" {
				missed++
			}
			row += fmt.Sprintf(" %s after %.0f s |", r.verdict, r.took.Seconds())
		}
		if _, err := fmt.Fprintln(stdout, row); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d went unnoticed, or broke the build", missed)
	}
	return nil
}

// try changes a copy of the tree, because the tests build the program and read its
// sources, and runs the test there. The verdict is "fails" if the test notices.
func (m mutant) try(ctx context.Context) (verdict string, err error) {
	tree, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
	if err := copyTree(ctx, tree); err != nil {
		return "", err
	}
	file := filepath.Join(tree, m.file)
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.search); n != 1 {
		return "", fmt.Errorf("%q stands %d times in %s", m.search, n, m.file)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(source), m.search, m.replace, 1)), 0o600); err != nil {
		return "", err
	}
	args := append([]string{"test", "-vet=off", "-count=1", "-run", "^" + m.test + "$", "./" + m.dir}, m.args...)
	test := exec.CommandContext(ctx, "go", args...)
	test.Dir = tree
	test.Env = append(os.Environ(), "GOFLAGS=-trimpath") // lets the build cache serve every copy
	out, err := test.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "**DOES NOT FAIL**", nil
	case strings.Contains(string(out), "--- FAIL: "+m.test+" "), strings.Contains(string(out), "panic: "):
		return "fails", nil
	}
	return "**BROKEN**: " + strings.ReplaceAll(string(out[max(0, len(out)-300):]), "\n", " "), nil
}

// copyTree copies the files that git knows or would take in.
func copyTree(ctx context.Context, to string) error {
	files, err := exec.CommandContext(ctx, "git", "ls-files", "-co", "-z", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list the project's files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		content, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		} else if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), content, info.Mode().Perm()|0o200); err != nil {
			return err
		}
	}
	return nil
}
