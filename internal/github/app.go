package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/golang-jwt/jwt/v4"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// renewBefore is how much of a token's life is left when it is renewed.
	renewBefore = time.Minute
	// lastUse is how much of it must be left when a request leaves: more than
	// the request takes to arrive.
	minRemaining = 15 * time.Second
	// patience is how long a request waits for a renewal before it goes to the
	// Service's gate all the same: longer than the renewal's own request takes.
	renewalTimeout = wire.WriteTimeout + 5*time.Second

	// A JWT is issued in the past and lives for less than GitHub's ten minutes,
	// for the sake of clocks that are off. The rest is learned from an answer.
	jwtPast = time.Minute
	jwtLife = 6 * time.Minute
)

// AppOptions are what an App works with.
type AppOptions struct {
	// ID is the App ID or the client ID, Key the PEM of a private key.
	ID  string
	Key secret.Value
	// Owner is whose installation is used, an organization or a user.
	Owner string
	// Transport is the pattern for the App's own requests and for those with its
	// tokens; its Gate and its Authorize are not used.
	Transport wire.Transport
	// Pace is the gate before all of them.
	Limiter *pace.Limiter
	// Start bounds the first requests.
	Start pace.Retry
	// Learn is told each JWT and each token before anything else is done with it.
	OnSecret func(secret.Value)
	// Mask hides a new token from the log before it is used.
	Mask func(secret.Value) error
}

// App sends requests with the tokens of a GitHub App's installation. A token is
// renewed once less than a minute of its life remains, or after a 401: by one
// request for all who wait. Start comes first; then it is safe for concurrent use.
//
// Of ghinstallation it uses the AppsTransport, with a signer of its own: for that
// one signs for an integer App ID by the clock of this machine. The library's
// Transport for installations is left out: it holds a sync.Mutex while it renews,
// so that nobody who waits heeds a context, judges a token's life by the clock of
// this machine, knows no 401, and sends what it signed before the wait at a gate.
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
type App struct {
	o            AppOptions
	signer       *signer
	jwtClient    *Client           // sends as the App itself
	priority     *pace.Reservation // without places: what goes with it goes first
	installation InstallationInfo

	mu          sync.Mutex // held briefly, never while waiting
	token       secret.Value
	renewAt     time.Time // when the token is to be renewed
	usableUntil time.Time // until when a request may leave with it
	renewal     *renewal  // under way; nil if none is
}

// Installed is the App's installation for the owner.
type InstallationInfo struct {
	ID int64 `json:"id"`
	// Page shows it, and lets its repositories be chosen; an owner's page.
	Page string `json:"html_url"`
	// Selection is "all", or "selected" where not all repositories are its.
	Selection string `json:"repository_selection"`
	// Permissions are what was granted: "secrets" may be "write".
	Permissions map[string]string `json:"permissions"`
}

// renewal is one request for a new token, carried out as long as somebody waits.
type renewal struct {
	done    chan struct{}
	err     error // once done is closed
	waiting int
	cancel  context.CancelFunc
}

// NewApp returns an App that has sent nothing yet.
func NewApp(o AppOptions) *App {
	a := &App{o: o, signer: &signer{id: o.ID, key: o.Key, clock: o.Transport.Clock, learn: o.OnSecret}}
	own := o.Transport
	own.Limiter = jwtLimiter{a}
	// Innermost, so that a JWT is as young as can be, and none goes astray after
	// a redirect. (The error would say that there is no signer.)
	own.Base, _ = ghinstallation.NewAppsTransportWithOptions(o.Transport.Base, 0, ghinstallation.WithSigner(a.signer))
	own.Authorize = func(req *http.Request) error {
		req.Header.Del("Accept") // AppsTransport adds one
		return nil
	}
	own.OnUnauthorized = func(*http.Request) bool { return a.signer.outdated() }
	a.jwtClient = New(own.Client(), o.Transport.Origin, o.Start, o.Start)
	return a
}

// Transport returns the transport that sends requests with the App's tokens.
func (a *App) Transport() *wire.Transport {
	t := a.o.Transport
	t.Limiter, t.Authorize, t.OnUnauthorized = a, a.authorize, a.onUnauthorized
	return &t
}

// ErrKey is the error of a private key that signs nothing.
var ErrKey = errors.New("the private key can't be used")

