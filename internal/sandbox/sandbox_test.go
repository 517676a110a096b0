package sandbox_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const secretName = "CODACY_PROJECT_TOKEN"

// client talks to a world as the action would.
type client struct {
	t              *testing.T
	world          *sandbox.World
	codacy, github string
	http           *http.Client
	codacyToken    string
	githubToken    string
}

// newClient reaches the world without a network, and follows no redirect.
func newClient(t *testing.T, w *sandbox.World) *client {
	return &client{
		t: t, world: w, codacy: sandbox.CodacyURL, github: sandbox.GitHubURL,
		codacyToken: sandbox.CodacyToken, githubToken: sandbox.GitHubToken,
		http: &http.Client{
			Transport:     w.RoundTripper(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// newServedClient reaches the world over the loopback.
func newServedClient(t *testing.T, w *sandbox.World) *client {
	c := newClient(t, w)
	var shut func()
	c.codacy, c.github, shut = w.Serve()
	c.http.Transport = &http.Transport{DisableKeepAlives: true}
	t.Cleanup(shut)
	return c
}

// response is a complete response.
type response struct {
	status int
	header http.Header
	body   string
}

// request builds a request with everything that the services require.
func (c *client) request(ctx context.Context, method, address string, body any) *http.Request {
	c.t.Helper()
	var reader io.Reader
	if body != nil {
		encoded, ok := body.(string)
		if !ok {
			b, err := json.Marshal(body)
			if err != nil {
				c.t.Fatal(err)
			}
			encoded = string(b)
		}
		reader = strings.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(address, c.codacy) {
		if c.codacyToken != "" {
			r.Header.Set("api-token", c.codacyToken)
		}
	} else {
		r.Header.Set("Accept", "application/vnd.github+json")
		r.Header.Set("Authorization", "Bearer "+c.githubToken)
	}
	return r
}

// send sends a request and reads the response.
func (c *client) send(r *http.Request) (response, error) {
	got, err := c.http.Do(r)
	if err != nil {
		return response{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return response{got.StatusCode, got.Header, string(body)}, err
}

// do sends a request that must get the status.
func (c *client) do(want int, method, address string, body any) response {
	c.t.Helper()
	got, err := c.send(c.request(c.t.Context(), method, address, body))
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, address, err)
	}
	if got.status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, address, got.status, want, got.body)
	}
	return got
}

// decode reads a response's JSON.
func decode[T any](t *testing.T, r response) T {
	t.Helper()
	var into T
	if err := json.Unmarshal([]byte(r.body), &into); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return into
}

func (c *client) tokensURL(repository string) string {
	return c.codacy + "/organizations/gh/acme/repositories/" + repository + "/tokens"
}

func (c *client) secretURL(repository, store, name string) string {
	return fmt.Sprintf("%s/repos/acme/%s/%s/secrets/%s", c.github, repository, store, name)
}

type token struct {
	ID        int64
	Token     string
	Name      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// creates a token that is valid for 300 days.
func (c *client) create(repository, name string) token {
	c.t.Helper()
	r := c.do(http.StatusCreated, "POST", c.tokensURL(repository), map[string]any{
		"name": name, "expiresAt": c.world.Time().Add(300 * 24 * time.Hour),
	})
	return decode[struct{ Data token }](c.t, r).Data
}

// list lists the tokens by name.
func (c *client) list(repository string) map[string]token {
	c.t.Helper()
	r := c.do(http.StatusOK, "GET", c.tokensURL(repository), nil)
	byName := map[string]token{}
	for _, k := range decode[struct{ Data []token }](c.t, r).Data {
		byName[k.Name] = k
	}
	return byName
}

// seal seals a value for a store's key, as the body of a PUT.
func (c *client) seal(repository, store, value string) map[string]string {
	c.t.Helper()
	return c.sealFor(c.do(http.StatusOK, "GET", c.secretURL(repository, store, "public-key"), nil), value)
}

// sealFor seals a value for the key in a response.
func (c *client) sealFor(r response, value string) map[string]string {
	c.t.Helper()
	key := decode[struct {
		ID  json.RawMessage `json:"key_id"`
		Key string
	}](c.t, r)
	public, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(public) != 32 {
		c.t.Fatalf("the key %q has %d bytes: %v", key.Key, len(public), err)
	}
	sealed, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(public), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	return map[string]string{
		"encrypted_value": base64.StdEncoding.EncodeToString(sealed), "key_id": strings.Trim(string(key.ID), `"`),
	}
}

// put seals a value and puts it; the status must be the one that is wanted.
func (c *client) put(want int, repository, store, name, value string) {
	c.t.Helper()
	c.do(want, "PUT", c.secretURL(repository, store, name), c.seal(repository, store, value))
}

// violations are the kinds of what was broken.
func violations(w *sandbox.World) string {
	var kinds []string
	for _, v := range w.Violations() {
		kinds = append(kinds, string(v.Kind))
	}
	return strings.Join(kinds, ", ")
}

func wantViolations(t *testing.T, w *sandbox.World, want string) {
	t.Helper()
	if got := violations(w); got != want {
		t.Errorf("violations %q, want %q: %v", got, want, w.Violations())
	}
}

// TestWholeWay creates a token and stores it in each store, over HTTP and over
// HTTPS, at / and under /api/v3.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/api/v3"} {
		w := sandbox.New(sandbox.Options{Record: true})
		w.Add(sandbox.Repository{Name: "web"})
		c := newServedClient(t, w)
		c.github += prefix
		added := c.create("web", "codacy-project-token-1")
		for _, store := range sandbox.Stores() {
			c.put(http.StatusCreated, "web", store, secretName, added.Token)
			c.put(http.StatusNoContent, "web", store, strings.ToLower(secretName), added.Token)
			if value, ok := w.Secret("web", store, secretName); !ok || value != added.Token {
				t.Errorf("%s holds %q, %v", store, value, ok)
			}
		}
		if !w.TokenValid("web", added.Token) {
			t.Error("the token isn't valid")
		}
		if got := w.Count(sandbox.KindPutSecret); got != 8 {
			t.Errorf("%d PUTs were counted, want 8", got)
		}
		if got := w.Requests(); len(got) != w.Total() || got[2].Status != 201 || got[2].Kind != sandbox.KindPutSecret ||
			got[2].Repository != "web" || got[2].Store != "actions" || got[2].Attempt != 1 || got[4].Attempt != 2 {
			t.Errorf("the log is %+v", got)
		}
		w.Check(t)
	}
}

// next finds the page that a Link header names.
func next(r response, rel string) string {
	found := regexp.MustCompile(`<([^>]*)>; rel="` + rel + `"`).FindStringSubmatch(r.header.Get("Link"))
	if found == nil {
		return ""
	}
	return found[1]
}

// TestPaging walks both services' lists to their ends, at a size at which
// nothing may be slow.
func TestPaging(t *testing.T) {
	t.Parallel()
	const n = 2050
	w := sandbox.New(sandbox.Options{})
	for i := range n {
		w.Add(sandbox.Repository{Name: fmt.Sprintf("r-%04d", i)})
	}
	c := newClient(t, w)

	seen := map[string]int64{}
	pages := 0
	for address := c.github + "/orgs/ACME/repos?per_page=100&type=all"; address != ""; pages++ {
		r := c.do(http.StatusOK, "GET", address, nil)
		for _, repo := range decode[[]struct {
			ID    int64
			Name  string
			Owner struct{ Login string }
		}](t, r) {
			seen[repo.Name] = repo.ID
		}
		if last := next(r, "last"); pages == 0 && !strings.Contains(last, "page=21") {
			t.Errorf("the last page is %q", last)
		}
		address = next(r, "next")
	}
	if len(seen) != n || pages != 21 {
		t.Errorf("GitHub lists %d repositories on %d pages", len(seen), pages)
	}

	listed := 0
	for cursor := ""; ; {
		r := c.do(http.StatusOK, "GET", c.codacy+"/organizations/gh/acme/repositories?limit=100"+cursor, nil)
		page := decode[struct {
			Data       []struct{ Name, RemoteIdentifier string }
			Pagination struct {
				Cursor string
				Total  int
			}
		}](t, r)
		for _, repo := range page.Data {
			if repo.RemoteIdentifier != fmt.Sprint(seen[repo.Name]) {
				t.Fatalf("%s has the identifier %s, want %d", repo.Name, repo.RemoteIdentifier, seen[repo.Name])
			}
		}
		listed += len(page.Data)
		if page.Pagination.Total != n {
			t.Fatalf("the total is %d", page.Pagination.Total)
		}
		if page.Pagination.Cursor == "" {
			break
		}
		if strings.Trim(page.Pagination.Cursor, "+/=&? %") == page.Pagination.Cursor {
			t.Errorf("the cursor %q needs no escaping", page.Pagination.Cursor)
		}
		cursor = "&cursor=" + url.QueryEscape(page.Pagination.Cursor)
	}
	if listed != n {
		t.Errorf("Codacy lists %d repositories, want %d", listed, n)
	}
	w.Check(t)
	c.do(http.StatusBadRequest, "GET", c.codacy+"/organizations/gh/acme/repositories?limit=101", nil)
	c.do(http.StatusBadRequest, "GET", c.codacy+"/organizations/gh/acme/repositories?cursor=bogus", nil)
	c.do(http.StatusNotImplemented, "GET", c.codacy+"/organizations/gh/acme/repositories?cursor=+/=&bogus", nil)
	wantViolations(t, w, "unknown request")
}

// TestPagesShift adds a repository between two pages: one is listed twice.
func TestPagesShift(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	for i := range 4 {
		w.Add(sandbox.Repository{Name: fmt.Sprintf("r-%d", i)})
	}
	c := newClient(t, w)
	names := func(page string) (names []string) {
		for _, repo := range decode[[]struct{ Name string }](t, c.do(200, "GET", c.github+"/orgs/acme/repos?per_page=2&page="+page, nil)) {
			names = append(names, repo.Name)
		}
		return names
	}
	first := names("1")
	w.Add(sandbox.Repository{Name: "new"})
	if got := fmt.Sprint(first, names("2")); got != "[r-3 r-2] [r-2 r-1]" {
		t.Errorf("the pages are %s", got)
	}
}

// TestRepositories sees what each service shows of unusual repositories.
func TestRepositories(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "usual"})
	w.Add(sandbox.Repository{Name: "archived", Archived: true})
	w.Add(sandbox.Repository{Name: "disabled", Disabled: true})
	w.Add(sandbox.Repository{Name: "not-added", State: sandbox.NotAdded})
	w.Add(sandbox.Repository{Name: "hidden", Hidden: true})
	w.Add(sandbox.Repository{Name: "only-codacy", NotOnGitHub: true})
	w.Add(sandbox.Repository{Name: "only-github", NotOnCodacy: true})
	w.Add(sandbox.Repository{Name: "low", Role: "write"})
	id := w.Add(sandbox.Repository{Name: "new-name", CodacyName: "old-name", OldNames: []string{"old-name"}})
	w.Add(sandbox.Repository{Name: "other", CodacyName: "impostor", RemoteID: "17"})
	w.Add(sandbox.Repository{Name: "no-id", NoRemoteID: true, Private: true})
	c := newClient(t, w)

	var github []string
	for _, r := range decode[[]struct {
		Name               string
		Archived, Disabled bool
		Private            bool
		Permissions        struct{ Admin bool }
	}](t, c.do(200, "GET", c.github+"/orgs/acme/repos?sort=full_name", nil)) {
		github = append(github, r.Name)
		if (r.Archived != (r.Name == "archived")) || r.Disabled != (r.Name == "disabled") ||
			r.Private != (r.Name == "no-id") || r.Permissions.Admin != (r.Name != "low") {
			t.Errorf("GitHub shows %+v", r)
		}
	}
	if got, want := strings.Join(github, " "), "archived disabled low new-name no-id not-added only-github other usual"; got != want {
		t.Errorf("GitHub lists %s, want %s", got, want)
	}
	codacy := map[string]string{}
	list := func(filter string) {
		clear(codacy)
		for _, r := range decode[struct {
			Data []struct{ Name, RemoteIdentifier, AddedState string }
		}](t, c.do(200, "GET", c.codacy+"/organizations/gh/acme/repositories"+filter, nil)).Data {
			codacy[r.Name] = r.RemoteIdentifier + " " + r.AddedState
		}
	}
	list("")
	if codacy["old-name"] != fmt.Sprintf("%d Added", id) || codacy["impostor"] != "17 Added" || codacy["no-id"] != " Added" ||
		!strings.HasSuffix(codacy["not-added"], " NotAdded") || codacy["only-codacy"] == "" || len(codacy) != 10 {
		t.Errorf("Codacy lists %v", codacy)
	}
	if list("?filter=AllSynced"); len(codacy) != 9 {
		t.Errorf("of those in Codacy there are %v", codacy)
	}
	c.codacyToken = "wrong"
	if list(""); len(codacy) != 9 || codacy["no-id"] != "" {
		t.Errorf("without a token Codacy lists %v", codacy)
	}
	c.codacyToken = sandbox.CodacyToken

	c.do(404, "GET", c.tokensURL("not-added"), nil)
	c.do(200, "GET", c.tokensURL("old-name"), nil)
	c.do(404, "GET", c.tokensURL("new-name"), nil)
	for repo, want := range map[string]string{
		"archived": "Repository was archived so is read-only.", "low": "Must have admin rights to Repository.",
	} {
		sealed := c.seal(repo, "actions", "x")
		if r := c.do(403, "PUT", c.secretURL(repo, "actions", secretName), sealed); !strings.Contains(r.body, want) {
			t.Errorf("%s: %s, want %q", repo, r.body, want)
		}
	}
	for _, repo := range []string{"hidden", "only-codacy", "unknown"} {
		c.do(404, "GET", c.secretURL(repo, "actions", "public-key"), nil)
	}
	w.Check(t)
}

