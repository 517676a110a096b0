//go:build race

package harness

// The program is built with the race detector, too; where the same is done many
// times over, it is done less often.
var buildFlags = []string{"-race"}

const Thorough = false
