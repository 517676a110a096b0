package sandbox_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// newWorld returns a world with the repository web, and a client of it.
func newWorld(t *testing.T, o sandbox.Options) (*sandbox.World, *client) {
	t.Helper()
	w := sandbox.New(o)
	w.Add(sandbox.Repository{Name: "web"})
	return w, newClient(t, w)
}

func body(name string, expires time.Time) map[string]any {
	return map[string]any{"name": name, "expiresAt": expires}
}

// TestNameTaken has each status for a taken name, and for the 101st token.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	for option, want := range map[int]int{0: 409, 409: 409, 422: 422, 400: 400} {
		w, c := newWorld(t, sandbox.Options{NameTaken: option, TooManyTokens: option})
		expires := w.Time().Add(time.Hour)
		c.create("web", "a")
		if r := c.do(want, "POST", c.tokensURL("web"), body("a", expires)); !strings.Contains(r.body, "already exists") {
			t.Errorf("%d: %s", option, r.body)
		}
		for i := range 99 {
			w.AddToken("web", sandbox.Token{Name: fmt.Sprint("t-", i)})
		}
		if option == 0 {
			want = 422
		}
		if r := c.do(want, "POST", c.tokensURL("web"), body("b", expires)); !strings.Contains(r.body, "100 tokens") {
			t.Errorf("%d: %s", option, r.body)
		}
	}
}

// TestDays has the creation time and the expiry exact, and cut to midnight in UTC
// and in another zone.
func TestDays(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*60*60)
	now := time.Date(2026, 11, 25, 23, 30, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		day              *time.Location
		created, expires string
	}{
		"exact":  {nil, "2026-11-25T23:30:00Z", "2027-09-21T23:30:00Z"},
		"UTC":    {time.UTC, "2026-11-25T00:00:00Z", "2027-09-21T00:00:00Z"},
		"offset": {zone, "2026-11-26T00:00:00+02:00", "2027-09-22T00:00:00+02:00"},
	} {
		w, c := newWorld(t, sandbox.Options{CreationDay: test.day, ExpiryDay: test.day, Now: func() time.Time { return now }})
		created := c.do(201, "POST", c.tokensURL("web"), body("a", now.Add(300*24*time.Hour))).body
		listed := c.do(200, "GET", c.tokensURL("web"), nil).body
		for _, text := range []string{created, listed} {
			if !strings.Contains(text, `"createdAt":"`+test.created+`","expiresAt":"`+test.expires+`"`) {
				t.Errorf("%s: %s", name, text)
			}
		}
		expires, err := time.Parse(time.RFC3339, test.expires)
		if err != nil {
			t.Fatal(err)
		}
		token := w.Tokens("web")[0]
		if !token.Created.Equal(now) {
			t.Errorf("%s: the token was created at %s", name, token.Created)
		}
		w.Advance(expires.Sub(now) - time.Second)
		if !w.TokenValid("web", token.Value) {
			t.Errorf("%s: the token expired too soon", name)
		}
		w.Advance(time.Second)
		if w.TokenValid("web", token.Value) {
			t.Errorf("%s: the token has not expired", name)
		}
	}
}

// TestHiddenTokens has expired tokens listed or hidden: they count either way.
func TestHiddenTokens(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		w, c := newWorld(t, sandbox.Options{HideExpired: hidden})
		for i := range 100 {
			w.AddToken("web", sandbox.Token{Name: fmt.Sprint("t-", i), Expires: w.Time().Add(-time.Hour)})
		}
		want := 100
		if hidden {
			want = 0
		}
		if got := len(c.list("web")); got != want {
			t.Errorf("hidden %t: %d tokens are listed, want %d", hidden, got, want)
		}
		c.do(422, "POST", c.tokensURL("web"), body("new", w.Time().Add(time.Hour)))
		c.do(204, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{w.Tokens("web")[0].ID}})
		c.do(409, "POST", c.tokensURL("web"), body("t-1", w.Time().Add(time.Hour)))
		c.create("web", "t-0")
	}
}

