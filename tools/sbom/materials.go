package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// minCovered is the percentage of a license file that must be the text of known
// licenses. The rest is names, years and headings.
const minCovered = 75

// materials are what programs are made of.
type materials struct {
	main, std component
	modules   []component // sorted by path
}

// component is a module, or the standard library.
type component struct {
	path, version string
	sum           string // as in go.sum; empty for the main module and the standard library
	licenses      []string
	files         []file
}

// file is a license, a notice or a list of patents.
type file struct{ name, text string }

// read returns the modules of the programs, which must all have the same ones.
func read(project string, programs []string) (*materials, error) {
	if len(programs) == 0 {
		return nil, errors.New("no program was named")
	}
	var first *debug.BuildInfo
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = info
		}
		if info.GoVersion != first.GoVersion || info.Main.Path != first.Main.Path || !slices.EqualFunc(info.Deps, first.Deps, sameModule) {
			return nil, fmt.Errorf("%s and %s contain different modules", program, programs[0])
		}
	}
	goRoot, err := output(project, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	m := &materials{
		main: component{path: first.Main.Path},
		std:  component{path: "std", version: first.GoVersion},
	}
	if err := m.main.addLicenses(project); err != nil {
		return nil, err
	}
	if err := m.std.addLicenses(strings.TrimSpace(goRoot)); err != nil {
		return nil, err
	}
	for _, dep := range first.Deps {
		c := component{path: dep.Path, version: dep.Version, sum: dep.Sum}
		if dep.Replace != nil || c.sum == "" {
			return nil, fmt.Errorf("%s is replaced, so its license can't be found", dep.Path)
		}
		folder, err := download(project, c)
		if err != nil {
			return nil, err
		}
		if err := c.addLicenses(folder); err != nil {
			return nil, err
		}
		m.modules = append(m.modules, c)
	}
	slices.SortFunc(m.modules, func(a, b component) int { return strings.Compare(a.path, b.path) })
	return m, nil
}

func sameModule(a, b *debug.Module) bool {
	return a.Path == b.Path && a.Version == b.Version && a.Sum == b.Sum && (a.Replace == nil) == (b.Replace == nil)
}

// download returns the folder of a module's source, whose sum go.sum confirms.
func download(project string, c component) (string, error) {
	out, err := output(project, "mod", "download", "-json", c.path+"@"+c.version)
	if err != nil {
		return "", err
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal([]byte(out), &module); err != nil {
		return "", err
	}
	if module.Sum != c.sum {
		return "", fmt.Errorf("the program was built from another %s: %s, not %s", c.path, c.sum, module.Sum)
	}
	return module.Dir, nil
}

// output runs the go command.
func output(folder string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

var (
	licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([.-].*)?$`)
	noticeName  = regexp.MustCompile(`(?i)^(notice|patents)([.-].*)?$`)
)

// addLicenses reads the licenses in a module's folder. A module without a known
// license is an error, because a maintainer has to decide whether it may be used.
func (c *component) addLicenses(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		isLicense := licenseName.MatchString(entry.Name())
		if entry.IsDir() || filepath.Ext(entry.Name()) == ".go" || !isLicense && !noticeName.MatchString(entry.Name()) {
			continue
		}
		text, err := readText(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		c.files = append(c.files, file{entry.Name(), text})
		if !isLicense {
			continue
		}
		found := licensecheck.Scan([]byte(text))
		if found.Percent < minCovered {
			return fmt.Errorf("%s: only %.0f%% of %s is a known license", c.path, found.Percent, entry.Name())
		}
		for _, match := range found.Match {
			if !slices.Contains(c.licenses, match.ID) {
				c.licenses = append(c.licenses, match.ID)
			}
		}
	}
	if len(c.licenses) == 0 {
		return fmt.Errorf("%s has no license", c.path)
	}
	slices.Sort(c.licenses)
	return nil
}

// readText reads a file of at most 1 MiB.
func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const limit = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return string(text), err
}
