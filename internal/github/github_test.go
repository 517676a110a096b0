package github

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// request is a request as the service sees it.
type request struct {
	method, path, query, body string // the path still escaped
	header                    http.Header
}

// response is what the service says.
type response struct {
	status   int
	body     string
	link     string
	location string
	header   http.Header
}

// service answers requests without a network, and keeps them.
type service struct {
	t      testing.TB
	host   string
	answer func(request) response
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
	if r.URL.Host != s.host || r.URL.Scheme != "https" {
		s.t.Errorf("a request went to %s", r.URL)
	}
	s.seen = append(s.seen, in)
	a := s.answer(in)
	h := a.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if a.link != "" {
		h.Set("Link", a.link)
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	return &http.Response{
		StatusCode: a.status, Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(a.body)), ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// newClient is a Client for the API at base whose requests f answers.
func newClient(t testing.TB, base string, f func(request) response) (*Client, *service) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, host: u.Host, answer: f}
	tr := &wire.Transport{
		Service: Name, Origin: u, Base: s, Clock: &wire.Clock{}, UserAgent: "test/1",
		Authorize: wire.Bearer("Authorization", "Bearer ", secret.New("ghp_x")),
	}
	retry := pace.Retry{MaxElapsed: 20 * time.Second}
	return New(tr.Client(), u, retry, retry), s
}

const cloud = "https://api.test"

func always(status int, body string) func(request) response {
	return func(request) response { return response{status: status, body: body} }
}

var (
	api     = Repository{ID: 1, Owner: "acme", Name: "api"}
	goodKey = base64.StdEncoding.EncodeToString(append([]byte{9}, bytes.Repeat([]byte{0x11}, 31)...))
)

// testKey is the key goodKey with the ID 17.
var testKey = func() Key {
	key, err := seal.ParseKey(goodKey)
	if err != nil {
		panic(err)
	}
	return Key{"17", key}
}()

