//go:build !race

package harness

var buildFlags []string

// Race reports whether the program is built with the race detector.
const Race = false
