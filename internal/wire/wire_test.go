package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	origin1 = "https://api.test"
	token   = "credential-4711"
)

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is a response with header fields by twos.
func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: h,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1,
	}
}

// newTransport is a Transport for origin1 with a credential.
func newTransport(t testing.TB, base http.RoundTripper) *Transport {
	t.Helper()
	u, err := url.Parse(origin1)
	if err != nil {
		t.Fatal(err)
	}
	return &Transport{
		Service: "Service", Origin: u, Base: base, Clock: &Clock{}, UserAgent: "agent/1",
		Authorize: Bearer("Api-Token", "", secret.New(token)),
	}
}

// get sends a GET through a client and closes the body.
func get(t testing.TB, c *http.Client, address string) error {
	t.Helper()
	resp, err := c.Get(address)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// asError is the *Error in err, or the end of the test.
func asError(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want an *Error", err)
	}
	return e
}

func TestRequest(t *testing.T) {
	t.Parallel()

	var got *http.Request
	tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r
		return answer(200, "ok", "X-RateLimit-Remaining", "7", "Link", "l"), nil
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin1+"/a%2Fb?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	if got.Header.Get("Api-Token") != token || got.Header.Get("User-Agent") != "agent/1" {
		t.Errorf("the header is %v", got.Header)
	}
	if got.URL.String() != origin1+"/a%2Fb?c=d" {
		t.Errorf("the address is %s", got.URL)
	}
	if req.Header.Get("Api-Token") != "" {
		t.Error("the caller's request was changed")
	}
	// go-github would refuse the next call by itself where none remain.
	if resp.Header.Get("X-RateLimit-Remaining") != "" || resp.Header.Get("Link") == "" {
		t.Errorf("the response's header is %v", resp.Header)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		method   string
		status   int
		location string
		want     string // of the error; empty: followed
	}{
		{"GET", 301, origin1 + "/new", ""},
		{"GET", 302, "/new", ""},
		{"GET", 303, origin1 + "/new", ""},
		{"GET", 307, origin1 + "/new", ""},
		{"GET", 308, "HTTPS://API.test:443/new", ""},
		{"PUT", 307, origin1 + "/new", ""},
		{"PUT", 308, "/new", ""},
		{"POST", 307, "/new", ""},
		{"DELETE", 307, "/new", ""},
		{"PUT", 301, "/new", "lose the request's body"},
		{"PUT", 302, "/new", "lose the request's body"},
		{"PUT", 303, "/new", "lose the request's body"},
		{"POST", 301, "/new", "lose the request's body"},
		{"DELETE", 301, "/new", "lose the request's body"},
		{"GET", 301, "https://evil.test/new", "redirected from https://api.test:443 to https://evil.test:443"},
		{"GET", 301, "https://api.test.evil.test/new", "https://api.test.evil.test:443"},
		{"GET", 301, "https://sub.api.test/new", "https://sub.api.test:443"},
		{"GET", 301, "https://api.test:8443/new", "https://api.test:8443"},
		{"GET", 301, "http://api.test/new", "http://api.test:80"},
		{"GET", 301, "https://api.test@evil.test/new", "https://evil.test:443"},
		{"GET", 301, "//evil.test/new", "https://evil.test:443"},
		{"PUT", 307, "https://evil.test/new", "redirected from https://api.test:443 to https://evil.test:443"},
		{"PUT", 308, "http://api.test/new", "to http://api.test:80"},
		{"DELETE", 307, "https://evil.test/new", "https://evil.test:443"},
	} {
		t.Run(fmt.Sprint(tt.method, tt.status, tt.location), func(t *testing.T) {
			t.Parallel()

			var seen []string
			tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				var body []byte
				if r.Body != nil {
					body, _ = io.ReadAll(r.Body)
				}
				seen = append(seen, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Api-Token"), body))
				if r.URL.Path == "/old" {
					return answer(tt.status, "", "Location", tt.location), nil
				}
				return answer(200, ""), nil
			}))
			sent := ""
			if tt.method == "PUT" || tt.method == "POST" {
				sent = "the body"
			}
			req, err := http.NewRequestWithContext(t.Context(), tt.method, origin1+"/old", strings.NewReader(sent))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.Client().Do(req)
			want := []string{fmt.Sprintf("%s /old %s %s", tt.method, token, sent)}
			if tt.want == "" {
				want = append(want, fmt.Sprintf("%s /new %s %s", tt.method, token, sent))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
			} else {
				e := asError(t, err)
				if !strings.Contains(e.Message, tt.want) || e.Disposition != Rejected {
					t.Errorf("got %q, disposition %d; want %q, refused", e.Message, e.Disposition, tt.want)
				}
			}
			if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
				t.Errorf("sent:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()

	sent := 0
	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		sent++
		return answer(307, "", "Location", "/again"), nil
	}))
	e := asError(t, get(t, tr.Client(), origin1))
	if !strings.Contains(e.Message, "more than five times") || e.Disposition != Rejected || sent != 6 {
		t.Errorf("%d requests, %v; want one and five redirects", sent, e)
	}
}