// sealedFor returns the ID of the key that a PUT's body names, after a check that
// the body has the described form and a box of the right size.
func sealedFor(t testing.TB, body string) string {
	t.Helper()
	var fields map[string]string
	if err := json.Unmarshal([]byte(body), &fields); err != nil || len(fields) != 2 {
		t.Errorf("the body is %s: %v", body, err)
	}
	box, err := base64.StdEncoding.DecodeString(fields["encrypted_value"])
	if want := 32 + 16 + len("value"); err != nil || len(box) != want {
		t.Errorf("the box has %d bytes, want %d: %v", len(box), want, err)
	}
	return fields["key_id"]
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

// names collects the repositories' names.
func names(c *Client, t testing.TB, scope Scope) ([]string, error) {
	var all []string
	err := c.Repositories(t.Context(), scope, "acme", func(r Repository) { all = append(all, r.Name) })
	return all, err
}

func TestRequests(t *testing.T) {
	t.Parallel()

	updated := `{"name":"N","created_at":"2026-11-20T08:00:00Z","updated_at":"2026-11-20T08:00:00Z"}`
	for _, base := range []string{cloud, cloud + "/", "https://ghes.test/api/v3", "https://ghes.test:8443/api/v3/"} {
		prefix := strings.TrimSuffix(base[strings.Index(base, ".test")+len(".test"):], "/")
		prefix = strings.TrimPrefix(prefix, ":8443")
		for _, tt := range []struct {
			name, answer string
			status       int
			call         func(*Client) error
			want         request
		}{
			{
				"owner", `{"type":"User"}`, 200, func(c *Client) error { _, err := c.Owner(t.Context(), "acme"); return err },
				request{method: "GET", path: "/users/acme"},
			},
			{
				"organization", `[]`, 200, func(c *Client) error { _, err := names(c, t, Organization); return err },
				request{method: "GET", path: "/orgs/acme/repos", query: "per_page=100&page=1"},
			},
			{
				"account", `[]`, 200, func(c *Client) error { _, err := names(c, t, Account); return err },
				request{method: "GET", path: "/user/repos", query: "affiliation=owner&per_page=100&page=1"},
			},
			{
				"installation", `{"total_count":0,"repositories":[]}`, 200, func(c *Client) error { _, err := names(c, t, Installation); return err },
				request{method: "GET", path: "/installation/repositories", query: "per_page=100&page=1"},
			},
			{
				"probe", `{}`, 200, func(c *Client) error { return c.Probe(t.Context(), Account, "acme") },
				request{method: "GET", path: "/user/repos", query: "affiliation=owner&per_page=1"},
			},
			{
				"key", `{"key_id":"1","key":"` + goodKey + `"}`, 200, func(c *Client) error { _, err := c.PublicKey(t.Context(), api, "dependabot"); return err },
				request{method: "GET", path: "/repositories/1/dependabot/secrets/public-key"},
			},
			{
				"key of agents", `{"key_id":"1","key":"` + goodKey + `"}`, 200, func(c *Client) error { _, err := c.PublicKey(t.Context(), api, "agents"); return err },
				request{method: "GET", path: "/repositories/1/agents/secrets/public-key"},
			},
			{
				"secret", updated, 200, func(c *Client) error { _, err := c.SecretUpdated(t.Context(), api, "codespaces", "N"); return err },
				request{method: "GET", path: "/repositories/1/codespaces/secrets/N"},
			},
			{
				"put", "", 204, func(c *Client) error {
					_, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
					return err
				},
				request{method: "PUT", path: "/repos/acme/api/actions/secrets/N", body: "17"},
			},
			{
				"put for agents", "", 204, func(c *Client) error {
					_, err := c.PutSecret(t.Context(), api, "agents", "N", testKey, secret.New("value"))
					return err
				},
				request{method: "PUT", path: "/repos/acme/api/agents/secrets/N", body: "17"},
			},
		} {
			t.Run(base+" "+tt.name, func(t *testing.T) {
				t.Parallel()

				c, s := newClient(t, base, always(tt.status, tt.answer))
				if err := tt.call(c); err != nil {
					t.Fatal(err)
				}
				if len(s.seen) != 1 {
					t.Fatalf("%d requests", len(s.seen))
				}
				got, want := s.seen[0], tt.want
				kind := map[bool]string{true: "application/json"}[want.body != ""]
				h := got.header
				if h.Get("Authorization") != "Bearer ghp_x" || h.Get("Accept") == "" || h.Get("User-Agent") != "test/1" || h.Get("Content-Type") != kind {
					t.Errorf("the header is %v", h)
				}
				got.header = nil
				if got.body != "" {
					got.body = sealedFor(t, got.body)
				}
				want.path = prefix + want.path
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{})); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

// FuzzNames: whatever a repository or an owner is called, each stays one element
// of the address.
func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"api", ".", "..", "a/b", "/", "//", "../../user", "a%2Fb", "%2e%2e", "%", "?x=y", "#f", "a b", "a+b", "a;b",
		"a:b", "@evil.test", ":443", "\x00", "\n", "ü", "\xff", `a\b`, "https://evil.test/", "public-key", "",
	} {
		f.Add("acme", name)
		f.Add(name, "api")
	}
	f.Fuzz(func(t *testing.T, owner, name string) {
		answers := []response{
			{status: 200, body: `{"type":"User"}`},
			{status: 200, body: `[]`},
			{status: 200, body: `{"key_id":"1","key":"` + goodKey + `"}`},
			{status: 200, body: `{"updated_at":"2026-11-20T08:00:00Z"}`},
			{status: 201, body: "{}"},
		}
		n := 0
		c, s := newClient(t, "https://ghes.test/api/v3", func(request) response {
			n++
			return answers[n-1]
		})
		r := Repository{Owner: owner, Name: name}
		_, err1 := c.Owner(t.Context(), owner)
		err2 := c.Repositories(t.Context(), Organization, owner, func(Repository) {})
		_, err3 := c.PublicKey(t.Context(), r, "actions")
		_, err4 := c.SecretUpdated(t.Context(), r, "agents", "N")
		_, err5 := c.PutSecret(t.Context(), r, "agents", "N", testKey, secret.New("value"))
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		for i, rest := range [][]string{
			{"users", owner},
			{"orgs", owner, "repos"},
			{"repos", owner, name, "actions", "secrets", "public-key"},
			{"repos", owner, name, "agents", "secrets", "N"},
			{"repos", owner, name, "agents", "secrets", "N"},
		} {
			var elements []string
			for _, e := range strings.Split(s.seen[i].path, "/") {
				if e == "." || e == ".." {
					t.Errorf("%s has an element that a server would resolve", s.seen[i].path)
				}
				decoded, err := url.PathUnescape(e)
				if err != nil {
					t.Fatal(err)
				}
				elements = append(elements, decoded)
			}
			if want := append([]string{"", "api", "v3"}, rest...); !slices.Equal(elements, want) {
				t.Errorf("%q, %q: the path is %s", owner, name, s.seen[i].path)
			}
		}
	})
}

func TestOwner(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		status      int
		body        string
		want        Scope
		disposition wire.Disposition // where it fails
		fails       bool
	}{
		{200, `{"login":"acme","type":"Organization"}`, Organization, 0, false},
		{200, `{"login":"acme","type":"User"}`, Account, 0, false},
		{200, `{"type":"Bot"}`, 0, wire.Indeterminate, true},
		{200, `{}`, 0, wire.Indeterminate, true},
		{200, ``, 0, wire.Indeterminate, true},
		{200, `[]`, 0, wire.Indeterminate, true},
		{200, `<html>`, 0, wire.Indeterminate, true},
		{401, `{"message":"Bad credentials"}`, 0, wire.Rejected, true},
		{404, `{"message":"Not Found"}`, 0, wire.Rejected, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newClient(t, cloud, always(tt.status, tt.body))
			got, err := c.Owner(t.Context(), "acme")
			if got.Scope != tt.want || (err != nil) != tt.fails || err != nil && wire.DispositionOf(err) != tt.disposition {
				t.Errorf("%d %s: %v, %v", tt.status, tt.body, got, err)
			}
		})
	}
}

