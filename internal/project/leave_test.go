package project

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// gh replaces GitHub's CLI. It implements the two commands of the workflow over HTTP.
const gh = `#!/usr/bin/env bash
set -euo pipefail
github() { curl -fsS -H "Authorization: Bearer $GH_TOKEN" "$@"; }
case "$1 $2" in
'api --paginate')
  [[ $3 == *\?per_page=100 && $4 == --jq ]]
  for ((n = 1; ; n++)); do
    page=$(github "$GITHUB/$3&page=$n")
    jq -r "$5" <<<"$page"
    [[ $page != '[]' ]] || break
  done
  ;;
'secret delete')
  [[ $4 == --repo && $6 == --app ]]
  github -X DELETE "$GITHUB/repos/$5/$7/secrets/$3"
  ;;
*) exit 64 ;;
esac
`

// TestLeave runs examples/uninstall.yml, unchanged except for Codacy's address. It deletes what the action created, and nothing else.
func TestLeave(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s, which GitHub's runners have", name)
		}
	}
	f := harness.Serve(t, sandbox.Options{})
	all := []string{"a-first", "many", "odd.name", "z-last"}
	for _, name := range harness.Names(100) { // the lists have two pages
		f.Add(sandbox.Repository{Name: name, Archived: true, State: sandbox.NotAdded})
	}
	for _, name := range all {
		f.Add(sandbox.Repository{Name: name})
		f.Provision(name, harness.Aged(f.World, 1, 100, 265))
		f.Provision(name, harness.Aged(f.World, 2, 10, 355), "actions")
	}
	f.Add(sandbox.Repository{Name: "never"})
	// Unmanaged tokens and secrets, and more tokens than a page has.
	for i := range 100 {
		f.AddToken("many", sandbox.Token{Name: fmt.Sprintf("foreign-%d", i)})
	}
	f.Provision("many", harness.Aged(f.World, 3, 5, 360))
	for _, name := range []string{"codacy-project-token", "codacy-project-token-01", "codacy-project-token-1-mine", "other", ""} {
		f.AddToken("never", sandbox.Token{Name: name})
	}
	f.SetSecret("never", "actions", "OTHER", "manual")
	f.SetSecret("many", "dependabot", harness.SecretName, "manual")

	const file = root + "examples/uninstall.yml"
	job := parseWorkflow(t, file, harness.Read(t, file)).Jobs["remove"]
	dir := t.TempDir()
	for name, text := range map[string]string{"gh": gh, "sleep": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var out []byte
	for _, step := range job.Steps {
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", strings.ReplaceAll(step.Run, "https://app.codacy.com/api/v3", f.Codacy))
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "GITHUB=" + f.GitHub}
		for _, env := range []map[string]string{job.Env, step.Env} {
			for name, text := range env {
				cmd.Env = append(cmd.Env, name+"="+expand(t, text, map[string]string{
					"secrets.SECRETS_TOKEN": sandbox.GitHubToken, "secrets.CODACY_API_TOKEN": sandbox.CodacyToken, "github.repository_owner": "acme",
				}))
			}
		}
		shown, err := cmd.CombinedOutput()
		out = append(out, shown...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	harness.NoLeak(t, f.World, false, map[string]string{"the log": string(out)})
	for _, name := range all {
		if _, ok := f.Secret(name, "actions", harness.SecretName); ok {
			t.Errorf("%s still has its secret", name)
		}
		for _, token := range f.ValidTokens(name) {
			if !strings.HasPrefix(token.Name, "foreign-") {
				t.Errorf("%s still has %s", name, token.Name)
			}
		}
	}
	if n := len(f.ValidTokens("many")); n != 100 {
		t.Errorf("%d of the 100 foreign tokens are left", n)
	}
	if n := len(f.ValidTokens("never")); n != 5 {
		t.Errorf("%d of the 5 tokens whose names are much alike are left", n)
	}
	for _, s := range [][3]string{{"never", "actions", "OTHER"}, {"many", "dependabot", harness.SecretName}} {
		if v, _ := f.Secret(s[0], s[1], s[2]); v != "manual" {
			t.Errorf("%v was deleted", s)
		}
	}
	if !strings.Contains(string(out), "never: actions: there is no such secret") {
		t.Errorf("it does not say what it could not delete:\n%s", out)
	}
	f.Check(t)
}