// A status between 300 and 399 that is no redirect is no success either.
func TestNoRedirect(t *testing.T) {
	t.Parallel()

	for _, status := range []int{300, 304, 305, 306, 399} {
		for _, location := range []string{"", "/new"} {
			tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
				if location == "" {
					return answer(status, `{"data":{}}`), nil
				}
				return answer(status, `{"data":{}}`, "Location", location), nil
			}))
			if e := asError(t, get(t, tr.Client(), origin1)); e.Status != status || e.Disposition != Indeterminate {
				t.Errorf("%d %q: got %v, disposition %d", status, location, e, e.Disposition)
			}
		}
	}
	for _, status := range []int{301, 302, 303, 307, 308} { // to nowhere
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return answer(status, ""), nil }))
		if e := asError(t, get(t, tr.Client(), origin1)); e.Status != status || e.Disposition != Indeterminate {
			t.Errorf("%d: got %v, disposition %d", status, e, e.Disposition)
		}
	}
}

func TestForeignOriginIsRefused(t *testing.T) {
	t.Parallel()

	tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request was sent to %s", r.URL)
		return answer(200, ""), nil
	}))
	for _, address := range []string{
		"https://evil.test/", "http://api.test/", "https://api.test:444/", "https://api.test.:443/", "https://api.test@evil.test/",
	} {
		e := asError(t, get(t, tr.Client(), address))
		if e.Disposition != Rejected || !strings.Contains(e.Message, "https://api.test:443") {
			t.Errorf("%s: got %v", address, e)
		}
	}
}

// gate counts who enters and leaves.
type gate struct {
	entered int
	left    []Signal
	err     error
}

func (g *gate) Acquire(context.Context, *http.Request) (func(Signal), error) {
	g.entered++
	if g.err != nil {
		return nil, g.err
	}
	return func(s Signal) { g.left = append(g.left, s) }, nil
}

func TestGate(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name string
		resp func() (*http.Response, error)
		want Signal
	}{
		{"done", func() (*http.Response, error) { return answer(201, "", "X-RateLimit-Remaining", "5"), nil }, Signal{Status: 201, Quota: &Quota{Remaining: 5}}},
		{"refused", func() (*http.Response, error) { return answer(404, ""), nil }, Signal{Status: 404}},
		{
			"limited", func() (*http.Response, error) { return answer(429, "", "Retry-After", "9"), nil },
			Signal{Status: 429, RateLimited: true, RetryAfter: 9 * time.Second},
		},
		{
			"overloaded", func() (*http.Response, error) { return answer(503, "", "Retry-After", "3"), nil },
			Signal{Status: 503, RetryAfter: 3 * time.Second},
		},
		{"lost", func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, Signal{}},
	} {
		g := &gate{}
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return tt.resp() }))
		tr.Limiter = g
		_ = get(t, tr.Client(), origin1)
		if g.entered != 1 || len(g.left) != 1 {
			t.Fatalf("%s: entered %d times, left %d times", tt.name, g.entered, len(g.left))
		}
		got := g.left[0]
		if got.Status != tt.want.Status || got.RateLimited != tt.want.RateLimited || got.RetryAfter != tt.want.RetryAfter {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if (got.Quota != nil) != (tt.want.Quota != nil) || got.Quota != nil && *got.Quota != *tt.want.Quota {
			t.Errorf("%s: got the quota %+v, want %+v", tt.name, got.Quota, tt.want.Quota)
		}
	}
}