// listPage is a page of a list with one repository.
func listPage(number, next int, installed bool) response {
	item := fmt.Sprintf(`[{"id":%d,"name":"r%d","owner":{"login":"acme"},"archived":true,"unknown":{"a":[1]}}]`, number, number)
	if installed {
		item = `{"total_count":9,"repositories":` + item + `}`
	}
	r := response{status: 200, body: item}
	if next != 0 {
		r.link = fmt.Sprintf(`<https://api.test/x?per_page=100&page=1>; rel="first", <https://api.test/x?page=%d>; rel="next"`, next)
	}
	return r
}

func TestPages(t *testing.T) {
	t.Parallel()

	for _, scope := range []Scope{Organization, Account, Installation} {
		n := 0
		c, s := newClient(t, cloud, func(request) response {
			n++
			return listPage(n, map[bool]int{true: n + 1}[n < 4], scope == Installation)
		})
		got, err := names(c, t, scope)
		if want := []string{"r1", "r2", "r3", "r4"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%d: got %q, %v", scope, got, err)
		}
		for i, r := range s.seen {
			if want := fmt.Sprintf("per_page=100&page=%d", i+1); !strings.HasSuffix(r.query, want) {
				t.Errorf("%d: page %d was asked for by %s", scope, i+1, r.query)
			}
		}
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()

	c, _ := newClient(t, cloud, always(200, `[
		{"id":3000000001,"name":"a","full_name":"acme/a","owner":{"login":"Acme"},"archived":true,"disabled":false},
		{"id":2,"name":"b","owner":{"login":"other"},"disabled":true,"permissions":{"admin":false}},
		{"id":3,"name":"c","owner":null,"archived":null}]`))
	var got []Repository
	if err := c.Repositories(t.Context(), Organization, "acme", func(r Repository) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	want := []Repository{
		{ID: 3000000001, Owner: "Acme", Name: "a", Archived: true},
		{ID: 2, Owner: "other", Name: "b", Disabled: true},
		{ID: 3, Owner: "acme", Name: "c"}, // whose list it is
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Lists that never end, or whose next page can't be asked for.
func TestEndlessPages(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		link func(n int) string
		most int
		body string // [] if empty
	}{
		"a page that points to itself":    {func(n int) string { return fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, n) }, 1, ""},
		"the first page again":            {func(int) string { return `<https://api.test/x?page=1>; rel="next"` }, 1, ""},
		"back and forth":                  {func(n int) string { return fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, 3-n) }, 2, ""},
		"a negative page":                 {func(int) string { return `<https://api.test/x?page=-2>; rel="next"` }, 1, ""},
		"a page that is no number":        {func(int) string { return `<https://api.test/x?page=two>; rel="next"` }, 1, ""},
		"a cursor":                        {func(int) string { return `<https://api.test/x?after=abc>; rel="next"` }, 1, ""},
		"a new page for every one it had": {func(n int) string { return fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, n+1) }, 10_000, ""},
		"beyond the last page": {func(int) string {
			return `<https://api.test/x?page=4>; rel="next", <https://api.test/x?page=3>; rel="last"`
		}, 1, ""},
		"page after page of nothing": {func(n int) string { return fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, n+1) }, 3, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			n := 0
			c, _ := newClient(t, cloud, func(request) response {
				n++
				body := tt.body
				if body == "" {
					body = `[{"id":1,"name":"a"}]`
				}
				return response{status: 200, body: body, link: tt.link(n)}
			})
			c.start, c.retry = pace.Retry{}, pace.Retry{} // one try
			_, err := names(c, t, Organization)
			if e := asError(t, err); !e.Malformed || n != tt.most {
				t.Errorf("%v after %d pages, want %d", err, n, tt.most)
			}
		})
	}
	n := 0
	c, _ := newClient(t, cloud, func(request) response {
		n++
		link := fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, n+1)
		return response{status: 200, body: `{"total_count":1,"repositories":[{"id":1,"name":"a"}]}`, link: link}
	})
	c.start, c.retry = pace.Retry{}, pace.Retry{} // one try
	if _, err := names(c, t, Installation); !asError(t, err).Malformed || n != pageSize+2 {
		t.Errorf("an installation that shows more than it has: %v after %d pages", err, n)
	}
}