// IsUnknownApp tells the refusal of an App's ID, which has no code of its own: by
// the text it differs from that of a key ("A JSON web token could not be
// decoded") and of an owner without the App ("Not Found").
func IsUnknownApp(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name &&
		(e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound) &&
		// "Integration not found", "Integration must generate a public key", and of
		// servers that know no client IDs: "'Issuer' claim ('iss') must be an Integer".
		(strings.HasPrefix(e.Message, "Integration ") || strings.HasPrefix(e.Message, "'Issuer' claim"))
}

// Start finds the installation and asks for the first token. Beside what every
// request may meet its error is ErrKey; IsUnknownApp; wire.IsUnauthorized where
// the key is not the App's; wire.IsNotFound where the App is not installed for
// the owner.
func (a *App) Start(ctx context.Context) error {
	if _, err := a.signer.Sign(nil); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	var err error
	if a.priority, err = a.o.Limiter.Reserve(ctx, 0, math.MinInt64); err != nil {
		return err
	}
	if a.installation, err = a.find(ctx); err != nil {
		return err
	}
	_, err = pace.Do(ctx, a.o.Start, func(ctx context.Context) (struct{}, error) {
		r := a.joinRenewal()
		defer a.leaveRenewal(r)
		return struct{}{}, r.wait(ctx)
	})
	return err
}

// Installed is what Start found.
func (a *App) Installation() InstallationInfo { return a.installation }

// find looks the installation up.
func (a *App) find(ctx context.Context) (InstallationInfo, error) {
	op := "find the App's installation for " + a.o.Owner
	return pace.Do(ctx, a.o.Start, func(ctx context.Context) (InstallationInfo, error) {
		var installation InstallationInfo
		_, err := a.jwtClient.get(ctx, op, path("orgs", a.o.Owner, "installation"), &installation)
		if wire.IsNotFound(err) {
			_, err = a.jwtClient.get(ctx, op, path("users", a.o.Owner, "installation"), &installation)
		}
		if err == nil && installation.ID == 0 {
			err = wire.Garbage(Name, op, http.StatusOK, "the answer tells no id")
		}
		return installation, err
	})
}

// Enter implements wire.Gate: it waits until there is a token to send req with,
// and then at the Service's gate. In this order, so that no request keeps a place
// there from the renewal that it waits for. But if the renewal takes long, GitHub
// is held, and the Service knows how long req may wait for that.
func (a *App) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	for {
		r := a.joinRenewal()
		if err := r.wait(ctx); err != nil {
			a.leaveRenewal(r)
			return nil, renewalError(err)
		}
		leave, err := a.o.Limiter.Acquire(ctx, req)
		a.leaveRenewal(r)
		if err != nil || a.tokenLasts() {
			return leave, err
		}
		leave(wire.Signal{}) // the token did not outlive the wait
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

// refused drops the token if it is the one that the request was refused with:
// Enter waits for another one before the request is sent again.
func (a *App) onUnauthorized(req *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if req.Header.Get("Authorization") == bearer(a.token) {
		a.renewAt, a.usableUntil = time.Time{}, time.Time{}
	}
	return true
}

// lasts tells whether a request may leave with the token.
func (a *App) tokenLasts() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.usableUntil)
}

// join returns the renewal that is due, nil if none is. Who joins has to quit.
func (a *App) joinRenewal() *renewal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().Before(a.renewAt) {
		return nil
	}
	if a.renewal == nil {
		ctx, cancel := context.WithCancel(context.Background())
		a.renewal = &renewal{done: make(chan struct{}), cancel: cancel}
		// By itself, because whoever comes first may leave first.
		go a.renewToken(ctx, a.renewal)
	}
	a.renewal.waiting++
	return a.renewal
}

// quit ends a renewal that nobody waits for any more.
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

// wait returns once r is done, or after some time all the same. Its error is r's,
// or that of ctx.
func (r *renewal) wait(ctx context.Context) error {
	if r == nil {
		return nil
	}
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

// carryOut renews the token. It is not tried again here: those who wait try their
// requests again, each as long as it may, and so ask for the next renewal.
func (a *App) renewToken(ctx context.Context, r *renewal) {
	token, expires, err := a.createToken(ctx)
	now := time.Now()
	left := a.o.Transport.Clock.ToLocal(expires).Sub(now)
	if err == nil && left <= 0 {
		err = wire.Garbage(Name, createTokenOp, http.StatusCreated, "the token has no expiry, or had expired when it came")
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
			before = left / 2 // shorter than GitHub makes them
		}
		a.token, a.renewAt, a.usableUntil = token, now.Add(left-before), now.Add(left-min(minRemaining, left/4))
	}
	if a.renewal == r {
		a.renewal = nil
	}
	r.err = err
	close(r.done)
}

