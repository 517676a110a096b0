package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// renewBefore is how long before a token's expiry it is renewed.
	renewBefore = time.Minute
	// minRemaining is how long a token must still be valid when a request is sent:
	// longer than the request takes to arrive.
	minRemaining = 15 * time.Second
	// renewalTimeout is how long a request waits for a renewal before it goes to the
	// Limiter anyway. It is longer than the renewal's own request takes.
	renewalTimeout = wire.WriteTimeout + 5*time.Second
	// minToken and maxToken bound a token, in bytes; GitHub guarantees no length. It is
	// masked in the log: masking a short one would blank unrelated text.
	minToken = 16
	maxToken = 16 << 10
)

// renewal is one request for a new token. It is canceled when nothing waits for it
// anymore.
type renewal struct {
	done    chan struct{}
	err     error // valid once done is closed
	waiting int
	cancel  context.CancelFunc
}

// joinRenewal returns the renewal that is due, nil if none is. Every call needs one
// of leaveRenewal.
func (a *App) joinRenewal() *renewal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().Before(a.renewAt) {
		return nil
	}
	if a.renewal == nil {
		ctx, cancel := context.WithCancel(context.Background())
		a.renewal = &renewal{done: make(chan struct{}), cancel: cancel}
		// In a goroutine, because the first waiter may leave before the others.
		go a.renewToken(ctx, a.renewal)
	}
	a.renewal.waiting++
	return a.renewal
}

// leaveRenewal cancels a renewal that has no waiters anymore.
func (a *App) leaveRenewal(r *renewal) {
	if r == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.waiting--; r.waiting > 0 {
		return
	}
	r.cancel()
	if a.renewal == r {
		a.renewal = nil
	}
}

// wait returns when r is done, or without an error after renewalTimeout. Its error
// is r's, or the end of ctx.
func (r *renewal) wait(ctx context.Context, waits *pace.Waits) error {
	if r == nil {
		return nil
	}
	defer waits.Start(Name, "a new token of the App", time.Now().Add(renewalTimeout))()
	timer := time.NewTimer(renewalTimeout)
	defer timer.Stop()
	select {
	case <-r.done:
		return r.err
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopped while waiting for a token of the App: %w", context.Cause(ctx))
	}
}

// renewToken renews the token. It does not retry: the waiting requests are retried,
// each within its own bounds, and start the next renewal.
func (a *App) renewToken(ctx context.Context, r *renewal) {
	token, expires, err := a.createToken(ctx)
	now := time.Now()
	left := a.o.Transport.Clock.ToLocal(expires).Sub(now)
	if err == nil && left <= 0 {
		err = wire.Malformed(Name, createTokenOp, http.StatusCreated, nil, "the token has no expiry, or has already expired")
	}
	if err == nil {
		if err = a.o.Mask(token); err != nil {
			err = fmt.Errorf("the App's new token could not be masked in the log: %w", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		before := renewBefore
		if left <= before {
			before = left / 2 // valid for less time than GitHub's tokens
		}
		a.token, a.createdAt = token, now
		a.renewAt, a.usableUntil = now.Add(left-before), now.Add(left-min(minRemaining, left/4))
	}
	if a.renewal == r {
		a.renewal = nil
	}
	r.err = err
	close(r.done)
}

const createTokenOp = "create an installation token of the App"

// createToken creates an installation token with the permissions that the run needs,
// as far as the installation grants them. Its expiry is on GitHub's clock.
func (a *App) createToken(ctx context.Context) (token secret.Value, expires time.Time, err error) {
	token, expires, err = a.requestToken(ctx)
	if wire.StatusOf(err) != http.StatusUnprocessableEntity {
		return token, expires, err
	}
	// A permission was withdrawn since the installation was read.
	if err := a.readInstallation(ctx); err != nil {
		return token, expires, err
	}
	return a.requestToken(ctx)
}

// tokenRequest is the body of a request for an installation token. It names no
// repositories: the list needs all of them, and at most 500 can be named.
type tokenRequest struct {
	Permissions map[string]string `json:"permissions,omitempty"`
}

func (a *App) requestToken(ctx context.Context) (token secret.Value, expires time.Time, err error) {
	installation := a.Installation()
	address := path("app", "installations", strconv.FormatInt(installation.ID, 10), "access_tokens")
	var body struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	resp, err := a.jwtClient.send(ctx, createTokenOp, http.MethodPost, address, tokenRequest{narrow(a.o.Permissions, installation.Permissions)}, func(r io.Reader) error {
		return wire.DecodeObject(r, &body)
	})
	if err != nil {
		return secret.Value{}, time.Time{}, err
	}
	token = secret.New(body.Token)
	if len(body.Token) < minToken || len(body.Token) > maxToken || !token.OneLine() {
		err := wire.Malformed(Name, createTokenOp, resp.StatusCode, nil, "the response contains no valid token")
		return secret.Value{}, time.Time{}, err
	}
	a.o.OnSecret(token)
	return token, body.Expires, nil
}

// renewalError is the error of a request that waited for a failed renewal. A rate
// limit passes through unchanged. A rejection of any status means that the
// credential was rejected (a 404: the App was uninstalled). With any other error
// the request was not sent.
func renewalError(err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err
	}
	status := ""
	if e.Status != 0 {
		status = fmt.Sprintf(" (status %d)", e.Status)
	}
	failed := &wire.Error{
		Service: Name, Disposition: wire.NotSent, Err: err, RetryAfter: e.RetryAfter,
		Message: fmt.Sprintf("the App's token could not be renewed%s: %s", status, e.Message),
	}
	switch e.Disposition {
	case wire.RateLimited:
		failed.Disposition, failed.Status = wire.RateLimited, e.Status
	case wire.Rejected:
		failed.Disposition, failed.Status = wire.Rejected, http.StatusUnauthorized
	}
	return failed
}