// TestAccountTokenValues has the values shown, masked and omitted.
func TestAccountTokenValues(t *testing.T) {
	t.Parallel()
	soon := time.Date(2199, 1, 2, 3, 4, 5, 0, time.UTC)
	for option, want := range map[sandbox.AccountValues]string{
		sandbox.ShowValues: `{"id":1,"token":"account-one"}`,
		sandbox.MaskValues: `{"id":1,"token":"********-one"}`,
		sandbox.OmitValues: `{"id":1}`,
	} {
		_, c := newWorld(t, sandbox.Options{
			AccountTokenValues: option, CodacyTokens: []string{"account-one", "account-two"},
			CodacyTokenExpiries: map[string]time.Time{"account-two": soon},
		})
		c.codacyToken = "account-one"
		r := c.do(200, "GET", c.codacy+"/user/tokens", nil)
		if !strings.Contains(r.body, want) || !strings.Contains(r.body, `"expiresAt":"2199-01-02T03:04:05Z"`) {
			t.Errorf("%s, want %s", r.body, want)
		}
	}
}

// TestAccountTokenExpiry has one account token expire before the other.
func TestAccountTokenExpiry(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, sandbox.Options{CodacyTokens: []string{"one", "two"}})
	w2, c2 := newWorld(t, sandbox.Options{
		CodacyTokens: []string{"one", "two"}, CodacyTokenExpiries: map[string]time.Time{"two": w.Time().Add(time.Hour)},
	})
	w2.Advance(2 * time.Hour)
	for token, want := range map[string]int{"one": 200, "two": 401} {
		c.codacyToken, c2.codacyToken = token, token
		c.do(200, "GET", c.codacy+"/user", nil)
		c2.do(want, "GET", c2.codacy+"/user", nil)
	}
}

// TestListValues has the list show the tokens' values or not.
func TestListValues(t *testing.T) {
	t.Parallel()
	for _, show := range []bool{false, true} {
		_, c := newWorld(t, sandbox.Options{ListValues: show})
		added := c.create("web", "a")
		if got := c.list("web")["a"].Token; (got == added.Token) != show {
			t.Errorf("show %t: the list has %q", show, got)
		}
	}
}

// TestOldTokens adds tokens from before 2026 to a new one.
func TestOldTokens(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, sandbox.Options{})
	named, unnamed := w.AddToken("web", sandbox.OldToken(true)), w.AddToken("web", sandbox.OldToken(false))
	c.create("web", "codacy-project-token-1")
	w.Advance(3 * 365 * 24 * time.Hour)
	list := c.list("web")
	old := list[named.Name]
	if !strings.HasPrefix(named.Name, "pt-") || len(named.Name) != len("pt-caa4da16ab2e") || old.ID != named.ID || !old.CreatedAt.IsZero() || !old.ExpiresAt.IsZero() {
		t.Errorf("the named one is %q, listed as %+v", named.Name, old)
	}
	if got := list[""]; got.ID != unnamed.ID || !got.CreatedAt.IsZero() || !got.ExpiresAt.IsZero() {
		t.Errorf("the unnamed one is listed as %+v", got)
	}
	if list["codacy-project-token-1"].CreatedAt.IsZero() {
		t.Error("the new one has no date")
	}
	if !w.TokenValid("web", named.Value) || !w.TokenValid("web", unnamed.Value) || len(w.ValidTokens("web")) != 2 {
		t.Error("an old token expired")
	}
	if other := w.AddToken("web", sandbox.OldToken(true)); other.Name == named.Name {
		t.Error("two old tokens have one name")
	}
}

// TestLifetime has a longer lifetime rejected or shortened.
func TestLifetime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, shorten := range []bool{false, true} {
		w, c := newWorld(t, sandbox.Options{MaxLifetime: 90 * day, CapLifetime: shorten})
		far := body("a", w.Time().Add(365*day))
		if !shorten {
			if r := c.do(422, "POST", c.tokensURL("web"), far); !strings.Contains(r.body, "90 days") {
				t.Errorf("rejected with %s", r.body)
			}
		} else {
			c.do(201, "POST", c.tokensURL("web"), far)
			if got := c.list("web")["a"].ExpiresAt.Sub(w.Time()).Round(time.Hour); got != 90*day {
				t.Errorf("the lifetime is %s", got)
			}
		}
		c.do(201, "POST", c.tokensURL("web"), body("b", w.Time().Add(89*day)))
	}
}

