// Command mutants tests the tests. It removes one thing after another from the code:
// a rule of the protocol, a protection of docs/threat-model.md or a message to users.
// Each time, every test that is listed for it must fail. It prints a table with the
// seconds that the tests took. It takes some minutes; run it at the project's root.
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
	"regexp"
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
	search, replace string // search stands once in the file
	tests           []test // all of them fail
	comment         string // why the process does not show it, without "# "
}

// test is a test that fails, and where it is.
type test struct {
	dir, name string // the name may be a subtest's, with slashes
	args      []string
}

// function is the name of the test's function.
func (t test) function() string {
	name, _, _ := strings.Cut(t.name, "/")
	return name
}

// pattern selects the test, and no other, for go test.
func (t test) pattern() string {
	parts := strings.Split(t.name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// read reads a list: four lines or more for each mutant, with an empty one in between.
// They are its name, the file, the text to replace with its replacement, and one line
// for each package with a test and its arguments. " => " separates the parts of a line;
// \n, \t and \\ have their meaning in Go. Lines that start with "# " are comments.
func read(name string) ([]mutant, error) {
	text, err := lists.ReadFile(name)
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace
	var all []mutant
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		var m mutant
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if comment, ok := strings.CutPrefix(line, "# "); ok {
				m.comment = strings.TrimSpace(m.comment + " " + comment)
			} else {
				lines = append(lines, line)
			}
		}
		if len(lines) < 4 {
			return nil, fmt.Errorf("%s: less than four lines: %q", name, block)
		}
		m.name, m.file = lines[0], lines[1]
		search, replace, ok := strings.Cut(lines[2], " => ")
		m.search, m.replace = unescape(search), unescape(replace)
		for _, line := range lines[3:] {
			dir, words, found := strings.Cut(line, " => ")
			fields := strings.Fields(words)
			if ok = ok && found && len(fields) > 0; ok {
				m.tests = append(m.tests, test{dir, fields[0], fields[1:]})
			}
		}
		if !ok {
			return nil, fmt.Errorf("%s: %s: no \" => \" in its third line or one after it", name, m.name)
		}
		all = append(all, m)
	}
	return all, nil
}

// row is the mutant's row in a table. Of a subtest it names the function, because a
// long name would make the table too wide.
func (m mutant) row() string {
	tests := make([]string, len(m.tests))
	for i, t := range m.tests {
		tests[i] = fmt.Sprintf("`%s` in `%s`", t.function(), t.dir)
	}
	return fmt.Sprintf("| %s | `%s` | %s |", m.name, m.file, strings.Join(tests, ", "))
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
			if r.verdict != fails {
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
// sources, and runs the tests there. The verdict is "fails" if all of them notice.
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
	for _, t := range m.tests {
		if verdict, err = t.run(ctx, tree); err != nil || verdict != fails {
			return verdict, err
		}
	}
	return fails, nil
}

// fails is the verdict on a test that notices a mutant.
const fails = "fails"

// run runs a test in a tree.
func (t test) run(ctx context.Context, tree string) (verdict string, err error) {
	args := append([]string{"test", "-vet=off", "-count=1", "-run", t.pattern(), "./" + t.dir}, t.args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath") // lets the build cache serve every copy
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return fmt.Sprintf("**DOES NOT FAIL** (%s)", t.name), nil
	case strings.Contains(string(out), "--- FAIL: "+t.name+" "), strings.Contains(string(out), "panic: "):
		return fails, nil
	}
	return fmt.Sprintf("**BROKEN** (%s): %s", t.name, strings.ReplaceAll(string(out[max(0, len(out)-300):]), "\n", " ")), nil
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
