//go:build race

package harness

// The program is built with the race detector, too.
var buildFlags = []string{"-race"}

// Race reports whether the program is built with the race detector.
const Race = true