// TestRenames follows redirects, to the secrets too.
func TestRenames(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	id := w.Add(sandbox.Repository{Name: "before"})
	w.Rename("before", "after")
	c := newServedClient(t, w)
	added := c.create("before", "codacy-project-token-1") // Codacy keeps the old name

	moved := fmt.Sprintf("%s/repositories/%d", c.github, id)
	for method, want := range map[string]int{"GET": 301, "PUT": 307, "DELETE": 307} {
		var body any
		if method == "PUT" {
			body = c.seal("after", "actions", "x")
		}
		r := c.do(want, method, c.secretURL("before", "actions", secretName), body)
		if got, want := r.header.Get("Location"), moved+"/actions/secrets/"+secretName; got != want {
			t.Errorf("%s is sent to %s, want %s", method, got, want)
		}
	}
	c.http.CheckRedirect = nil
	c.put(http.StatusCreated, "before", "actions", secretName, added.Token)
	if value, _ := w.Secret("after", "actions", secretName); value != added.Token {
		t.Errorf("the secret is %q", value)
	}
	if r := c.do(200, "GET", c.github+"/repos/acme/before", nil); !strings.Contains(r.body, `"full_name": "acme/after"`) {
		t.Errorf("the repository is %.200s", r.body)
	}

	// Another repository takes the old name: no more redirects.
	w.Add(sandbox.Repository{Name: "before", NotOnCodacy: true})
	r := c.do(200, "GET", c.github+"/repos/acme/before", nil)
	if other := decode[struct{ ID int64 }](t, r).ID; other == id {
		t.Error("the old name still leads to the renamed repository")
	}
	w.Remove("after")
	c.do(404, "GET", moved, nil)
	w.Check(t)
}

