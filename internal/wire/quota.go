package wire

import (
	"net/http"
	"strconv"
	"time"
)

// Quota is the service's primary rate limit, as a response states it.
type Quota struct {
	// Limit is the number of requests per period, and Remaining how many of them
	// are left.
	Limit, Remaining int
	// Reset is when the period is over, on this machine's clock; zero if the
	// response does not state it.
	Reset time.Time
}

// parseQuota returns the quota that GitHub's headers state; nil for none. offset is
// how far the service's clock is ahead.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func parseQuota(h http.Header, offset time.Duration) *Quota {
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return nil
	}
	q := &Quota{Remaining: remaining}
	q.Limit, _ = strconv.Atoi(h.Get("X-Ratelimit-Limit")) // zero if missing
	if epoch, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		// The reset is in whole seconds. One more, so that no request is early.
		q.Reset = time.Unix(epoch+1, 0).Add(-offset)
	}
	return q
}

// Exhausted reports whether no request is left. A nil Quota is not exhausted.
func (q *Quota) Exhausted() bool { return q != nil && q.Remaining == 0 }
