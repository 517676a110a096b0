package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestDeclinedPlanIsReported: the report of a declined plan contains every selected
// repository, the planned ones as deferred. The exit code is 0, also if a token is about
// to expire.
func TestDeclinedPlanIsReported(t *testing.T) {
	t.Parallel()

	w := sandbox.New(sandbox.Options{})
	for _, name := range harness.Names(4) {
		w.Add(sandbox.Repository{Name: name})
	}
	w.Provision(harness.Names(4)[0], harness.Aged(w, 1, 10, 355), "actions")
	w.Provision(harness.Names(4)[1], harness.Aged(w, 1, 363, 2), "actions")
	file := filepath.Join(t.TempDir(), "report.json")
	env := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GH_TOKEN": sandbox.GitHubToken}
	var out bytes.Buffer
	command := cli.Command{
		Version: "test", Stdin: strings.NewReader("n\n"), Stdout: &out, Stderr: &out, Terminal: true,
		Getenv: func(k string) string { return env[k] }, Transport: w.RoundTripper(),
	}
	code := played(t, w, t.Context(), command, "--organization", "acme", "--report-file", file,
		"--codacy-api-url", sandbox.CodacyURL, "--github-api-url", sandbox.GitHubURL)
	if code != 0 || w.Writes() != 0 {
		t.Errorf("exit code %d, %d writes\n%s", code, w.Writes(), out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Repositories []harness.Entry }
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range report.Repositories {
		got[strings.TrimPrefix(e.Repository, "acme/")] = e.Outcome
	}
	for i, name := range harness.Names(4) {
		want := "deferred"
		if i == 0 {
			want = "current"
		}
		if got[name] != want {
			t.Errorf("%s is %q in the report, want %q\n%s", name, got[name], want, text)
		}
	}
}
