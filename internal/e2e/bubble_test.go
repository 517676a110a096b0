package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// virtual is a World in virtual time. The program runs in the test's process, in a
// bubble of testing/synctest, so that waits take no time.
type virtual struct {
	*sandbox.World
	t   *testing.T
	dir string
}

func bubble(t *testing.T, o sandbox.Options, repositories ...string) *virtual {
	t.Helper()
	// A bubble starts at midnight, which may be a date without a time of day.
	time.Sleep(12 * time.Hour)
	w := sandbox.New(o)
	for _, name := range repositories {
		w.Add(sandbox.Repository{Name: name})
	}
	return &virtual{World: w, t: t, dir: t.TempDir()}
}

// run runs the program once and checks that no guarantee was broken.
func (v *virtual) run(in harness.Inputs) (code int, out string) {
	v.t.Helper()
	code, out = v.start(v.t.Context(), in, rand.New(rand.NewPCG(1, 2)), v.RoundTripper())
	v.Check(v.t)
	return code, out
}

func (v *virtual) start(ctx context.Context, in harness.Inputs, random *rand.Rand, transport http.RoundTripper) (code int, out string) {
	v.t.Helper()
	all := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(v.dir, "output"),
		"GITHUB_STEP_SUMMARY": filepath.Join(v.dir, "summary"), "INPUT_REPORT-FILE": filepath.Join(v.dir, "report.json"),
		"INPUT_CODACY-API-TOKEN": sandbox.CodacyToken, "INPUT_GITHUB-TOKEN": sandbox.GitHubToken,
		"INPUT_ORGANIZATION": "acme", "INPUT_CODACY-API-URL": sandbox.CodacyURL, "INPUT_GITHUB-API-URL": sandbox.GitHubURL,
		"INPUT_WRITES-PER-MINUTE": "0", "INPUT_REVOKE-AFTER-HOURS": "24", // the tests wait for a day
	}
	for k, val := range in {
		all["INPUT_"+strings.ToUpper(k)] = val
	}
	var stdout bytes.Buffer
	command := cli.Command{
		Version: "test", Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stdout,
		Getenv: func(k string) string { return all[k] }, Transport: transport, Rand: random,
	}
	code = played(v.t, v.World, ctx, command)
	return code, stdout.String()
}

func (v *virtual) provisioned(repository string, stores ...string) {
	v.t.Helper()
	harness.Provisioned(v.t, v.World, repository, stores)
}