func TestGateKeepsOut(t *testing.T) {
	t.Parallel()

	g := &gate{err: errors.New("not now")}
	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("the request was sent")
		return answer(200, ""), nil
	}))
	tr.Limiter = g
	err := get(t, tr.Client(), origin1)
	if e := asError(t, err); e.Disposition != NotSent || !errors.Is(err, g.err) {
		t.Errorf("got %v, disposition %d", err, e.Disposition)
	}
}

// A 401 did nothing: where there may be another credential by now, the request
// goes once more, with its body, and through the gate again.
func TestRefusedCredential(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name          string
		refusals      int  // answers of 401 before it is done
		another, once bool // there is another credential; the body can be had once
		want, asked   int  // status in the end, and how often Refused was asked
	}{
		{"accepted", 0, true, false, 0, 0},
		{"another one", 1, true, false, 0, 1},
		{"that is refused too", 2, true, false, 401, 1},
		{"no other", 1, false, false, 401, 1},
		{"a body that is gone", 1, true, true, 401, 1},
	} {
		g := &gate{}
		var bodies []string
		asked, refusals := 0, tt.refusals
		tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(b))
			if refusals--; refusals >= 0 {
				return answer(401, `{"message":"Bad credentials"}`), nil
			}
			return answer(204, ""), nil
		}))
		tr.Limiter = g
		tr.OnUnauthorized = func(r *http.Request, e *Error) (bool, time.Duration) {
			asked++
			if e.Status != 401 || e.Message != "Bad credentials" {
				t.Errorf("%s: the error is %v", tt.name, e)
			}
			if r.Header.Get("Api-Token") != token {
				t.Errorf("%s: the request as it was sent has no credential", tt.name)
			}
			return tt.another, 0
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, origin1, strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		if tt.once {
			req.GetBody = nil
		}
		resp, err := tr.Client().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if StatusOf(err) != tt.want || asked != tt.asked {
			t.Errorf("%s: %v, asked %d times; want status %d, asked %d times", tt.name, err, asked, tt.want, tt.asked)
		}
		for _, b := range bodies {
			if b != "the body" {
				t.Errorf("%s: the body was sent as %q", tt.name, b)
			}
		}
		if g.entered != len(bodies) || len(g.left) != len(bodies) {
			t.Errorf("%s: %d requests, entered %d times, left %d times", tt.name, len(bodies), g.entered, len(g.left))
		}
	}
}

func TestAuthorizeFails(t *testing.T) {
	t.Parallel()

	own := &Error{Service: "Service", Disposition: Rejected, Status: 401, Message: "no installation"}
	for _, err := range []error{errors.New("no key"), own} {
		g := &gate{}
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
			t.Error("the request was sent")
			return answer(200, ""), nil
		}))
		tr.Limiter = g
		tr.Authorize = func(*http.Request) error { return err }
		got := get(t, tr.Client(), origin1)
		e := asError(t, got)
		if !errors.Is(got, err) || len(g.left) != 1 {
			t.Errorf("got %v; left %d times", got, len(g.left))
		}
		if err == own && e.Status != 401 || err != own && e.Disposition != NotSent {
			t.Errorf("%v: status %d, disposition %d", err, e.Status, e.Disposition)
		}
	}
}

