package report

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// fixture is a Report with everything that it writes.
type fixture struct {
	*Report
	t              *testing.T
	stdout, stderr bytes.Buffer
	env            map[string]string
}

// newFixture returns a Report on a runner, unless change says otherwise.
func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{t: t, env: map[string]string{
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}}
	o := Options{
		Runner: true, Stdout: &f.stdout, Stderr: &f.stderr, Getenv: func(k string) string { return f.env[k] },
		Organization: "acme", SecretName: "CODACY_PROJECT_TOKEN", Web: "https://github.com", RenewBefore: 90 * 24 * time.Hour, Version: "v1",
		Now: func() time.Time { return now },
	}
	if change != nil {
		change(&o)
	}
	o.MaskWriter = o.Stdout
	f.Report = New(o)
	return f
}

// Summary returns the summary as it would be written now.
func (f *fixture) Summary() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.summary()
}

func (f *fixture) read(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(f.env[name])
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// lines returns the lines of the log that start with prefix.
func (f *fixture) lines(prefix string) []string {
	var found []string
	for l := range strings.Lines(f.stdout.String()) {
		if strings.HasPrefix(l, prefix) {
			found = append(found, strings.TrimSuffix(l, "\n"))
		}
	}
	return found
}

func failed(i int, reason string) outcome.Result {
	return outcome.Result{Owner: "acme", Name: fmt.Sprintf("r%03d", i), Outcome: outcome.Failed, Reason: reason}
}

// current returns a result with a token that expires in the given number of days.
func current(i, days int) outcome.Result {
	return outcome.Result{
		Owner: "acme", Name: fmt.Sprintf("r%03d", i), Outcome: outcome.Current, TokenID: int64(i + 1), TokenName: "codacy-project-token-1",
		ExpiresAt: now.AddDate(0, 0, days), Stores: []rotation.Store{rotation.StoreActions},
	}
}

// The summary of a run that did not start says why, and nothing else is written.
func TestAbort(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Error("github-token: wrong", "Open https://github.com/settings/tokens (or ask), and <i>again</i>")
	f.Abort()
	want := "## ❌ Not started; nothing changed\n\n> [!CAUTION]\n> github-token\\: wrong<br>\n" +
		"> **Open <https://github.com/settings/tokens> \\(or ask\\), and &lt;i&gt;again&lt;/i&gt;**\n\n"
	if diff := cmp.Diff(want, strings.TrimSuffix(f.read("GITHUB_STEP_SUMMARY"), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := os.Stat(f.env["GITHUB_OUTPUT"]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("outputs were written: %v", err)
	}
}

func TestUnwritable(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	missing := filepath.Join(dir, "no", "such", "folder", "file")
	t.Run("outputs", func(t *testing.T) {
		t.Parallel()

		f := newFixture(t, nil)
		f.env["GITHUB_OUTPUT"] = ""
		if err := f.Finish(); err != nil || len(f.lines("::warning")) != 1 {
			t.Errorf("without an output file: %v, %q", err, f.stdout.String())
		}
		for _, path := range []string{missing, dir} {
			f := newFixture(t, nil)
			f.env["GITHUB_OUTPUT"] = path
			if err := f.Finish(); err == nil || !strings.Contains(err.Error(), "outputs could not be written") ||
				path == "" && !strings.Contains(err.Error(), "GITHUB_OUTPUT is not set") {
				t.Errorf("%q: %v", path, err)
			}
			if !strings.Contains(f.read("GITHUB_STEP_SUMMARY"), "## ") {
				t.Errorf("%q: the summary was not written either", path)
			}
		}
	})
	t.Run("summary", func(t *testing.T) {
		t.Parallel()

		for _, path := range []string{missing, dir} {
			f := newFixture(t, nil)
			f.env["GITHUB_STEP_SUMMARY"] = path
			if err := f.Finish(); err != nil {
				t.Errorf("%q: %v", path, err)
			}
			if got := f.lines("::warning"); len(got) != 1 || !strings.Contains(got[0], "summary could not be written") {
				t.Errorf("%q: warnings %q", path, got)
			}
		}
		f := newFixture(t, nil)
		f.env["GITHUB_STEP_SUMMARY"] = ""
		if err := f.Finish(); err != nil || len(f.lines("::")) > 0 {
			t.Errorf("without a summary file: %v, %q", err, f.stdout.String())
		}
	})
	t.Run("report", func(t *testing.T) {
		t.Parallel()

		for _, path := range []string{missing + ".json", missing + ".csv", dir} {
			f := newFixture(t, func(o *Options) { o.File = path })
			f.env["GITHUB_OUTPUT"] = missing
			err := f.Finish()
			if err == nil || !strings.Contains(err.Error(), "report could not be written: "+path) ||
				!strings.Contains(err.Error(), "outputs could not be written") || strings.Contains(err.Error(), ".report-") {
				t.Errorf("%q: %v", path, err)
			}
		}
		// No temporary file is left.
		files, err := os.ReadDir(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasPrefix(file.Name(), ".report-") {
				t.Errorf("%s is left", file.Name())
			}
		}
	})
}
