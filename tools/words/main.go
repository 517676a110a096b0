// Command words searches the project for words that its glossary has banned, and
// its documents for sentences that are too long. It checks the paths that it is
// given, or everything except what .ci/words-except.txt names.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("words", flag.ContinueOnError)
	root := flags.String("root", "..", "`folder` of the project")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(*root, ".ci/words.txt"))
	if err != nil {
		return err
	}
	list, err := parse(string(text))
	if err != nil {
		return fmt.Errorf(".ci/words.txt: %w", err)
	}
	text, err = os.ReadFile(filepath.Join(*root, ".ci/words-except.txt"))
	if err != nil {
		return err
	}
	p := project{root: *root, list: list, out: stdout}
	if flags.NArg() > 0 {
		err = p.checkPaths(flags.Args())
	} else {
		err = p.checkAll(string(text))
	}
	fmt.Fprintf(stdout, "%d files, %d findings\n", p.files, p.findings)
	if err == nil && p.findings > 0 {
		err = errors.New("words or sentences have to change")
	}
	return err
}

// project is the tree to check, and the result so far.
type project struct {
	root            string
	list            *list
	out             io.Writer
	files, findings int
}

// checkPaths checks the files below the paths, without exceptions.
func (p *project) checkPaths(paths []string) error {
	files, err := tracked(p.root)
	if err != nil {
		return err
	}
	for _, pattern := range paths {
		matching := below(files, pattern)
		if len(matching) == 0 {
			return fmt.Errorf("%s matches no file", pattern)
		}
		for _, file := range matching {
			if err := p.check(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAll checks every file but the exceptions. A line "never: PATH" is for
// files by other people. A line "later: PATH" is for files that have to change; it
// is an error once there is nothing to change.
func (p *project) checkAll(exceptions string) error {
	files, err := tracked(p.root)
	if err != nil {
		return err
	}
	skip := map[string]bool{}
	var wrong []error
	for _, line := range lines(exceptions) {
		word, pattern, _ := strings.Cut(line, ": ")
		matching := below(files, pattern)
		if word != "never" && word != "later" || len(matching) == 0 {
			wrong = append(wrong, fmt.Errorf(".ci/words-except.txt: %q is neither \"never: PATH\" nor \"later: PATH\", or matches no file", line))
			continue
		}
		probe := project{root: p.root, list: p.list, out: io.Discard}
		for _, file := range matching {
			skip[file] = true
			if err := probe.check(file); err != nil {
				return err
			}
		}
		if word == "later" && probe.findings == 0 {
			wrong = append(wrong, fmt.Errorf(".ci/words-except.txt: nothing is left to change in %s; remove its line", pattern))
		}
	}
	if wrong != nil {
		return errors.Join(wrong...)
	}
	for _, file := range files {
		if skip[file] {
			continue
		}
		if err := p.check(file); err != nil {
			return err
		}
	}
	return nil
}

// check prints what is wrong in a file.
func (p *project) check(file string) error {
	content, err := os.ReadFile(filepath.Join(p.root, file))
	if err != nil || bytes.ContainsRune(content, 0) { // an image
		return err
	}
	p.files++
	for _, f := range p.list.check(file, string(content)) {
		fmt.Fprintf(p.out, "%s:%d: %s\n", file, f.line, f.text)
		p.findings++
	}
	return nil
}

// lines returns the lines that are neither empty nor comments.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// tracked returns the files that Git tracks, or would add.
func tracked(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return slices.DeleteFunc(files, func(file string) bool { // deleted, but not yet in Git
		_, err := os.Lstat(filepath.Join(root, file))
		return err != nil
	}), nil
}

// below returns the files that match a pattern, or are in the folder of that name.
func below(files []string, pattern string) []string {
	var found []string
	for _, file := range files {
		matched, _ := path.Match(pattern, file)
		if matched || pattern == "." || strings.HasPrefix(file, strings.TrimSuffix(pattern, "/")+"/") {
			found = append(found, file)
		}
	}
	return found
}
