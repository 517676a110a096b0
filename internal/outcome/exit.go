package outcome

// The exit codes of the program.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 3
)

// Exit is an exit code with its meaning: a few words for --help, and a line of
// Markdown for README.
type Exit struct {
	Code           int
	Short, Meaning string
}

// Exits lists the exit codes.
func Exits() []Exit {
	return []Exit{
		{ExitOK, "success", "success"},
		{
			ExitFailed, "failures",
			"a repository failed, or was not reached although its token expires within 7 days. " +
				"Or a service was unreachable, or rejected the credential during the run. Or the report or the outputs could not be written",
		},
		{
			ExitUsage, "inputs or credentials",
			"an input is invalid, nothing was selected, or a credential was rejected before anything was written. The error names the input",
		},
		{ExitInterrupted, "interrupted", "interrupted"},
	}
}
