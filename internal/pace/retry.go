package pace

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Retry bounds the attempts of an operation.
type Retry struct {
	// MaxElapsed bounds when the last attempt starts, counted from the start of
	// the first one, or from the end of a wait that the service asked for.
	MaxElapsed time.Duration
	// MaxTotal, if set, bounds the whole operation, a Limiter's waits included,
	// until the service asks the operation itself to wait.
	MaxTotal time.Duration
	// Waits, if set, lists what the operation waits for.
	Waits *Waits
}

// maxPutOff bounds how often a service may ask one operation to wait.
const maxPutOff = 10

// firstBackoff is the wait after the first failure.
const firstBackoff = 500 * time.Millisecond

// Do calls fn until it succeeds or is rejected. fn must be idempotent. After an
// indeterminate failure Do waits 0.5 s, then twice as long each time. A malformed
// response is retried twice. After a rate limit, the Limiter delays the next
// attempt. A Retry-After in any other response delays this operation only. A wait
// that ctx does not allow ends Do at once, with a *WaitError.
func Do[T any](ctx context.Context, r Retry, fn func(context.Context) (T, error)) (T, error) {
	a := attempts{retry: r, first: time.Now(), backoff: firstBackoff, done: func() {}}
	defer func() { a.done() }()
	a.started = a.first
	bounded := ctx
	if r.MaxTotal > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, r.MaxTotal)
		defer cancel()
	}
	for {
		attemptCtx := bounded
		if a.putOff > 0 {
			attemptCtx = ctx
		}
		v, err := fn(attemptCtx)
		if err == nil {
			return v, nil
		}
		if err = a.next(ctx, err); err != nil {
			return v, err
		}
	}
}

// attempts is the state of an operation that has failed.
type attempts struct {
	retry          Retry
	first, started time.Time // the first attempt, and the one that MaxElapsed counts from
	backoff        time.Duration
	putOff         int    // number of waits that the service asked for
	malformed      int    // number of malformed responses
	waited         bool   // the current attempt started with a wait for a rate limit
	done           func() // ends the announced wait
}

// next waits until the operation may be tried again after a failure. Its error ends
// the operation.
func (a *attempts) next(ctx context.Context, err error) error {
	a.done()
	a.done = func() {}
	var e *wire.Error
	// A bad certificate won't become valid; don't retry.
	if ctx.Err() != nil || !errors.As(err, &e) || errors.Is(err, ErrSendDeadline) || IsTooLong(err) || errors.As(err, new(*tls.CertificateVerificationError)) {
		return err
	}
	switch {
	case e.Disposition == wire.RateLimited:
		if a.putOff++; a.putOff > maxPutOff {
			return err
		}
		a.waited, a.backoff = true, firstBackoff
		return nil
	case e.RetryAfter > 0:
		return a.waitAsTold(ctx, err, e)
	case e.Disposition == wire.Rejected:
		return err
	}
	if a.waited {
		a.started, a.waited = time.Now(), false
	}
	if e.Malformed {
		if a.malformed++; a.malformed > 2 {
			return err
		}
	}
	if time.Since(a.started)+a.backoff > a.retry.MaxElapsed {
		return err
	}
	// Until the operation ends, not only until the next attempt: a service that does
	// not respond is a single wait.
	a.done = a.retry.Waits.add(Wait{
		Service: e.Service, Reason: retryReason(e), Since: a.first, Until: a.started.Add(a.retry.MaxElapsed),
	})
	if wire.Sleep(ctx, a.backoff) != nil {
		return err
	}
	a.backoff *= 2
	return nil
}

// waitAsTold waits as long as an overloaded service asked for. Only this operation
// does.
func (a *attempts) waitAsTold(ctx context.Context, err error, e *wire.Error) error {
	if a.putOff++; a.putOff > maxPutOff {
		return err
	}
	if waitErr := a.retry.WaitAsTold(ctx, e); waitErr != nil {
		if IsTooLong(waitErr) {
			put := *e
			put.Message, put.Err = e.Message+"; "+waitErr.Error(), waitErr
			return &put
		}
		return err
	}
	a.started, a.backoff, a.waited = time.Now(), firstBackoff, false
	return nil
}

// WaitAsTold waits as long as err, the error of one request, says that the service
// asked for, and not at all after a rate limit, for which the Limiter waits. It is
// for requests that Do can't repeat. Its error is a *WaitError, at once, or the end
// of ctx.
func (r Retry) WaitAsTold(ctx context.Context, err error) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.RetryAfter <= 0 || e.Disposition == wire.RateLimited {
		return nil
	}
	wait := Wait{Service: e.Service, Reason: retryReason(e), Since: time.Now(), Until: time.Now().Add(e.RetryAfter)}
	defer r.Waits.add(wait)()
	return waitUntil(ctx, wait)
}

// retryReason describes why an operation is retried.
func retryReason(e *wire.Error) string {
	switch {
	case e.RetryAfter > 0:
		return fmt.Sprintf("overloaded (status %d), asked to wait", e.Status)
	case e.Status > 0:
		return fmt.Sprintf("retrying after status %d", e.Status)
	}
	return "not responding, retrying"
}
