package wire

import (
	"net/http"
	"sync"
	"time"
)

const (
	// maxSpread is how much the offsets of responses that agree may differ. A
	// service may have several servers whose clocks differ.
	maxSpread = 10 * time.Second
	// A contradiction is believed after minContradicting responses in a row over at
	// least minContradiction.
	minContradicting = 3
	minContradiction = 10 * time.Second
	// maxStep is how much this machine's clock may deviate from its monotonic clock
	// between two calls. More means that it was set.
	maxStep = time.Second
	// minUncertainty allows for servers whose clocks differ by so little that it
	// can't be seen in whole seconds.
	minUncertainty = time.Second
	// unknownUncertainty is the uncertainty without an estimate. It is far above
	// every threshold, and small enough that sums of it don't overflow.
	unknownUncertainty = 10 * 365 * 24 * time.Hour
	// maxCandidates bounds the responses that are kept without an estimate.
	maxCandidates = 8
)

// Clock estimates how far a service's clock is ahead of this machine's clock.
//
// The Date of a response, in whole seconds, was set between the moment the request
// was sent and the moment the response was received. So each response bounds the
// offset from both sides, and responses that agree narrow the bounds. Only 2xx
// responses count: error pages often come from another machine.
//
// One response proves nothing. Two that agree make an estimate; callers that need
// more evidence check Agreeing. A response that contradicts the estimate is ignored,
// until three in a row over at least 10 s agree with each other, and none agreed
// with the estimate meanwhile: then the service's clock was set. If a response then
// agrees with the estimate that was given up, the service has servers that
// contradict each other, and the uncertainty covers both.
//
// The zero Clock has no estimate. It is safe for concurrent use.
type Clock struct {
	mu         sync.Mutex
	candidates []agreement // without an estimate: responses that don't agree
	current    agreement   // the estimate; empty without one
	other      agreement   // the estimate before the last contradiction; may be empty
	both       bool        // responses agreed with other since
	row        agreement   // the latest responses in a row that agree with each other
	last       time.Time   // of the previous call, to recognize a step
	date       string      // of the previous response
	dated      time.Time   // the same
	// disputed is true from a response that contradicts the estimate until
	// minContradicting in a row over at least minContradiction agree with it: agreed
	// of them so far, the first one at agreedSince.
	disputed    bool
	agreed      int
	agreedSince time.Time

	// step returns how far this machine's clock was set between two of its times;
	// nil for the difference of wall and monotonic time.
	step func(from, to time.Time) time.Duration
}

// agreement is a group of responses whose offsets agree.
type agreement struct {
	n int // number of responses
	// lo is the highest lower bound and hi the lowest upper bound of their offsets.
	// If lo is above hi, their servers' clocks differ.
	lo, hi time.Duration
	// loWidth and hiWidth are the widths of the bounds that lo and hi come from.
	loWidth, hiWidth time.Duration
	first            time.Time // when the first response was received
}

// observe learns from the Date of a response.
func (c *Clock) observe(status int, sent, received time.Time, date string) {
	if status < 200 || status > 299 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if date != c.date || c.dated.IsZero() { // many responses have the same one
		at, err := http.ParseTime(date)
		if err != nil {
			return
		}
		c.date, c.dated = date, at
	}
	at := c.dated
	c.checkStep(received)
	if c.stepped(sent, received) {
		return // the bounds are on two different clocks
	}
	lo, hi := at.Sub(received.Round(0)), at.Add(time.Second).Sub(sent.Round(0))
	c.add(agreement{n: 1, lo: lo, hi: hi, loWidth: hi - lo, hiWidth: hi - lo, first: received}, received)
}

// add adds a response, a group of one.
func (c *Clock) add(r agreement, received time.Time) {
	if c.current.n == 0 {
		c.addCandidate(r)
		return
	}
	current, inCurrent := c.current.join(r)
	other, inOther := c.other.join(r)
	inOther = inOther && c.other.n > 0
	if row, ok := c.row.join(r); ok && c.row.n > 0 {
		c.row = row
	} else {
		c.row = r
	}
	c.dispute(inCurrent, received)
	settled := c.row.n >= minContradicting && received.Sub(c.row.first) >= minContradiction
	switch {
	case inCurrent:
		c.current = current
		if settled || !c.both {
			c.both, c.row = false, agreement{}
		}
	case inOther:
		c.other, c.both = other, true
		if settled {
			c.current, c.other, c.both, c.row = c.other, c.current, false, agreement{}
		}
	case settled:
		c.current, c.other, c.both, c.row = c.row, c.current, false, agreement{}
	}
}

