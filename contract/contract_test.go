package contract

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const day = 24 * time.Hour

// operations are all operations that the program uses.
var operations = []string{
	"getUser", "getUserApiTokens", "listOrganizationRepositories",
	"listRepositoryApiTokens", "createRepositoryApiToken", "deleteRepositoryApiToken",

	"users/get-by-username",
	"repos/list-for-org", "repos/list-for-authenticated-user", "apps/list-repos-accessible-to-installation",
	"actions/list-repo-secrets", "actions/get-repo-public-key", "actions/get-repo-secret", "actions/create-or-update-repo-secret",
	"dependabot/get-repo-public-key", "dependabot/get-repo-secret", "dependabot/create-or-update-repo-secret",
	"codespaces/get-repo-public-key", "codespaces/get-repo-secret", "codespaces/create-or-update-repo-secret",
	"agents/get-repo-public-key", "agents/get-repo-secret", "agents/create-or-update-repo-secret",

	"apps/get-org-installation", "apps/get-user-installation", "apps/create-installation-access-token",
	"apps/revoke-installation-access-token", "repos/get",
}

// recorder is an http.RoundTripper between the program and the sandbox that
// records every exchange.
type recorder struct {
	next http.RoundTripper
	// tamperRequest changes a request on its way, tamperResponse a response.
	tamperRequest, tamperResponse func(*exchange)

	mu        sync.Mutex
	exchanges []exchange
}

// RoundTrip passes a request and its response on, with complete bodies.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchange{Method: req.Method, URL: req.URL, Header: req.Header.Clone()}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		x.Body = string(b)
	}
	if r.tamperRequest != nil {
		r.tamperRequest(&x)
	}
	out, err := http.NewRequestWithContext(req.Context(), x.Method, x.URL.String(), strings.NewReader(x.Body))
	if err != nil {
		return nil, err
	}
	out.Header = x.Header
	resp, err := r.next.RoundTrip(out)
	if err != nil {
		r.keep(x)
		return nil, err
	}
	b, cut := io.ReadAll(resp.Body)
	x.Status, x.ResponseHeader, x.Response, x.Cut = resp.StatusCode, resp.Header, string(b), cut != nil
	if r.tamperResponse != nil {
		r.tamperResponse(&x)
	}
	r.keep(x)
	resp.StatusCode, resp.Request = x.Status, req
	resp.Body = io.NopCloser(strings.NewReader(x.Response))
	if x.Cut {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(x.Response), failing{cut}))
	}
	return resp, nil
}

func (r *recorder) keep(x exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, x)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// inputs are the action's inputs that differ from the defaults.
type inputs map[string]string

// play is a World and the program's runs against it, in virtual time.
type play struct {
	*sandbox.World
	*recorder
	t   *testing.T
	dir string
}

// newPlay creates a play at noon, inside of a bubble. A bubble starts at midnight,
// and a creation time at midnight may be a date only.
func newPlay(t *testing.T, o sandbox.Options) *play {
	time.Sleep(12 * time.Hour)
	w := sandbox.New(o)
	return &play{World: w, recorder: &recorder{next: w.RoundTripper()}, t: t, dir: t.TempDir()}
}

func (p *play) add(names ...string) {
	for _, name := range names {
		p.Add(sandbox.Repository{Name: name})
	}
}

// run runs the program and asserts its exit code.
func (p *play) run(want int, in inputs) {
	p.t.Helper()
	if got, out := p.start(in); got != want {
		p.t.Errorf("exit code %d, want %d\n%s", got, want, out)
	}
}

// start runs the program as a runner does.
func (p *play) start(in inputs) (code int, log string) {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(p.dir, "output"),
		"INPUT_CODACY-API-TOKEN": sandbox.CodacyToken, "INPUT_GITHUB-TOKEN": sandbox.GitHubToken,
		"INPUT_ORGANIZATION": "acme", "INPUT_CODACY-API-URL": "https://app.codacy.com/api/v3",
		"INPUT_GITHUB-API-URL": "https://api.github.com",
	}
	for k, v := range in {
		env["INPUT_"+strings.ToUpper(k)] = v
	}
	var out bytes.Buffer
	command := cli.Command{
		Version: "v0.0.0-contract", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		Getenv: func(k string) string { return env[k] }, Transport: p.recorder,
		Rand: mathrand.New(mathrand.NewPCG(1, 2)),
	}
	code = command.Run(p.t.Context(), nil)
	return code, out.String()
}

// counted returns the number of requests of a kind in one run.
func (p *play) counted(k sandbox.Kind, run func()) int {
	before := p.Count(k)
	run()
	return p.Count(k) - before
}

