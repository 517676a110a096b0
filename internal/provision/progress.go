package provision

import "time"

// Progress is how far a run has come.
type Progress struct {
	// Done of Total repositories have ended in an outcome.
	Done, Total int
	// Writes is how many are known to need a write and have not had it.
	Writes int
	// Rate is how many repositories a minute have been done, in the last five
	// minutes; 0 where none was, or in the first minute.
	Rate float64
	// Left is about how long the rest will take: by the limits where they are
	// what it waits for, else at that rate; 0 if nobody knows.
	Left time.Duration
	// Waits is what the run waits for, such as "GitHub: 80 writes a minute";
	// empty if for nothing but answers.
	Waits string
}

// rateOver is the time over which a rate is measured.
const rateOver = 5 * time.Minute

// mark is how far a run had come at some time.
type mark struct {
	at   time.Time
	done int
}

// progress is how far the run has come. Each call is remembered for rateOver, so
// that the next ones can tell the rate.
func (r *Run) progress() Progress {
	now := mark{time.Now(), r.done}
	for len(r.marks) > 1 && now.at.Sub(r.marks[1].at) >= rateOver {
		r.marks = r.marks[1:]
	}
	first := r.marks[0]
	r.marks = append(r.marks, now)
	p := Progress{Done: r.done, Total: r.total, Writes: len(r.writes) + r.applying, Waits: r.waits()}
	if over := now.at.Sub(first.at); over >= time.Minute {
		p.Rate = float64(now.done-first.done) / over.Minutes()
	}
	switch {
	case p.Writes > 0 && p.Waits != "":
		p.Left = r.GitHubPace.Takes(p.Writes * len(r.Policy.Stores))
	case p.Rate > 0:
		p.Left = time.Duration(float64(r.total-r.done) / p.Rate * float64(time.Minute))
	}
	return p
}

// waits is what the run waits for.
func (r *Run) waits() string {
	if s := r.GitHubPace.Waits(); s != "" {
		return s
	}
	return r.CodacyPace.Waits()
}
