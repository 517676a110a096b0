package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// AppOptions configure an App.
type AppOptions struct {
	// ID is the App ID or the client ID.
	ID string
	// Key is a private key of the App, as PEM.
	Key secret.Value
	// Owner is the organization or user that the App is installed for.
	Owner string
	// Transport is the template for the App's own requests and for those with its
	// tokens. Its Limiter, Authorize and OnUnauthorized are not used.
	Transport wire.Transport
	// Limiter delays all of these requests.
	Limiter *pace.Limiter
	// Start bounds the first requests.
	Start pace.Retry
	// Permissions are the permissions that the tokens need; see StorePermissions. The
	// tokens get those that the installation grants.
	Permissions map[string]string
	// OnSecret is called with each JWT and each token before anything else is done
	// with it.
	OnSecret func(secret.Value)
	// Mask hides a new token from the log before it is used.
	Mask func(secret.Value) error
}

// App sends requests with the tokens of a GitHub App's installation. It renews the
// token a minute before its expiry, or after a 401, with one request for all that
// wait. Call Start first; after that, an App is safe for concurrent use.
type App struct {
	o         AppOptions
	signer    *signer
	jwtClient *Client           // sends as the App itself
	priority  *pace.Reservation // a zero-size reservation that gives priority

	mu           sync.Mutex // held briefly, never while waiting
	installation InstallationInfo
	token        secret.Value
	createdAt    time.Time // when the token was created
	renewAt      time.Time // when the token is due for renewal
	usableUntil  time.Time // latest time to send a request with the token
	renewal      *renewal  // in progress; nil if none is
}

// InstallationInfo is the App's installation for the owner.
type InstallationInfo struct {
	ID int64 `json:"id"`
	// Page is the owner's page to configure the installation and its repositories.
	Page string `json:"html_url"`
	// Selection is "all", or "selected" if it has some repositories only.
	Selection string `json:"repository_selection"`
	// Permissions maps each granted permission to its level: "secrets" to "write".
	Permissions map[string]string `json:"permissions"`
}

// NewApp returns an App. It sends no request.
func NewApp(o AppOptions) *App {
	a := &App{o: o, signer: &signer{id: o.ID, key: o.Key, onSecret: o.OnSecret}}
	own := o.Transport
	own.Limiter = jwtLimiter{a}
	own.Authorize = a.signer.authorize
	own.OnUnauthorized = a.signer.onUnauthorized
	a.jwtClient = New(own.Client(), o.Transport.Origin, o.Start, o.Start)
	return a
}

// Transport returns the transport that sends requests with the App's tokens.
func (a *App) Transport() *wire.Transport {
	t := a.o.Transport
	t.Limiter, t.Authorize, t.OnUnauthorized, t.CreatedAt = a, a.authorize, a.onUnauthorized, a.tokenCreatedAt
	return &t
}

// ErrKey is the error of a private key that can't sign.
var ErrKey = errors.New("the private key can't be used")

// IsUnknownApp reports whether GitHub rejected an App's ID. This rejection has no
// code of its own. Its text distinguishes it from that of a key ("A JSON web token
// could not be decoded") and of an owner without the App ("Not Found").
func IsUnknownApp(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name &&
		(e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound) &&
		// "Integration not found", "Integration must generate a public key", and from
		// servers without client IDs: "'Issuer' claim ('iss') must be an Integer".
		(strings.HasPrefix(e.Message, "Integration ") || strings.HasPrefix(e.Message, "'Issuer' claim"))
}

// Start finds the installation and creates the first token. Apart from the errors
// of every request, it returns ErrKey; IsUnknownApp; wire.IsUnauthorized if the key
// isn't the App's; wire.IsNotFound if the App is not installed for the owner.
func (a *App) Start(ctx context.Context) error {
	if _, err := a.signer.sign(); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	var err error
	if a.priority, err = a.o.Limiter.Reserve(ctx, 0, math.MinInt64); err != nil {
		return err
	}
	if err := a.readInstallation(ctx); err != nil {
		return err
	}
	_, err = pace.Do(ctx, a.o.Start, func(ctx context.Context) (struct{}, error) {
		r := a.joinRenewal()
		defer a.leaveRenewal(r)
		return struct{}{}, r.wait(ctx, a.o.Start.Waits)
	})
	return err
}