// A name of 10 MB is not kept, and what is kept can't be used.
func TestHugeName(t *testing.T) {
	t.Parallel()

	c, _ := newClient(t, cloud, always(200, `[{"id":1,"name":"`+strings.Repeat("x", 7<<20)+`"}]`))
	got, err := names(c, t, Organization)
	if err != nil || len(got) != 1 || len(got[0]) != maxName+3 {
		t.Errorf("%v: %d names", err, len(got))
	}
}

// What is no list is an error, never an empty list.
func TestNoList(t *testing.T) {
	t.Parallel()

	for _, body := range []string{
		"", " ", "null", "{}", `"x"`, "0", "<html>", "[", `[{"id":"1","name":"a"}]`, "[1]", "[][]",
		`[{"name":"a"}]`, `[{"id":0,"name":"a"}]`, `[{"id":1}]`, `[{"id":-1,"name":"a"}]`, `[null]`, `[{"id":1,"name":"a"},{}]`,
	} {
		for scope, wrapped := range map[Scope]string{
			Organization: body, Account: body, Installation: `{"total_count":0,"repositories":` + body + `}`,
		} {
			synctest.Test(t, func(t *testing.T) {
				c, s := newClient(t, cloud, always(200, wrapped))
				begin := time.Now()
				got, err := names(c, t, scope)
				if e := asError(t, err); !e.Malformed || e.Disposition != wire.Indeterminate || got != nil {
					t.Errorf("%d %s: %q, %#v", scope, body, got, e)
				}
				if len(s.seen) != 3 || time.Since(begin) > 5*time.Second {
					t.Errorf("%d %s: asked %d times in %v, want 3 times within 5 s", scope, body, len(s.seen), time.Since(begin))
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, cloud, always(200, `{"total_count":0}`))
		if _, err := names(c, t, Installation); !asError(t, err).Malformed {
			t.Errorf("an installation without a list: %v", err)
		}
	})
}

func TestPublicKey(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, body, id string
		fails          bool
	}{
		{"a text", `{"key_id":"012345678912345678","key":"` + goodKey + `"}`, "012345678912345678", false},
		{"a number", `{"key_id":568250167242549743,"key":"` + goodKey + `"}`, "568250167242549743", false},
		{"a number above 2^63", `{"key_id":18446744073709551615,"key":"` + goodKey + `"}`, "18446744073709551615", false},
		{"more fields", `{"id":2,"url":"u","key_id":"k","title":"t","key":"` + goodKey + `"}`, "k", false},
		{"no id", `{"key":"` + goodKey + `"}`, "", true},
		{"an empty id", `{"key_id":"","key":"` + goodKey + `"}`, "", true},
		{"null", `{"key_id":null,"key":"` + goodKey + `"}`, "", true},
		{"an object", `{"key_id":{"a":1},"key":"` + goodKey + `"}`, "", true},
		{"a list", `{"key_id":[1],"key":"` + goodKey + `"}`, "", true},
		{"true", `{"key_id":true,"key":"` + goodKey + `"}`, "", true},
		{"a fraction", `{"key_id":1.5,"key":"` + goodKey + `"}`, "", true},
		{"a power", `{"key_id":1e3,"key":"` + goodKey + `"}`, "", true},
		{"a negative number", `{"key_id":-1,"key":"` + goodKey + `"}`, "", true},
		{"no key", `{"key_id":"1"}`, "", true},
		{"an empty key", `{"key_id":"1","key":""}`, "", true},
		{"a long id", `{"key_id":"` + strings.Repeat("1", maxKeyID-2) + `","key":"` + goodKey + `"}`, strings.Repeat("1", maxKeyID-2), false},
		{"too long an id", `{"key_id":"` + strings.Repeat("1", maxKeyID-1) + `","key":"` + goodKey + `"}`, "", true},
		{"too large a response", `{"key_id":"1","key":"` + goodKey + `","x":"` + strings.Repeat("x", 1<<20) + `"}`, "", true},
		{"a short key", `{"key_id":"1","key":"AAAA"}`, "", true},
		{"a long key", `{"key_id":"1","key":"` + base64.StdEncoding.EncodeToString(make([]byte, 33)) + `"}`, "", true},
		{"a key of zeros", `{"key_id":"1","key":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"}`, "", true},
		{"no base64", `{"key_id":"1","key":"***"}`, "", true},
		{"nothing", ``, "", true},
		{"HTML", `<html>`, "", true},
		{"a list of keys", `[{"key_id":"1"}]`, "", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newClient(t, cloud, always(200, tt.body))
			key, err := c.PublicKey(t.Context(), api, "actions")
			if key.id != tt.id || (err != nil) != tt.fails {
				t.Errorf("%s: %q, %v", tt.name, key.id, err)
			}
			if _, sealErr := key.key.Seal(secret.New("value")); (sealErr != nil) != tt.fails {
				t.Errorf("%s: sealing with it: %v", tt.name, sealErr)
			}
			if err != nil && (!asError(t, err).Malformed || wire.DispositionOf(err) != wire.Indeterminate) {
				t.Errorf("%s: %#v", tt.name, err)
			}
		})
	}
}

