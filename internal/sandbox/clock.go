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

// Time is the true time of the world, which no service's skew changes.
func (w *World) Time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time()
}

// Advance moves the time of both services, and sees which tokens have expired.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanced += d
	w.sweep()
}

// SetSkew puts a service's clock ahead of the true time by d, or behind it.
func (w *World) SetSkew(s Service, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew[s] = d
}

func (w *World) time() time.Time { return w.options.Now().Add(w.advanced).UTC() }

func (w *World) now(s Service) time.Time { return w.time().Add(w.skew[s]) }

// sleep waits for d, and tells whether the context lived on.
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