func TestFates(t *testing.T) {
	t.Parallel()

	const secondary = `{"message":"You have exceeded a Secondary Rate Limit. Please wait."}`
	for _, tt := range []struct {
		status int
		body   string
		header []string
		want   Disposition
	}{
		{400, "", nil, Rejected},
		{401, "", nil, Rejected},
		{403, "", nil, Rejected},
		{404, "", nil, Rejected},
		{409, "", nil, Rejected},
		{410, "", nil, Rejected},
		{413, "", nil, Rejected},
		{422, "", nil, Rejected},
		{451, "", nil, Rejected},
		{408, "", nil, Indeterminate},
		{429, "", nil, RateLimited},
		{429, "", []string{"Retry-After", "1"}, RateLimited},
		{500, "", nil, Indeterminate},
		{501, "", nil, Indeterminate},
		{502, "", nil, Indeterminate},
		{503, "", []string{"Retry-After", "1"}, Indeterminate},
		{504, "", nil, Indeterminate},
		{520, "", nil, Indeterminate},
		{599, "", nil, Indeterminate},
		{403, secondary, nil, RateLimited},
		{403, `{"message":"no","documentation_url":"https://docs.github.com/rest/x#about-secondary-rate-limits"}`, nil, RateLimited},
		{403, `{"message":"no"}`, []string{"Retry-After", "60"}, Rejected},
		{403, `{"message":"You have triggered an abuse detection mechanism."}`, nil, RateLimited},
		{403, `{"message":"no","documentation_url":"https://docs.github.com/rest/overview#abuse-rate-limits"}`, nil, RateLimited},
		{403, `{"message":"API rate limit exceeded for installation ID 1."}`, nil, RateLimited},
		{404, `{"message":"You have exceeded a secondary rate limit"}`, nil, RateLimited},
		{503, `{"message":"You have exceeded a secondary rate limit"}`, nil, RateLimited},
		{503, "", []string{"Retry-After", "60"}, Indeterminate},
		{403, `{"message":"no"}`, []string{"X-RateLimit-Remaining", "0"}, RateLimited},
		{403, `{"message":"no"}`, []string{"X-RateLimit-Remaining", "1"}, Rejected},
		{403, `{"message":"Resource not accessible by integration"}`, []string{"X-RateLimit-Remaining", "4999"}, Rejected},
		{401, secondary, nil, RateLimited},
		{404, "", []string{"Retry-After", "60"}, Rejected},
		{422, "", []string{"X-RateLimit-Remaining", "0"}, Rejected},
	} {
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return answer(tt.status, tt.body, tt.header...), nil }))
		err := get(t, tr.Client(), origin1)
		if e := asError(t, err); e.Disposition != tt.want || e.Status != tt.status || e.Malformed {
			t.Errorf("%d %s %v: disposition %d, status %d, malformed %v; want disposition %d", tt.status, tt.body, tt.header, e.Disposition, e.Status, e.Malformed, tt.want)
		}
		if DispositionOf(err) != tt.want || StatusOf(err) != tt.status || IsNotFound(err) != (tt.status == 404) || IsUnauthorized(err) != (tt.status == 401) {
			t.Errorf("%d: the predicates disagree about %v", tt.status, err)
		}
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("ä", 1000)
	for _, tt := range []struct {
		name, body, want string
	}{
		{"GitHub", `{"message":"Bad credentials","documentation_url":"https://docs.github.com"}`, "Bad credentials"},
		{"Codacy", `{"message":"no such thing","error":"NotFound","actions":[]}`, "no such thing"},
		{"Codacy, inner", `{"message":"outer","innerMessage":"inner","error":"BadRequest"}`, "outer inner"},
		{"Codacy, inner alone", `{"innerMessage":"inner"}`, "inner"},
		{"Codacy, dead token", `{"error":"not found"}`, "not found"},
		{"an error that is no text", `{"error":{"code":7}}`, "I'm a teapot"},
		{"a message that is no text", `{"message":{"a":1}}`, "I'm a teapot"},
		{"a message of no text", `{"message":null}`, "I'm a teapot"},
		{"HTML", "<html><body>Bad gateway</body></html>", "I'm a teapot"},
		{"nothing", "", "I'm a teapot"},
		{"a list", `[1,2]`, "I'm a teapot"},
		{"cut JSON", `{"message":"half`, "I'm a teapot"},
		{"blanks", `{"message":"  x \n"}`, "x"},
		{"long", `{"message":"` + long + `"}`, strings.Repeat("ä", 150) + "…"},
		{"bad UTF-8", "{\"message\":\"a\xffb\"}", "a\ufffdb"},
		{"larger than the bound", `{"message":"` + strings.Repeat("x", 70<<10) + `"}`, "I'm a teapot"},
	} {
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return answer(418, tt.body), nil }))
		if e := asError(t, get(t, tr.Client(), origin1)); e.Message != tt.want || e.Status != 418 || e.Disposition != Rejected {
			t.Errorf("%s: got %q, disposition %d, want %q", tt.name, e.Message, e.Disposition, tt.want)
		}
	}
}

