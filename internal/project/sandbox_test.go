package project

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
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
	cmd := exec.CommandContext(t.Context(), "bash", "-euxmc", text)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"5 created\n", "5 renewed\n", "5 replaced tokens will be revoked", `"Orphans":0`, fmt.Sprintf("%q:[]", "Violations")} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
