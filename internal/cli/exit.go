package cli

// The exit codes; Exits tells what they mean.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 3
)

// Exit is an exit code with its meaning: in few words for --help, and in a line of
// Markdown for README.
type Exit struct {
	Code           int
	Short, Meaning string
}

// Exits lists the exit codes.
func Exits() []Exit {
	return []Exit{
		{ExitOK, "all well", "all is well"},
		{
			ExitFailed, "failures",
			"a repository failed, or its token expires within 7 days and the run did not reach it; or a service could not be had, " +
				"or refused the credential in mid-run; or the report or the outputs could not be written",
		},
		{
			ExitUsage, "inputs or credentials",
			"an input is wrong, nothing was selected, or a credential was refused at the start; the error names the input",
		},
		{ExitInterrupted, "interrupted", "interrupted"},
	}
}
