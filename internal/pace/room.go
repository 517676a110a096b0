package pace

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Room is the right to send some requests without waiting for a limit of ours. It
// ends where a latent limit is met: then they wait as others do.
type Reservation struct {
	s          *Limiter
	write      bool      // of writes, else of reads
	cost       []int     // of one, for each limit
	generation int       // latent limits that were kept when it was had
	reset      time.Time // of the primary limit that it was counted in

	mu        sync.Mutex
	remaining int
}

// Room waits until n writes may be sent, and takes the room for them. Of those
// who wait the one with the lowest urgency is served first. An error means that
// ctx has ended. Close gives back what was not used.
func (s *Limiter) Reserve(ctx context.Context, n int, urgency int64) (*Reservation, error) {
	cost := s.cost(http.MethodPut)
	t := &waiter{priority: urgency, cost: scale(cost, n), requests: n}
	if err := s.wait(ctx, t); err != nil {
		return nil, err
	}
	return &Reservation{s: s, write: true, cost: cost, remaining: n, generation: t.generation, reset: t.reset}, nil
}

// Try takes room for n reads if they may be sent now, keep units of every limit
// are left for others, and nobody waits for what they need. If not, the room is
// nil, and again is when it may be worth trying again; zero: once a request
// under way was answered.
func (s *Limiter) TryReserve(n, keep int) (room *Reservation, again time.Time) {
	cost := s.cost(http.MethodGet)
	t := &waiter{priority: math.MaxInt64, cost: scale(cost, n), headroom: keep, requests: n, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = append(s.waiters, t)
	again = s.admit()
	if last := len(s.waiters) - 1; last >= 0 && s.waiters[last] == t {
		s.waiters = slices.Delete(s.waiters, last, last+1)
		return nil, again
	}
	return &Reservation{s: s, cost: cost, remaining: n, generation: t.generation, reset: t.reset}, time.Time{}
}

func scale(cost []int, n int) []int {
	all := slices.Clone(cost)
	for i := range all {
		all[i] *= n
	}
	return all
}

// Context returns a context whose requests to the service take this room. With
// room for writes they are those of something begun: nothing is kept back from
// them.
func (r *Reservation) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, reservationKey{r.s}, r)
}

// Close gives back the room that no request has taken.
func (r *Reservation) Release() {
	r.mu.Lock()
	left := r.remaining
	r.remaining = 0
	r.mu.Unlock()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.refund(r.cost, left, left, r.reset)
}

// take uses one place of the room, if one is left.
func (r *Reservation) use() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.remaining == 0 {
		return false
	}
	r.remaining--
	return true
}

// giveBack frees at once what times requests of that cost took and did not use:
// as many as number of the primary limit, if that is still the one with the
// reset.
func (s *Limiter) refund(cost []int, times, number int, reset time.Time) {
	for i, w := range s.limits {
		w.inFlight -= times * cost[i]
	}
	s.primary.refund(number, reset)
	s.admit()
}
