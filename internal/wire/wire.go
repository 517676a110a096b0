// Package wire sends requests to the two services. Its Transport adds the
// credential, bounds times and sizes, refuses to leave the service's origin and
// reads the service's clock. Its Error says what became of a failed request.
//
// A response that is not 2xx becomes an *Error before a client library sees it.
// Therefore both clients report failures alike, and go-github neither interprets
// rate limits nor rejects calls locally: the Limiter decides what is sent when.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// MaxBody bounds a response's body, in bytes after decompression. A page of
	// 100 repositories takes less than 1 MiB of it.
	MaxBody = 8 << 20
	// maxErrorBody bounds how much of an error's body is read, in bytes.
	maxErrorBody = 64 << 10
	// ReadTimeout bounds one GET, its body included.
	ReadTimeout = 12 * time.Second
	// WriteTimeout bounds every other request.
	WriteTimeout = 30 * time.Second
)

// Signal is what a response, or the lack of one, says about the service's load.
type Signal struct {
	// Status is the response's status; 0 without a response.
	Status int
	// RateLimited reports whether the service rejected the request because of a
	// rate limit.
	RateLimited bool
	// RetryAfter is how long the service asked to wait; 0 if it did not.
	RetryAfter time.Duration
	// Quota is the primary rate limit; nil if the response does not state it.
	Quota *Quota
}

// A Limiter decides when a request may be sent.
type Limiter interface {
	// Acquire waits until req may be sent. Unless it returns an error, release
	// must be called once, as soon as the response's header is read or given up.
	// An error that is an *Error becomes the request's; any other is NotSent.
	Acquire(ctx context.Context, req *http.Request) (release func(Signal), err error)
}

// Transport is an http.RoundTripper for one service.
type Transport struct {
	// Service is the service's name in errors.
	Service string
	// Origin has the scheme and host of every request; all others are refused.
	Origin *url.URL
	// Base sends the requests.
	Base http.RoundTripper
	// Limiter delays requests until they may be sent; nil for none.
	Limiter Limiter
	// Clock estimates the service's time from its Date headers.
	Clock *Clock
	// UserAgent is sent with every request.
	UserAgent string
	// Authorize adds the credential. If it fails, the request is not sent.
	Authorize func(*http.Request) error
	// Redact, if set, replaces credentials and tokens in text from the service. It
	// runs before the text is truncated: no redactor recognizes half a secret.
	Redact func(string) string
	// OnUnauthorized is called with a request, as it was sent, whose credential was
	// rejected (401), and with its error. It returns whether to send the request once
	// more, and when: there may be a new credential. Without it, requests are sent once
	// more after 2 s, because sporadic 401s for valid credentials occur.
	OnUnauthorized func(*http.Request, *Error) (again bool, after time.Duration)
	// CreatedAt, if set, returns when the credential of a request, as it was sent, was
	// created; zero if that was long ago. A service may not know a new credential yet.
	CreatedAt func(*http.Request) time.Time
}

// Client returns an http.Client on t that follows a redirect only within the
// service's origin and only if the method stays the same.
func (t *Transport) Client() *http.Client {
	return &http.Client{
		Transport: t,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			first := via[0]
			switch {
			case !sameOrigin(req.URL, t.Origin):
				return t.refuse(fmt.Sprintf("redirected from %s to %s; credentials are not sent there",
					origin(t.Origin), origin(req.URL)))
			case req.Method != first.Method:
				return t.refuse("redirected in a way that would lose the request's body")
			case len(via) > 5:
				return t.refuse("redirected more than five times")
			}
			only, ok := req.Context().Value(redirectKey{}).(func() string)
			switch {
			case ok && (req.URL.EscapedPath() != only() || req.URL.RawQuery != ""):
				return t.refuse("redirected to another address")
			case ok && len(via) > 1:
				return t.refuse("redirected more than once")
			}
			return nil
		},
	}
}

type redirectKey struct{}

// WithRedirectTo returns a context whose requests may be redirected once, and only to
// the escaped path that path returns, without a query.
func WithRedirectTo(ctx context.Context, path func() string) context.Context {
	return context.WithValue(ctx, redirectKey{}, path)
}

type trackKey struct{}

