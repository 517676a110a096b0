package pace

import (
	"net/http"
	"slices"
	"time"
)

// Limit allows at most Max units in any period of length Period. A unit is taken
// when a request is sent or reserved, and freed one Period after the response,
// because it is not known when the service counts it.
type Limit struct {
	// Name describes the limit in log output: "80 writes per minute".
	Name string
	// Max is the number of units.
	Max int
	// Period is the length of every period that the limit applies to.
	Period time.Duration
	// Cost returns the units that a request with this method takes; 0 if the limit
	// does not apply to it.
	Cost func(method string) int
	// Unconfirmed limits may not exist. They are tracked, and enforced once a
	// rejection matches them: one that names no limit, after about Max units were
	// taken in the last Period.
	Unconfirmed bool
}

// IsWrite reports whether a method changes something.
func IsWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// window counts the units of a Limit that are in use.
type window struct {
	Limit
	enforced bool
	inFlight int // sent or reserved, without a response yet
	counted  int // completed less than one Period ago
	expiries []expiry
}

// expiry is when completed units become free.
type expiry struct {
	at   time.Time
	cost int
}

// allows reports whether cost units are free. More than Max are allowed if all are
// free, or they would never be.
func (w *window) allows(cost int) bool {
	return !w.enforced || w.inFlight+w.counted+cost <= w.Max || (w.inFlight+w.counted == 0 && cost > w.Max)
}

// complete counts cost units for one Period from now.
func (w *window) complete(now time.Time, cost int) {
	if cost == 0 {
		return
	}
	w.inFlight -= cost
	w.counted += cost
	w.expiries = append(w.expiries, expiry{now.Add(w.Period), cost})
}

// detect enforces an unconfirmed limit if it explains a rejection, and reports
// whether it did. Rejected requests count; the difference to Max is attributed to
// other clients.
func (w *window) detect(now time.Time) bool {
	w.prune(now)
	n := w.inFlight + w.counted
	if w.enforced || n < w.Max*9/10 || n > w.Max*5/4 {
		return false
	}
	w.enforced = true
	if others := w.Max - n; others > 0 {
		w.inFlight += others
		w.complete(now, others)
	}
	return true
}

// prune frees the units that were completed one Period ago or earlier.
func (w *window) prune(now time.Time) {
	n := 0
	for n < len(w.expiries) && !now.Before(w.expiries[n].at) {
		w.counted -= w.expiries[n].cost
		n++
	}
	w.expiries = slices.Delete(w.expiries, 0, n)
}

// nextFree returns when the next unit becomes free by time alone; zero if none does.
func (w *window) nextFree() time.Time {
	if len(w.expiries) == 0 {
		return time.Time{}
	}
	return w.expiries[0].at
}