// once applies an effect to the first request of a kind.
func (p *play) once(k sandbox.Kind, e sandbox.Effect) { p.times(1, k, e) }

func (p *play) times(n int, k sandbox.Kind, e sandbox.Effect) {
	var mu sync.Mutex
	p.Hook(func(r sandbox.Request) sandbox.Effect {
		mu.Lock()
		defer mu.Unlock()
		if r.Kind != k || n == 0 {
			return sandbox.Effect{}
		}
		n--
		return e
	})
}

// names returns n names.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("service-%03d", i)
	}
	return all
}

const allStores = "actions, dependabot, codespaces, agents"

// runs are full runs that together use all of the program's operations.
var runs = map[string]struct {
	options sandbox.Options
	play    func(*play)
}{
	"an organization": {sandbox.Options{}, func(p *play) {
		p.add(names(101)...) // two pages
		p.Add(sandbox.Repository{Name: "private", Private: true})
		p.Add(sandbox.Repository{Name: "old", Archived: true})
		p.Add(sandbox.Repository{Name: "off", Disabled: true})
		p.Add(sandbox.Repository{Name: "new-name", CodacyName: "old-name", OldNames: []string{"acme/old-name"}})
		p.Add(sandbox.Repository{Name: "impostor", RemoteID: "77"})
		p.Add(sandbox.Repository{Name: "only-on-codacy", NotOnGitHub: true})
		p.Add(sandbox.Repository{Name: "only-on-github", NotOnCodacy: true})
		p.Add(sandbox.Repository{Name: "not-added", State: sandbox.NotAdded})
		p.Add(sandbox.Repository{Name: "followed", State: sandbox.Following})
		p.Add(sandbox.Repository{Name: ".Odd_name-1.0", NoRemoteID: true})
		p.run(0, nil)
	}},
	"over the years": {sandbox.Options{}, func(p *play) {
		p.add(names(3)...)
		p.run(0, nil)
		p.Advance(time.Hour)
		p.run(0, nil)
		p.Advance(280 * day)
		p.run(0, nil)
		p.Advance(2 * day)
		p.run(0, nil) // revokes what was replaced
		p.Advance(400 * day)
		p.run(0, nil) // everything has expired
	}},
	"all stores": {sandbox.Options{}, func(p *play) {
		p.add(names(3)...)
		in := inputs{"secret-stores": allStores, "writes-per-minute": "0"}
		p.run(0, in)
		p.Advance(time.Hour)
		p.run(0, in)
		p.Advance(280 * day)
		p.run(0, in)
	}},
	"a dry run": {sandbox.Options{}, func(p *play) {
		p.add(names(3)...)
		in := inputs{"secret-stores": allStores, "dry-run": "true"}
		p.run(0, in) // there is no secret
		p.SetSecret("service-000", "agents", "CODACY_PROJECT_TOKEN", "manual")
		p.run(0, in)
	}},
	"rotate and revoke at once": {sandbox.Options{}, func(p *play) {
		p.add(names(2)...)
		in := inputs{"rotate": "always", "revoke-after-hours": "0"}
		p.run(0, in)
		p.Advance(time.Hour)
		if n := p.counted(sandbox.KindDeleteToken, func() { p.run(0, in) }); n != 2 {
			p.t.Errorf("%d tokens were revoked, want 2", n)
		}
	}},
	"a user's own account": {sandbox.Options{OwnerType: "User"}, func(p *play) {
		p.add(names(101)...)
		p.run(0, nil)
	}},
	"an installation's token": {sandbox.Options{
		Credentials: []sandbox.Credential{{Value: "ghs_given", Kind: sandbox.Installation}},
	}, func(p *play) {
		p.add(names(101)...)
		p.run(0, inputs{"github-token": "ghs_given"})
	}},
	"GHES and legacy Codacy": {sandbox.Options{Provider: "ghe", Legacy: true, NumericKeyIDs: true}, func(p *play) {
		p.add(names(2)...)
		in := inputs{
			"provider": "ghe", "codacy-api-url": sandbox.CodacyURL, "github-api-url": sandbox.GitHubURL + "/api/v3",
			"writes-per-minute": "0",
		}
		p.run(0, in)
		p.Advance(time.Hour)
		p.run(0, in)
	}},
	"no creation dates": {sandbox.Options{NoCreationDates: true}, func(p *play) {
		p.add("api")
		p.run(0, nil)
		p.Advance(time.Hour)
		p.run(0, nil)
	}},
	"existing secrets": {sandbox.Options{}, func(p *play) {
		p.add(names(2)...)
		p.SetSecret("service-000", "actions", "CODACY_PROJECT_TOKEN", "manual")
		p.run(0, inputs{"existing-secrets": "keep"})
		p.run(0, inputs{"existing-secrets": "only"})
	}},
	"a name that is taken": {sandbox.Options{HideExpired: true}, func(p *play) {
		p.add("api")
		p.AddToken("api", sandbox.Token{
			Name: "codacy-project-token-1", Created: p.Time().Add(-300 * day), Expires: p.Time().Add(-day),
		})
		if n := p.counted(sandbox.KindCreateToken, func() { p.run(0, nil) }); n < 2 {
			p.t.Error("no conflict came about")
		}
	}},
	"a hundred tokens": {sandbox.Options{}, func(p *play) {
		p.add("api")
		for i := range 100 {
			p.AddToken("api", sandbox.Token{
				Name: fmt.Sprintf("codacy-project-token-%d", i+1), Created: p.Time().Add(-300 * day), Expires: p.Time().Add(20 * day),
			})
		}
		p.run(0, nil)
	}},
	"a lost response to the creation": {sandbox.Options{}, func(p *play) {
		p.add("api")
		for _, e := range []sandbox.Effect{
			{End: sandbox.Reset},
			{End: sandbox.Cut},
			{Status: http.StatusBadGateway},
			{Skip: true, Status: http.StatusInternalServerError},
		} {
			p.once(sandbox.KindCreateToken, e)
			p.run(0, nil)
			p.Advance(400 * day)
		}
	}},
	"overload and limits": {sandbox.Options{}, func(p *play) {
		p.add(names(2)...)
		for _, f := range []struct {
			sandbox.Kind
			sandbox.Effect
		}{
			{sandbox.KindListTokens, sandbox.Effect{Skip: true, Status: 503}},
			{sandbox.KindUser, sandbox.Effect{Skip: true, Status: 504}},
			{sandbox.KindCreateToken, sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"3"}}}},
			{sandbox.KindListRepositories, sandbox.Effect{Skip: true, Status: 502}},
			{sandbox.KindListTokens, sandbox.Effect{Skip: true, Status: 500}},
			{sandbox.KindGetSecret, sandbox.Effect{Skip: true, Status: 500}},
			{sandbox.KindGitHubRepositories, sandbox.Effect{Skip: true, Status: 502}},
			{sandbox.KindPutSecret, sandbox.Effect{Skip: true, Status: 503}},
			{sandbox.KindPutSecret, sandbox.SecondaryLimit(403, 5*time.Second)},
			{sandbox.KindPublicKey, sandbox.SecondaryLimit(429, 0)},
			{sandbox.KindPutSecret, sandbox.PrimaryLimit(403, p.Time().Add(time.Minute))},
		} {
			p.once(f.Kind, f.Effect)
			p.run(0, inputs{"rotate": "always"})
			p.Advance(time.Hour)
		}
	}},
	"a rename in mid-run": {sandbox.Options{}, func(p *play) {
		p.add("api", "web")
		p.once(sandbox.KindGitHubRepositories, sandbox.Effect{After: func() {
			p.Rename("api", "api-2") // after the listing: 301 for the key, 307 for the secret
		}})
		if n := p.counted(sandbox.KindPutSecret, func() { p.run(0, nil) }); n != 3 {
			p.t.Errorf("%d puts, want one that was redirected and two", n)
		}
		p.Advance(time.Hour)
		p.once(sandbox.KindGitHubRepositories, sandbox.Effect{After: func() { p.Rename("web", "web-2") }})
		p.run(0, nil)
	}},
	"archived in mid-run": {sandbox.Options{}, func(p *play) {
		p.add("api", "web")
		p.once(sandbox.KindCreateToken, sandbox.Effect{After: func() { p.Archive("api"); p.Archive("web") }})
		p.run(0, nil)
	}},
	"deleted in mid-run": {sandbox.Options{}, func(p *play) {
		p.add("api", "web")
		p.once(sandbox.KindPublicKey, sandbox.Effect{Before: func() { p.Remove("api") }})
		p.run(1, nil)
		p.Advance(time.Hour)
		p.once(sandbox.KindListTokens, sandbox.Effect{Before: func() {
			p.Update("web", func(r *sandbox.Repository) { r.CodacyRole = "read" })
		}})
		p.run(1, nil)
	}},
	"a key that is changed": {sandbox.Options{}, func(p *play) {
		p.add("api")
		p.once(sandbox.KindCreateToken, sandbox.Effect{After: func() { p.RotateKey("api", "actions") }})
		p.run(0, nil) // the key is read again
	}},
	"a hundred secrets": {sandbox.Options{}, func(p *play) {
		p.add("api")
		for i := range 100 {
			p.SetSecret("api", "actions", fmt.Sprint("SECRET_", i), "value")
		}
		p.run(1, nil)
	}},
	"no permission": {sandbox.Options{
		Credentials: []sandbox.Credential{{Value: "github_pat_reader", Kind: sandbox.FineGrained, Access: map[string]sandbox.Access{"actions": sandbox.Read}}},
	}, func(p *play) {
		p.add(names(5)...)
		p.run(2, inputs{"github-token": "github_pat_reader"})
	}},
	"invalid credentials": {sandbox.Options{}, func(p *play) {
		p.add("api")
		p.run(2, inputs{"github-token": "ghp_invalid"})
		p.run(2, inputs{"codacy-api-token": "invalid"})
	}},
	"a deleted account token": {sandbox.Options{InvalidTokenStatus: 404}, func(p *play) {
		p.add("api")
		p.Revoke(sandbox.CodacyToken)
		p.run(2, nil)
	}},
	"an unknown organization": {sandbox.Options{}, func(p *play) {
		p.add("api")
		p.run(2, inputs{"organization": "unknown"})
	}},
	"a GitHub App of an organization": {appOptions("Organization"), func(p *play) {
		p.add(names(2)...)
		p.run(0, inputs{"github-token": "", "github-app-id": "12", "github-app-private-key": appKey})
	}},
	"a GitHub App of a user": {appOptions("User"), func(p *play) {
		p.add(names(2)...)
		p.run(0, inputs{"github-token": "", "github-app-id": "12", "github-app-private-key": appKey})
	}},
}

