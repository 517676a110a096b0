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
type Service struct {
	name  string
	rand  func() float64
	clock *wire.Clock
	// yields: 503 and 504 mean load, and hold the whole service.
	yields bool

	mu      sync.Mutex
	limits  []*window
	primary primary
	met     int       // latent limits that are kept by now
	held    time.Time // nothing is sent before
	strikes int       // limits or overloads in a row without a time to wait
	waiting []*ticket // in the order of urgency, then of arrival
	seq     int64
	timer   *time.Timer
}

// NewService returns the gate before the service called name, whose clock is
// learned from its answers. Where yields is set, the service shows overload by
// 503 or 504. The random source, of numbers in [0, 1), spreads waits that
// nobody prescribed.
func NewService(name string, clock *wire.Clock, yields bool, rand func() float64, limits ...Limit) *Service {
	s := &Service{name: name, clock: clock, yields: yields, rand: rand}
	for _, l := range limits {
		s.limits = append(s.limits, &window{Limit: l, kept: !l.Latent})
	}
	return s
}

// ticket is one that waits to be let in.
type ticket struct {
	urgency int64
	seq     int64
	cost    []int // for each limit
	keep    int   // that it leaves of each limit for others
	number  int   // of requests
	place   *Room // whose place it uses: only a hold can keep it
	begun   bool
	met     int           // latent limits that were kept when it was let in
	reset   time.Time     // of the primary limit that it was counted in
	by      time.Time     // when it leaves at the latest; zero for no such time
	in      chan struct{} // closed when it is let in, or late
	late    bool          // it can't leave by then any more
}

type (
	roomKey    struct{ s *Service }
	leaveByKey struct{}
)

// ErrTooLate is the error of a request that could not leave by its time.
var ErrTooLate = errors.New("it could not be sent in time")

// LeaveBy returns a context whose requests leave until t or not at all: they
// fail with ErrTooLate as soon as it is clear that they can't.
func LeaveBy(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, leaveByKey{}, t)
}

// Waits tells people what the most urgent of those who wait is waiting for: "80
// writes a minute"; empty if nobody waits.
func (s *Service) Waits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return ""
	}
	now, t := time.Now(), s.waiting[0]
	if now.Before(s.held) {
		return s.name + ", which asks to wait until " + clockTime(s.held)
	}
	if !s.primary.room(t.number, t.begun, now) {
		return fmt.Sprintf("%s: %d requests an hour, less a tenth for others, until %s", s.name, s.primary.limit, clockTime(s.primary.reset))
	}
	for i, w := range s.limits {
		if t.cost[i] > 0 && !w.room(t.cost[i]) {
			return s.name + ": " + w.Name
		}
	}
	return s.name
}

