package outcome

// The exit codes of the program.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 3
)

// Exit is an exit code with its meaning: a few words for --help, and the causes in
// Markdown for the docs, each of which is a row.
type Exit struct {
	Code   int
	Short  string
	Causes []string
}

// Exits lists the exit codes.
func Exits() []Exit {
	return []Exit{
		{ExitOK, "success", []string{"success, or you declined the plan on the command line"}},
		{ExitFailed, "failures", []string{
			"a repository failed, or its token expires within 7 days and the run didn't reach it",
			"a service was unreachable, or the report or the outputs could not be written",
			"a credential was rejected after something was written",
		}},
		{ExitUsage, "inputs or credentials", []string{
			"an input is invalid, nothing was selected, or there is no terminal to confirm the plan",
			"a credential was rejected before anything was written",
		}},
		{ExitInterrupted, "interrupted", []string{"the run was interrupted"}},
	}
}