// private is the GitHub App's key, appKey the same as the PEM that GitHub issues.
var private, appKey = func() (*rsa.PrivateKey, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}()

func appOptions(owner string) sandbox.Options {
	return sandbox.Options{OwnerType: owner, App: &sandbox.App{ID: 12, ClientID: "Iv23client", PublicKey: &private.PublicKey}}
}

// TestContract plays all runs and the direct requests, and checks every exchange
// against the published descriptions. They must use every operation and exception.
func TestContract(t *testing.T) {
	t.Parallel()

	published := load(t)
	var mu sync.Mutex
	used := map[string]map[string]int{"runs": {}, "direct": {}}
	excused := map[*undeclared][]int{}
	played := 0

	for kind, plays := range map[string]map[string]struct {
		options sandbox.Options
		play    func(*play)
	}{"runs": runs, "direct": direct} {
		t.Run(kind, func(t *testing.T) {
			for name, r := range plays {
				t.Run(name, func(t *testing.T) {
					t.Parallel()

					var p *play
					synctest.Test(t, func(t *testing.T) {
						p = newPlay(t, r.options)
						r.play(p)
					})
					p.Check(t)
					mu.Lock()
					defer mu.Unlock()
					played++
					shown := 0
					for v, x := range published.verdicts(p.exchanges) {
						used[kind][v.operation]++
						if v.exception != nil {
							excused[v.exception] = append(excused[v.exception], x.Status)
						}
						for _, finding := range v.findings {
							if shown++; shown <= 10 {
								t.Error(finding)
							}
						}
					}
					if shown > 10 {
						t.Errorf("and %d findings more", shown-10)
					}
				})
			}
		})
	}

	if played < len(runs)+len(direct) {
		return // -run excluded some, or some did not end
	}
	for _, op := range operations {
		if used["runs"][op] == 0 {
			t.Errorf("no run uses the operation %s", op)
		}
	}
	for op := range used["runs"] {
		if !slices.Contains(operations, op) {
			t.Errorf("the runs use %s, which is not among the operations of the program", op)
		}
	}
	for _, op := range directOperations {
		if used["direct"][op] == 0 {
			t.Errorf("no direct request uses the operation %s", op)
		}
	}
	for i := range exceptions {
		for _, status := range exceptions[i].status {
			if !slices.Contains(excused[&exceptions[i]], status) {
				t.Errorf("no response needs the exception for %d (%s)", status, exceptions[i].why)
			}
		}
	}
	t.Logf("operations: %v", used)
}

// verdicts calls yield with the verdict for each exchange.
func (c *contract) verdicts(exchanges []exchange) func(yield func(verdict, exchange) bool) {
	return func(yield func(verdict, exchange) bool) {
		sentTo := map[string]bool{}
		for _, x := range exchanges {
			v := c.check(x, sentTo[x.URL.String()])
			if to := x.ResponseHeader.Get("Location"); to != "" {
				sentTo[to] = true
			}
			if !yield(v, x) {
				return
			}
		}
	}
}