func TestSecretUpdated(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		status int
		body   string
		want   time.Time
		fails  bool
	}{
		{200, `{"name":"N","updated_at":"2026-11-20T08:00:00Z"}`, at, false},
		{200, `{"name":"N","updated_at":"2026-11-20T09:00:00+01:00"}`, at, false},
		{404, `{"message":"Not Found"}`, time.Time{}, false},
		{404, ``, time.Time{}, false},
		{200, `{"name":"N"}`, time.Time{}, true},
		{200, `{"name":"N","updated_at":null}`, time.Time{}, true},
		{200, `{"name":"N","updated_at":"soon"}`, time.Time{}, true},
		{200, `{"name":"N","updated_at":1790000000}`, time.Time{}, true},
		{200, ``, time.Time{}, true},
		{204, ``, time.Time{}, true},
		{403, `{"message":"Resource not accessible by integration"}`, time.Time{}, true},
		{401, ``, time.Time{}, true},
		{500, ``, time.Time{}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newClient(t, cloud, always(tt.status, tt.body))
			got, err := c.SecretUpdated(t.Context(), api, "actions", "N")
			if !got.Equal(tt.want) || (err != nil) != tt.fails {
				t.Errorf("%d %s: %v, %v", tt.status, tt.body, got, err)
			}
			if err != nil {
				asError(t, err)
			}
		})
	}
}

