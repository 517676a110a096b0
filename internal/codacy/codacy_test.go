package codacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// request is a request as the service sees it.
type request struct {
	method, path, query, body string // the path still escaped
	header                    http.Header
}

// service answers requests without a network, and keeps them.
type service struct {
	t      testing.TB
	answer func(request) (status int, body string)
	seen   []request
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := request{method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: r.Header}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		in.body = string(b)
	}
	if r.URL.Host != "codacy.test" || r.URL.Scheme != "https" {
		s.t.Errorf("a request went to %s", r.URL)
	}
	s.seen = append(s.seen, in)
	status, body := s.answer(in)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// newClient is a Client of the organization acme whose requests f answers.
func newClient(t testing.TB, f func(request) (status int, body string)) (*Client, *service) {
	t.Helper()
	base, err := url.Parse("https://codacy.test/api/v3")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, answer: f}
	tr := &wire.Transport{
		Service: Name, Origin: base, Base: s, Clock: &wire.Clock{}, UserAgent: "test",
		Authorize: wire.Bearer("Api-Token", "", secret.New("account-token")),
	}
	retry := pace.Retry{MaxElapsed: 20 * time.Second}
	return New(tr.Client(), base, "gh", "acme", retry, retry), s
}

// always gives one response to everything.
func always(status int, body string) func(request) (int, string) {
	return func(request) (int, string) { return status, body }
}

// asError is the *wire.Error in err, or the end of the test.
func asError(t testing.TB, err error) *wire.Error {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *wire.Error", err)
	}
	if e.Service != Name || e.Op == "" {
		t.Errorf("the error names neither service nor operation: %#v", e)
	}
	return e
}

