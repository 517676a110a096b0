// Package wire is what the two services have in common on the network: one
// transport that adds the credential, bounds times and sizes, refuses to leave
// the service's origin and reads its clock, and one Error that says what became
// of a request.
//
// An answer that is not 2xx becomes an *Error before a client library sees it.
// So both clients report alike, and go-github neither interprets limits nor
// refuses calls by itself: what may be sent when is the Gate's to say.
package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// MaxBody bounds an answer, in bytes after decompression: a page of a
	// hundred repositories takes less than one of its 16 MiB.
	MaxBody = 16 << 20
	// maxErrorBody bounds what is read of an error's body, in bytes.
	maxErrorBody = 64 << 10
	// ReadTimeout bounds one GET, its body included.
	ReadTimeout = 12 * time.Second
	// WriteTimeout bounds every other request.
	WriteTimeout = 30 * time.Second
)

// Signal is what an answer, or its absence, says about the service's load.
type Signal struct {
	// Status of the answer; 0 if there was none.
	Status int
	// Limited: the service refused because of a rate limit.
	RateLimited bool
	// RetryAfter is how long the service asked to wait; 0 if it did not say.
	RetryAfter time.Duration
	// Header of the answer, until leave returns; nil if there was none.
	Header http.Header
}

// A Gate decides when a request may be sent.
type Limiter interface {
	// Enter waits until req may be sent. Unless it returns an error, leave must
	// be called once, as soon as the head of the answer is there or given up. An
	// error that is an *Error becomes the request's; any other one is Unsent.
	Acquire(ctx context.Context, req *http.Request) (leave func(Signal), err error)
}

// Transport is an http.RoundTripper for one service.
type Transport struct {
	// Service is its name in errors.
	Service string
	// Origin: scheme and host of every request; anything else is refused.
	Origin *url.URL
	// Base carries the requests out.
	Base http.RoundTripper
	// Gate holds requests back until they may be sent; nil for none.
	Limiter Limiter
	// Clock learns the service's time from its Date headers.
	Clock *Clock
	// UserAgent is sent with every request.
	UserAgent string
	// Authorize adds the credential. An error of it ends the request unsent.
	Authorize func(*http.Request) error
	// Redact, if set, replaces credentials and tokens in words of the service: a
	// cut would leave half of one, which nobody finds any more.
	Redact func(string) string
	// Refused, if set, is told of each request as it was sent whose credential
	// was refused (401). True: there may be another one now, send it once more.
	OnUnauthorized func(*http.Request) bool
}

// Client returns an http.Client on t that follows redirects only where the
// credential may go and the method stays what it was.
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
			return nil
		},
	}
}

func (t *Transport) refuse(message string) *Error {
	return &Error{Service: t.Service, Disposition: Rejected, Message: t.clean(message, nil)}
}

// clean makes words of the service, in an answer to req or about it, fit for an
// Error.
func (t *Transport) clean(s string, req *http.Request) string {
	if t.Redact != nil {
		s = t.Redact(s)
	}
	if req != nil && req.Method == http.MethodPost {
		s = scrub(s, sentBody(req))
	}
	return truncateMessage(s)
}

