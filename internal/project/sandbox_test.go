package project

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestSandboxPage runs the commands of docs/sandbox.md one after the other, except for
// the builds. Only the port differs, and --yes replaces the first reply.
func TestSandboxPage(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s", name)
		}
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "sandbox"), "./internal/sandbox/server")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := filepath.Abs(harness.Program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "codacy-project-tokens")); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()

	var script strings.Builder
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(harness.Read(t, root+"docs/sandbox.md"), -1) {
		script.WriteString(m[1])
	}
	text := regexp.MustCompile(`(?m)^go build .*\n`).ReplaceAllString(script.String(), "")
	text = strings.ReplaceAll(text, "127.0.0.1:8443", address)
	text = strings.Replace(text, ">ca.pem &\n", ">ca.pem &\nuntil grep -q listening ca.pem; do sleep 0.05; done\n", 1)
	text = strings.Replace(text, "/api/v3\n", "/api/v3 --yes\n", 1) // there is no terminal to reply y on
	// A command that fails must not leave the server behind, which has the output open.
	cmd := exec.CommandContext(t.Context(), "bash", "-eumc", "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n"+text)
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, rest, ok := strings.Cut(string(out), `{"Repositories":`)
	state, rest, _ := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("no state in\n%s", out)
	}
	for _, want := range []string{"5 created\n", "5 renewed\n", "5 replaced tokens will be revoked"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, want := range []string{`"Orphans":0`, `"Violations":[]`, `"Unsettled":[]`} {
		if !strings.Contains(state, want) {
			t.Errorf("no %q in %s", want, state)
		}
	}
	_, list, _ := strings.Cut(state, `"Values":[`)
	list, _, _ = strings.Cut(list, "]")
	values := append(strings.Split(list, ","), sandbox.CodacyToken, sandbox.GitHubToken)
	if len(values) != 5+5+2 {
		t.Errorf("%d values, want 5 tokens, 5 that replaced them, and 2 credentials", len(values))
	}
	for _, value := range values {
		if strings.Contains(log+rest, strings.Trim(value, `"`)) {
			t.Errorf("a token or a credential is in the output:\n%s", out)
		}
	}
}
