package pace

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Retry bounds the attempts of an operation.
type Retry struct {
	// MaxElapsed bounds when the last attempt starts, counted from the start of
	// the first one, or from the end of a wait that the service asked for.
	MaxElapsed time.Duration
	// MaxTotal, if set, bounds the whole operation, a Limiter's waits included,
	// until the service rate-limits the operation itself.
	MaxTotal time.Duration
}

// maxRateLimited bounds how often a service may rate-limit one operation.
const maxRateLimited = 10

// Do calls fn until it succeeds or is rejected. fn must be idempotent. After an
// indeterminate failure Do waits 0.5 s, then twice as long each time. A malformed
// response is retried twice. After a rate limit, the Limiter delays the next
// attempt.
func Do[T any](ctx context.Context, r Retry, fn func(context.Context) (T, error)) (T, error) {
	started, rateLimited, malformed := time.Now(), 0, 0
	waited := false // the current attempt started with a wait for a rate limit
	if r.MaxTotal > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.MaxTotal)
		defer cancel()
		attempt := fn
		fn = func(ctx context.Context) (T, error) {
			if rateLimited == 0 {
				ctx = bounded
			}
			return attempt(ctx)
		}
	}
	for pause := 500 * time.Millisecond; ; pause *= 2 {
		v, err := fn(ctx)
		if err == nil {
			return v, nil
		}
		var e *wire.Error
		if ctx.Err() != nil || !errors.As(err, &e) || e.Disposition == wire.Rejected || errors.Is(err, ErrSendDeadline) {
			return v, err
		}
		// A bad certificate won't become valid; don't retry.
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			return v, err
		}
		if e.Disposition == wire.RateLimited {
			if rateLimited++; rateLimited > maxRateLimited {
				return v, err
			}
			waited = true
			pause = 250 * time.Millisecond
			continue
		}
		if waited {
			started, waited = time.Now(), false
		}
		if e.Malformed {
			if malformed++; malformed > 2 {
				return v, err
			}
		}
		if time.Since(started)+pause > r.MaxElapsed {
			return v, err
		}
		if Sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

// Sleep waits for d. Its error is the end of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
