package outcome

import "time"

// Progress is how far a run has come.
type Progress struct {
	// Done is the number of repositories that have an outcome, of Total.
	Done, Total int
	// PendingWrites is the number of repositories that are known to need a write.
	PendingWrites int
	// Rate is the number of repositories per minute that were done in the last five
	// minutes; zero in the first minute.
	Rate float64
	// Remaining is the estimated time to the end, by the rate limits where the run
	// waits for them, otherwise by the rate; zero if it is unknown.
	Remaining time.Duration
	// WaitingFor is what the run waits for; zero if it only waits for responses.
	WaitingFor Wait
}

// Wait is what a run waits for, whichever part of it: the start, a list, a read or
// a write. The zero Wait stands for no wait.
type Wait struct {
	// Cause names the service and its limit or request, such as "GitHub: 80 writes
	// per minute".
	Cause string
	// Until is the expected end, on this machine's clock; zero if it is unknown.
	Until time.Time
	// Resets reports whether a quota resets then.
	Resets bool
}