func TestPutSecret(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		status      int
		created     bool
		fails       bool
		disposition wire.Disposition
	}{
		{201, true, false, 0},
		{204, false, false, 0},
		{200, false, true, wire.Indeterminate},
		{202, false, true, wire.Indeterminate},
		{203, false, true, wire.Indeterminate},
		{403, false, true, wire.Rejected},
		{404, false, true, wire.Rejected},
		{422, false, true, wire.Rejected},
		{429, false, true, wire.RateLimited},
		{500, false, true, wire.Indeterminate},
		{503, false, true, wire.Indeterminate},
	} {
		c, s := newClient(t, cloud, always(tt.status, ""))
		write, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
		if write.Created != tt.created || (err != nil) != tt.fails || len(s.seen) != 1 {
			t.Errorf("%d: %v, %v, sent %d times", tt.status, write.Created, err, len(s.seen))
		}
		if err != nil && asError(t, err).Disposition != tt.disposition {
			t.Errorf("%d: disposition %d, want %d", tt.status, wire.DispositionOf(err), tt.disposition)
		}
	}
}

// A PUT that a redirect would turn into a GET is no success.
func TestRenameLosesNothing(t *testing.T) {
	t.Parallel()

	for _, location := range []string{"/repositories/1", "https://evil.test/repositories/1"} {
		for _, status := range []int{301, 302, 303} {
			c, s := newClient(t, cloud, func(request) response { return response{status: status, location: location} })
			_, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
			if e := asError(t, err); e.Disposition != wire.Rejected || len(s.seen) != 1 {
				t.Errorf("%d: %v, %d requests", status, err, len(s.seen))
			}
		}
	}
}

// go-github does not refuse calls by itself: what may be sent when is the gate's.
func TestNoLocalLimit(t *testing.T) {
	t.Parallel()

	limit := http.Header{
		"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"},
		"X-Ratelimit-Reset": {fmt.Sprint(time.Now().Add(time.Hour).Unix())},
	}
	c, s := newClient(t, cloud, func(request) response { return response{status: 204, header: limit} })
	for range 3 {
		if _, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value")); err != nil {
			t.Fatal(err)
		}
	}
	s.answer = func(request) response {
		return response{status: 403, header: limit, body: `{"message":"secondary rate limit"}`}
	}
	for range 3 {
		_, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
		if e := asError(t, err); e.Disposition != wire.RateLimited || e.RetryAfter < 59*time.Minute {
			t.Errorf("got %#v", e)
		}
	}
	if len(s.seen) != 6 {
		t.Errorf("%d requests went out, want 6", len(s.seen))
	}
}

// Reads are tried again.
func TestTries(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		n := 0
		c, _ := newClient(t, cloud, func(request) response {
			if n++; n < 4 {
				return response{status: 502}
			}
			return response{status: 200, body: `[]`}
		})
		if _, err := names(c, t, Organization); err != nil || n != 4 {
			t.Errorf("%v after %d tries", err, n)
		}
	})
}

// Secrets are written over connections that are used again.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()

	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "{}")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := wire.Base(2)
	defer base.CloseIdleConnections()
	tr := &wire.Transport{
		Service: Name, Origin: u, Base: base, Clock: &wire.Clock{}, UserAgent: "test/1",
		Authorize: wire.Bearer("Authorization", "Bearer ", secret.New("ghp_x")),
	}
	c := New(tr.Client(), u, pace.Retry{}, pace.Retry{})
	for range 10 {
		if _, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value")); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for ten writes, one after the other", n)
	}
}

