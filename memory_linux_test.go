package main

import (
	"syscall"
	"testing"
)

// TestProtectMemory: after protectMemory there is no core file, and the process is
// not dumpable.
func TestProtectMemory(t *testing.T) {
	dumpable := func() uintptr {
		t.Helper()
		n, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		return n
	}
	if dumpable() == 0 {
		t.Skip("this process is not dumpable anyway")
	}
	protectMemory()
	if n := dumpable(); n != 0 {
		t.Errorf("the process is dumpable: %d", n)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("a core file may have %d bytes, %v", limit.Cur, err)
	}
}
