package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Fate is what became of a request that failed.
type Disposition int

const (
	// Unclear: whether it was carried out is not known. The connection was
	// lost, the answer is a 5xx, cut off or makes no sense.
	Indeterminate Disposition = iota
	// Refused: the service said no; nothing was done.
	Rejected
	// Limited: the service said not now; nothing was done.
	RateLimited
	// Unsent: it never left; nothing was done.
	NotSent
)

// ErrTooLarge is the error of an answer longer than MaxBody.
var ErrTooLarge = fmt.Errorf("the answer is larger than %d MiB", MaxBody>>20)

// Error is a request that failed. Its text may hold words of the service: quote
// or neutralise it before it is printed.
type Error struct {
	// Service and Op name what failed: "Codacy", "list the tokens of api".
	Service, Op string
	// Status of the answer; 0 if there was none.
	Status int
	// Message of the service, or what went wrong; at most 300 bytes.
	Message string
	// Fate is what became of the request.
	Disposition Disposition
	// Garbled: there was an answer that says it was done, but makes no sense.
	Malformed bool
	// RetryAfter is how long the service asked to wait; 0 if it did not say.
	RetryAfter time.Duration
	// Permission that GitHub would have wanted, as it names it.
	Permission string
	// Page: the answer was a web page, so it is no API that gave it.
	Page bool
	// SSO: GitHub wants the credential to be authorized for the organization's
	// single sign-on first. https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
	SSO bool
	// Err is the cause, if there is one besides Message.
	Err error
}

// Error tells service, operation, status and message in one line.
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

// Failed says that op failed with err, which is any error of a client that uses
// a Transport. What is no *Error is Unclear.
func Failed(service, op string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		named := *e
		named.Op = op
		return &named
	}
	// What is too large once will be again.
	return &Error{Service: service, Op: op, Disposition: Indeterminate, Malformed: errors.Is(err, ErrTooLarge), Message: truncateMessage(err.Error()), Err: err}
}

// Garbage says that the answer to op, though of status 2xx, makes no sense.
func Garbage(service, op string, status int, what string) error {
	return Unreadable(service, op, status, nil, what)
}

// Unreadable says that the answer to op, though of status 2xx, does not have the
// described form; it may be a web page.
func Unreadable(service, op string, status int, h http.Header, what string) error {
	return &Error{Service: service, Op: op, Status: status, Disposition: Indeterminate, Malformed: true, Page: isPage(h), Message: truncateMessage(what)}
}

func isPage(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "text/html") }

// FateOf tells what became of the request that failed with err.
func DispositionOf(err error) Disposition {
	var e *Error
	if errors.As(err, &e) {
		return e.Disposition
	}
	return Indeterminate
}

// StatusOf is the status of the answer that err was made from; 0 for none.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// IsNotFound tells a 404.
func IsNotFound(err error) bool { return StatusOf(err) == http.StatusNotFound }

// IsUnauthorized tells a 401: the credential is dead or was never alive.
func IsUnauthorized(err error) bool { return StatusOf(err) == http.StatusUnauthorized }

// bound cuts s to 300 bytes and marks the cut.
func truncateMessage(s string) string {
	const most = 300
	s = strings.ToValidUTF8(strings.TrimSpace(s), "�")
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
