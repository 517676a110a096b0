package wire

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func TestErrorText(t *testing.T) {
	t.Parallel()

	for want, e := range map[string]*Error{
		"Codacy: list: status 404: not found": {Service: "Codacy", Op: "list", Status: 404, Message: "not found"},
		"Codacy: no response":                 {Service: "Codacy", Message: "no response"},
		"GitHub: put: no response":            {Service: "GitHub", Op: "put", Message: "no response"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()

	inner := &Error{Service: "GitHub", Status: 409, Message: "conflict", Disposition: Rejected, Err: io.EOF}
	err := Failed("Codacy", "the operation", fmt.Errorf("wrapped: %w", inner))
	e := asError(t, err)
	if e.Op != "the operation" || e.Service != "GitHub" || e.Status != 409 || e.Disposition != Rejected || !errors.Is(err, io.EOF) {
		t.Errorf("got %#v", e)
	}
	if inner.Op != "" {
		t.Error("the error was changed")
	}

	cause := errors.New(strings.Repeat("x", 1000))
	e = asError(t, Failed("Codacy", "the operation", cause))
	if e.Disposition != Indeterminate || e.Status != 0 || !errors.Is(e, cause) || len(e.Message) > 310 {
		t.Errorf("got %#v", e)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()

	e := asError(t, Malformed("Codacy", "the operation", 200, nil, "not JSON"))
	if e.Disposition != Indeterminate || !e.Malformed || e.Status != 200 {
		t.Errorf("got %#v", e)
	}
}

func TestPredicatesOfOthers(t *testing.T) {
	t.Parallel()

	for _, err := range []error{nil, io.EOF, errors.New("404")} {
		if DispositionOf(err) != Indeterminate || StatusOf(err) != 0 || IsNotFound(err) || IsUnauthorized(err) {
			t.Errorf("%v is taken for a response", err)
		}
	}
}

// FuzzAnswer gives any response: never a panic; an *Error, bounded and of a disposition
// that fits the status, or a success.
func FuzzAnswer(f *testing.F) {
	f.Add(403, `{"message":"secondary rate limit"}`, "60", "0", "1790000000", "Fri, 20 Nov 2026 12:00:00 GMT")
	f.Add(200, `{}`, "", "", "", "")
	f.Add(503, `<html>`, "Fri, 20 Nov 2026 12:00:00 GMT", "x", "y", "z")
	f.Add(311, `{"messAge":"seCondArY rAte limit"}`, "0", "0", "0", "0")
	f.Add(301, "", "-1", "0", "-9223372036854775808", "")
	f.Add(429, `{"error":"x","innerMessage":"y"}`, "999999999", "0", "9223372036854775807", "")
	f.Fuzz(func(t *testing.T, status int, body, retry, remaining, reset, date string) {
		if status < 200 || status > 999 {
			t.Skip("not a final status")
		}
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(status, body, "Retry-After", retry, "X-RateLimit-Remaining", remaining, "X-RateLimit-Reset", reset, "Date", date), nil
		}))
		resp, err := tr.Client().Get(origin1)
		if err == nil {
			defer resp.Body.Close()
			if status >= 300 {
				t.Fatalf("the status %d is a success", status)
			}
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != body {
				t.Errorf("the body is %q, %v", b, err)
			}
			return
		}
		e := asError(t, err)
		switch {
		case status < 300:
			t.Errorf("the status %d failed: %v", status, e)
		case e.Status != status || e.RetryAfter < 0 || len(e.Message) > 310 || !utf8.ValidString(e.Message) || e.Message == "":
			t.Errorf("got %#v", e)
		case e.Disposition == RateLimited:
			// Any status, if the response says that a limit is reached.
			if said := strings.ToLower(body); status != 403 && status != 429 && !strings.Contains(said, "limit") && !strings.Contains(said, "abuse") {
				t.Errorf("the status %d has the disposition %d", status, e.Disposition)
			}
		case (e.Disposition == Indeterminate) != (status >= 500 || status == 408 || status < 400):
			t.Errorf("the status %d has the disposition %d", status, e.Disposition)
		case e.Disposition == NotSent:
			t.Errorf("the status %d has the disposition %d", status, e.Disposition)
		}
	})
}