const createTokenOp = "make a token of the App's installation"

// make makes a token. Expires is on GitHub's clock.
func (a *App) createToken(ctx context.Context) (token secret.Value, expires time.Time, err error) {
	fail := func(err error) (secret.Value, time.Time, error) {
		return secret.Value{}, time.Time{}, wire.Failed(Name, createTokenOp, err)
	}
	address := path("app", "installations", strconv.FormatInt(a.installation.ID, 10), "access_tokens")
	req, err := a.jwtClient.gh.NewRequest(http.MethodPost, address, nil)
	if err != nil {
		return fail(err)
	}
	var raw bytes.Buffer
	resp, err := a.jwtClient.gh.Do(ctx, req, &raw)
	if err != nil {
		return fail(err)
	}
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	if json.Unmarshal(raw.Bytes(), &answer) != nil || !usable(answer.Token) {
		return fail(wire.Garbage(Name, createTokenOp, resp.StatusCode, "the answer holds no usable token"))
	}
	token = secret.New(answer.Token)
	a.o.OnSecret(token)
	return token, answer.Expires, nil
}

// maxToken bounds a token, in bytes; GitHub promises no length.
const maxToken = 16 << 10

// usable tells whether a token can be sent in a header, and be masked as one line.
func usable(token string) bool {
	return token != "" && len(token) <= maxToken &&
		!strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// unrenewed is what the failure of a renewal is to a request that waited for it.
// A limit stays one. A refusal, whatever its status (a 404: the App was
// uninstalled), is that of a credential. Anything else kept the request unsent.
func renewalError(err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err
	}
	status := ""
	if e.Status != 0 {
		status = fmt.Sprintf(" (status %d)", e.Status)
	}
	mine := &wire.Error{
		Service: Name, Disposition: wire.NotSent, Err: err,
		Message: fmt.Sprintf("the App's token could not be renewed%s: %s", status, e.Message),
	}
	switch e.Disposition {
	case wire.RateLimited:
		mine.Disposition, mine.Status, mine.RetryAfter = wire.RateLimited, e.Status, e.RetryAfter
	case wire.Rejected:
		mine.Disposition, mine.Status = wire.Rejected, http.StatusUnauthorized
	}
	return mine
}

// ownGate is the gate before the App's own requests. They go first, because
// others wait for them. What they tell of the primary limit is not that of the
// installation, and is kept from the Service.
type jwtLimiter struct{ a *App }

func (g jwtLimiter) Acquire(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	leave, err := g.a.o.Limiter.Acquire(g.a.priority.Context(ctx), req)
	if err != nil {
		return nil, err
	}
	return func(s wire.Signal) {
		s.Header = nil
		leave(s)
	}, nil
}

// signer signs the App's JWTs, whatever claims it is asked to sign.
type signer struct {
	id       string
	key      secret.Value
	clock    *wire.Clock
	learn    func(secret.Value)
	signedAt atomic.Int64 // the clock's offset when the last one was signed
}

// Sign implements ghinstallation.Signer.
func (s *signer) Sign(jwt.Claims) (string, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(s.key.Reveal()))
	if err != nil {
		return "", err
	}
	offset := s.clock.Offset()
	s.signedAt.Store(int64(offset))
	issued := time.Now().Add(offset - jwtPast)
	signed, err := ghinstallation.NewRSASigner(jwt.SigningMethodRS256, key).Sign(jwt.RegisteredClaims{
		Issuer:    s.id,
		IssuedAt:  jwt.NewNumericDate(issued),
		ExpiresAt: jwt.NewNumericDate(issued.Add(jwtLife)),
	})
	s.learn(secret.New(signed))
	return signed, err
}

// outdated tells whether the last JWT was signed by a clock that is known to have
// been wrong.
func (s *signer) outdated() bool {
	return (s.clock.Offset() - time.Duration(s.signedAt.Load())).Abs() > jwtPast/2
}