// TestHostileName has a name arrive as it is, whatever it holds.
func TestHostileName(t *testing.T) {
	t.Parallel()
	name := "\"##[error]\\ \n%zz::é"
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: name})
	c := newClient(t, w)
	if got := decode[[]struct{ Name string }](t, c.do(200, "GET", c.github+"/orgs/acme/repos", nil))[0].Name; got != name {
		t.Errorf("the name is %q, want %q", got, name)
	}
	c.create(url.PathEscape(name), "codacy-project-token-1")
	if got := w.Tokens(name); len(got) != 1 {
		t.Errorf("the tokens are %v", got)
	}
}

// TestClocks moves both services and puts one ahead.
func TestClocks(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 12, 0, 0, 500, time.UTC)
	w := sandbox.New(sandbox.Options{Now: func() time.Time { return start }})
	w.Add(sandbox.Repository{Name: "web"})
	c := newClient(t, w)
	w.Advance(48 * time.Hour)
	w.SetSkew(sandbox.Codacy, -time.Hour)
	dates := c.do(200, "GET", c.codacy+"/version", nil).header.Get("Date") + " | " +
		c.do(200, "GET", c.github+"/users/acme", nil).header.Get("Date")
	if want := "Tue, 03 Nov 2026 11:00:00 GMT | Tue, 03 Nov 2026 12:00:00 GMT"; dates != want {
		t.Errorf("the dates are %s, want %s", dates, want)
	}
	added := c.create("web", "codacy-project-token-1")
	if got := c.list("web")[added.Name].CreatedAt; !got.Equal(start.Add(47 * time.Hour).Truncate(time.Millisecond)) {
		t.Errorf("the token was created at %s", got)
	}
	c.put(201, "web", "actions", secretName, added.Token)
	if got := w.UpdatedAt("web", "actions", secretName); !got.Equal(start.Add(48 * time.Hour).Truncate(time.Second)) {
		t.Errorf("the secret was written at %s", got)
	}
	if got := w.Time(); !got.Equal(start.Add(48 * time.Hour)) {
		t.Errorf("the true time is %s", got)
	}
}

