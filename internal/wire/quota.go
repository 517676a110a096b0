package wire

import (
	"net/http"
	"strconv"
	"time"
)

// maxQuotaPeriod bounds how long a quota is believed. GitHub's period is an hour. A
// wrong reset would otherwise delay all requests, and with them the response that
// corrects it.
const maxQuotaPeriod = time.Hour + time.Minute

// Quota is the service's primary rate limit, as a response states it.
type Quota struct {
	// Limit is the number of requests per period, and Remaining how many of them
	// are left.
	Limit, Remaining int
	// Reset is when the period is over, on this machine's clock and at most an hour
	// and a minute from now; zero if the response does not state it.
	Reset time.Time
}

// quota returns the quota that GitHub's headers state; nil for none.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func (t *Transport) quota(h http.Header) *Quota {
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return nil
	}
	q := &Quota{Remaining: remaining}
	q.Limit, _ = strconv.Atoi(h.Get("X-Ratelimit-Limit")) // zero if missing
	if epoch, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		// The reset is in whole seconds. One more, so that no request is early.
		q.Reset = time.Unix(epoch, 0).Add(time.Second - t.offset(h))
		if latest := time.Now().Add(maxQuotaPeriod); q.Reset.After(latest) {
			q.Reset = latest
		}
	}
	return q
}

// Exhausted reports whether no request is left. A nil Quota is not exhausted.
func (q *Quota) Exhausted() bool { return q != nil && q.Remaining == 0 }