// TestRateHeaders has the headers of github.com and of a server without them.
func TestRateHeaders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options sandbox.Options
		limit   string // header of each response
		status  int    // of /rate_limit
	}{
		"as today, no limit":      {sandbox.Options{}, "", 404},
		"as today, with a limit":  {sandbox.Options{Limits: sandbox.Limits{Primary: 60}}, "60", 200},
		"github.com":              {sandbox.Options{RateHeaders: sandbox.RateAlways}, "5000", 200},
		"github.com, other limit": {sandbox.Options{RateHeaders: sandbox.RateAlways, Limits: sandbox.Limits{Primary: 12500}}, "12500", 200},
		"none":                    {sandbox.Options{RateHeaders: sandbox.RateNever, Limits: sandbox.Limits{Primary: 60}}, "", 404},
	} {
		w, c := newWorld(t, test.options)
		if got := c.do(200, "GET", c.github+"/user", nil).header.Get("X-RateLimit-Limit"); got != test.limit {
			t.Errorf("%s: the limit is %q, want %q", name, got, test.limit)
		}
		r := c.do(test.status, "GET", c.github+"/rate_limit", nil)
		if test.status == 404 && !strings.Contains(r.body, "Rate limiting is not enabled.") {
			t.Errorf("%s: %s", name, r.body)
		}
		w.Check(t)
	}
	// On github.com, a secondary limit's rejection and a 404 have them, too.
	w, c := newWorld(t, sandbox.Options{
		RateHeaders: sandbox.RateAlways, Limits: sandbox.Limits{Writes: 1, Expected: true},
	})
	value := w.AddToken("web", sandbox.Token{}).Value
	c.put(201, "web", "actions", secretName, value)
	sealed := c.seal("web", "actions", value)
	for _, r := range []response{
		c.do(404, "GET", c.secretURL("web", "agents", secretName), nil),
		c.do(403, "PUT", c.secretURL("web", "actions", secretName), sealed),
		c.do(403, "GET", c.github+"/rate_limit", nil),
	} {
		if r.header.Get("X-RateLimit-Remaining") == "" || r.header.Get("X-RateLimit-Reset") == "" {
			t.Errorf("%d has the headers %v", r.status, r.header)
		}
	}
}

// TestFreshTokens has GitHub not know a token for some time, with either status.
func TestFreshTokens(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{0, 401, 403} {
		synctest.Test(t, func(t *testing.T) {
			app := &sandbox.App{
				ID: 1, PublicKey: &key.PublicKey, UnknownFor: 1500 * time.Millisecond, UnknownStatus: status,
				OnToken: func(n int, c *sandbox.Credential) {
					if n == 2 {
						c.UnknownFor = 4 * time.Second
					}
				},
			}
			_, c := newWorld(t, sandbox.Options{App: app, Credentials: []sandbox.Credential{
				{Value: "ghs_given", Kind: sandbox.Installation, UnknownFor: time.Second, UnknownStatus: status},
				{Value: "ghs_known", Kind: sandbox.Installation},
			}})
			want, message := 401, "Bad credentials"
			if status == 403 {
				want, message = 403, "Resource not accessible by integration"
			}
			list := c.github + "/installation/repositories"
			known := func(token string, after time.Duration) {
				t.Helper()
				c.githubToken = token
				if r := c.do(want, "GET", list, nil); !strings.Contains(r.body, message) {
					t.Errorf("%s", r.body)
				}
				time.Sleep(after - time.Millisecond)
				c.do(want, "GET", c.secretURL("web", "actions", "public-key"), nil)
				time.Sleep(time.Millisecond)
				c.do(200, "GET", list, nil)
			}
			known("ghs_given", time.Second)
			for _, after := range []time.Duration{1500 * time.Millisecond, 4 * time.Second} {
				known(installationToken(c, key, nil), after)
			}
			c.githubToken = "ghs_known"
			c.do(200, "GET", list, nil)
		})
	}
}

