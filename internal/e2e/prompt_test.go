package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestPrompt: on a terminal the program shows the plan and prompts. It applies the
// plan only if the reply is yes.
func TestPrompt(t *testing.T) {
	t.Parallel()

	for reply, writes := range map[string]int{"y\n": 2, " YES \n": 2, "n\n": 0, "\n": 0, "": 0, "yep\n": 0} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"}, sandbox.Repository{Name: "beta", Archived: true})
			var out bytes.Buffer
			env := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GH_TOKEN": sandbox.GitHubToken, "GITHUB_API_URL": f.GitHub}
			command := cli.Command{
				Version: "test", Stdin: strings.NewReader(reply), Stdout: &out, Stderr: &out, Terminal: true,
				Getenv: func(k string) string { return env[k] },
			}
			if code := played(t, f.World, t.Context(), command, "--organization", "acme", "--codacy-api-url", f.Codacy); code != 0 {
				t.Errorf("exit code %d, want 0\n%s", code, out.String())
			}
			f.Check(t)
			if got := f.Writes(); got != writes {
				t.Errorf("%d writes, want %d\n%s", got, writes, out.String())
			}
			if !strings.Contains(out.String(), "acme/alpha") || !strings.Contains(out.String(), "[y/N]") {
				t.Errorf("the plan or the prompt is missing:\n%s", out.String())
			}
			if writes > 0 {
				f.Provisioned("alpha")
			} else if !strings.Contains(out.String(), "Plan not applied; nothing changed") {
				t.Errorf("a no is not acknowledged:\n%s", out.String())
			}
		})
	}
}