// Installation returns the installation that Start found.
func (a *App) Installation() InstallationInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.installation
}

// readInstallation reads the installation, which Installation returns from then on.
func (a *App) readInstallation(ctx context.Context) error {
	installation, err := a.find(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.installation = installation
	return nil
}

// find reads the installation of the owner, an organization or a user.
func (a *App) find(ctx context.Context) (InstallationInfo, error) {
	op := "find the App's installation for " + a.o.Owner
	return pace.Do(ctx, a.o.Start, func(ctx context.Context) (InstallationInfo, error) {
		var installation InstallationInfo
		_, err := a.jwtClient.get(ctx, op, path("orgs", a.o.Owner, "installation"), &installation)
		if wire.IsNotFound(err) {
			_, err = a.jwtClient.get(ctx, op, path("users", a.o.Owner, "installation"), &installation)
		}
		if err == nil && installation.ID == 0 {
			err = wire.Malformed(Name, op, http.StatusOK, nil, "the response contains no ID")
		}
		return installation, err
	})
}

// Acquire implements wire.Limiter. It waits for a valid token first, then for the
// Limiter, so that no request holds capacity while it waits for a renewal. If the
// renewal takes long, GitHub is paused, and the Limiter knows how long req may wait
// for that.
func (a *App) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	for {
		if err := a.o.Limiter.CheckPause(ctx); err != nil {
			return nil, err
		}
		r := a.joinRenewal()
		if err := r.wait(ctx, a.o.Start.Waits); err != nil {
			a.leaveRenewal(r)
			return nil, renewalError(err)
		}
		release, err := a.o.Limiter.Acquire(ctx, req)
		a.leaveRenewal(r)
		if err != nil || a.tokenLasts() {
			return release, err
		}
		release(wire.Signal{}) // the token expires during the wait
	}
}

// authorize adds the token.
func (a *App) authorize(req *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	req.Header.Set("Authorization", bearer(a.token))
	return nil
}

func bearer(token secret.Value) string { return "Bearer " + token.Reveal() }

// onUnauthorized drops the token if the rejected request used it. Acquire then waits
// for a new one before the request is sent again.
func (a *App) onUnauthorized(req *http.Request, _ *wire.Error) (again bool, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if req.Header.Get("Authorization") == bearer(a.token) {
		a.renewAt, a.usableUntil = time.Time{}, time.Time{}
	}
	return true, 0
}

// tokenCreatedAt returns when the token of a request was created; zero if it is not
// the current one.
func (a *App) tokenCreatedAt(req *http.Request) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if req.Header.Get("Authorization") != bearer(a.token) {
		return time.Time{}
	}
	return a.createdAt
}

// revokeTimeout bounds the revocation of the token, at the end of a run.
const revokeTimeout = time.Second

// Revoke revokes the current token, if it can do so within a second, even if ctx has
// ended. An error changes nothing: the token expires within an hour.
func (a *App) Revoke(ctx context.Context) {
	a.mu.Lock()
	token, usable := a.token, time.Now().Before(a.usableUntil)
	a.renewAt, a.usableUntil = time.Time{}, time.Time{}
	a.mu.Unlock()
	if !usable {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	t := a.o.Transport
	t.Limiter = a.o.Limiter
	t.Authorize = wire.Bearer("Authorization", "Bearer ", token)
	t.OnUnauthorized = func(*http.Request, *wire.Error) (bool, time.Duration) { return false, 0 }
	client := New(t.Client(), t.Origin, pace.Retry{}, pace.Retry{})
	_, _ = client.send(a.priority.Context(ctx), "revoke the App's token", http.MethodDelete, "installation/token", nil,
		func(io.Reader) error { return nil })
}

// tokenLasts reports whether a request may be sent with the token.
func (a *App) tokenLasts() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.usableUntil)
}

// jwtLimiter delays the App's own requests. They have priority, because others wait
// for them. Their quota is not the installation's, and is kept from the Limiter.
type jwtLimiter struct{ a *App }

func (l jwtLimiter) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	release, err := l.a.o.Limiter.Acquire(l.a.priority.Context(ctx), req)
	if err != nil {
		return nil, err
	}
	return func(s wire.Signal) {
		s.Quota = nil
		release(s)
	}, nil
}
