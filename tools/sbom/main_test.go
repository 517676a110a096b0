package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// copyFile copies a file into a folder, under its own name.
func copyFile(t *testing.T, from, folder string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, filepath.Base(from)), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// project returns a folder with the go.mod of these tools, whose program is this
// test, and with a license.
func project(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"../go.mod", "../go.sum", "../../LICENSE"} {
		copyFile(t, name, folder)
	}
	return folder
}

// TestRun describes this test's own program: every module is listed with its sum
// and its license, and a second run writes the same bytes.
func TestRun(t *testing.T) {
	t.Parallel()

	program := os.Args[0]
	folder := t.TempDir()
	var boms, notices [2][]byte
	for i := range boms {
		bom, text := filepath.Join(folder, "bom"), filepath.Join(folder, "text")
		if err := run([]string{"-project", project(t), "-version", "v1.2.3", "-output", bom, "-notices", text, program}); err != nil {
			t.Fatal(err)
		}
		var err error
		if boms[i], err = os.ReadFile(bom); err != nil {
			t.Fatal(err)
		}
		if notices[i], err = os.ReadFile(text); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(boms[0], boms[1]) || !bytes.Equal(notices[0], notices[1]) {
		t.Error("two runs write different files")
	}

	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(boms[0]), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") || bom.Metadata.Timestamp != "" {
		t.Errorf("serial number %q, time %q", bom.SerialNumber, bom.Metadata.Timestamp)
	}
	listed := map[string]cyclonedx.Component{}
	for _, c := range append(*bom.Components, *bom.Metadata.Component) {
		listed[c.PackageURL] = c
		if c.Licenses == nil || len(*c.Licenses) == 0 {
			t.Errorf("%s has no license", c.Name)
		}
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) < 2 || len(*bom.Components) != len(info.Deps)+1 {
		t.Errorf("%d modules and the standard library are listed as %d components", len(info.Deps), len(*bom.Components))
	}
	for _, dep := range info.Deps {
		if c := listed["pkg:golang/"+dep.Path+"@"+dep.Version]; c.Hashes == nil || len((*c.Hashes)[0].Value) != 64 {
			t.Errorf("%s %s is not listed with its sum", dep.Path, dep.Version)
		}
		if !bytes.Contains(notices[0], []byte("\n"+dep.Path+" (")) || bytes.Contains(notices[0], []byte(dep.Version)) {
			t.Errorf("the licenses lack %s, or name its version", dep.Path)
		}
	}
	for url, id := range map[string]string{
		"pkg:golang/" + info.Main.Path + "@v1.2.3":             "Apache-2.0",
		"pkg:golang/std@" + info.GoVersion:                     "BSD-3-Clause",
		"pkg:golang/github.com/google/licensecheck@v0.3.1":     "BSD-3-Clause",
		"pkg:golang/github.com/CycloneDX/cyclonedx-go@v0.12.0": "Apache-2.0",
	} {
		got := ""
		if c := listed[url]; c.Licenses != nil {
			got = (*c.Licenses)[0].License.ID
		}
		if got != id {
			t.Errorf("%s has the license %q, want %q", url, got, id)
		}
	}
	if !bytes.Contains(notices[0], []byte("Copyright 2009 The Go Authors")) {
		t.Error("the licenses lack Go's")
	}
}

// TestRefused shows what stops a release: nothing to read, or a license that
// a maintainer has to read first.
func TestRefused(t *testing.T) {
	t.Parallel()

	goRoot, err := output(".", "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	gofmt := filepath.Join(strings.TrimSpace(goRoot), "bin", "gofmt")
	for name, c := range map[string]struct {
		programs []string
		license  func(string) string // none is written if it returns nothing
		want     string
	}{
		"no program":         {nil, nil, "no program was named"},
		"not a program":      {[]string{"main.go"}, nil, "unrecognized file format"},
		"different modules":  {[]string{os.Args[0], gofmt}, nil, "contain different modules"},
		"no license":         {[]string{os.Args[0]}, func(string) string { return "" }, "has no license"},
		"an unknown license": {[]string{os.Args[0]}, func(string) string { return "All rights reserved." }, "0% of LICENSE is a known license"},
		"a license and more": {
			[]string{os.Args[0]},
			func(text string) string {
				return text + strings.Repeat("No part of this may be used on Sundays. ", 500)
			}, "is a known license",
		},
		"a huge license": {[]string{os.Args[0]}, func(text string) string { return text + strings.Repeat("x", 1<<20) }, "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := project(t)
			if c.license != nil {
				license := filepath.Join(folder, "LICENSE")
				text, err := os.ReadFile(license)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(license); err != nil {
					t.Fatal(err)
				}
				if changed := c.license(string(text)); changed != "" {
					if err := os.WriteFile(license, []byte(changed), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			bom := filepath.Join(folder, "bom")
			err := run(append([]string{"-project", folder, "-output", bom}, c.programs...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
			if _, err := os.Stat(bom); err == nil {
				t.Error("a bill of materials was written")
			}
		})
	}
}

// TestOtherSource: a module's license comes from the source that the program was
// built from, or not at all.
func TestOtherSource(t *testing.T) {
	t.Parallel()

	_, err := download(project(t), component{path: "github.com/google/licensecheck", version: "v0.3.1", sum: "h1:other"})
	if err == nil || !strings.Contains(err.Error(), "was built from another") {
		t.Errorf("the error is %v", err)
	}
}
