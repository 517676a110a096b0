package sandbox

import (
	"context"
	"time"
)

// Service is one of the two services.
type Service int

// The services.
const (
	Codacy Service = iota
	GitHub
)

// String returns the service's name.
func (s Service) String() string { return [...]string{"Codacy", "GitHub"}[s] }

// servers are the machines behind one service. Their clocks may disagree.
type servers struct {
	offsets []time.Duration
	data    bool
	next    int
}

// Time returns the true time of the world, which no service's skew changes.
func (w *World) Time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time()
}

// Advance moves the time of both services and records which tokens expired.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanced += d
	w.sweep()
}

// SetSkew sets a service's clock ahead of the true time by d, or behind it.
func (w *World) SetSkew(s Service, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew[s] = d
}

// SetServers puts several machines behind a service, which serve its requests in
// turn. Each has its own clock, ahead of the service's by its offset. The clock
// dates the responses; with data, also the tokens and secrets that the machine
// writes. No offset means one machine again.
func (w *World) SetServers(s Service, data bool, offsets ...time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[s] = servers{offsets: offsets, data: data}
}

// assign returns the offset of the machine that serves the next request.
func (s *servers) assign() time.Duration {
	if len(s.offsets) == 0 {
		return 0
	}
	offset := s.offsets[s.next%len(s.offsets)]
	s.next++
	return offset
}

func (w *World) time() time.Time { return w.options.Now().Add(w.advanced).UTC() }

// now returns the time by a service's clock.
func (w *World) now(s Service) time.Time { return w.time().Add(w.skew[s]) }

// written returns the time by which a request dates what it writes.
func (w *World) written(c *call) time.Time {
	now := w.now(c.Service)
	if w.servers[c.Service].data {
		now = now.Add(c.offset)
	}
	return now
}

// cut returns the midnight in a zone at the start of t's day, or t itself if the
// zone is nil.
func cut(t time.Time, zone *time.Location) time.Time {
	if zone == nil || t.IsZero() {
		return t
	}
	year, month, day := t.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, zone)
}

// sleep waits for d and reports whether the context is still valid.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