// A refusal stays one though its body is cut off.
func TestErrorBodyIsCut(t *testing.T) {
	t.Parallel()

	closed := false
	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		resp := answer(409, "")
		resp.Body = closer{iotest.ErrReader(io.ErrUnexpectedEOF), &closed}
		return resp, nil
	}))
	if e := asError(t, get(t, tr.Client(), origin1)); e.Status != 409 || e.Disposition != Rejected {
		t.Errorf("got %v, disposition %d", e, e.Disposition)
	}
	if !closed {
		t.Error("the body was not closed")
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error {
	*c.closed = true
	return nil
}

func TestPermission(t *testing.T) {
	t.Parallel()

	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(403, "", "X-Accepted-GitHub-Permissions", "secrets=write"), nil
	}))
	if e := asError(t, get(t, tr.Client(), origin1)); e.Permission != "secrets=write" {
		t.Errorf("the permission is %q", e.Permission)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, tt := range []struct {
			header []string
			want   time.Duration
		}{
			{nil, 0},
			{[]string{"Retry-After", "30"}, 30 * time.Second},
			{[]string{"Retry-After", "0"}, 0},
			{[]string{"Retry-After", "-5"}, 0},
			{[]string{"Retry-After", "soon"}, 0},
			{[]string{"Retry-After", "1.5"}, 0},
			{[]string{"Retry-After", "99999999999999999999"}, 0},
			{[]string{"Retry-After", now.Add(90 * time.Second).UTC().Format(http.TimeFormat)}, 90 * time.Second},
			{[]string{"Retry-After", now.Add(-time.Hour).UTC().Format(http.TimeFormat)}, 0},
			{[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(now.Unix() + 60)}, 61 * time.Second},
			{[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(now.Unix() - 60)}, 0},
			{[]string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "tomorrow"}, 0},
			{[]string{"X-RateLimit-Remaining", "1", "X-RateLimit-Reset", fmt.Sprint(now.Unix() + 60)}, 0},
			{[]string{"Retry-After", "5", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(now.Unix() + 60)}, 5 * time.Second},
			{[]string{"Retry-After", "soon", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(now.Unix() + 60)}, 61 * time.Second},
		} {
			tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return answer(429, "", tt.header...), nil }))
			if e := asError(t, get(t, tr.Client(), origin1)); e.RetryAfter != tt.want {
				t.Errorf("%v: got %v, want %v", tt.header, e.RetryAfter, tt.want)
			}
		}
	})
}

// A date is the service's: where its clock is off, so is the date.
func TestRetryAfterBySkewedClock(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			there := time.Now().Add(skew).UTC()
			for _, header := range [][]string{
				{"Retry-After", there.Add(time.Minute).Format(http.TimeFormat)},
				{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(there.Unix() + 60)},
			} {
				tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
					return answer(429, "", append(header, "Date", there.Format(http.TimeFormat))...), nil
				}))
				e := asError(t, get(t, tr.Client(), origin1))
				if e.RetryAfter < 59*time.Second || e.RetryAfter > 62*time.Second {
					t.Errorf("%v, %s: got %v, want about a minute", skew, header[0], e.RetryAfter)
				}
			}
		}
	})
}

func TestBodyBound(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		size int64
		want error
	}{
		{0, nil},
		{MaxBody - 1, nil},
		{MaxBody, nil},
		{MaxBody + 1, ErrTooLarge},
	} {
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
			resp := answer(200, "")
			resp.Body = io.NopCloser(io.LimitReader(zeros{}, tt.size))
			return resp, nil
		}))
		resp, err := tr.Client().Get(origin1)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if !errors.Is(err, tt.want) || n > MaxBody || tt.want == nil && n != tt.size {
			t.Errorf("of %d bytes %d were read: %v, want %v", tt.size, n, err, tt.want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The bound is on what comes out of a compressed body.
func TestBodyBoundAfterDecompression(t *testing.T) {
	t.Parallel()

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat(packed.Bytes(), MaxBody>>20+1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	}))
	defer server.Close()

	resp, err := served(t, server).Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, ErrTooLarge) || n > MaxBody {
		t.Errorf("%d bytes, packed in %d, were read: %v", n, len(body), err)
	}
}

// served is a Transport over the network for a server on the loopback.
func served(t testing.TB, server *httptest.Server) *Transport {
	t.Helper()
	tr := newTransport(t, Base(2))
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr.Origin = u
	t.Cleanup(tr.Base.(*http.Transport).CloseIdleConnections)
	return tr
}

func TestTimeouts(t *testing.T) {
	t.Parallel()

	for method, want := range map[string]time.Duration{
		http.MethodGet: 12 * time.Second, http.MethodPut: 30 * time.Second,
		http.MethodPost: 30 * time.Second, http.MethodDelete: 30 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}))
			begin := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), method, origin1, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = tr.Client().Do(req)
			if e := asError(t, err); e.Disposition != Indeterminate || e.Message != "no response in time" || time.Since(begin) != want {
				t.Errorf("%s: %v, disposition %d, after %v; want %v", method, e, e.Disposition, time.Since(begin), want)
			}
		})
	}
}

