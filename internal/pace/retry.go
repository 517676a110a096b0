package pace

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Retry says how long an operation is tried.
type Retry struct {
	// Within: no try begins later than this after the first one's begin, or
	// after the end of a wait that the service asked for.
	MaxElapsed time.Duration
	// Most, if set, bounds all of it, the waits of a Service included, as long
	// as the operation itself has met no limit.
	MaxTotal time.Duration
}

// limitedTries bounds how often a service may put one operation off.
const maxRateLimited = 10

// Do carries out fn, which must be fit to be carried out twice, until it is
// done or refused. After a failure that leaves it open it waits 0.5 s, then
// twice as long each time; an answer that makes no sense is asked for twice
// more; after a limit it goes on when the Service lets it.
func Do[T any](ctx context.Context, r Retry, fn func(context.Context) (T, error)) (T, error) {
	begin, limited, garbled := time.Now(), 0, 0
	waited := false // the try that is under way began with a wait for a limit
	if r.MaxTotal > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.MaxTotal)
		defer cancel()
		try := fn
		fn = func(ctx context.Context) (T, error) {
			if limited == 0 {
				ctx = bounded
			}
			return try(ctx)
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
		// Nobody's certificate becomes somebody's in a second.
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			return v, err
		}
		if e.Disposition == wire.RateLimited {
			if limited++; limited > maxRateLimited {
				return v, err
			}
			waited = true
			pause = 250 * time.Millisecond
			continue
		}
		if waited {
			begin, waited = time.Now(), false
		}
		if e.Malformed {
			if garbled++; garbled > 2 {
				return v, err
			}
		}
		if time.Since(begin)+pause > r.MaxElapsed {
			return v, err
		}
		if Sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

// Sleep waits for d, or until ctx ends, which is its error.
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