// Track returns a context that records the Transport's latest error. When the
// context ends, go-github replaces that error with ctx.Err(), which no longer says
// whether the request was sent.
func Track(ctx context.Context) (tracked context.Context, latest func() error) {
	var err error
	return context.WithValue(ctx, trackKey{}, &err), func() error { return err }
}

// RoundTrip sends one request. It sends the request again after a 401 or 403 that may
// be temporary: a request that got one had no effect. Its error is an *Error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(req)
	if to, ok := req.Context().Value(trackKey{}).(*error); ok {
		*to = err
	}
	return resp, err
}

// sentRequest is a request as it was sent.
type sentRequest struct {
	*http.Request
	at time.Time
}

// send sends a request once. sent is nil if it was not sent.
func (t *Transport) send(req *http.Request) (resp *http.Response, sent *sentRequest, err error) {
	if !sameOrigin(req.URL, t.Origin) {
		return nil, nil, t.refuse(fmt.Sprintf("a request for %s is not sent to %s", origin(t.Origin), origin(req.URL)))
	}
	release := func(Signal) {}
	if t.Limiter != nil {
		if release, err = t.Limiter.Acquire(req.Context(), req); err != nil {
			return nil, nil, t.notSent(err)
		}
	}
	timeout := WriteTimeout
	if req.Method == http.MethodGet {
		timeout = ReadTimeout
	}
	outer := req.Context()
	ctx, cancel := context.WithTimeout(outer, timeout)
	req = req.WithContext(ctx)
	req.Header = req.Header.Clone() // a RoundTripper must not change the caller's
	req.Header.Set("User-Agent", t.UserAgent)
	if err := t.Authorize(req); err != nil {
		cancel()
		release(Signal{})
		return nil, nil, t.notSent(err)
	}
	sent = &sentRequest{req, time.Now()}
	resp, err = t.Base.RoundTrip(req)
	if err != nil {
		cancel()
		release(Signal{})
		return nil, sent, t.indeterminate(outer, req, err)
	}
	t.Clock.observe(resp.StatusCode, sent.at, time.Now(), resp.Header.Get("Date"))
	if resp.StatusCode < 200 {
		// The body of a response that switches protocols is the connection itself, and
		// knows no context.
		_ = resp.Body.Close()
		cancel()
		release(Signal{})
		return nil, sent, &Error{Service: t.Service, Status: resp.StatusCode, Disposition: Indeterminate, Message: "the service switched protocols"}
	}
	resp.Body = newBody(t, req, cancel, resp.Body)
	quota := t.quota(resp.Header)
	if resp.StatusCode < 300 || isRedirect(resp) {
		release(Signal{Status: resp.StatusCode, Quota: quota})
		hideQuota(resp.Header)
		return resp, sent, nil
	}
	e := t.responseError(resp, req, quota)
	release(Signal{Status: resp.StatusCode, RateLimited: e.Disposition == RateLimited, RetryAfter: e.RetryAfter, Quota: quota})
	return nil, sent, e
}

// notSent is the error of a request that err kept from being sent. An *Error
// already says what it means.
func (t *Transport) notSent(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Service: t.Service, Disposition: NotSent, Message: err.Error(), Err: err}
}

// Bearer returns an Authorize function that sends token in a header, after prefix.
func Bearer(header, prefix string, token secret.Value) func(*http.Request) error {
	return func(req *http.Request) error {
		req.Header.Set(header, prefix+token.Reveal())
		return nil
	}
}

// offset returns how far the service's clock is ahead, to convert the times in a
// response: by the Clock's estimate, or without one by the response's own Date.
func (t *Transport) offset(h http.Header) time.Duration {
	offset, agreeing := t.Clock.estimate()
	if agreeing == 0 {
		if date := Date(h); !date.IsZero() {
			return time.Until(date)
		}
	}
	return offset
}

// Date returns the Date of a response, by the clock of the server that sent it; zero
// without a valid one.
func Date(h http.Header) time.Time {
	date, _ := http.ParseTime(h.Get("Date"))
	return date
}

// hideQuota removes the quota's headers: at zero remaining requests, go-github
// would reject the next call locally.
func hideQuota(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Ratelimit-") {
			delete(h, name)
		}
	}
}