func TestPredicates(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		err               error
		archived, lacking bool
	}{
		{&wire.Error{Service: Name, Status: 403, Disposition: wire.Rejected, Message: "Repository was archived so is read-only."}, true, false},
		{&wire.Error{Service: Name, Status: 403, Disposition: wire.Rejected, Message: "Resource not accessible by integration"}, false, true},
		{&wire.Error{Service: Name, Status: 403, Disposition: wire.Rejected, Message: "Must have admin rights to Repository."}, false, false},
		{&wire.Error{Service: Name, Status: 403, Disposition: wire.RateLimited, Message: "secondary rate limit"}, false, false},
		{&wire.Error{Service: Name, Status: 404, Disposition: wire.Rejected, Message: "archived"}, false, false},
		{&wire.Error{Service: "Codacy", Status: 403, Disposition: wire.Rejected, Message: "archived"}, false, false},
		{&wire.Error{Service: Name, Status: 401, Disposition: wire.Rejected, Message: "Bad credentials"}, false, false},
		{fmt.Errorf("wrapped: %w", &wire.Error{Service: Name, Status: 403, Disposition: wire.Rejected, Message: "was archived"}), true, false},
		{errors.New("archived"), false, false},
		{nil, false, false},
	} {
		if got := IsArchived(tt.err); got != tt.archived {
			t.Errorf("%v: archived %v", tt.err, got)
		}
		if got := LacksPermission(tt.err); got != tt.lacking {
			t.Errorf("%v: lacks a permission %v", tt.err, got)
		}
	}
}

// FuzzAnswers gives any response to every operation: never a panic, and either an
// error or something sane.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`[{"id":1,"name":"a","owner":{"login":"acme"}}]`, `{"total_count":1,"repositories":[{"id":1,"name":"a"}]}`,
		`{"key_id":1234567890123456789,"key":"` + goodKey + `"}`, `{"updated_at":"2026-11-20T08:00:00Z"}`,
		`{"type":"User"}`, ``, `null`, `[null]`, `{"key_id":null,"key":"x"}`,
	} {
		f.Add(200, body, "")
		f.Add(200, body, `<https://api.test/x?page=2>; rel="next"`)
		f.Add(404, body, "")
	}
	f.Fuzz(func(t *testing.T, status int, body, link string) {
		if status < 200 || status > 599 || strings.ContainsAny(link, "\r\n") {
			t.Skip("not a final status, or not a header")
		}
		sent := 0
		c, _ := newClient(t, cloud, func(request) response {
			if sent++; sent > 20 { // long lists are well
				return response{status: 404}
			}
			return response{status: status, body: body, link: link}
		})
		c.start, c.retry = pace.Retry{}, pace.Retry{} // one try
		ok := status < 300

		for _, scope := range []Scope{Organization, Account, Installation} {
			sent = 0
			err := c.Repositories(t.Context(), scope, "acme", func(r Repository) {
				if r.ID <= 0 || r.Name == "" {
					t.Errorf("a repository without id or name: %+v", r)
				}
			})
			if err == nil && !ok {
				t.Errorf("the status %d is a list", status)
			}
		}
		sent = 0
		if owner, err := c.Owner(t.Context(), "acme"); err == nil && (!ok || owner.Scope != Organization && owner.Scope != Account) || err != nil && owner.Scope != 0 {
			t.Errorf("status %d: %v, %v", status, owner, err)
		}
		sent = 0
		key, err := c.PublicKey(t.Context(), api, "actions")
		if (err == nil) != (key.id != "") || err == nil && !ok {
			t.Errorf("status %d: %q, %v", status, key.id, err)
		}
		if _, sealErr := key.key.Seal(secret.New("v")); (sealErr == nil) != (err == nil) {
			t.Errorf("status %d: %v, and sealing: %v", status, err, sealErr)
		}
		sent = 0
		at, err := c.SecretUpdated(t.Context(), api, "actions", "N")
		if err != nil && !at.IsZero() || err == nil && !ok && (status != 404 || !at.IsZero()) || err == nil && ok && at.IsZero() {
			t.Errorf("status %d: %v, %v", status, at, err)
		}
		write, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
		if (err == nil) != (status == 201 || status == 204) || write.Created != (status == 201) {
			t.Errorf("status %d: %v, %v", status, write.Created, err)
		}
	})
}
