package pace

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Reservation is capacity for some requests, taken in advance. It is void once a
// new limit is detected; its requests then queue normally.
type Reservation struct {
	s          *Limiter
	write      bool      // for writes, otherwise for reads
	cost       []int     // of one request, for each limit
	generation int       // the Limiter's when it was taken
	reset      time.Time // of the primary limit that it was charged to

	mu        sync.Mutex
	remaining int
}

// Reserve waits until n writes may be sent, and takes the capacity for them. The
// waiter with the lowest priority number is served first. Release returns unused
// capacity.
func (s *Limiter) Reserve(ctx context.Context, n int, priority int64) (*Reservation, error) {
	cost := s.cost(http.MethodPut)
	t := &waiter{priority: priority, cost: scale(cost, n), requests: n}
	if err := s.wait(ctx, t); err != nil {
		return nil, err
	}
	return &Reservation{s: s, write: true, cost: cost, remaining: n, generation: t.generation, reset: t.reset}, nil
}

// TryReserve takes capacity for n reads without waiting. It fails if they can't be
// sent now, if fewer than headroom units of a limit would be left, or if another
// waiter needs the capacity. Then it returns nil and when to try again; the zero
// time means after the response to a request in flight.
func (s *Limiter) TryReserve(n, headroom int) (reservation *Reservation, again time.Time) {
	cost := s.cost(http.MethodGet)
	t := &waiter{priority: math.MaxInt64, cost: scale(cost, n), headroom: headroom, requests: n, since: time.Now(), done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = append(s.waiters, t)
	again = s.admit(t.since)
	if last := len(s.waiters) - 1; last >= 0 && s.waiters[last] == t {
		s.waiters = slices.Delete(s.waiters, last, last+1)
		if !s.read.Since.IsZero() {
			t.since = s.read.Since
		}
		s.read = s.reason(t)
		return nil, again
	}
	s.read = Wait{}
	return &Reservation{s: s, cost: cost, remaining: n, generation: t.generation, reset: t.reset}, time.Time{}
}

// scale returns the cost of n requests.
func scale(cost []int, n int) []int {
	all := slices.Clone(cost)
	for i := range all {
		all[i] *= n
	}
	return all
}

// Context returns a context whose requests to the service use this reservation. If
// it is for writes, its requests belong to an operation that is in progress: they
// have priority, and may use the part of the primary limit that is left to others.
func (r *Reservation) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, reservationKey{r.s}, r)
}

// Release returns the capacity that no request has used.
func (r *Reservation) Release() {
	r.mu.Lock()
	unused := r.remaining
	r.remaining = 0
	r.mu.Unlock()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.refund(r.cost, unused, unused, r.reset)
}

// use takes one request of the reservation, if there is one.
func (r *Reservation) use() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.remaining == 0 {
		return false
	}
	r.remaining--
	return true
}

// refund frees immediately what a number of unused requests were charged: times
// the cost in every limit, and requests of the primary limit's period with that
// reset.
func (s *Limiter) refund(cost []int, times, requests int, reset time.Time) {
	for i, w := range s.limits {
		w.inFlight -= times * cost[i]
	}
	s.primary.refund(requests, reset)
	s.admit(time.Now())
}
