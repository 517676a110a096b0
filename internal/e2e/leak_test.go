package e2e

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// played runs the program in this process and searches for leaks in what it wrote,
// also in the files that its environment names.
func played(t testing.TB, w *sandbox.World, ctx context.Context, command cli.Command, args ...string) int {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout = io.MultiWriter(command.Stdout, &stdout)
	command.Stderr = io.MultiWriter(command.Stderr, &stderr)
	code := command.Run(ctx, args)
	written := map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}
	var more []string
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "INPUT_REPORT-FILE"} {
		if path := command.Getenv(name); path != "" {
			b, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Errorf("%s: %v", name, err)
			}
			written[name] = string(b)
		}
	}
	for _, name := range []string{
		"INPUT_CODACY-API-TOKEN", "INPUT_GITHUB-TOKEN", "INPUT_GITHUB-APP-PRIVATE-KEY",
		"CODACY_API_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GITHUB_APP_PRIVATE_KEY",
	} {
		more = append(more, command.Getenv(name))
	}
	harness.NoLeak(t, w, command.Getenv("GITHUB_ACTIONS") == "true", written, more...)
	return code
}

// TestMaskedFirst: on a runner a new token is masked in the log before its value is
// sent anywhere.
func TestMaskedFirst(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{})
	for _, name := range harness.Names(3) {
		f.Add(sandbox.Repository{Name: name})
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log")) // a pipe could be read too late
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f.Hook(func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindPutSecret {
			for _, token := range f.ValidTokens(r.Repository) {
				if !strings.Contains("\n"+harness.Read(t, log.Name()), "\n::add-mask::"+token.Value+"\n") {
					t.Errorf("%s is stored and not masked", token.Name)
				}
			}
		}
		return sandbox.Effect{}
	})
	cmd, _ := f.Start(t.Context(), nil)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil || f.Count(sandbox.KindPutSecret) != 3 {
		t.Errorf("%v\n%s", err, harness.Read(t, log.Name()))
	}
	harness.NoLeak(t, f.World, true, map[string]string{"stdout": harness.Read(t, log.Name())})
}

// TestCredentialAcrossLines: a credential that is the end of one line and the start of
// the next one is redacted, although each line is written by itself.
func TestCredentialAcrossLines(t *testing.T) {
	t.Parallel()

	const credential = "2onGitHub)Planforthesecret"
	f := harness.Serve(t, sandbox.Options{CodacyTokens: []string{credential}}, sandbox.Repository{Name: "alpha"}, sandbox.Repository{Name: "beta"})
	code, out, errs := f.CommandLine([]string{"CODACY_API_TOKEN=" + credential, "GH_TOKEN=" + sandbox.GitHubToken},
		"--organization", "acme", "--codacy-api-url", f.Codacy, "--github-api-url", f.GitHub, "--yes")
	if code != 0 || !strings.Contains(out, "(2 on Codacy, *** CODACY_PROJECT_TOKEN in acme:\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestNothingBypassesRedaction: all output is redacted, the help and prompts too. No
// statement in the program's source prints in another way.
func TestNothingBypassesRedaction(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	env := map[string]string{"CODACY_API_TOKEN": "--organization"}
	command := cli.Command{Version: "1.2.3", Stdout: &out, Stderr: &out, Getenv: func(k string) string { return env[k] }}
	w := sandbox.New(sandbox.Options{})
	if code := played(t, w, t.Context(), command, "--help"); code != 0 || !strings.Contains(out.String(), "  *** ") {
		t.Errorf("exit code %d: a credential is printed by --help:\n%s", code, out.String())
	}

	bypasses := regexp.MustCompile(`\bfmt\.Print|[^.\w]print(ln)?\("|\bos\.Std(out|err)\b|\bos\.(WriteFile|Create|OpenFile)\(|\blog\.`)
	allowed := map[string]bool{"../../main.go": true} // passes them to the program
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"demo", "harness", "sandbox", "mutants", "contract", "tools", ".git"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		code := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(string(src), "")
		for _, found := range bypasses.FindAllString(code, -1) {
			if !allowed[path] {
				t.Errorf("%s bypasses the redaction: %s", path, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