// TestUnknownRequests sends unknown requests: each gets 501 and is a violation.
func TestUnknownRequests(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	c := newClient(t, w)
	get := func(address string) *http.Request { return c.request(t.Context(), "GET", address, nil) }
	without := func(r *http.Request, key string) *http.Request {
		r.Header[key] = nil
		return r
	}
	with := func(r *http.Request, key, value string) *http.Request {
		r.Header.Set(key, value)
		return r
	}
	post := func(body string) *http.Request { return c.request(t.Context(), "POST", c.tokensURL("web"), body) }
	put := func(body any) *http.Request {
		return c.request(t.Context(), "PUT", c.secretURL("web", "actions", secretName), body)
	}
	extra := c.seal("web", "actions", "x")
	extra["visibility"] = "all"
	for name, r := range map[string]*http.Request{
		"path":               get(c.github + "/repos/acme/web/hooks"),
		"store":              get(c.github + "/repos/acme/web/pages/secrets/public-key"),
		"path of Codacy":     get(c.codacy + "/organisations"),
		"outside of /api/v3": get("https://codacy.test/user"),
		"method":             c.request(t.Context(), "PATCH", c.github+"/user", nil),
		"parameter":          get(c.github + "/user?x=1"),
		"parameter, twice":   get(c.github + "/orgs/acme/repos?page=1&page=2"),
		"field":              post(`{"name":"a","expiresAt":"2026-01-01T00:00:00Z","description":""}`),
		"no JSON":            post(`name`),
		"two bodies":         post(`{}{}`),
		"field of a PUT":     put(extra),
		"content type":       with(post(`{}`), "Content-Type", "text/plain"),
		"no User-Agent":      without(get(c.codacy+"/user"), "User-Agent"),
		"no Accept":          without(get(c.github+"/user"), "Accept"),
		"GitHub's to Codacy": with(get(c.codacy+"/user"), "Authorization", "Bearer "+sandbox.GitHubToken),
		"Codacy's to GitHub": with(get(c.github+"/user"), "api-token", sandbox.CodacyToken),
	} {
		before := len(w.Violations())
		got, err := c.send(r)
		if err != nil || got.status != http.StatusNotImplemented || !strings.Contains(got.body, `"message":"the sandbox doesn't know`) {
			t.Errorf("%s: %d %s %v", name, got.status, got.body, err)
		}
		if after := w.Violations(); len(after) != before+1 || after[before].Kind != sandbox.UnknownRequest {
			t.Errorf("%s: %d violations more, want 1", name, len(after)-before)
		}
	}
	if _, err := c.send(get("https://example.com/")); err == nil {
		t.Error("an unknown host responds")
	}
	if v := w.Violations(); !strings.Contains(v[len(v)-1].Text, "https://example.com/") {
		t.Errorf("the unknown host isn't reported: %s", v[len(v)-1])
	}
}

// TestMisuse panics if a test names something that does not exist.
func TestMisuse(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web", ID: 7})
	for name, f := range map[string]func(){
		"repository": func() { w.Tokens("unknown") },
		"store":      func() { w.SetSecret("web", "unknown", "A", "") },
		"secret":     func() { w.SetUpdatedAt("web", "actions", "A", time.Now()) },
		"same name":  func() { w.Add(sandbox.Repository{Name: "WEB"}) },
		"same id":    func() { w.Add(sandbox.Repository{Name: "app", ID: 7}) },
		"on Codacy":  func() { w.Add(sandbox.Repository{Name: "api", CodacyName: "web"}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestCodacyOrganization(t *testing.T) {
	t.Parallel()
	name, repositories := sandbox.CodacyOrganization()
	if name != "codacy" || len(repositories) != 84 || repositories[0] != "autoconfig-setup-container" {
		t.Errorf("%s has %d repositories", name, len(repositories))
	}
	w := sandbox.New(sandbox.Options{Organization: name})
	for _, r := range repositories {
		w.Add(sandbox.Repository{Name: r})
	}
}
