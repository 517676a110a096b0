// Package pace decides when a request may be sent to a service, and repeats
// operations that may be repeated. A Limiter delays every request. It enforces the
// published limits in any period of their length, respects Retry-After and rate
// limit headers, and admits waiting requests by priority. Do repeats an idempotent
// operation.
package pace

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Limiter delays the requests to one service; it implements wire.Limiter.
type Limiter struct {
	name string
	rand func() float64
	// overloadOn5xx reports whether 503 and 504 mean overload, which pauses the
	// whole service.
	overloadOn5xx bool

	mu             sync.Mutex
	limits         []*window
	primary        primary
	generation     int       // goes up when an unconfirmed limit becomes enforced
	pausedUntil    time.Time // no request is sent before
	backoffAttempt int       // rate limits and overloads in a row without a Retry-After
	waiters        []*waiter // by priority, then by arrival
	seq            int64
	timer          *time.Timer
	read           Wait // the reservation that TryReserve could not take last; zero for none
}

// NewLimiter returns the Limiter of the service called name. overloadOn5xx says that the service reports overload by 503
// or 504. The random source, of numbers in [0, 1), adds jitter to a backoff.
func NewLimiter(name string, overloadOn5xx bool, rand func() float64, limits ...Limit) *Limiter {
	s := &Limiter{name: name, overloadOn5xx: overloadOn5xx, rand: rand}
	for _, l := range limits {
		s.limits = append(s.limits, &window{Limit: l, enforced: !l.Unconfirmed})
	}
	return s
}

// waiter is a queued request, or a queued reservation.
type waiter struct {
	priority    int64
	seq         int64
	cost        []int         // for each limit
	headroom    int           // units of each limit that it leaves to others
	requests    int           // number of requests, for the primary limit
	reservation *Reservation  // that it uses: then only a pause delays it
	inProgress  bool          // part of an operation that is in progress
	generation  int           // the Limiter's when it was admitted
	reset       time.Time     // of the primary limit that it was charged to
	since       time.Time     // when it started to wait
	deadline    time.Time     // latest time to be sent; zero for none
	done        chan struct{} // closed when it is admitted or expired
	expired     *Wait         // why it can't be sent before its deadline; nil if it can
}

type reservationKey struct{ s *Limiter }

// Estimate estimates how long more requests will take because of the known limits; 0
// without limits.
func (s *Limiter) Estimate(reads, writes int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	longest := max(0, s.pausedUntil.Sub(now))
	for _, w := range s.limits {
		if w.enforced {
			units := reads*w.Cost(http.MethodGet) + writes*w.Cost(http.MethodPut)
			longest = max(longest, time.Duration(float64(units)/float64(w.Max)*float64(w.Period)))
		}
	}
	if p := s.primary; p.known && now.Before(p.reset) {
		if more := reads + writes - (p.remaining - p.limit/10); more > 0 {
			hours := more / max(1, p.limit-p.limit/10)
			longest = max(longest, p.reset.Sub(now)+time.Duration(hours)*time.Hour)
		}
	}
	return longest
}

// HasWaiters reports whether a request or reservation waits.
func (s *Limiter) HasWaiters() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiters) > 0
}

// cost returns what one request with this method takes of each limit.
func (s *Limiter) cost(method string) []int {
	cost := make([]int, len(s.limits))
	for i, w := range s.limits {
		cost[i] = w.Cost(method)
	}
	return cost
}

// Acquire waits until req may be sent; see wire.Limiter.
func (s *Limiter) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	reservation, _ := ctx.Value(reservationKey{s}).(*Reservation)
	cost := s.cost(req.Method)
	t := &waiter{priority: math.MaxInt64, cost: cost, requests: 1}
	if reservation != nil {
		if reservation.write {
			t.inProgress, t.priority = true, math.MinInt64
		}
		if reservation.write == IsWrite(req.Method) && reservation.use() {
			t.reservation = reservation
		}
	}
	if err := s.wait(ctx, t); err != nil {
		if t.reservation != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refund(cost, 1, 1, reservation.reset)
		}
		return nil, err
	}
	return func(sig wire.Signal) {
		s.mu.Lock()
		defer s.mu.Unlock()
		now := time.Now()
		s.release(cost, now)
		s.update(sig, now)
		s.admit(now)
	}, nil
}

// release completes a request: its units become free one period from now.
func (s *Limiter) release(cost []int, now time.Time) {
	for i, w := range s.limits {
		w.complete(now, cost[i])
	}
}

