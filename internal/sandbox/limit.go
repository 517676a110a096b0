package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// Limits are the services' rate limits; 0 is none. A request beyond one is
// refused, and a violation unless Expected.
type Limits struct {
	Writes      int // GitHub: changes of secrets in any 60 s, counted at their arrival and, apart from that, at their completion
	Points      int // GitHub: in any 60 s; GET 1, anything else 5
	Concurrency int // GitHub: requests at once
	Primary     int // GitHub: requests an hour for each credential
	Codacy      int // Codacy: requests in any 5 minutes; beyond it 503

	Status     int           // of GitHub's refusals: 403 (default) or 429
	RetryAfter time.Duration // told with a secondary limit, for which all is refused; a minute by default
	Expected   bool          // reaching a limit is what the test wants
}

// limitState is what is counted.
type limitState struct {
	arrived, completed, points, codacy window

	inFlight int
	blocked  time.Time // GitHub refuses everything until then
	primary  map[string]*hour
}

// hour counts the requests of one credential in its current hour.
type hour struct {
	reset time.Time
	used  int
}

// window counts what happened in any span of time.
type window struct {
	events []event
	sum    int
}

type event struct {
	at     time.Time
	weight int
}

// add counts an event and returns the sum over the span that ends with it.
func (v *window) add(at time.Time, span time.Duration, weight int) int {
	old := 0
	for old < len(v.events) && !v.events[old].at.After(at.Add(-span)) {
		v.sum -= v.events[old].weight
		old++
	}
	v.events = append(v.events[old:], event{at, weight})
	v.sum += weight
	return v.sum
}

// refuse counts a request that arrives, and refuses it where it is one too many.
func (w *World) refuse(c *call) *answer {
	l, s := w.options.Limits, &w.limits
	now := w.now(c.Service)
	if c.Service == Codacy {
		if l.Codacy > 0 && s.codacy.add(now, 5*time.Minute, 1) > l.Codacy {
			w.exceeded(c, "more than %d requests to Codacy in 5 minutes", l.Codacy)
			a := codacyError(http.StatusServiceUnavailable, "Service Unavailable")
			return &a
		}
		return nil
	}
	s.inFlight++
	weight := 5
	if c.Method == http.MethodGet {
		weight = 1
	}
	status := or(l.Status, http.StatusForbidden)
	pause := or(l.RetryAfter, time.Minute)
	tooMany := true
	switch {
	case l.Concurrency > 0 && s.inFlight > l.Concurrency:
		w.exceeded(c, "more than %d requests to GitHub at once", l.Concurrency)
	case l.Points > 0 && s.points.add(now, time.Minute, weight) > l.Points:
		w.exceeded(c, "more than %d points of GitHub in a minute", l.Points)
	case l.Writes > 0 && c.Kind.Writes() && s.arrived.add(now, time.Minute, 1) > l.Writes:
		w.exceeded(c, "more than %d writes to GitHub arrived in a minute", l.Writes)
	default:
		tooMany = false
	}
	if tooMany && s.blocked.Before(now.Add(pause)) {
		s.blocked = now.Add(pause)
	}
	if s.blocked.After(now) {
		a := secondaryLimit(status, s.blocked.Sub(now))
		return &a
	}
	return w.refusePrimary(c, now, status)
}

// refusePrimary counts a request against its credential's hour.
func (w *World) refusePrimary(c *call, now time.Time, status int) *answer {
	limit := w.options.Limits.Primary
	if limit == 0 || c.Kind == KindRateLimit {
		return nil
	}
	key := c.bearer()
	h := w.limits.primary[key]
	if h == nil || !now.Before(h.reset) {
		if w.limits.primary == nil {
			w.limits.primary = map[string]*hour{}
		}
		h = &hour{reset: now.Add(time.Hour).Truncate(time.Second)}
		w.limits.primary[key] = h
	}
	c.hour = h
	if h.used >= limit {
		w.exceeded(c, "more than %d requests to GitHub in an hour", limit)
		a := primaryLimit(status, limit, h.reset)
		return &a
	}
	h.used++
	return nil
}

// complete counts a write that was carried out.
func (w *World) complete(c *call) {
	l := w.options.Limits
	if c.Service == GitHub && c.Kind.Writes() && l.Writes > 0 &&
		w.limits.completed.add(w.now(GitHub), time.Minute, 1) > l.Writes {
		w.exceeded(c, "more than %d writes to GitHub were carried out in a minute", l.Writes)
	}
}

// exceeded records that a limit was passed.
func (w *World) exceeded(c *call, format string, limit int) {
	if !w.options.Limits.Expected {
		w.violate(RateExceeded, c, nil, format, limit)
	}
}

// rateHeaders tells how much of the credential's hour is left.
func (w *World) rateHeaders(c *call, a *answer) {
	if c.hour == nil || a.header["X-Ratelimit-Limit"] != nil {
		return
	}
	limit := w.options.Limits.Primary
	a.setRate(limit, limit-c.hour.used, c.hour.reset)
}

func (a *answer) setRate(limit, remaining int, reset time.Time) {
	a.set("X-RateLimit-Limit", strconv.Itoa(limit))
	a.set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	a.set("X-RateLimit-Used", strconv.Itoa(limit-remaining))
	a.set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	a.set("X-RateLimit-Resource", "core")
}

func secondaryLimit(status int, retryAfter time.Duration) answer {
	a := githubErrorAbout(status,
		"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits")
	if retryAfter > 0 {
		a.set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
	}
	return a
}

func primaryLimit(status, limit int, reset time.Time) answer {
	a := githubErrorAbout(status, "API rate limit exceeded for user ID 1.",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api")
	a.setRate(limit, 0, reset)
	return a
}

// getRateLimit answers GET /rate_limit.
func (w *World) getRateLimit(c *call) answer {
	type rate struct {
		Limit     int   `json:"limit"`
		Used      int   `json:"used"`
		Remaining int   `json:"remaining"`
		Reset     int64 `json:"reset"`
	}
	limit := w.options.Limits.Primary
	if limit == 0 {
		return githubError(http.StatusNotFound, "Rate limiting is not enabled.")
	}
	r := rate{Limit: limit, Remaining: limit, Reset: w.now(GitHub).Add(time.Hour).Unix()}
	if h := w.limits.primary[c.bearer()]; h != nil && w.now(GitHub).Before(h.reset) {
		r.Used, r.Remaining, r.Reset = h.used, limit-h.used, h.reset.Unix()
	}
	return jsonAnswer(http.StatusOK, map[string]any{"rate": r, "resources": map[string]rate{"core": r, "search": r}})
}
