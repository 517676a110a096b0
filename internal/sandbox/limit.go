package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// Limits are the services' rate limits; 0 is none. A request beyond one is
// refused, and a violation unless Expected. They are counted as a strict reader
// of the documents would: the service may count a request at any moment between
// its arrival and its answer, and a window may begin at any moment, so that
// whatever may fall into one window counts.
type Limits struct {
	Writes      int // GitHub: changes of secrets in any 60 s
	Points      int // GitHub: in any 60 s; GET 1, anything else 5
	Concurrency int // GitHub: requests at once
	Primary     int // GitHub: requests an hour for each credential
	Codacy      int // Codacy: requests in any 5 minutes; beyond it 503
	// Hourly is a limit of GitHub that no client knows beforehand: changes of
	// secrets in any hour. Reaching it is no violation; see Refused.
	Hourly int

	Status     int           // of GitHub's refusals: 403 (default) or 429
	RetryAfter time.Duration // told with a secondary limit, for which all is refused; a minute by default
	Expected   bool          // reaching a limit is what the test wants
}

// limitState is what is counted.
type limitState struct {
	writes, points, hourly, codacy window

	inFlight int
	refused  int
	blocked  time.Time // GitHub refuses everything until then
	primary  map[string]*hour
}

// hour counts the requests of one credential in its current hour.
type hour struct {
	reset time.Time
	used  int
}

// window counts what may have happened in any span of time.
type window struct {
	open        int // arrived, and not answered yet
	completions []completion
	sum         int // of them
}

type completion struct {
	at     time.Time
	weight int
}

// arrive counts a request that arrives, and returns the most that a window of
// that span may hold by now.
func (v *window) arrive(at time.Time, span time.Duration, weight int) int {
	old := 0
	for old < len(v.completions) && !v.completions[old].at.After(at.Add(-span)) {
		v.sum -= v.completions[old].weight
		old++
	}
	v.completions = v.completions[old:]
	v.open += weight
	return v.open + v.sum
}

// answer counts that a request is answered.
func (v *window) answer(at time.Time, weight int) {
	v.open -= weight
	v.sum += weight
	v.completions = append(v.completions, completion{at, weight})
}

// points are what GitHub counts a request for.
func (c *call) points() int {
	if c.Method == http.MethodGet {
		return 1
	}
	return 5
}

// refuse counts a request that arrives, and refuses it where it is one too many.
func (w *World) reject(c *call) *response {
	l, s := w.options.Limits, &w.limits
	now := w.now(c.Service)
	if c.Service == Codacy {
		if n := s.codacy.arrive(now, 5*time.Minute, 1); l.Codacy > 0 && n > l.Codacy {
			w.exceeded(c, "more than %d requests to Codacy in 5 minutes", l.Codacy)
			a := codacyError(http.StatusServiceUnavailable, "Service Unavailable")
			return &a
		}
		return nil
	}
	s.inFlight++
	points := s.points.arrive(now, time.Minute, c.points())
	writes, hourly := 0, 0
	if c.Kind.Writes() {
		writes, hourly = s.writes.arrive(now, time.Minute, 1), s.hourly.arrive(now, time.Hour, 1)
	}
	tooMany := true
	switch {
	case l.Concurrency > 0 && s.inFlight > l.Concurrency:
		w.exceeded(c, "more than %d requests to GitHub at once", l.Concurrency)
	case l.Points > 0 && points > l.Points:
		w.exceeded(c, "more than %d points of GitHub in a minute", l.Points)
	case l.Writes > 0 && writes > l.Writes:
		w.exceeded(c, "more than %d writes to GitHub in a minute", l.Writes)
	case l.Hourly > 0 && hourly > l.Hourly:
	default:
		tooMany = false
	}
	status := or(l.Status, http.StatusForbidden)
	if pause := or(l.RetryAfter, time.Minute); tooMany && s.blocked.Before(now.Add(pause)) {
		s.blocked = now.Add(pause)
	}
	if s.blocked.After(now) {
		s.refused++
		a := secondaryLimit(status, s.blocked.Sub(now))
		return &a
	}
	return w.rejectPrimary(c, now, status)
}

// answered counts a request that is answered, or given up by its client.
func (w *World) complete(c *call) {
	now := w.now(c.Service)
	s := &w.limits
	if c.Service == Codacy {
		s.codacy.answer(now, 1)
		return
	}
	s.inFlight--
	s.points.answer(now, c.points())
	if c.Kind.Writes() {
		s.writes.answer(now, 1)
		s.hourly.answer(now, 1)
	}
}

// Refused is how many requests were refused for a limit of GitHub's.
func (w *World) Rejected() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limits.refused
}

// refusePrimary counts a request against its credential's hour.
func (w *World) rejectPrimary(c *call, now time.Time, status int) *response {
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
		w.limits.refused++
		w.exceeded(c, "more than %d requests to GitHub in an hour", limit)
		a := primaryLimit(status, limit, h.reset)
		return &a
	}
	h.used++
	return nil
}

// exceeded records that a limit was passed.
func (w *World) exceeded(c *call, format string, limit int) {
	if !w.options.Limits.Expected {
		w.violate(RateExceeded, c, nil, format, limit)
	}
}

// rateHeaders tells how much of the credential's hour is left.
func (w *World) rateHeaders(c *call, a *response) {
	if c.hour == nil || a.header["X-Ratelimit-Limit"] != nil {
		return
	}
	limit := w.options.Limits.Primary
	a.setRate(limit, limit-c.hour.used, c.hour.reset)
}

func (a *response) setRate(limit, remaining int, reset time.Time) {
	a.set("X-RateLimit-Limit", strconv.Itoa(limit))
	a.set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	a.set("X-RateLimit-Used", strconv.Itoa(limit-remaining))
	a.set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	a.set("X-RateLimit-Resource", "core")
}

func secondaryLimit(status int, retryAfter time.Duration) response {
	a := githubErrorAbout(status,
		"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits")
	if retryAfter > 0 {
		a.set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
	}
	return a
}

func primaryLimit(status, limit int, reset time.Time) response {
	a := githubErrorAbout(status, "API rate limit exceeded for user ID 1.",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api")
	a.setRate(limit, 0, reset)
	return a
}

// getRateLimit answers GET /rate_limit.
func (w *World) getRateLimit(c *call) response {
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
	return jsonResponse(http.StatusOK, map[string]any{"rate": r, "resources": map[string]rate{"core": r, "search": r}})
}
