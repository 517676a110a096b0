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
	// WaitingFor names what the run waits for, such as "GitHub: 80 writes per
	// minute"; empty if it only waits for responses.
	WaitingFor string
}