func TestRequests(t *testing.T) {
	t.Parallel()

	expires := time.Date(2027, 2, 21, 9, 0, 0, 0, time.FixedZone("", 3600))
	for _, tt := range []struct {
		name   string
		call   func(*Client) error
		answer string
		status int
		want   request
	}{
		{
			"user", func(c *Client) error { return c.User(t.Context()) },
			`{"data":{"id":1}}`, 200,
			request{method: "GET", path: "/api/v3/user"},
		},
		{
			"repositories", func(c *Client) error { return c.Repositories(t.Context(), func(Repository) {}) },
			`{"data":[]}`, 200,
			request{method: "GET", path: "/api/v3/organizations/gh/acme/repositories", query: "limit=100"},
		},
		{
			"tokens", func(c *Client) error { _, err := c.Tokens(t.Context(), "api"); return err },
			`{"data":[]}`, 200,
			request{method: "GET", path: "/api/v3/organizations/gh/acme/repositories/api/tokens"},
		},
		{
			"create", func(c *Client) error {
				_, _, err := c.CreateToken(t.Context(), "api", "codacy-project-token-7", expires)
				return err
			},
			`{"data":{"id":1,"token":"0123456789abcdef"}}`, 201,
			request{
				method: "POST", path: "/api/v3/organizations/gh/acme/repositories/api/tokens",
				body: `{"name":"codacy-project-token-7","expiresAt":"2027-02-21T08:00:00Z"}`,
			},
		},
		{
			"delete", func(c *Client) error { return c.DeleteToken(t.Context(), "api", 3_000_000_001) },
			"", 204,
			request{method: "DELETE", path: "/api/v3/organizations/gh/acme/repositories/api/tokens/3000000001"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			c, s := newClient(t, always(tt.status, tt.answer))
			if err := tt.call(c); err != nil {
				t.Fatal(err)
			}
			if len(s.seen) != 1 {
				t.Fatalf("%d requests", len(s.seen))
			}
			got := s.seen[0]
			kind := map[bool]string{true: "application/json"}[tt.want.body != ""]
			if got.header.Get("Api-Token") != "account-token" || got.header.Get("Accept") != "application/json" || got.header.Get("Content-Type") != kind {
				t.Errorf("the header is %v", got.header)
			}
			got.header = nil
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// FuzzNames: whatever a repository is called, its address has that name as one
// element, and nothing else of the address changes.
func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"api", "", ".", "..", "...", "a/b", "/", "//", "../../user", "a%2Fb", "%2e%2e", "%", "?x=y", "#fragment", "a b",
		"a+b", "a;b", "a:b", "@evil.test", ":443", "\x00", "\n", "ü", "\xff", `a\b`, "a&limit=1", "tokens", "%zz",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, s := newClient(t, func(r request) (int, string) {
			switch r.method {
			case http.MethodGet:
				return 200, `{"data":[]}`
			case http.MethodPost:
				return 201, `{"data":{"id":7,"token":"0123456789abcdef"}}`
			}
			return 204, ""
		})
		if _, err := c.Tokens(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.CreateToken(t.Context(), name, "n", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if err := c.DeleteToken(t.Context(), name, 7); err != nil {
			t.Fatal(err)
		}
		for i, rest := range [][]string{{"tokens"}, {"tokens"}, {"tokens", "7"}} {
			var elements []string
			for _, e := range strings.Split(s.seen[i].path, "/") {
				if e == "." || e == ".." {
					t.Errorf("%q: the path %s has an element that a server would resolve", name, s.seen[i].path)
				}
				decoded, err := url.PathUnescape(e)
				if err != nil {
					t.Fatal(err)
				}
				elements = append(elements, decoded)
			}
			want := append([]string{"", "api", "v3", "organizations", "gh", "acme", "repositories", name}, rest...)
			if !slices.Equal(elements, want) || s.seen[i].query != "" {
				t.Errorf("%q: the path is %s?%s", name, s.seen[i].path, s.seen[i].query)
			}
		}
	})
}

// A cursor is opaque: it comes back as it was, whatever it holds.
func TestPages(t *testing.T) {
	t.Parallel()

	cursors := []string{"+/=&? %#;", "a&limit=1", "ü\n", "eyJhIjoxfQ=="}
	var asked []string
	c, _ := newClient(t, func(r request) (int, string) {
		q, err := url.ParseQuery(r.query)
		if err != nil || q.Get("limit") != "100" || len(q["cursor"]) > 1 || len(q) > 2 {
			t.Errorf("the query is %q: %v", r.query, err)
		}
		asked = append(asked, q.Get("cursor"))
		n := len(asked)
		page := map[string]any{"data": []any{
			map[string]any{"name": fmt.Sprint("r", n), "remoteIdentifier": strconv.Itoa(n), "addedState": "Added", "unknown": map[string]int{"a": 1}},
		}}
		if n <= len(cursors) {
			page["pagination"] = map[string]any{"cursor": cursors[n-1], "limit": 100, "total": 5}
		}
		b, err := json.Marshal(page)
		if err != nil {
			t.Error(err)
		}
		return 200, string(b)
	})
	var got []string
	err := c.Repositories(t.Context(), func(r Repository) { got = append(got, r.Name+"/"+r.RemoteID) })
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]string{""}, cursors...); !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if want := []string{"r1/1", "r2/2", "r3/3", "r4/4", "r5/5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Lists that would never end.
func TestEndlessPages(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		cursor func(n int) string
		most   int
		page   string // the rest of it, in place of one item
	}{
		"a page that points to itself":    {func(int) string { return "same" }, 2, ""},
		"two that point to each other":    {func(n int) string { return strconv.Itoa(n % 2) }, 3, ""},
		"a circle of ten":                 {func(n int) string { return strconv.Itoa(n % 10) }, 11, ""},
		"a new page for every one it had": {strconv.Itoa, 1001, ""},
		"more than it states":             {strconv.Itoa, 2*pageSize + 2, `"data":[{"id":1}],"pagination":{"total":101,`},
		"page after page of nothing":      {strconv.Itoa, 3, `"data":[],"pagination":{"total":9999,`},
		"more than a repository has":      {strconv.Itoa, 5, `"data":[{"id":1}` + strings.Repeat(`,{"id":1}`, maxTokens/5) + `],"pagination":{`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			n := 0
			c, _ := newClient(t, func(request) (int, string) {
				n++
				page := tt.page
				if page == "" {
					page = `"data":[{"id":1,"name":"a"}],"pagination":{`
				}
				return 200, "{" + page + `"cursor":"` + tt.cursor(n) + `"}}`
			})
			tokens, err := c.Tokens(t.Context(), "api")
			if e := asError(t, err); !e.Malformed || !strings.Contains(e.Message, "does not end") || tokens != nil {
				t.Errorf("got %v and %d tokens", err, len(tokens))
			}
			if n != tt.most {
				t.Errorf("%d pages were asked for, want %d", n, tt.most)
			}
		})
	}
}

// A cursor becomes a part of the next address, so it is bounded.
func TestLongCursor(t *testing.T) {
	t.Parallel()

	for size, fails := range map[int]bool{maxCursor: false, maxCursor + 1: true} {
		n := 0
		c, _ := newClient(t, func(request) (int, string) {
			if n++; n > 1 {
				return 200, `{"data":[]}`
			}
			return 200, `{"data":[{"name":"a"}],"pagination":{"cursor":"` + strings.Repeat("x", size) + `"}}`
		})
		c.start, c.retry = pace.Retry{}, pace.Retry{} // one attempt
		err := c.Repositories(t.Context(), func(Repository) {})
		if (err != nil) != fails || err != nil && !asError(t, err).Malformed {
			t.Errorf("a cursor of %d bytes: %v", size, err)
		}
	}
}

// A token list has a bound of its own, below that of a response.
func TestHugeTokenList(t *testing.T) {
	t.Parallel()

	n := 0
	c, _ := newClient(t, func(request) (int, string) {
		n++
		return 200, `{"data":[{"id":1,"unknown":"` + strings.Repeat("x", 1<<18) + `"}],"pagination":{"cursor":"` + strconv.Itoa(n) + `"}}`
	})
	c.start, c.retry = pace.Retry{}, pace.Retry{} // one attempt
	tokens, err := c.Tokens(t.Context(), "api")
	if e := asError(t, err); !e.Malformed || tokens != nil || n != 4 || e.Message != "the list is larger than 1 MiB" {
		t.Errorf("%v after %d pages", err, n)
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()

	c, _ := newClient(t, always(200, `{"data":[
		{"name":"a","remoteIdentifier":"12","addedState":"Added","visibility":"Public"},
		{"name":"b","addedState":"Following"},
		{"name":"c","remoteIdentifier":"","addedState":"NotAdded"},
		{"name":"d","remoteIdentifier":"x"},
		{"addedState":"SomethingNew","name":"e\u0000","remoteIdentifier":null}
	]}`))
	var got []Repository
	if err := c.Repositories(t.Context(), func(r Repository) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	want := []Repository{
		{Name: "a", RemoteID: "12", Added: true},
		{Name: "b", Added: true},
		{Name: "c"},
		{Name: "d", RemoteID: "x", Added: true}, // an older Codacy states none
		{Name: "e\x00", Added: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestTotalOfAPage: a total that counts the items of the page ends no list.
func TestTotalOfAPage(t *testing.T) {
	t.Parallel()

	n := 0
	c, _ := newClient(t, func(request) (int, string) {
		n++
		cursor := ""
		if n < 4 {
			cursor = strconv.Itoa(n)
		}
		return 200, `{"data":[{"name":"a"}` + strings.Repeat(`,{"name":"a"}`, pageSize-1) + `],"pagination":{"total":100,"cursor":"` + cursor + `"}}`
	})
	got := 0
	if err := c.Repositories(t.Context(), func(Repository) { got++ }); err != nil || got != 4*pageSize {
		t.Errorf("%d repositories, %v", got, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()

	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		name, body string
		want       []Token
	}{
		{"none", `{"data":[]}`, nil},
		{
			"second generation",
			`{"data":[{"id":3000000002,"name":"codacy-project-token-2","createdAt":"2026-11-20T08:00:00.123Z","expiresAt":"2027-11-20T08:00:00Z"},
			          {"id":5,"name":"by-hand","expiresAt":"2027-01-01T00:00:00+01:00"}],"pagination":{"limit":100,"total":2}}`,
			[]Token{
				{ID: 3000000002, Name: "codacy-project-token-2", Created: at("2026-11-20T08:00:00.123Z"), Expires: at("2027-11-20T08:00:00Z")},
				{ID: 5, Name: "by-hand", Expires: at("2026-12-31T23:00:00Z")},
			},
		},
		{"first generation", `{"data":[{"id":1,"token":"abc"},{"id":2,"token":"def"}]}`, []Token{{ID: 1}, {ID: 2}}},
		{"from before there were names", `{"data":[{"id":1,"name":"","expiresAt":null,"createdAt":null}]}`, []Token{{ID: 1}}},
		// The name of the field is inferred; the action does without it.
		{"a creation that can't be read", `{"data":[{"id":1,"createdAt":1790000000},{"id":2,"createdAt":"yesterday"},{"id":3,"createdAt":{}}]}`, []Token{{ID: 1}, {ID: 2}, {ID: 3}}},
		{"unknown fields", `{"data":[{"id":1,"scopes":["a"],"owner":{"id":2}}],"meta":{}}`, []Token{{ID: 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			c, _ := newClient(t, always(200, tt.body))
			got, err := c.Tokens(t.Context(), "api")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What makes no sense is asked for three times, and is an error then: never an
// empty list.
func TestMalformed(t *testing.T) {
	t.Parallel()

	for _, body := range []string{
		"", " ", "null", "{}", "[]", `""`, "0", "<html>", `{"data":null}`, `{"data":{}}`, `{"data":"x"}`, `{"data":[`,
		`{"data":[{"id":"7"}]}`, `{"data":[7]}`, `{"data":[]}{"data":[]}`, `{"data":[],"pagination":[]}`,
		`{"data":[{"id":1,"expiresAt":"tomorrow"}]}`, `{"data":[{"id":1,"expiresAt":""}]}`, `{"data":[{"id":1.5}]}`,
		`{"data":[{"id":1,"name":7}]}`, `{"data":[],"pagination":{"cursor":7}}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, s := newClient(t, always(200, body))
			begin := time.Now()
			tokens, err := c.Tokens(t.Context(), "api")
			if err == nil || tokens != nil {
				t.Fatalf("%s: %v, %v", body, tokens, err)
			}
			if e := asError(t, err); !e.Malformed || e.Disposition != wire.Indeterminate || e.Status != 200 {
				t.Errorf("%s: got %#v", body, e)
			}
			if len(s.seen) != 3 || time.Since(begin) > 5*time.Second {
				t.Errorf("%s: asked %d times in %v, want 3 times within 5 s", body, len(s.seen), time.Since(begin))
			}
		})
	}
}

func TestTokenWithoutID(t *testing.T) {
	t.Parallel()

	for _, body := range []string{
		`{"data":[{"id":1},{"name":"codacy-project-token-1"}]}`, `{"data":[{"id":0}]}`, `{"data":[{"id":-1}]}`, `{"data":[{}]}`, `{"data":[null]}`,
	} {
		c, _ := newClient(t, always(200, body))
		tokens, err := c.Tokens(t.Context(), "api")
		if e := asError(t, err); !e.Malformed || tokens != nil {
			t.Errorf("%s: %v, %v", body, tokens, err)
		}
	}
}

// An incomplete list is an error.
func TestSecondPageFails(t *testing.T) {
	t.Parallel()

	c, _ := newClient(t, func(r request) (int, string) {
		if r.query != "" {
			return 404, ""
		}
		return 200, `{"data":[{"id":1}],"pagination":{"cursor":"c"}}`
	})
	if tokens, err := c.Tokens(t.Context(), "api"); tokens != nil || !wire.IsNotFound(err) {
		t.Errorf("got %v, %v", tokens, err)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		status      int
		body        string
		want        bool
		disposition wire.Disposition
		tries       int
	}{
		{200, `{"data":{"id":1}}`, true, 0, 1},
		{200, `{"data":{}}`, true, 0, 1},
		{200, `{}`, false, wire.Indeterminate, 3},
		{200, `{"data":null}`, false, wire.Indeterminate, 3},
		{200, ``, false, wire.Indeterminate, 3},
		{200, `<html>login</html>`, false, wire.Indeterminate, 3},
		{401, `{"message":"Unauthorized"}`, false, wire.Rejected, 2}, // once more, because it may be a hiccup
		{404, `{"error":"not found"}`, false, wire.Rejected, 1},
		{403, ``, false, wire.Rejected, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, s := newClient(t, always(tt.status, tt.body))
			err := c.User(t.Context())
			if (err == nil) != tt.want || err != nil && wire.DispositionOf(err) != tt.disposition || len(s.seen) != tt.tries {
				t.Errorf("%d %s: %v after %d tries", tt.status, tt.body, err, len(s.seen))
			}
		})
	}
}

// Reads are tried again; making and deleting are not.
func TestTries(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		n := 0
		c, _ := newClient(t, func(request) (int, string) {
			if n++; n < 4 {
				return 502, ""
			}
			return 200, `{"data":[]}`
		})
		if _, err := c.Tokens(t.Context(), "api"); err != nil || n != 4 {
			t.Errorf("a list: %v after %d tries", err, n)
		}
	})
	for _, status := range []int{500, 502, 503, 504, 429, 408, 400, 403, 409, 422} {
		c, s := newClient(t, always(status, ""))
		if _, _, err := c.CreateToken(t.Context(), "api", "n", time.Now()); wire.StatusOf(err) != status || len(s.seen) != 1 {
			t.Errorf("making, %d: %v after %d tries", status, err, len(s.seen))
		}
		c, s = newClient(t, always(status, ""))
		if err := c.DeleteToken(t.Context(), "api", 1); wire.StatusOf(err) != status || len(s.seen) != 1 {
			t.Errorf("deleting, %d: %v after %d tries", status, err, len(s.seen))
		}
	}
}

func TestCreateToken(t *testing.T) {
	t.Parallel()

	expires := time.Date(2027, 2, 21, 8, 0, 0, 0, time.UTC)
	huge := strings.Repeat("x", 4096)
	for _, tt := range []struct {
		name, body string
		want       Token
		value      string // empty: an error
	}{
		{"second generation", `{"data":{"id":7,"name":"n","expiresAt":"2027-02-21T08:00:00Z","createdAt":"2026-02-21T08:00:00Z","token":"0123456789abcdef"}}`, Token{ID: 7, Name: "n", Expires: expires}, "0123456789abcdef"},
		{"without expiry", `{"data":{"id":7,"name":"n","token":"0123456789abcdef"}}`, Token{ID: 7, Name: "n"}, "0123456789abcdef"},
		{"first generation", `{"data":{"id":7,"token":"0123456789abcdef"}}`, Token{ID: 7}, "0123456789abcdef"},
		{"first generation, null", `{"data":{"id":7,"token":"0123456789abcdef","expiresAt":null,"name":null}}`, Token{ID: 7}, "0123456789abcdef"},
		{"as long as can be", `{"data":{"id":7,"token":"` + huge + `"}}`, Token{ID: 7}, huge},
		{"every sign", `{"data":{"id":7,"token":"!\"#$%&'()*+,-./:;<=>?@[\\]^_{|}~"}}`, Token{ID: 7}, "!\"#$%&'()*+,-./:;<=>?@[\\]^_{|}~"},

		{"another name", `{"data":{"id":7,"name":"other","expiresAt":"2027-02-21T08:00:00Z","token":"0123456789abcdef"}}`, Token{ID: 7, Name: "other", Expires: expires}, "0123456789abcdef"},
		{"another expiry", `{"data":{"id":7,"name":"n","expiresAt":"2026-05-21T08:00:00Z","token":"0123456789abcdef"}}`, Token{ID: 7, Name: "n", Expires: time.Date(2026, 5, 21, 8, 0, 0, 0, time.UTC)}, "0123456789abcdef"},
		{"too short to be masked", `{"data":{"id":7,"token":"secret-value-15"}}`, Token{}, ""},
		{"huge", `{"data":{"id":7,"token":"` + huge + `x"}}`, Token{}, ""},
		{"empty", `{"data":{"id":7,"token":""}}`, Token{}, ""},
		{"none", `{"data":{"id":7}}`, Token{}, ""},
		{"null", `{"data":{"id":7,"token":null}}`, Token{}, ""},
		{"a number", `{"data":{"id":7,"token":12345678}}`, Token{}, ""},
		{"a line break", `{"data":{"id":7,"token":"secret\nvalue-too-long"}}`, Token{}, ""},
		{"a return", `{"data":{"id":7,"token":"secret\rvalue-too-long"}}`, Token{}, ""},
		{"a blank", `{"data":{"id":7,"token":"secret value-too-long"}}`, Token{}, ""},
		{"a NUL", `{"data":{"id":7,"token":"secret\u0000value-too-long"}}`, Token{}, ""},
		{"a letter beyond ASCII", `{"data":{"id":7,"token":"secretvälue-too-long"}}`, Token{}, ""},
		{"bad UTF-8", "{\"data\":{\"id\":7,\"token\":\"secret\xffvalue\"}}", Token{}, ""},
		{"no id", `{"data":{"token":"secretvalue-too-long"}}`, Token{}, ""},
		{"a negative id", `{"data":{"id":-7,"token":"secretvalue-too-long"}}`, Token{}, ""},
		{"an id that is a text", `{"data":{"id":"secretvalue-too-long","token":"secretvalue-too-long"}}`, Token{}, ""},
		{"an invalid expiry", `{"data":{"id":7,"expiresAt":"secretvalue-too-long","token":"secretvalue-too-long"}}`, Token{}, ""},
		{"no data", `{"id":7,"token":"secretvalue-too-long"}`, Token{}, ""},
		{"nothing", ``, Token{}, ""},
		{"HTML", `<html>secretvalue-too-long</html>`, Token{}, ""},
		{"cut", `{"data":{"id":7,"token":"secretvalue-too-long"`, Token{}, ""},
	} {
		for _, status := range []int{201, 200} {
			c, s := newClient(t, always(status, tt.body))
			got, value, err := c.CreateToken(t.Context(), "api", "n", expires)
			if diff := cmp.Diff(tt.want, got); diff != "" || value.Reveal() != tt.value || (err == nil) != (tt.value != "") {
				t.Errorf("%s: value of %d bytes, %v\n%s", tt.name, len(value.Reveal()), err, diff)
			}
			if len(s.seen) != 1 {
				t.Errorf("%s: it was sent %d times", tt.name, len(s.seen))
			}
			if err == nil {
				continue
			}
			if e := asError(t, err); !e.Malformed || e.Disposition != wire.Indeterminate {
				t.Errorf("%s: got %#v", tt.name, e)
			}
			if all := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(all, "value") && strings.Contains(all, "secret") {
				t.Errorf("%s: the error shows the value: %s", tt.name, all)
			}
		}
	}
}

// cutOff answers with half a body, then the connection is gone.
type cutOff struct{ body string }

func (c cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 201, Request: r, Header: http.Header{},
		Body: io.NopCloser(io.MultiReader(strings.NewReader(c.body), broken{})),
	}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A body that was cut off leaves open whether it was done, even where what came
// would do.
func TestCutOff(t *testing.T) {
	t.Parallel()

	c, _ := newClient(t, nil)
	c.http.Transport.(*wire.Transport).Base = cutOff{`{"data":{"id":7,"token":"secret-value"}}`}
	token, value, err := c.CreateToken(t.Context(), "api", "n", time.Now())
	if e := asError(t, err); e.Disposition != wire.Indeterminate || e.Malformed || !value.IsZero() || token != (Token{}) || strings.Contains(err.Error(), "secret-value") {
		t.Errorf("got %#v, %v", e, token)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestDeleteToken(t *testing.T) {
	t.Parallel()

	const invalid = `{"error":"not found"}` // the response to an invalid account token
	for _, tt := range []struct {
		status int
		body   string
		user   int // what the account token is worth
		want   error
	}{
		{204, "", 200, nil},
		{200, " ", 200, nil},
		{200, "{}", 200, nil},
		{404, `{"message":"Token not found"}`, 200, nil}, // another client was faster
		{404, invalid, 200, nil},
		{404, "", 200, nil},

		{404, invalid, 404, &wire.Error{Status: 401, Disposition: wire.Rejected}},
		{404, invalid, 401, &wire.Error{Status: 401, Disposition: wire.Rejected}},
		{404, invalid, 503, &wire.Error{Status: 503, Disposition: wire.Indeterminate}}, // whether it exists is not known
		{404, "<html>", 404, &wire.Error{Status: 401, Disposition: wire.Rejected}},
		{200, invalid, 200, &wire.Error{Status: 200, Disposition: wire.Indeterminate}},
		{200, "<html>sign in</html>", 200, &wire.Error{Status: 200, Disposition: wire.Indeterminate}},
		{400, "", 200, &wire.Error{Status: 400, Disposition: wire.Rejected}},
		{401, "", 200, &wire.Error{Status: 401, Disposition: wire.Rejected}},
		{409, "", 200, &wire.Error{Status: 409, Disposition: wire.Rejected}},
		{429, "", 200, &wire.Error{Status: 429, Disposition: wire.RateLimited}},
		{500, "", 200, &wire.Error{Status: 500, Disposition: wire.Indeterminate}},
	} {
		c, _ := newClient(t, func(r request) (int, string) {
			if r.method == http.MethodGet {
				return tt.user, map[bool]string{true: `{"data":{}}`, false: invalid}[tt.user == 200]
			}
			return tt.status, tt.body
		})
		err := c.DeleteToken(t.Context(), "api", 1)
		if (err == nil) != (tt.want == nil) || wire.StatusOf(err) != wire.StatusOf(tt.want) || wire.DispositionOf(err) != wire.DispositionOf(tt.want) {
			t.Errorf("%d %s, the account %d: %v", tt.status, tt.body, tt.user, err)
		}
	}
}

// A 404 because of an invalid account token is a 401, whatever the request was for.
// With a valid token it stays a 404.
func TestInvalidAccountToken(t *testing.T) {
	t.Parallel()

	for user, want := range map[int]int{404: 401, 200: 404, 500: 404} {
		c, s := newClient(t, func(r request) (int, string) {
			if strings.HasSuffix(r.path, "/user") {
				return user, `{"error":"not found"}`
			}
			return 404, `{"error":"not found"}`
		})
		_, listed := c.Tokens(t.Context(), "api")
		_, _, made := c.CreateToken(t.Context(), "api", "n", time.Unix(1, 0))
		for _, err := range []error{listed, made} {
			if wire.StatusOf(err) != want || wire.DispositionOf(err) != wire.Rejected {
				t.Errorf("the account is answered by %d: %v", user, err)
			}
		}
		if len(s.seen) != 4 {
			t.Errorf("%d requests", len(s.seen))
		}
	}
}

// What CreateToken was answered is learned before anything else is done with it,
// also where it is no use, and never shown.
func TestLearn(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]string{
		`{"data":{"id":7,"token":"A1b2C3d4E5f6"}}`:                  "A1b2C3d4E5f6",
		`{"data":{"id":0,"token":"A1b2C3d4E5f6"}}`:                  "A1b2C3d4E5f6",
		`{"data":{"id":"x","token":"A1b2C3d4E5f6"}}`:                "A1b2C3d4E5f6",
		`{"data":{"id":7,"token":"A1b2C3d4E5f6\nG7"}}`:              "A1b2C3d4E5f6\nG7",
		`{"data":{"id":7,"token":"A1b2C3d4E5f6","expiresAt":"no"}}`: "A1b2C3d4E5f6",
	} {
		c, _ := newClient(t, always(201, body))
		learned := ""
		c.OnSecret = func(v secret.Value) { learned += v.Reveal() }
		_, _, err := c.CreateToken(t.Context(), "api", "n", time.Unix(1, 0))
		if learned != want || strings.Contains(fmt.Sprint(err), "A1b2") {
			t.Errorf("%s: learned %q, %v", body, learned, err)
		}
	}
	// An error's body may contain the created token, which no redactor knows yet.
	for _, body := range []string{
		`{"message":"cannot store A1b2C3d4E5f6"}`, `{"error":"token=A1b2C3d4E5f6;"}`, `{"message":"made A1b2C3d4E5f6, but","innerMessage":"A1b2C3d4E5f6"}`,
	} {
		for _, status := range []int{400, 409, 500, 504} {
			c, _ := newClient(t, always(status, body))
			_, _, err := c.CreateToken(t.Context(), "api", "codacy-project-token-1", time.Unix(1, 0))
			if text := fmt.Sprint(err); strings.Contains(text, "A1b2") || !strings.Contains(text, "***") {
				t.Errorf("%d %s: %s", status, body, text)
			}
		}
	}
	c, _ := newClient(t, always(409, `{"message":"A token with the name codacy-project-token-1 exists already."}`))
	_, _, err := c.CreateToken(t.Context(), "api", "codacy-project-token-1", time.Unix(1, 0))
	if want := "Codacy: create the token codacy-project-token-1 of api: status 409: A token with the name codacy-project-token-1 exists already."; fmt.Sprint(err) != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// A name of 10 MB is not kept, nor is a long one of a token.
func TestHugeName(t *testing.T) {
	t.Parallel()

	list := func(size int) func(request) (int, string) {
		return always(200, `{"data":[{"id":1,"name":"`+strings.Repeat("x", size)+`","addedState":"Added"}]}`)
	}
	c, _ := newClient(t, list(7<<20))
	if err := c.Repositories(t.Context(), func(r Repository) {
		if len(r.Name) != maxName+3 {
			t.Errorf("%d bytes are kept", len(r.Name))
		}
	}); err != nil {
		t.Error(err)
	}
	c, _ = newClient(t, list(1<<19))
	if tokens, err := c.Tokens(t.Context(), "api"); err != nil || len(tokens) != 1 || len(tokens[0].Name) != maxName+3 {
		t.Errorf("%v, %d tokens", err, len(tokens))
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, s := newClient(t, always(500, ""))
	if _, err := c.Tokens(ctx, "api"); !errors.Is(err, context.Canceled) || len(s.seen) > 0 {
		t.Errorf("%v after %d tries", err, len(s.seen))
	}
}

// FuzzAnswers gives any body with any status to every operation: never a panic,
// and either an error or something sane.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"data":[{"id":1,"name":"codacy-project-token-1","createdAt":"2026-11-20T08:00:00Z","expiresAt":"2027-11-20T08:00:00Z"}]}`,
		`{"data":{"id":7,"token":"0123456789abcdef","name":"n","expiresAt":"2027-02-21T08:00:00Z"}}`,
		`{"data":[{"name":"a","remoteIdentifier":"1","addedState":"Added"}],"pagination":{"cursor":"x"}}`,
		`{"data":null}`, `{"data":[null]}`, `[[[[`, ``, `{"error":"not found"}`, "{\"data\":{\"id\":1,\"token\":\"a\\nb\"}}",
	} {
		f.Add(200, body)
		f.Add(201, body)
		f.Add(404, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("not a final status")
		}
		c, _ := newClient(t, always(status, body))
		c.start, c.retry = pace.Retry{}, pace.Retry{} // one try
		ok := status < 300

		tokens, err := c.Tokens(t.Context(), "api")
		switch {
		case err == nil && !ok, err != nil && tokens != nil:
			t.Errorf("status %d: %v, %v", status, tokens, err)
		}
		for _, tok := range tokens {
			if tok.ID <= 0 {
				t.Errorf("a token has the id %d", tok.ID)
			}
		}
		if err := c.Repositories(t.Context(), func(Repository) {}); err == nil && !ok {
			t.Errorf("status %d is a list", status)
		}
		if err := c.User(t.Context()); err == nil && !ok {
			t.Errorf("status %d is a user", status)
		}
		token, value, err := c.CreateToken(t.Context(), "api", "n", time.Unix(1, 0))
		if (err == nil) != (token.ID > 0) || (err == nil) == value.IsZero() || err == nil && !ok {
			t.Errorf("status %d: %v, %v", status, token, err)
		}
		if v := value.Reveal(); len(v) > maxValue || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("the value %q can't be sent in a header", v)
		}
		if err := c.DeleteToken(t.Context(), "api", 1); err == nil && !ok && status != 404 {
			t.Errorf("status %d is a deletion", status)
		}
	})
}