// installationToken gets a token of App 1 from the installation 1.
func installationToken(c *client, key *rsa.PrivateKey, body any) string {
	c.t.Helper()
	now := c.world.Time()
	c.githubToken = jwt(c.t, key, map[string]any{"iss": "1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	r := c.do(http.StatusCreated, "POST", c.github+"/app/installations/1/access_tokens", body)
	return decode[struct{ Token string }](c.t, r).Token
}

// TestSecretRole has the role write suffice or not.
func TestSecretRole(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]int{"": 403, "admin": 403, "write": 201} {
		w := sandbox.New(sandbox.Options{SecretRole: option})
		w.Add(sandbox.Repository{Name: "web", Role: "write"})
		w.Add(sandbox.Repository{Name: "low", Role: "read"})
		c := newClient(t, w)
		c.put(want, "web", "actions", secretName, w.AddToken("web", sandbox.Token{}).Value)
		c.put(403, "low", "actions", secretName, "x")
	}
}

// TestTopics has GitHub show topics and each visibility.
func TestTopics(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "public", Topics: []string{"go", `a"b`}})
	w.Add(sandbox.Repository{Name: "private", Private: true})
	w.Add(sandbox.Repository{Name: "internal", Internal: true})
	c := newClient(t, w)
	for _, r := range decode[[]struct {
		Name, Visibility string
		Private          bool
		Topics           []string
	}](t, c.do(200, "GET", c.github+"/orgs/acme/repos", nil)) {
		if r.Visibility != r.Name || r.Private != (r.Name != "public") || len(r.Topics) != map[bool]int{true: 2}[r.Name == "public"] {
			t.Errorf("GitHub shows %+v", r)
		}
	}
}

// TestCreationField has the creation date under another name.
func TestCreationField(t *testing.T) {
	t.Parallel()
	for option, name := range map[string]string{"": "createdAt", "created": "created"} {
		w, c := newWorld(t, sandbox.Options{CreationField: option})
		created := c.do(201, "POST", c.tokensURL("web"), body("a", w.Time().Add(time.Hour))).body
		for _, text := range []string{created, c.do(200, "GET", c.tokensURL("web"), nil).body} {
			if n := strings.Count(text, `"created`); n != 1 || !strings.Contains(text, `"`+name+`":"2`) || !strings.Contains(text, `"name":"a"`) {
				t.Errorf("%q: %s", option, text)
			}
		}
	}
}

// TestTokenPages has the list of tokens in one page and in several.
func TestTokenPages(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{0: 1, 2: 3, 5: 1} {
		w, c := newWorld(t, sandbox.Options{TokenPageSize: size, HideExpired: true})
		for i := range 7 {
			expires := w.Time().Add(time.Hour)
			if i%4 == 1 {
				expires = w.Time().Add(-time.Hour)
			}
			w.AddToken("web", sandbox.Token{Name: fmt.Sprint("t-", i), Expires: expires})
		}
		names, pages := "", 0
		for query := ""; pages == 0 || query != ""; pages++ {
			list := decode[struct {
				Data       []token
				Pagination struct {
					Cursor string
					Total  int
				}
			}](t, c.do(200, "GET", c.tokensURL("web")+query, nil))
			for _, token := range list.Data {
				names += token.Name + " "
			}
			if list.Pagination.Total != 5 {
				t.Errorf("%d: the total is %d", size, list.Pagination.Total)
			}
			query = ""
			if list.Pagination.Cursor != "" {
				query = "?cursor=" + url.QueryEscape(list.Pagination.Cursor)
			}
		}
		if names != "t-6 t-4 t-3 t-2 t-0 " || pages != want {
			t.Errorf("%d: %d pages with %s", size, pages, names)
		}
		w.Check(t)
		status := 400
		if size == 0 {
			status = 501
		}
		c.do(status, "GET", c.tokensURL("web")+"?cursor=x", nil)
	}
}

// TestPutNoContent has a new secret get either status.
func TestPutNoContent(t *testing.T) {
	t.Parallel()
	for option, want := range map[bool]int{false: 201, true: 204} {
		w, c := newWorld(t, sandbox.Options{PutNoContent: option})
		value := w.AddToken("web", sandbox.Token{}).Value
		c.put(want, "web", "actions", secretName, value)
		c.put(204, "web", "actions", secretName, value)
		if got, ok := w.Secret("web", "actions", secretName); !ok || got != value {
			t.Error("the secret is not stored")
		}
	}
}
