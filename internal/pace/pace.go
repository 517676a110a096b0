// Package pace decides what may be sent to a service when, and what is tried
// again. A Service stands before every request: it keeps the published limits
// in windows of any phase, heeds what the service asks for, and lets what waits
// through in the order of urgency. Retry repeats an operation whose request may
// be sent twice.
package pace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Service is the gate before one service; it implements wire.Gate.
type Limiter struct {
	name  string
	rand  func() float64
	clock *wire.Clock
	// yields: 503 and 504 mean load, and hold the whole service.
	overloadOn5xx bool

	mu             sync.Mutex
	limits         []*window
	primary        primary
	generation     int       // latent limits that are kept by now
	pausedUntil    time.Time // nothing is sent before
	backoffAttempt int       // limits or overloads in a row without a time to wait
	waiters        []*waiter // in the order of urgency, then of arrival
	seq            int64
	timer          *time.Timer
}

// NewService returns the gate before the service called name, whose clock is
// learned from its answers. Where yields is set, the service shows overload by
// 503 or 504. The random source, of numbers in [0, 1), spreads waits that
// nobody prescribed.
func NewLimiter(name string, clock *wire.Clock, yields bool, rand func() float64, limits ...Limit) *Limiter {
	s := &Limiter{name: name, clock: clock, overloadOn5xx: yields, rand: rand}
	for _, l := range limits {
		s.limits = append(s.limits, &window{Limit: l, enforced: !l.Unconfirmed})
	}
	return s
}

// ticket is one that waits to be let in.
type waiter struct {
	priority    int64
	seq         int64
	cost        []int        // for each limit
	headroom    int          // that it leaves of each limit for others
	requests    int          // of requests
	reservation *Reservation // whose place it uses: only a hold can keep it
	inProgress  bool
	generation  int           // latent limits that were kept when it was let in
	reset       time.Time     // of the primary limit that it was counted in
	deadline    time.Time     // when it leaves at the latest; zero for no such time
	done        chan struct{} // closed when it is let in, or late
	expired     bool          // it can't leave by then any more
}

type (
	reservationKey  struct{ s *Limiter }
	sendDeadlineKey struct{}
)

// ErrTooLate is the error of a request that could not leave by its time.
var ErrSendDeadline = errors.New("it could not be sent in time")

// LeaveBy returns a context whose requests leave until t or not at all: they
// fail with ErrTooLate as soon as it is clear that they can't.
func WithSendDeadline(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, sendDeadlineKey{}, t)
}

// Waits tells people what the most urgent of those who wait is waiting for: "80
// writes a minute"; empty if nobody waits.
func (s *Limiter) WaitReason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiters) == 0 {
		return ""
	}
	now, t := time.Now(), s.waiters[0]
	if now.Before(s.pausedUntil) {
		return s.name + ", which asks to wait until " + clockTime(s.pausedUntil)
	}
	if !s.primary.allows(t.requests, t.inProgress, now) {
		return fmt.Sprintf("%s: %d requests an hour, less a tenth for others, until %s", s.name, s.primary.limit, clockTime(s.primary.reset))
	}
	for i, w := range s.limits {
		if t.cost[i] > 0 && !w.allows(t.cost[i]) {
			return s.name + ": " + w.Name
		}
	}
	return s.name
}

// Takes is about how long n more writes, with one more read for each, will take by
// the limits that are known; 0 where there are none.
func (s *Limiter) EstimateWrites(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	most := max(0, s.pausedUntil.Sub(now))
	for _, w := range s.limits {
		if cost := w.Cost(http.MethodPut); w.enforced && cost > 0 {
			most = max(most, time.Duration(float64(n*cost)/float64(w.Max)*float64(w.Period)))
		}
	}
	if p := s.primary; p.known && now.Before(p.reset) {
		if more := 2*n - (p.remaining - p.limit/10); more > 0 {
			hours := more / max(1, p.limit-p.limit/10)
			most = max(most, p.reset.Sub(now)+time.Duration(hours)*time.Hour)
		}
	}
	return most
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// Queued tells whether anybody waits to be let in.
func (s *Limiter) HasWaiters() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiters) > 0
}

func (s *Limiter) cost(method string) []int {
	cost := make([]int, len(s.limits))
	for i, w := range s.limits {
		cost[i] = w.Cost(method)
	}
	return cost
}

// Enter waits until req may be sent; see wire.Gate.
func (s *Limiter) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	room, _ := ctx.Value(reservationKey{s}).(*Reservation)
	cost := s.cost(req.Method)
	t := &waiter{priority: math.MaxInt64, cost: cost, requests: 1}
	if room != nil {
		if room.write {
			t.inProgress, t.priority = true, math.MinInt64
		}
		if room.write == IsWrite(req.Method) && room.use() {
			t.reservation = room
		}
	}
	if err := s.wait(ctx, t); err != nil {
		if t.reservation != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refund(cost, 1, 1, room.reset)
		}
		return nil, err
	}
	return func(sig wire.Signal) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.release(cost)
		s.update(sig)
		s.admit()
	}, nil
}

// leave frees what cost took, each limit's period from now.
func (s *Limiter) release(cost []int) {
	now := time.Now()
	for i, w := range s.limits {
		w.complete(now, cost[i])
	}
}

