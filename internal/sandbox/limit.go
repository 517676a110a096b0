package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// Limits are the services' rate limits; 0 means no limit. A request above one is rejected,
// and a violation unless Expected. The limits are counted strictly: a service may
// count a request at any moment between its arrival and its response, and a period
// may start at any moment, so everything that may fall into one period counts.
type Limits struct {
	Writes      int // GitHub: changes of secrets in any 60 s
	Points      int // GitHub: points in any 60 s; a GET costs 1, any other request 5
	Concurrency int // GitHub: concurrent requests
	Primary     int // GitHub: requests per hour and credential
	Codacy      int // Codacy: requests in any 5 minutes; above it 503
	// Hourly is a limit of GitHub that no client can know in advance: changes of
	// secrets in any hour. Reaching it is no violation; see World.Rejected.
	Hourly int

	Status     int           // of GitHub's rejections: 403 (default) or 429
	RetryAfter time.Duration // sent with a secondary limit, which rejects everything for that long; a minute by default
	Expected   bool          // the test intends to reach a limit
}

// limitState holds the counters of the limits.
type limitState struct {
	writes, points, hourly, codacy window

	inFlight int
	rejected int
	blocked  time.Time // GitHub rejects everything until then
	primary  map[string]*hour
}

// hour counts the requests of one credential in its current hour.
type hour struct {
	reset time.Time
	used  int
}

// window counts the requests that may fall into any period of one length.
type window struct {
	inFlight    int // arrived, no response yet
	completions []completion
	sum         int // of the completions' weights
}

type completion struct {
	at     time.Time
	weight int
}

// arrive counts a request that arrives, and returns the largest number that a
// period of that length may contain now.
func (v *window) arrive(at time.Time, span time.Duration, weight int) int {
	old := 0
	for old < len(v.completions) && !v.completions[old].at.After(at.Add(-span)) {
		v.sum -= v.completions[old].weight
		old++
	}
	v.completions = v.completions[old:]
	v.inFlight += weight
	return v.inFlight + v.sum
}

// complete counts the response to a request.
func (v *window) complete(at time.Time, weight int) {
	v.inFlight -= weight
	v.sum += weight
	v.completions = append(v.completions, completion{at, weight})
}

// points returns a request's cost.
func (c *call) points() int {
	if c.Method == http.MethodGet {
		return 1
	}
	return 5
}

// reject counts a request that arrives, and rejects it if it exceeds a limit.
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
	if w.options.RateHeaders == RateAlways && c.Kind != KindAccessToken && c.Kind != KindInstallation {
		c.hour = w.hourOf(c.bearer(), now)
	}
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
		s.rejected++
		a := secondaryLimit(status, s.blocked.Sub(now))
		return &a
	}
	return w.rejectPrimary(c, now, status)
}

// complete counts a request that got its response, or that its client gave up.
func (w *World) complete(c *call) {
	now := w.now(c.Service)
	s := &w.limits
	if c.Service == Codacy {
		s.codacy.complete(now, 1)
		return
	}
	s.inFlight--
	s.points.complete(now, c.points())
	if c.Kind.Writes() {
		s.writes.complete(now, 1)
		s.hourly.complete(now, 1)
	}
}

// Rejected returns the number of requests that exceeded one of GitHub's limits.
func (w *World) Rejected() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limits.rejected
}

// rejectPrimary counts a request against its credential's hour.
func (w *World) rejectPrimary(c *call, now time.Time, status int) *response {
	limit := w.options.Limits.Primary
	if limit == 0 || c.Kind == KindRateLimit {
		return nil
	}
	h := w.hourOf(c.bearer(), now)
	c.hour = h
	if h.used >= limit {
		w.limits.rejected++
		w.exceeded(c, "more than %d requests to GitHub in an hour", limit)
		a := primaryLimit(status, limit, h.reset)
		return &a
	}
	h.used++
	return nil
}

// hourOf returns the current hour of a credential.
func (w *World) hourOf(credential string, now time.Time) *hour {
	h := w.limits.primary[credential]
	if h == nil || !now.Before(h.reset) {
		if w.limits.primary == nil {
			w.limits.primary = map[string]*hour{}
		}
		h = &hour{reset: now.Add(time.Hour).Truncate(time.Second)}
		w.limits.primary[credential] = h
	}
	return h
}

// exceeded records that a limit was exceeded.
func (w *World) exceeded(c *call, format string, limit int) {
	if !w.options.Limits.Expected {
		w.violate(RateExceeded, c, nil, format, limit)
	}
}

// rateHeaders adds what remains of the credential's hour.
func (w *World) rateHeaders(c *call, a *response) {
	if c.hour == nil || w.options.RateHeaders == RateNever || a.header["X-Ratelimit-Limit"] != nil {
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

// abuseLimit is how GitHub Enterprise Server used to reject a request that exceeds
// a secondary limit.
// https://docs.github.com/enterprise-server@2.22/rest/overview/resources-in-the-rest-api
func abuseLimit(retryAfter time.Duration) response {
	a := githubErrorAbout(http.StatusForbidden,
		"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.",
		"https://developer.github.com/v3/#abuse-rate-limits")
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

// getRateLimit serves GET /rate_limit.
func (w *World) getRateLimit(c *call) response {
	type rate struct {
		Limit     int   `json:"limit"`
		Used      int   `json:"used"`
		Remaining int   `json:"remaining"`
		Reset     int64 `json:"reset"`
	}
	limit := w.options.Limits.Primary
	if limit == 0 || w.options.RateHeaders == RateNever {
		return githubError(http.StatusNotFound, "Rate limiting is not enabled.")
	}
	r := rate{Limit: limit, Remaining: limit, Reset: w.now(GitHub).Add(time.Hour).Unix()}
	if h := w.limits.primary[c.bearer()]; h != nil && w.now(GitHub).Before(h.reset) {
		r.Used, r.Remaining, r.Reset = h.used, limit-h.used, h.reset.Unix()
	}
	return jsonResponse(http.StatusOK, map[string]any{"rate": r, "resources": map[string]rate{"core": r, "search": r}})
}