// word is what a secret could be.
var secretWord = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{8,}`)

// scrub hides what could be a secret that nobody knows yet, the one that a POST
// was to make: every longer word that is neither an ordinary one nor was sent.
func scrub(s, sent string) string {
	ordinary := func(part string) bool {
		return !strings.ContainsFunc(part[min(1, len(part)):], func(r rune) bool { return r < 'a' || r > 'z' })
	}
	return secretWord.ReplaceAllStringFunc(s, func(w string) string {
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("./-", r) }) {
			if !ordinary(part) && !strings.Contains(sent, strings.TrimRight(w, ".")) {
				return secret.Mask
			}
		}
		return w
	})
}

// sentBy is what a request says, but for its header.
func sentBody(req *http.Request) string {
	said := req.URL.Path
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody)) // what can't be read was not said
			said += " " + string(raw)
		}
	}
	return said
}

type trackKey struct{}

// Track returns a context with which the Transport's latest error can be had.
// For go-github gives the context's own in its place once that has ended, and
// with it goes whether the request had left.
func Track(ctx context.Context) (tracked context.Context, latest func() error) {
	var err error
	return context.WithValue(ctx, trackKey{}, &err), func() error { return err }
}

// RoundTrip sends one request, once more if Refused says so: a 401 did nothing.
// Its error is an *Error.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(req)
	if to, ok := req.Context().Value(trackKey{}).(*error); ok {
		*to = err
	}
	return resp, err
}

func (t *Transport) roundTrip(req *http.Request) (*http.Response, error) {
	resp, sent, err := t.send(req)
	if sent == nil || t.OnUnauthorized == nil || !IsUnauthorized(err) || !t.OnUnauthorized(sent) {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		body, bodyErr := req.GetBody()
		if bodyErr != nil {
			return nil, err
		}
		again.Body = body
	} else if req.Body != nil {
		return nil, err // it can't be had a second time
	}
	resp, _, err = t.send(again)
	return resp, err
}

// send sends a request once. Sent is the request as it went out, nil if it didn't.
func (t *Transport) send(req *http.Request) (resp *http.Response, sent *http.Request, err error) {
	if !sameOrigin(req.URL, t.Origin) {
		return nil, nil, t.refuse(fmt.Sprintf("a request for %s is not sent to %s", origin(t.Origin), origin(req.URL)))
	}
	leave := func(Signal) {}
	if t.Limiter != nil {
		if leave, err = t.Limiter.Acquire(req.Context(), req); err != nil {
			return nil, nil, t.notSent(err)
		}
	}
	timeout := WriteTimeout
	if req.Method == http.MethodGet {
		timeout = ReadTimeout
	}
	outer := req.Context()
	ctx, cancel := context.WithTimeout(outer, timeout)
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", t.UserAgent)
	if err := t.Authorize(req); err != nil {
		cancel()
		leave(Signal{})
		return nil, nil, t.notSent(err)
	}
	left := time.Now()
	resp, err = t.Base.RoundTrip(req)
	if err != nil {
		cancel()
		leave(Signal{})
		return nil, req, t.indeterminate(outer, req, err)
	}
	t.Clock.observe(left, time.Now(), resp.Header.Get("Date"))
	resp.Body = &body{ReadCloser: resp.Body, remaining: MaxBody + 1, cancel: cancel, truncated: func(err error) error {
		return &Error{Service: t.Service, Disposition: Indeterminate, Err: err, Message: t.clean("the answer was cut off: "+err.Error(), req)}
	}}
	if resp.StatusCode < 300 || isRedirect(resp) {
		leave(Signal{Status: resp.StatusCode, Header: resp.Header})
		// go-github would refuse the next call by itself where none remain.
		for h := range resp.Header {
			if strings.HasPrefix(h, "X-Ratelimit-") {
				delete(resp.Header, h)
			}
		}
		return resp, req, nil
	}
	e := t.responseError(resp, req)
	leave(Signal{Status: resp.StatusCode, RateLimited: e.Disposition == RateLimited, RetryAfter: e.RetryAfter, Header: resp.Header})
	return nil, req, e
}

// unsent is the error of a request that err kept from leaving: an *Error says by
// itself what it means.
func (t *Transport) notSent(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Service: t.Service, Disposition: NotSent, Message: err.Error(), Err: err}
}

// lost tells what became of a request that had no answer.
func (t *Transport) indeterminate(ctx context.Context, req *http.Request, err error) *Error {
	// net/http quotes what it can't read of an answer.
	e := &Error{Service: t.Service, Disposition: Indeterminate, Err: err, Message: t.clean("no answer: "+err.Error(), req)}
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert), errors.As(err, &dns), errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		e.Disposition, e.Message = NotSent, t.clean("no connection: "+err.Error(), nil)
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	case ctx.Err() != nil:
		e.Message = "interrupted"
	}
	return e
}

// failed reads an answer that is neither 2xx nor a redirect.
func (t *Transport) responseError(resp *http.Response, req *http.Request) *Error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a body cut off is still a refusal
	_ = resp.Body.Close()
	var said struct {
		Message       string          `json:"message"`
		InnerMessage  string          `json:"innerMessage"`
		Error         json.RawMessage `json:"error"`
		Documentation string          `json:"documentation_url"`
	}
	_ = json.Unmarshal(raw, &said) // not JSON: the status has to do
	message := said.Message
	if message == "" {
		_ = json.Unmarshal(said.Error, &message)
	}
	if said.InnerMessage != "" {
		message = strings.TrimSpace(message + " " + said.InnerMessage)
	}
	if strings.TrimSpace(message) == "" {
		message = cmp.Or(http.StatusText(resp.StatusCode), "no message")
	}
	e := &Error{
		Service: t.Service, Status: resp.StatusCode, Message: t.clean(message, req),
		Disposition: Rejected, RetryAfter: retryAfter(resp.Header, time.Now().Add(t.Clock.Offset())),
		Permission: t.clean(resp.Header.Get("X-Accepted-GitHub-Permissions"), nil),
		Page:       isPage(resp.Header),
		SSO:        resp.StatusCode == http.StatusForbidden && resp.Header.Get("X-GitHub-SSO") != "",
	}
	secondary := strings.Contains(strings.ToLower(message), "secondary rate limit") ||
		strings.HasSuffix(said.Documentation, "secondary-rate-limits")
	switch {
	case resp.StatusCode == http.StatusTooManyRequests,
		resp.StatusCode == http.StatusForbidden && (secondary || e.RetryAfter > 0 || resp.Header.Get("X-Ratelimit-Remaining") == "0"):
		e.Disposition = RateLimited
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode < 400:
		e.Disposition = Indeterminate
	}
	return e
}

// retryAfter is how long an answer asks to wait: its Retry-After, in seconds or
// as a date, else the reset of a primary limit that is used up; 0 for neither.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseInt(v, 10, 32); err == nil {
			return max(0, time.Duration(s)*time.Second)
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(0, at.Sub(now))
		}
	}
	if h.Get("X-Ratelimit-Remaining") == "0" {
		if s, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			// The reset is in whole seconds: one more, so as not to come early.
			return max(0, time.Unix(s+1, 0).Sub(now))
		}
	}
	return 0
}

// Base returns the transport that carries requests out in earnest: proxies from
// the environment, TLS 1.2 or better, bounded headers and connections.
func Base(connections int) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Bearer returns an Authorize that sends token in the header, after prefix.
func Bearer(header, prefix string, token secret.Value) func(*http.Request) error {
	return func(req *http.Request) error {
		req.Header.Set(header, prefix+token.Reveal())
		return nil
	}
}

// isRedirect tells an answer that http.Client follows; any other 3xx is a failure.
func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		_, err := resp.Location()
		return err == nil
	}
	return false
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// origin is scheme, host and port, the port written out.
func origin(u *url.URL) string {
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port(u))
}

func port(u *url.URL) string {
	p := u.Port()
	switch {
	case p == "" && strings.EqualFold(u.Scheme, "http"):
		return "80"
	case p == "" && strings.EqualFold(u.Scheme, "https"):
		return "443"
	}
	return p
}

// body is an answer's body: an error past the bound, and the end of the
// request's timeout when it is closed.
type body struct {
	io.ReadCloser
	remaining int64 // bytes until there is one too many
	cancel    context.CancelFunc
	truncated func(error) error // names an error that ends the body early
}

func (b *body) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		return 0, ErrTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.remaining)])
	if b.remaining -= int64(n); b.remaining <= 0 {
		return n - 1, ErrTooLarge
	}
	if err != nil && err != io.EOF {
		err = b.truncated(err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
