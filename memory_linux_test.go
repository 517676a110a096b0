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
	// A process is not dumpable from the start where its file can't be read, for example.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 1, 0); errno != 0 || dumpable() != 1 {
		t.Fatalf("the process can't be made dumpable for the test: %v", errno)
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