// Takes is about how long n more writes, with one more read for each, will take by
// the limits that are known; 0 where there are none.
func (s *Service) Takes(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	most := max(0, s.held.Sub(now))
	for _, w := range s.limits {
		if cost := w.Cost(http.MethodPut); w.kept && cost > 0 {
			most = max(most, time.Duration(float64(n*cost)/float64(w.Most)*float64(w.Per)))
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
func (s *Service) Queued() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

func (s *Service) cost(method string) []int {
	cost := make([]int, len(s.limits))
	for i, w := range s.limits {
		cost[i] = w.Cost(method)
	}
	return cost
}

// Enter waits until req may be sent; see wire.Gate.
func (s *Service) Enter(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	room, _ := ctx.Value(roomKey{s}).(*Room)
	cost := s.cost(req.Method)
	t := &ticket{urgency: math.MaxInt64, cost: cost, number: 1}
	if room != nil {
		if room.write {
			t.begun, t.urgency = true, math.MinInt64
		}
		if room.write == IsWrite(req.Method) && room.take() {
			t.place = room
		}
	}
	if err := s.wait(ctx, t); err != nil {
		if t.place != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.giveBack(cost, 1, 1, room.reset)
		}
		return nil, err
	}
	return func(sig wire.Signal) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(cost)
		s.heed(sig)
		s.admit()
	}, nil
}

// leave frees what cost took, each limit's period from now.
func (s *Service) leave(cost []int) {
	now := time.Now()
	for i, w := range s.limits {
		w.leave(now, cost[i])
	}
}

// heed does what an answer asks for.
func (s *Service) heed(sig wire.Signal) {
	if sig.Header != nil {
		s.primary.learn(sig.Header, s.clock)
	}
	if sig.Limited && (sig.Header == nil || sig.Header.Get("X-Ratelimit-Remaining") != "0") {
		for _, w := range s.limits {
			if w.meet(time.Now()) {
				s.met++
			}
		}
	}
	var hold time.Duration
	overload := s.yields && (sig.Status == http.StatusServiceUnavailable || sig.Status == http.StatusGatewayTimeout)
	switch {
	case sig.Limited && sig.RetryAfter > 0:
		hold = sig.RetryAfter
	case sig.Limited:
		// No time was told: a minute, then twice as long each time.
		hold = s.spread(time.Minute)
	case overload && sig.RetryAfter > 0:
		hold = min(sig.RetryAfter, 5*time.Minute)
	case overload:
		hold = s.spread(time.Second)
	case sig.Status > 0 && sig.Status < 500:
		s.strikes = 0
	}
	if until := time.Now().Add(hold); hold > 0 && until.After(s.held) {
		s.held = until
	}
}

// spread is first, doubled for each strike in a row up to sixteen times, and up
// to a tenth more. Answers that come while the service is held are one strike.
func (s *Service) spread(first time.Duration) time.Duration {
	if !time.Now().Before(s.held) {
		s.strikes = min(s.strikes+1, 5)
	}
	d := first << max(0, s.strikes-1)
	return d + time.Duration(s.rand()*float64(d)/10)
}

// Held returns until when nothing is sent to the service; a time in the past
// if it isn't held.
func (s *Service) Held() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// wait returns once t is let in.
func (s *Service) wait(ctx context.Context, t *ticket) error {
	t.in = make(chan struct{})
	var late <-chan time.Time
	by, bounded := ctx.Value(leaveByKey{}).(time.Time)
	if bounded {
		t.by = by
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		late = timer.C
	}
	s.mu.Lock()
	if bounded && (!time.Now().Before(by) || s.held.After(by)) {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", s.name, ErrTooLate)
	}
	s.seq++
	t.seq = s.seq
	at, _ := slices.BinarySearchFunc(s.waiting, t, func(a, b *ticket) int {
		return cmp.Or(cmp.Compare(a.urgency, b.urgency), cmp.Compare(a.seq, b.seq))
	})
	s.waiting = slices.Insert(s.waiting, at, t)
	s.admit()
	s.mu.Unlock()
	var err error
	select {
	case <-t.in:
		if t.late {
			return fmt.Errorf("%s: %w", s.name, ErrTooLate)
		}
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("stopped while waiting to send to %s: %w", s.name, context.Cause(ctx))
	case <-late:
		err = fmt.Errorf("%s: %w", s.name, ErrTooLate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.waiting, t); at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
		s.admit()
		return err
	}
	if !t.late && t.place == nil {
		// Let in at the same moment, but it will not go.
		s.giveBack(t.cost, 1, t.number, t.reset)
	}
	return err
}

// admit lets in all that may be sent now, turns away what can't be in time, sets
// the timer for the rest and returns its time; zero if no time helps. What waits for
// one limit doesn't keep those who don't need it; but nobody less urgent takes of a
// limit that somebody more urgent waits for.
func (s *Service) admit() time.Time {
	now := time.Now()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if len(s.waiting) == 0 {
		return time.Time{}
	}
	for _, w := range s.limits {
		w.tidy(now)
	}
	var next time.Time
	blocked := make([]bool, len(s.limits))
	s.waiting = slices.DeleteFunc(s.waiting, func(t *ticket) bool {
		fits, at := s.fits(t, blocked, now)
		switch {
		case fits && t.place == nil:
			s.take(t)
		case fits:
		case !t.by.IsZero() && at.After(t.by):
			t.late = true
		default:
			next = earlier(next, at)
			return false
		}
		close(t.in)
		return true
	})
	if len(s.waiting) > 0 && !next.IsZero() {
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
func (s *Service) fits(t *ticket, blocked []bool, now time.Time) (ok bool, at time.Time) {
	if now.Before(s.held) {
		return false, s.held
	}
	if t.place != nil {
		if t.place.met == s.met {
			return true, time.Time{}
		}
		// Its place is gone: the service has no room where we saw some.
		s.leave(t.cost)
		s.primary.unsend(t.number, t.place.reset)
		t.place = nil
	}
	ok = s.primary.room(t.number, t.begun, now)
	if !ok {
		at = s.primary.reset
	}
	for i, w := range s.limits {
		if t.cost[i] == 0 {
			continue
		}
		if blocked[i] || !w.room(t.cost[i]+t.keep) {
			ok, blocked[i] = false, true
			at = later(at, w.next())
		}
	}
	return ok, at
}

// take counts t as sent.
func (s *Service) take(t *ticket) {
	for i, w := range s.limits {
		w.open += t.cost[i]
	}
	s.primary.remaining -= t.number
	t.reset, t.met = s.primary.reset, s.met
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
