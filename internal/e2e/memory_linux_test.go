package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestMemory: the running program may leave no core file, and is not dumpable: its files
// below /proc don't belong to its user.
func TestMemory(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "web"})
	cmd, finish := f.Start(t.Context(), harness.Inputs{"report-file": ""})
	user := uint32(os.Getuid())
	if user == 0 { // as another user, who can't read the usual folder
		user = 54321
		folder, err := os.MkdirTemp("", "memory-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		program, err := os.ReadFile(cmd.Path)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path, cmd.Dir = filepath.Join(folder, "program"), folder
		if err := errors.Join(os.WriteFile(cmd.Path, program, 0o755), os.Chmod(folder, 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	ready := make(chan struct{})
	var limits string
	owner := user
	var once sync.Once
	f.Hook(func(sandbox.Request) sandbox.Effect {
		once.Do(func() {
			<-ready
			folder := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
			limits = harness.Read(t, filepath.Join(folder, "limits"))
			if info, err := os.Stat(filepath.Join(folder, "status")); err != nil {
				t.Error(err)
			} else {
				owner = info.Sys().(*syscall.Stat_t).Uid
			}
		})
		return sandbox.Effect{}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(ready)
	_ = cmd.Wait() // another user can't write the outputs
	finish()
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 +bytes`).MatchString(limits) {
		t.Errorf("a core file may be left:\n%s", limits)
	}
	if owner == user {
		t.Error("the process is dumpable: its files belong to its user")
	}
}
