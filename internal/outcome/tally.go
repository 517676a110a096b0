package outcome

import (
	"slices"
	"strings"
	"time"
)

// Tally sums up the results of a run. The zero Tally has none.
type Tally struct {
	results []Result
	counts  map[Outcome]int
}

// Add adds the result of one repository.
func (t *Tally) Add(r Result) {
	if t.counts == nil {
		t.counts = map[Outcome]int{}
	}
	t.results = append(t.results, r)
	t.counts[r.Outcome]++
}

// Len returns the number of results.
func (t *Tally) Len() int { return len(t.results) }

// Results returns the results in the order in which they were added.
func (t *Tally) Results() []Result { return slices.Clone(t.results) }

// Count returns the number of repositories with an outcome.
func (t *Tally) Count(o Outcome) int { return t.counts[o] }

// Outcomes returns the outcomes that there were, in the order in which they are
// shown.
func (t *Tally) Outcomes() []Outcome {
	return slices.DeleteFunc(All(), func(o Outcome) bool { return t.Count(o) == 0 })
}

// Problems returns the number of repositories that failed or are about to.
func (t *Tally) Problems(now time.Time) int {
	return t.count(func(r Result) bool { return r.IsProblem(now) })
}

// Healthy reports whether nothing failed and nothing is about to.
func (t *Tally) Healthy(now time.Time) bool { return t.Problems(now) == 0 }

// Warned returns the number of repositories with a warning.
func (t *Tally) Warned() int {
	return t.count(func(r Result) bool { return r.Warning != "" })
}

func (t *Tally) count(f func(Result) bool) int {
	n := 0
	for _, r := range t.results {
		if f(r) {
			n++
		}
	}
	return n
}

// NextExpiry returns the soonest expiry among the tokens in the secrets; zero if
// there is none.
func (t *Tally) NextExpiry() time.Time { return NextExpiry(t.results) }

// NextExpiry returns the soonest expiry among the results; zero if there is none.
func NextExpiry(results []Result) time.Time {
	var next time.Time
	for _, r := range results {
		if next.IsZero() || !r.ExpiresAt.IsZero() && r.ExpiresAt.Before(next) {
			next = r.ExpiresAt
		}
	}
	return next
}

// ByName sorts results by the repositories' names.
func ByName(results []Result) {
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Repository(), b.Repository()) })
}