// heed does what an answer asks for.
func (s *Limiter) update(sig wire.Signal) {
	if sig.Header != nil {
		s.primary.update(sig.Header, s.clock)
	}
	if sig.RateLimited && (sig.Header == nil || sig.Header.Get("X-Ratelimit-Remaining") != "0") {
		for _, w := range s.limits {
			if w.detect(time.Now()) {
				s.generation++
			}
		}
	}
	var hold time.Duration
	overload := s.overloadOn5xx && (sig.Status == http.StatusServiceUnavailable || sig.Status == http.StatusGatewayTimeout)
	switch {
	case sig.RateLimited && sig.RetryAfter > 0:
		hold = sig.RetryAfter
	case sig.RateLimited:
		// No time was told: a minute, then twice as long each time.
		hold = s.backoff(time.Minute)
	case overload && sig.RetryAfter > 0:
		hold = min(sig.RetryAfter, 5*time.Minute)
	case overload:
		hold = s.backoff(time.Second)
	case sig.Status > 0 && sig.Status < 500:
		s.backoffAttempt = 0
	}
	if until := time.Now().Add(hold); hold > 0 && until.After(s.pausedUntil) {
		s.pausedUntil = until
	}
}

// spread is first, doubled for each strike in a row up to sixteen times, and up
// to a tenth more. Answers that come while the service is held are one strike.
func (s *Limiter) backoff(first time.Duration) time.Duration {
	if !time.Now().Before(s.pausedUntil) {
		s.backoffAttempt = min(s.backoffAttempt+1, 5)
	}
	d := first << max(0, s.backoffAttempt-1)
	return d + time.Duration(s.rand()*float64(d)/10)
}

// Held returns until when nothing is sent to the service; a time in the past
// if it isn't held.
func (s *Limiter) PausedUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pausedUntil
}

// wait returns once t is let in.
func (s *Limiter) wait(ctx context.Context, t *waiter) error {
	t.done = make(chan struct{})
	var late <-chan time.Time
	by, bounded := ctx.Value(sendDeadlineKey{}).(time.Time)
	if bounded {
		t.deadline = by
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		late = timer.C
	}
	s.mu.Lock()
	if bounded && (!time.Now().Before(by) || s.pausedUntil.After(by)) {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", s.name, ErrSendDeadline)
	}
	s.seq++
	t.seq = s.seq
	at, _ := slices.BinarySearchFunc(s.waiters, t, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.seq, b.seq))
	})
	s.waiters = slices.Insert(s.waiters, at, t)
	s.admit()
	s.mu.Unlock()
	var err error
	select {
	case <-t.done:
		if t.expired {
			return fmt.Errorf("%s: %w", s.name, ErrSendDeadline)
		}
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("stopped while waiting to send to %s: %w", s.name, context.Cause(ctx))
	case <-late:
		err = fmt.Errorf("%s: %w", s.name, ErrSendDeadline)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.waiters, t); at >= 0 {
		s.waiters = slices.Delete(s.waiters, at, at+1)
		s.admit()
		return err
	}
	if !t.expired && t.reservation == nil {
		// Let in at the same moment, but it will not go.
		s.refund(t.cost, 1, t.requests, t.reset)
	}
	return err
}

// admit lets in all that may be sent now, turns away what can't be in time, sets
// the timer for the rest and returns its time; zero if no time helps. What waits for
// one limit doesn't keep those who don't need it; but nobody less urgent takes of a
// limit that somebody more urgent waits for.
func (s *Limiter) admit() time.Time {
	now := time.Now()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if len(s.waiters) == 0 {
		return time.Time{}
	}
	for _, w := range s.limits {
		w.prune(now)
	}
	var next time.Time
	blocked := make([]bool, len(s.limits))
	s.waiters = slices.DeleteFunc(s.waiters, func(t *waiter) bool {
		fits, at := s.canAdmit(t, blocked, now)
		switch {
		case fits && t.reservation == nil:
			s.charge(t)
		case fits:
		case !t.deadline.IsZero() && at.After(t.deadline):
			t.expired = true
		default:
			next = earlier(next, at)
			return false
		}
		close(t.done)
		return true
	})
	if len(s.waiters) > 0 && !next.IsZero() {
		s.timer = time.AfterFunc(next.Sub(now), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.admit()
		})
	}
	return next
}

// fits tells whether t may be let in now; if not, at is when it may be worth
// another look, zero if no time helps. Blocked are the limits that somebody more
// urgent waits for.
func (s *Limiter) canAdmit(t *waiter, blocked []bool, now time.Time) (ok bool, at time.Time) {
	if now.Before(s.pausedUntil) {
		return false, s.pausedUntil
	}
	if t.reservation != nil {
		if t.reservation.generation == s.generation {
			return true, time.Time{}
		}
		// Its place is gone: the service has no room where we saw some.
		s.release(t.cost)
		s.primary.refund(t.requests, t.reservation.reset)
		t.reservation = nil
	}
	ok = s.primary.allows(t.requests, t.inProgress, now)
	if !ok {
		at = s.primary.reset
	}
	for i, w := range s.limits {
		if t.cost[i] == 0 {
			continue
		}
		if blocked[i] || !w.allows(t.cost[i]+t.headroom) {
			ok, blocked[i] = false, true
			at = later(at, w.nextFree())
		}
	}
	return ok, at
}

// take counts t as sent.
func (s *Limiter) charge(t *waiter) {
	for i, w := range s.limits {
		w.inFlight += t.cost[i]
	}
	s.primary.remaining -= t.requests
	t.reset, t.generation = s.primary.reset, s.generation
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
