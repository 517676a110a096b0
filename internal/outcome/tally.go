package outcome

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"
)

// chunk is the number of results that a Tally keeps in one slice. One for all would be
// copied as it grows, when most repositories still take memory.
const chunk = 256

// Tally sums up the results of a run. The zero Tally has none.
type Tally struct {
	chunks [][]Result // of chunk results each, but for the last
	counts map[Outcome]int
}

// Add adds the result of one repository.
func (t *Tally) Add(r Result) {
	if t.counts == nil {
		t.counts = map[Outcome]int{}
	}
	switch n := t.Len(); {
	case n == 0:
		t.chunks = append(t.chunks, nil) // grows, because most organizations are small
	case n%chunk == 0:
		t.chunks = append(t.chunks, make([]Result, 0, chunk))
	}
	last := len(t.chunks) - 1
	t.chunks[last] = append(t.chunks[last], r)
	t.counts[r.Outcome]++
}

// Len returns the number of results.
func (t *Tally) Len() int {
	if len(t.chunks) == 0 {
		return 0
	}
	last := len(t.chunks) - 1
	return last*chunk + len(t.chunks[last])
}

// Results iterates over the results in the order in which they were added. They are
// the Tally's own, and must not be changed.
func (t *Tally) Results() iter.Seq[*Result] {
	return func(yield func(*Result) bool) {
		for _, results := range t.chunks {
			for i := range results {
				if !yield(&results[i]) {
					return
				}
			}
		}
	}
}

// Count returns the number of repositories with an outcome.
func (t *Tally) Count(o Outcome) int { return t.counts[o] }

// Problems returns the number of repositories that failed or are about to.
func (t *Tally) Problems(now time.Time) int {
	return t.count(func(r *Result) bool { return r.IsProblem(now) })
}

// Healthy reports whether nothing failed and nothing is about to.
func (t *Tally) Healthy(now time.Time) bool { return t.Problems(now) == 0 }

// NotListed returns the number of repositories whose tokens were not listed.
func (t *Tally) NotListed() int {
	return t.count(func(r *Result) bool { return r.NotListed })
}

// Warned returns the number of repositories with a warning.
func (t *Tally) Warned() int {
	return t.count(func(r *Result) bool { return r.Warning != "" })
}

// UpToDate returns the number of repositories that are up to date.
func (t *Tally) UpToDate() int { return t.count((*Result).UpToDate) }

// ExpiringSoon returns the number of deferred repositories whose token is about to
// expire.
func (t *Tally) ExpiringSoon(now time.Time) int {
	return t.count(func(r *Result) bool { return r.ExpiringSoon(now) })
}

func (t *Tally) count(f func(*Result) bool) int {
	n := 0
	for r := range t.Results() {
		if f(r) {
			n++
		}
	}
	return n
}

// NextExpiry returns the soonest expiry among the tokens in the secrets; zero if
// there isn't one.
func (t *Tally) NextExpiry() time.Time { return t.NextToExpire().ExpiresAt }

// NextToExpire returns the result whose token expires first; the zero Result if
// none expires.
func (t *Tally) NextToExpire() Result {
	next := &Result{}
	for r := range t.Results() {
		if !r.ExpiresAt.IsZero() && (next.ExpiresAt.IsZero() || r.ExpiresAt.Before(next.ExpiresAt)) {
			next = r
		}
	}
	return *next
}

// Effects counts the secrets that results write, by effect. A write whose effect is
// not known counts as what the outcome says.
func Effects(results []*Result) map[Effect]int {
	counts := map[Effect]int{}
	for _, r := range results {
		switch {
		case len(r.Writes) > 0:
			for _, w := range r.Writes {
				counts[w.Effect]++
			}
		case r.Outcome == Created:
			counts[Add]++
		case r.Outcome == Renewed:
			counts[Renew]++
		}
	}
	return counts
}

// DestructiveFirst sorts planned results by action, the destructive ones first, and
// then by name.
func DestructiveFirst(planned []*Result) {
	ByName(planned)
	rank := func(r *Result) int { return slices.Index(Actions(), r.Action()) }
	slices.SortStableFunc(planned, func(a, b *Result) int { return rank(a) - rank(b) })
}

// ByName sorts results by the repositories' names.
func ByName(results []*Result) {
	slices.SortFunc(results, func(a, b *Result) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Name, b.Name))
	})
}
