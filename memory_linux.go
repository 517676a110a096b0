package main

import "syscall"

// protectMemory keeps the credentials in memory from core files and debuggers: the
// process leaves no core file, and is not dumpable. It ignores errors: the process
// is as it was then.
func protectMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
}
