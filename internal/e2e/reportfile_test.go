package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestReportFileIsCheckedFirst: a report file that cannot be created is an input error,
// before the first request.
func TestReportFileIsCheckedFirst(t *testing.T) {
	t.Parallel()

	for name, path := range map[string]func(dir string) string{
		"no such folder":   func(dir string) string { return filepath.Join(dir, "no", "such", "report.json") },
		"a folder":         func(dir string) string { return filepath.Join(dir, "folder.json") },
		"a file as folder": func(dir string) string { return filepath.Join(dir, "file", "report.csv") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "api"})
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			r := f.Run(harness.Inputs{"report-file": path(dir)})
			if r.Code != 2 || f.Total() > 0 || !strings.Contains(r.Annotations("error"), "report-file") {
				t.Errorf("exit code %d after %d requests, want an input error\n%s", r.Code, f.Total(), r.Stdout)
			}
		})
	}
}

// TestReportFailsAfterTheWork: if only the report could not be written, the headline
// says what was done, and not that the run failed.
func TestReportFailsAfterTheWork(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{})
	for _, name := range harness.Names(3) {
		f.Add(sandbox.Repository{Name: name})
	}
	dir := filepath.Join(f.Dir, "reports")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// The folder disappears while the run works.
	f.Hook(func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindPutSecret {
			return sandbox.Effect{After: func() { _ = os.RemoveAll(dir) }}
		}
		return sandbox.Effect{}
	})
	r := f.Run(harness.Inputs{"report-file": filepath.Join(dir, "report.json")})
	f.Want(r, 1, "created=3")
	if !strings.Contains(r.Annotations("error"), "report") {
		t.Errorf("no ::error about the report\n%s", r.Stdout)
	}
	headline, _, _ := strings.Cut(r.Summary, "\n")
	if strings.Contains(headline, "Run failed") || strings.Contains(headline, "Not started") {
		t.Errorf("the headline is %q", headline)
	}
	for _, name := range harness.Names(3) {
		f.Provisioned(name)
	}
}