// The time is for the body, too, and ends with it.
func TestTimeoutOfBody(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var inner context.Context
		tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			inner = r.Context()
			resp := answer(200, "")
			resp.Body = io.NopCloser(waiting{inner})
			return resp, nil
		}))
		begin := time.Now()
		resp, err := tr.Client().Get(origin1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != ReadTimeout {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		_ = resp.Body.Close()

		resp, err = tr.Client().Get(origin1)
		if err != nil {
			t.Fatal(err)
		}
		if inner.Err() != nil {
			t.Error("the time ended before the body was read")
		}
		_ = resp.Body.Close()
		if inner.Err() == nil {
			t.Error("the time does not end with the body")
		}
	})
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

func TestLost(t *testing.T) {
	t.Parallel()

	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, tt := range []struct {
		name        string
		err         error
		disposition Disposition
		want        string
	}{
		{"reset", reset, Indeterminate, "no response: read tcp: connection reset by peer"},
		{"write", &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}, Indeterminate, "no response: write"},
		{"closed", io.EOF, Indeterminate, "no response: EOF"},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, NotSent, "no connection: dial"},
		{"proxy", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, NotSent, "no connection: proxyconnect"},
		{"no such host", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.test"}}, NotSent, "no such host"},
		{"DNS alone", &net.DNSError{Err: "server misbehaving", Name: "api.test"}, NotSent, "server misbehaving"},
		{"certificate", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}, NotSent, "unknown authority"},
	} {
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, tt.err }))
		err := get(t, tr.Client(), origin1)
		e := asError(t, err)
		if e.Disposition != tt.disposition || !strings.Contains(e.Message, tt.want) || e.Status != 0 || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, disposition %d; want %q, disposition %d", tt.name, e.Message, e.Disposition, tt.want, tt.disposition)
		}
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	}))
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, origin1, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Client().Do(req)
	if e := asError(t, err); e.Message != "interrupted" || e.Disposition != Indeterminate || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, disposition %d", e, e.Disposition)
	}
}

// Over a true connection: what can't be reached was not sent.
func TestUnreachable(t *testing.T) {
	t.Parallel()

	plain := httptest.NewServer(http.NotFoundHandler())
	gone := served(t, plain)
	plain.Close()
	if e := asError(t, get(t, gone.Client(), plain.URL)); e.Disposition != NotSent {
		t.Errorf("nobody listens: %v, disposition %d", e, e.Disposition)
	}

	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request came through")
	}))
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	defer secure.Close()
	if e := asError(t, get(t, served(t, secure).Client(), secure.URL)); e.Disposition != NotSent || !strings.Contains(e.Message, "certificate") {
		t.Errorf("a certificate of nobody: %v, disposition %d", e, e.Disposition)
	}
}

// A server that hangs up in the middle leaves it open.
func TestHangUp(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	resp, err := served(t, server).Client().Post(server.URL, "application/json", strings.NewReader("{}"))
	if err == nil {
		_ = resp.Body.Close()
	}
	if e := asError(t, err); e.Disposition != Indeterminate || strings.Contains(e.Message, "interrupted") {
		t.Errorf("got %v, disposition %d", e, e.Disposition)
	}
}

func TestHeaderBound(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 80<<10))
	}))
	defer server.Close()
	if e := asError(t, get(t, served(t, server).Client(), server.URL)); e.Disposition != Indeterminate {
		t.Errorf("got %v, disposition %d", e, e.Disposition)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()

	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	tr := served(t, server)
	tr.Base.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true // the version is asked about here
	if e := asError(t, get(t, tr.Client(), server.URL)); !strings.Contains(e.Message, "protocol version") {
		t.Errorf("got %v", e)
	}
}

// Many requests at once share the clock and the client.
func TestConcurrent(t *testing.T) {
	t.Parallel()

	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(200, "", "Date", time.Now().UTC().Format(http.TimeFormat)), nil
	}))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := get(t, tr.Client(), origin1); err != nil {
				t.Error(err)
			}
			_ = tr.Clock.Offset()
		})
	}
	wg.Wait()
}