// dispute records whether a response agreed with the estimate.
func (c *Clock) dispute(agrees bool, received time.Time) {
	if !agrees {
		c.disputed, c.agreed = true, 0
		return
	}
	if c.agreed++; c.agreed == 1 {
		c.agreedSince = received
	}
	if c.agreed >= minContradicting && received.Sub(c.agreedSince) >= minContradiction {
		c.disputed = false
	}
}

// addCandidate adds a response while there is no estimate.
func (c *Clock) addCandidate(r agreement) {
	for _, candidate := range c.candidates {
		if both, ok := candidate.join(r); ok {
			c.disputed, c.agreed = len(c.candidates) > 1, 0
			c.current, c.candidates = both, nil
			return
		}
	}
	if len(c.candidates) == maxCandidates {
		c.candidates = c.candidates[1:]
	}
	c.candidates = append(c.candidates, r)
}

// join returns the group with another response, and false if they don't agree.
func (a agreement) join(r agreement) (agreement, bool) {
	if r.lo > a.lo {
		a.lo, a.loWidth = r.lo, r.loWidth
	}
	if r.hi < a.hi {
		a.hi, a.hiWidth = r.hi, r.hiWidth
	}
	a.n += r.n
	return a, a.lo-a.hi <= maxSpread
}

// bounds returns the lowest and the highest offset of the group's servers.
func (a agreement) bounds() (lo, hi time.Duration) {
	if a.lo <= a.hi {
		return a.lo, a.hi
	}
	return a.hi - a.hiWidth, a.lo + a.loWidth
}

// checkStep drops the estimate if this machine's clock was set since the previous
// call.
func (c *Clock) checkStep(now time.Time) {
	if !c.last.IsZero() && c.stepped(c.last, now) {
		c.candidates, c.current, c.other, c.row, c.both = nil, agreement{}, agreement{}, agreement{}, false
		c.disputed, c.agreed = false, 0
	}
	c.last = now
}

func (c *Clock) stepped(from, to time.Time) bool {
	if c.step != nil {
		return c.step(from, to).Abs() > maxStep
	}
	return (to.Round(0).Sub(from.Round(0)) - to.Sub(from)).Abs() > maxStep
}

// bounds returns the lowest and the highest offset that the estimate allows.
// Without an estimate, it returns those of the latest response.
func (c *Clock) bounds() (lo, hi time.Duration) {
	c.checkStep(time.Now())
	switch {
	case c.current.n == 0 && len(c.candidates) > 0:
		return c.candidates[len(c.candidates)-1].bounds()
	case c.current.n == 0:
		return 0, 0
	}
	lo, hi = c.current.bounds()
	if c.both {
		otherLo, otherHi := c.other.bounds()
		lo, hi = min(lo, otherLo), max(hi, otherHi)
	}
	return lo, hi
}

// Offset returns how far the service's clock is ahead of this machine's clock. With
// fewer than two agreeing responses it is a guess.
func (c *Clock) Offset() time.Duration {
	offset, _ := c.estimate()
	return offset
}

// estimate returns Offset and Agreeing.
func (c *Clock) estimate() (offset time.Duration, agreeing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lo, hi := c.bounds()
	return lo + (hi-lo)/2, c.current.n
}

// Uncertainty returns how far Offset may be off in either direction. Without an
// estimate it is ten years.
func (c *Clock) Uncertainty() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	lo, hi := c.bounds()
	if c.current.n == 0 {
		return unknownUncertainty
	}
	return max(minUncertainty, (hi-lo+1)/2)
}

// Agreeing returns the number of responses that agree with the estimate: zero, or
// two and more. It starts again at zero when this machine's clock is set.
func (c *Clock) Agreeing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkStep(time.Now())
	return c.current.n
}

// Disputed reports whether a response contradicted the estimate, and the following
// ones have not settled the matter: nothing that can't be undone may rely on it.
func (c *Clock) Disputed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disputed
}

// ToLocal converts a time of the service to this machine's clock. A zero time stays
// zero.
func (c *Clock) ToLocal(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-c.Offset())
}
