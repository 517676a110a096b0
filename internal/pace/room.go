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
type Room struct {
	s     *Service
	write bool      // of writes, else of reads
	cost  []int     // of one, for each limit
	met   int       // latent limits that were kept when it was had
	reset time.Time // of the primary limit that it was counted in

	mu   sync.Mutex
	left int
}

// Room waits until n writes may be sent, and takes the room for them. Of those
// who wait the one with the lowest urgency is served first. An error means that
// ctx has ended. Close gives back what was not used.
func (s *Service) Room(ctx context.Context, n int, urgency int64) (*Room, error) {
	cost := s.cost(http.MethodPut)
	t := &ticket{urgency: urgency, cost: times(cost, n), number: n}
	if err := s.wait(ctx, t); err != nil {
		return nil, err
	}
	return &Room{s: s, write: true, cost: cost, left: n, met: t.met, reset: t.reset}, nil
}

// Try takes room for n reads if they may be sent now, keep units of every limit
// are left for others, and nobody waits for what they need. If not, the room is
// nil, and again is when it may be worth trying again; zero: once a request
// under way was answered.
func (s *Service) Try(n, keep int) (room *Room, again time.Time) {
	cost := s.cost(http.MethodGet)
	t := &ticket{urgency: math.MaxInt64, cost: times(cost, n), keep: keep, number: n, in: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, t)
	again = s.admit()
	if last := len(s.waiting) - 1; last >= 0 && s.waiting[last] == t {
		s.waiting = slices.Delete(s.waiting, last, last+1)
		return nil, again
	}
	return &Room{s: s, cost: cost, left: n, met: t.met, reset: t.reset}, time.Time{}
}

func times(cost []int, n int) []int {
	all := slices.Clone(cost)
	for i := range all {
		all[i] *= n
	}
	return all
}

// Context returns a context whose requests to the service take this room. With
// room for writes they are those of something begun: nothing is kept back from
// them.
func (r *Room) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, roomKey{r.s}, r)
}

// Close gives back the room that no request has taken.
func (r *Room) Close() {
	r.mu.Lock()
	left := r.left
	r.left = 0
	r.mu.Unlock()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.giveBack(r.cost, left, left, r.reset)
}

// take uses one place of the room, if one is left.
func (r *Room) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

// giveBack frees at once what times requests of that cost took and did not use:
// as many as number of the primary limit, if that is still the one with the
// reset.
func (s *Service) giveBack(cost []int, times, number int, reset time.Time) {
	for i, w := range s.limits {
		w.open -= times * cost[i]
	}
	s.primary.unsend(number, reset)
	s.admit()
}
