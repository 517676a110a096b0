// Package e2e holds the end-to-end tests: the built program runs over real HTTP
// against the sandbox, and what users see is asserted: exit code, log, outputs,
// summary, report, and what both services hold afterwards.
package e2e
