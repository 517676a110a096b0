package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Disposition is what became of a failed request.
type Disposition int

const (
	// Indeterminate means that the request may have taken effect: the connection
	// was lost, or the response is a 5xx, cut off or malformed.
	Indeterminate Disposition = iota
	// Rejected means that the service said no, or that the action refused to send
	// the request. Nothing changed.
	Rejected
	// RateLimited means that the service rejected the request for now. Nothing
	// changed.
	RateLimited
	// NotSent means that the request never left. Nothing changed.
	NotSent
)

// ErrTooLarge is the error of a response longer than MaxBody. Errors of smaller bounds
// match it, too.
var ErrTooLarge error = &sizeError{"the response", MaxBody}

// Error is a failed request. Its text may contain text from the service: quote or
// escape it before you print it.
type Error struct {
	// Service and Op name what failed: "Codacy", "list the tokens of api".
	Service, Op string
	// Status is the response's status; 0 without a response.
	Status int
	// Message is the service's message, or what went wrong; at most 300 bytes.
	Message string
	// Disposition is what became of the request.
	Disposition Disposition
	// Malformed reports whether the response was 2xx, but can't be used.
	Malformed bool
	// RetryAfter is how long the service asked to wait; 0 if it did not. If the
	// request was RateLimited, it concerns all requests, otherwise this one only.
	RetryAfter time.Duration
	// Offset is how far the service's clock was ahead: by the Clock's estimate, or
	// without one by the response's own Date.
	Offset time.Duration
	// Permission is the missing permission, as GitHub names it.
	Permission string
	// Page reports whether the response was a web page, so that it did not come
	// from an API.
	Page bool
	// SSO reports whether GitHub requires the credential to be authorized for the
	// organization's single sign-on first.
	// https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
	SSO bool
	// Err is the cause, if there is one besides Message.
	Err error
}

// Error returns service, operation, status and message in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Service)
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	b.WriteString(": " + e.Message)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Failed returns err with the operation's name. Any error from a client of a
// Transport will do; one that isn't an *Error is Indeterminate.
func Failed(service, op string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		named := *e
		named.Op = op
		return &named
	}
	// Too large a response is malformed: a retry would get it again.
	return &Error{Service: service, Op: op, Disposition: Indeterminate, Malformed: errors.Is(err, ErrTooLarge), Message: truncateMessage(err.Error()), Err: err}
}

// Malformed returns the error of a 2xx response to op that can't be used. With its
// header, if there is one, the error also says whether it was a web page.
func Malformed(service, op string, status int, h http.Header, message string) error {
	return &Error{Service: service, Op: op, Status: status, Disposition: Indeterminate, Malformed: true, Page: isPage(h), Message: truncateMessage(message)}
}

func isPage(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "text/html") }

// DispositionOf returns what became of the request that failed with err.
func DispositionOf(err error) Disposition {
	var e *Error
	if errors.As(err, &e) {
		return e.Disposition
	}
	return Indeterminate
}

// StatusOf returns the status of the response behind err; 0 for none.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// IsNotFound reports whether err is a 404.
func IsNotFound(err error) bool { return StatusOf(err) == http.StatusNotFound }

// IsUnauthorized reports whether err is a 401: the credential is invalid.
func IsUnauthorized(err error) bool { return StatusOf(err) == http.StatusUnauthorized }