// update applies what a response says about the service's limits and load.
func (s *Limiter) update(sig wire.Signal, now time.Time) {
	s.primary.update(sig.Quota)
	if sig.RateLimited && !sig.Quota.Exhausted() {
		for _, w := range s.limits {
			if w.detect(now) {
				s.generation++
			}
		}
	}
	var pause time.Duration
	overload := s.overloadOn5xx && (sig.Status == http.StatusServiceUnavailable || sig.Status == http.StatusGatewayTimeout)
	switch {
	case sig.RateLimited && sig.RetryAfter > 0:
		pause = sig.RetryAfter
	case sig.RateLimited:
		// GitHub asks to wait for at least a minute, and longer each time.
		pause = s.backoff(time.Minute)
	case overload && sig.RetryAfter == 0:
		pause = s.backoff(time.Second)
	case sig.Status > 0 && sig.Status < 500:
		s.backoffAttempt = 0
	}
	if until := now.Add(pause); pause > 0 && until.After(s.pausedUntil) {
		s.pausedUntil = until
	}
}

// backoff returns first, doubled for each attempt in a row up to sixteen times,
// plus up to a tenth as jitter. Responses during one pause are one attempt.
func (s *Limiter) backoff(first time.Duration) time.Duration {
	if !time.Now().Before(s.pausedUntil) {
		s.backoffAttempt = min(s.backoffAttempt+1, 5)
	}
	d := first << max(0, s.backoffAttempt-1)
	return d + time.Duration(s.rand()*float64(d)/10)
}

// wait returns when t is admitted. Its error is the end of ctx or ErrSendDeadline, or a
// *WaitError as soon as it is clear that t can't be sent before its deadline.
func (s *Limiter) wait(ctx context.Context, t *waiter) error {
	t.done = make(chan struct{})
	t.since = time.Now()
	var tooLate error
	t.deadline, tooLate = sendDeadline(ctx)
	s.mu.Lock()
	switch {
	case t.deadline.IsZero():
	case !t.since.Before(t.deadline):
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", s.name, tooLate)
	case s.pausedUntil.After(t.deadline):
		defer s.mu.Unlock()
		return &WaitError{s.reason(t), tooLate}
	}
	s.seq++
	t.seq = s.seq
	at, _ := slices.BinarySearchFunc(s.waiters, t, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.seq, b.seq))
	})
	s.waiters = slices.Insert(s.waiters, at, t)
	s.admit(t.since)
	s.mu.Unlock()
	var expired <-chan time.Time
	if !t.admitted() && !t.deadline.IsZero() {
		timer := time.NewTimer(time.Until(t.deadline))
		defer timer.Stop()
		expired = timer.C
	}
	var err error
	select {
	case <-t.done:
		if t.expired != nil {
			return &WaitError{*t.expired, tooLate}
		}
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("stopped while waiting to send to %s: %w", s.name, context.Cause(ctx))
	case <-expired:
		err = fmt.Errorf("%s: %w", s.name, tooLate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.waiters, t); at >= 0 {
		s.waiters = slices.Delete(s.waiters, at, at+1)
		s.admit(time.Now())
		return err
	}
	if t.expired == nil && t.reservation == nil {
		// It was admitted at the same moment, but will not be sent.
		s.refund(t.cost, 1, t.requests, t.reset)
	}
	return err
}

// admitted reports whether t no longer waits.
func (t *waiter) admitted() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// admit admits every waiter that may be sent now, expires the ones that can't be sent
// before their deadline, and sets the timer for the rest. It returns the timer's
// time; zero if time alone does not help. A waiter for one limit doesn't delay the
// others, but a request never takes capacity that a higher-priority request is
// waiting for.
func (s *Limiter) admit(now time.Time) time.Time {
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
			reason := s.reason(t)
			t.expired = &reason
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
			s.admit(time.Now())
		})
	}
	return next
}

// canAdmit reports whether t may be admitted now. If not, at is when to check
// again, zero if time alone does not help. Limits that a higher-priority waiter
// needs are blocked.
func (s *Limiter) canAdmit(t *waiter, blocked []bool, now time.Time) (ok bool, at time.Time) {
	if now.Before(s.pausedUntil) {
		return false, s.pausedUntil
	}
	if t.reservation != nil {
		if t.reservation.generation == s.generation {
			return true, time.Time{}
		}
		// A newly detected limit voided its reservation; queue it again.
		s.release(t.cost, now)
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

// CheckPause returns a *WaitError if the service is paused for longer than ctx
// allows a request to wait.
func (s *Limiter) CheckPause(ctx context.Context) error {
	deadline, tooLate := sendDeadline(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if deadline.IsZero() || !s.pausedUntil.After(deadline) {
		return nil
	}
	return &WaitError{Wait{Service: s.name, Reason: pauseReason, Since: time.Now(), Until: s.pausedUntil}, tooLate}
}

// charge counts t as sent.
func (s *Limiter) charge(t *waiter) {
	for i, w := range s.limits {
		w.inFlight += t.cost[i]
	}
	s.primary.remaining -= t.requests
	t.reset, t.generation = s.primary.reset, s.generation
}

// earlier returns the earlier of two times, ignoring zero times.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
