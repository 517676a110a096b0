package pace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Wait is something that requests wait for.
type Wait struct {
	// Service is the service's name.
	Service string
	// Reason is the cause: "80 writes per minute".
	Reason string
	// Since is when the first of the requests started to wait.
	Since time.Time
	// Until is the expected end; zero if it is not known.
	Until time.Time
	// Resets reports whether Until is when a quota is reset.
	Resets bool
}

// Cause returns service and reason, without the end: "GitHub: 80 writes per minute".
func (w Wait) Cause() string {
	if w.Reason == "" {
		return w.Service
	}
	return w.Service + ": " + w.Reason
}

// String returns the cause and the end: "GitHub: 80 writes per minute, until 14:05:01
// UTC".
func (w Wait) String() string {
	if w.Until.IsZero() {
		return w.Cause()
	}
	return w.Cause() + ", until " + w.Until.UTC().Format("15:04:05 UTC")
}

// Waits knows everything that the requests of a run wait for: limits and pauses of
// the Limiters that it watches, and the retries of every operation whose Retry names
// it. The zero Waits knows nothing, and a nil one ignores all calls. It is safe for
// concurrent use.
type Waits struct {
	mu       sync.Mutex
	limiters []*Limiter
	started  map[*Wait]struct{}
}

// Watch adds limiters.
func (w *Waits) Watch(limiters ...*Limiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limiters = append(w.limiters, limiters...)
}

// Start adds a wait that starts now. done removes it, and may be called again.
func (w *Waits) Start(service, reason string, until time.Time) (done func()) {
	return w.add(Wait{Service: service, Reason: reason, Since: time.Now(), Until: until})
}

func (w *Waits) add(wait Wait) (done func()) {
	if w == nil {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started == nil {
		w.started = map[*Wait]struct{}{}
	}
	w.started[&wait] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.started, &wait)
	}
}

// List returns the current waits, the longest first. Requests that wait for the same
// reason are one wait, from the first one's start to the last one's end.
func (w *Waits) List() []Wait {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	limiters := w.limiters
	all := make([]Wait, 0, len(w.started))
	for wait := range w.started {
		all = append(all, *wait)
	}
	w.mu.Unlock()
	for _, l := range limiters {
		all = append(all, l.waits()...)
	}
	slices.SortFunc(all, func(a, b Wait) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Reason, b.Reason), a.Since.Compare(b.Since))
	})
	merged := all[:0]
	for _, wait := range all {
		if n := len(merged); n > 0 && merged[n-1].Service == wait.Service && merged[n-1].Reason == wait.Reason {
			merged[n-1].Until = later(merged[n-1].Until, wait.Until)
			continue
		}
		merged = append(merged, wait)
	}
	slices.SortStableFunc(merged, func(a, b Wait) int { return a.Since.Compare(b.Since) })
	return merged
}

// WaitError is the error of a request that was not sent, because it would have to
// wait beyond its deadline. It is returned as soon as that is clear. It wraps
// ErrSendDeadline, or context.DeadlineExceeded if the deadline is the context's.
type WaitError struct {
	Wait Wait
	err  error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("waiting for %s would take too long", e.Wait)
}

// Unwrap returns ErrSendDeadline or context.DeadlineExceeded.
func (e *WaitError) Unwrap() error { return e.err }

// IsTooLong reports whether err is a *WaitError: the request was not sent, because it
// would have to wait beyond its deadline.
func IsTooLong(err error) bool { return errors.As(err, new(*WaitError)) }

type sendDeadlineKey struct{}

// ErrSendDeadline is the error of a request that could not be sent before its
// deadline.
var ErrSendDeadline = errors.New("it could not be sent in time")

// WithSendDeadline returns a context whose requests are sent before t or not at
// all. They fail with ErrSendDeadline as soon as it is clear that they can't be.
func WithSendDeadline(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, sendDeadlineKey{}, t)
}

// sendDeadline returns the latest time to send a request with ctx, zero for none,
// and the error of one that can't be sent before.
func sendDeadline(ctx context.Context) (deadline time.Time, tooLate error) {
	deadline, _ = ctx.Value(sendDeadlineKey{}).(time.Time)
	tooLate = ErrSendDeadline
	if end, ok := ctx.Deadline(); ok && (deadline.IsZero() || end.Before(deadline)) {
		deadline, tooLate = end, context.DeadlineExceeded
	}
	return deadline, tooLate
}

// waitUntil waits until a time that a service asked for. It fails at once if ctx
// does not allow that.
func waitUntil(ctx context.Context, wait Wait) error {
	if deadline, tooLate := sendDeadline(ctx); !deadline.IsZero() && wait.Until.After(deadline) {
		return &WaitError{wait, tooLate}
	}
	return wire.Sleep(ctx, time.Until(wait.Until))
}
