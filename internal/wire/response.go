package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// indeterminate is the error of a request that got no response. ctx is the
// caller's context, without the request's own timeout.
func (t *Transport) indeterminate(ctx context.Context, req *http.Request, err error) *Error {
	// net/http quotes the parts of a response that it can't parse.
	e := &Error{Service: t.Service, Disposition: Indeterminate, Err: err, Message: t.clean("no response: "+err.Error(), req)}
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert), errors.As(err, &dns), errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		e.Disposition, e.Message = NotSent, t.clean("no connection: "+err.Error(), nil)
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no response in time"
	case ctx.Err() != nil:
		e.Message = "interrupted"
	}
	return e
}

// refuse is the error of a request that the action itself refuses to send.
func (t *Transport) refuse(message string) *Error {
	return &Error{Service: t.Service, Disposition: Rejected, Message: t.clean(message, nil)}
}

// responseError reads a response that is neither 2xx nor a redirect.
func (t *Transport) responseError(resp *http.Response, req *http.Request, quota *Quota) *Error {
	offset := t.offset(resp.Header)
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // the status counts even if the body is cut off
	_ = resp.Body.Close()
	message, documentation := errorMessage(raw)
	if strings.TrimSpace(message) == "" {
		message = cmp.Or(http.StatusText(resp.StatusCode), "no message")
	}
	e := &Error{
		Service: t.Service, Status: resp.StatusCode, Message: t.clean(message, req),
		Disposition: Rejected, RetryAfter: retryAfter(resp.Header, offset),
		Offset:     offset,
		Permission: t.clean(resp.Header.Get("X-Accepted-GitHub-Permissions"), nil),
		Page:       isPage(resp.Header),
		SSO:        resp.StatusCode == http.StatusForbidden && resp.Header.Get("X-GitHub-SSO") != "",
	}
	exhausted := quota.Exhausted() && (resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, exhausted, reportsLimit(message, documentation):
		e.Disposition = RateLimited
		if e.RetryAfter == 0 && exhausted && !quota.Reset.IsZero() {
			e.RetryAfter = max(0, time.Until(quota.Reset))
		}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode < 400:
		e.Disposition = Indeterminate
	}
	return e
}

// reportsLimit reports whether an error of GitHub says that a rate limit was exceeded,
// whatever its status. Old servers call a secondary limit "abuse detection".
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func reportsLimit(message, documentation string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "secondary rate limit") ||
		strings.Contains(message, "api rate limit exceeded") ||
		strings.Contains(message, "abuse detection") ||
		strings.HasSuffix(documentation, "secondary-rate-limits") ||
		strings.HasSuffix(documentation, "#abuse-rate-limits")
}

// errorMessage returns the message in an error's body, and GitHub's link to its
// documentation. Both are empty if the body isn't JSON of the expected form.
func errorMessage(raw []byte) (message, documentation string) {
	var body struct {
		Message       string          `json:"message"`
		InnerMessage  string          `json:"innerMessage"`
		Error         json.RawMessage `json:"error"`
		Documentation string          `json:"documentation_url"`
	}
	_ = json.Unmarshal(raw, &body) // the fields before an error are filled
	message = body.Message
	if message == "" {
		_ = json.Unmarshal(body.Error, &message)
	}
	if body.InnerMessage != "" {
		message = strings.TrimSpace(message + " " + body.InnerMessage)
	}
	return message, body.Documentation
}

// retryAfter returns how long a response asks to wait by its Retry-After, in seconds
// or as a date; 0 for none.
func retryAfter(h http.Header, offset time.Duration) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return max(0, time.Duration(s)*time.Second)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at.Add(-offset)))
	}
	return 0
}

// isRedirect reports whether http.Client follows the response. Any other 3xx is an
// error.
func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		_, err := resp.Location()
		return err == nil
	}
	return false
}

// body is a response's body. Reading past the bound is an error. Closing it ends the
// request's timeout, and the end of the timeout closes the body, so that no read is
// longer, whatever the transport does.
type body struct {
	io.ReadCloser
	t         *Transport
	req       *http.Request
	remaining int64 // bytes up to the first one beyond the bound
	cancel    context.CancelFunc
	stop      func() bool
}

func newBody(t *Transport, req *http.Request, cancel context.CancelFunc, rc io.ReadCloser) *body {
	return &body{
		ReadCloser: rc, t: t, req: req, remaining: MaxBody + 1, cancel: cancel,
		stop: context.AfterFunc(req.Context(), func() { _ = rc.Close() }),
	}
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
		if ended := b.req.Context().Err(); ended != nil {
			err = ended // instead of that the body was closed
		}
		err = &Error{Service: b.t.Service, Disposition: Indeterminate, Err: err, Message: b.t.clean("the response was cut off: "+err.Error(), b.req)}
	}
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	b.stop()
	return b.ReadCloser.Close()
}
