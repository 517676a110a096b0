package github_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	appID      = 1234567
	appClient  = harness.AppClient
	secretName = "CODACY_PROJECT_TOKEN"
)

func pkcs1(key *rsa.PrivateKey) secret.Value {
	return secret.New(harness.AppPEM(key))
}

func pkcs8(t *testing.T, key *rsa.PrivateKey) secret.Value {
	t.Helper()
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
}

// installed is an App, installed in a World with the one repository web.
type installed struct {
	*sandbox.World
	t      *testing.T
	app    *github.App
	client *github.Client // sends with the App's tokens
	pace   *pace.Limiter
	repo   github.Repository

	mu      sync.Mutex
	learned []secret.Value
	masked  []secret.Value
}

// postLimit is a limit that the renewal of a token takes from, too.
var postLimit = pace.Limit{Max: 1, Period: time.Minute, Cost: func(method string) int {
	return map[bool]int{true: 1}[pace.IsWrite(method)]
}}

// install makes an App that has not been started. It may be called in a bubble,
// if harness.AppKeys was called outside.
func install(t *testing.T, o sandbox.Options, change func(*github.AppOptions), limits ...pace.Limit) *installed {
	t.Helper()
	if o.App == nil {
		o.App = &sandbox.App{}
	}
	o.App.ID, o.App.ClientID, o.App.PublicKey, o.App.InstallationID = appID, appClient, &harness.AppKeys()[0].PublicKey, 77
	o.Record = true
	w := sandbox.New(o)
	w.Add(sandbox.Repository{Name: "web"})
	base, err := url.Parse(sandbox.GitHubURL)
	if err != nil {
		t.Fatal(err)
	}
	clock := &wire.Clock{}
	i := &installed{World: w, t: t, repo: github.Repository{Owner: "acme", Name: "web"}}
	i.pace = pace.NewLimiter(github.Name, false, func() float64 { return 0 }, limits...)
	retry := pace.Retry{MaxElapsed: 45 * time.Second}
	options := github.AppOptions{
		ID: strconv.Itoa(appID), Key: pkcs1(harness.AppKeys()[0]), Owner: "acme",
		Transport: wire.Transport{
			Service: github.Name, Origin: base, Base: w.RoundTripper(), Clock: clock, UserAgent: "test",
		},
		Limiter: i.pace, Start: pace.Retry{MaxElapsed: 16 * time.Second, MaxTotal: 29 * time.Second},
		OnSecret: func(v secret.Value) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.learned = append(i.learned, v)
		},
		Mask: func(v secret.Value) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			if !slices.ContainsFunc(i.learned, v.Equal) {
				i.t.Error("a token is masked that the last net does not know")
			}
			i.masked = append(i.masked, v)
			return nil
		},
	}
	if change != nil {
		change(&options)
	}
	i.app = github.NewApp(options)
	i.client = github.New(i.app.Transport().Client(), base, retry, retry)
	return i
}

// start starts the App, which must do.
func (i *installed) start() *installed {
	i.t.Helper()
	if err := i.app.Start(i.t.Context()); err != nil {
		i.t.Fatal(err)
	}
	return i
}

// look sends a GET with the App's token.
func (i *installed) look(ctx context.Context) error {
	_, err := i.client.SecretUpdated(ctx, i.repo, "actions", secretName)
	return err
}

// put sends a PUT with the App's token, and asserts what is there then.
func (i *installed) put(ctx context.Context, value string) error {
	key, err := i.client.PublicKey(ctx, i.repo, "actions")
	if err != nil {
		return err
	}
	_, err = i.client.PutSecret(ctx, i.repo, "actions", secretName, key, secret.New(value))
	return err
}

// token is the one that was masked last.
func (i *installed) token() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.masked[len(i.masked)-1].Reveal()
}

// renewals asserts how many tokens were asked for, and masked.
func (i *installed) renewals(want int) {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if got := i.Count(sandbox.KindAccessToken); got != want || len(i.masked) != want {
		i.t.Errorf("%d tokens were asked for, %d masked, want %d", got, len(i.masked), want)
	}
}

// unrefused asserts that no request with a token was answered with 401.
func (i *installed) unrefused() {
	i.t.Helper()
	for _, r := range i.Requests() {
		if r.Status == http.StatusUnauthorized && r.Kind != sandbox.KindInstallation {
			i.t.Errorf("request %d was refused: %s %s at %s", r.Sequence, r.Method, r.Path, r.Time)
		}
	}
}

func TestAppStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options sandbox.Options
		skew    time.Duration
		change  func(*github.AppOptions)
		finds   int // requests until the installation is found
	}{
		"App ID":       {finds: 1},
		"client ID":    {change: func(o *github.AppOptions) { o.ID = appClient }, finds: 1},
		"user":         {options: sandbox.Options{OwnerType: "User"}, finds: 2},
		"PKCS #8":      {change: func(o *github.AppOptions) { o.Key = pkcs8(t, harness.AppKeys()[0]) }, finds: 1},
		"clock ahead":  {skew: 3 * time.Hour, finds: 2},
		"clock behind": {skew: -3 * time.Hour, finds: 2},
		"clock a little behind, within what a JWT allows for": {skew: -50 * time.Second, finds: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t, c.options, c.change)
			i.SetSkew(sandbox.GitHub, c.skew)
			i.start()
			var names []string
			err := i.client.Repositories(t.Context(), github.Installation, "acme", func(r github.Repository) {
				names = append(names, r.Name)
			})
			if err != nil || !slices.Equal(names, []string{"web"}) {
				t.Errorf("the installation shows %v, %v", names, err)
			}
			if err := i.put(t.Context(), "value"); err != nil {
				t.Error(err)
			}
			if got := i.Count(sandbox.KindInstallation); got != c.finds {
				t.Errorf("the installation was asked for %d times, want %d", got, c.finds)
			}
			i.renewals(1)
			for _, v := range i.Violations() {
				if v.Kind == sandbox.UnknownRequest {
					t.Error(v)
				}
			}
		})
	}
}

func TestAppStartRefused(t *testing.T) {
	t.Parallel()
	answers := func(kind sandbox.Kind, e sandbox.Effect) func(sandbox.Request) sandbox.Effect {
		return func(r sandbox.Request) sandbox.Effect {
			if r.Kind == kind {
				return e
			}
			return sandbox.Effect{}
		}
	}
	// Go's key sizes end at 1024 bits; parsed is a smaller one, too.
	small := secret.New(`-----BEGIN RSA PRIVATE KEY-----
MIIBOQIBAAJBAIUgc1RGpbIsHKPo+WBjXRXI8S7JlXyAuxPdJhUM3JLCdpMRYf3w
-----END RSA PRIVATE KEY-----`)
	for name, c := range map[string]struct {
		change func(*github.AppOptions)
		hook   func(sandbox.Request) sandbox.Effect
		is     func(error) bool
		posts  int
	}{
		"key of another App": {
			change: func(o *github.AppOptions) { o.Key = pkcs1(harness.AppKeys()[1]) },
			is:     func(err error) bool { return wire.IsUnauthorized(err) && !github.IsUnknownApp(err) },
		},
		"no key": {
			change: func(o *github.AppOptions) { o.Key = small },
			is:     func(err error) bool { return errors.Is(err, github.ErrKey) },
		},
		"unknown App": {
			change: func(o *github.AppOptions) { o.ID = "7654321" },
			is:     github.IsUnknownApp,
		},
		"unknown App, as GitHub says it": {
			hook: answers(sandbox.KindInstallation, sandbox.Effect{
				Skip: true, Status: 404, Body: []byte(`{"message":"Integration not found"}`),
			}),
			is: github.IsUnknownApp,
		},
		"client ID on an old server": {
			hook: answers(sandbox.KindInstallation, sandbox.Effect{
				Skip: true, Status: 401, Body: []byte(`{"message":"'Issuer' claim ('iss') must be an Integer"}`),
			}),
			is: github.IsUnknownApp,
		},
		"not installed": {
			change: func(o *github.AppOptions) { o.Owner = "other" },
			is:     func(err error) bool { return wire.IsNotFound(err) && !github.IsUnknownApp(err) },
		},
		"suspended": {
			hook:  answers(sandbox.KindAccessToken, sandbox.Effect{Skip: true, Status: 403}),
			is:    func(err error) bool { return wire.StatusOf(err) == 403 && wire.DispositionOf(err) == wire.Rejected },
			posts: 1,
		},
		"no mask": {
			change: func(o *github.AppOptions) {
				o.Mask = func(secret.Value) error { return errors.New("stdout is gone") }
			},
			is:    func(err error) bool { return strings.Contains(err.Error(), "masked") },
			posts: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t, sandbox.Options{}, c.change)
			i.Hook(c.hook)
			err := i.app.Start(t.Context())
			if err == nil || !c.is(err) {
				t.Errorf("the error is %v", err)
			}
			if got := i.Count(sandbox.KindAccessToken); got != c.posts {
				t.Errorf("%d tokens were asked for, want %d", got, c.posts)
			}
		})
	}
}

// TestAppStartMalformed: responses that make no sense end the start, in time, and no
// request is sent with what they hold.
func TestAppStartMalformed(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	for name, c := range map[string]struct {
		kind   sandbox.Kind
		status int
		body   string
	}{
		"installation without id":  {sandbox.KindInstallation, 200, `{}`},
		"installation as HTML":     {sandbox.KindInstallation, 200, `<html>`},
		"empty":                    {sandbox.KindAccessToken, 201, ``},
		"no token":                 {sandbox.KindAccessToken, 201, `{"expires_at":"2999-01-01T00:00:00Z"}`},
		"a short token":            {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789a","expires_at":"2999-01-01T00:00:00Z"}`},
		"no expiry":                {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789ab"}`},
		"an invalid expiry":        {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789ab","expires_at":"soon"}`},
		"a token of two lines":     {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789ab\nx","expires_at":"2999-01-01T00:00:00Z"}`},
		"a token with a blank":     {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789ab x","expires_at":"2999-01-01T00:00:00Z"}`},
		"a huge token":             {sandbox.KindAccessToken, 201, `{"token":"ghs_` + strings.Repeat("1", 17<<10) + `","expires_at":"2999-01-01T00:00:00Z"}`},
		"expired before it came":   {sandbox.KindAccessToken, 201, `{"token":"ghs_0123456789ab","expires_at":"1999-01-01T00:00:00Z"}`},
		"a server that is not up":  {sandbox.KindAccessToken, 503, `{}`},
		"an error that is no JSON": {sandbox.KindInstallation, 502, `<html>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := install(t, sandbox.Options{}, nil)
				i.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind != c.kind {
						return sandbox.Effect{}
					}
					return sandbox.Effect{Status: c.status, Body: []byte(c.body)}
				})
				begin := time.Now()
				err := i.app.Start(t.Context())
				if wire.DispositionOf(err) != wire.Indeterminate || strings.Contains(fmt.Sprint(err), "ghs_") {
					t.Errorf("the error is %v", err)
				}
				if took := time.Since(begin); took > 30*time.Second {
					t.Errorf("it took %s", took)
				}
				if len(i.masked) > 0 {
					t.Errorf("%d tokens were taken for ones", len(i.masked))
				}
			})
		})
	}
}

// TestAppShortLife: tokens of 64 s under load for five minutes, then after a lull.
func TestAppShortLife(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		const life = 64 * time.Second
		i := install(t, sandbox.Options{App: &sandbox.App{TokenLife: life}, Latency: 700 * time.Millisecond}, nil)
		i.SetSkew(sandbox.GitHub, -2*time.Hour) // lives are judged by GitHub's clock
		i.start()
		until := time.Now().Add(5 * time.Minute)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for time.Now().Before(until) {
					if err := i.look(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n := i.Count(sandbox.KindAccessToken)
		time.Sleep(time.Hour)
		i.renewals(n) // no request needed one
		for range 2 {
			if err := i.look(t.Context()); err != nil {
				t.Error(err)
			}
		}
		i.renewals(n + 1)
		i.unrefused()

		// One for each life: 4 s of it, and the requests on both ends, in whole seconds.
		var last time.Time
		for _, r := range i.Requests() {
			if r.Kind != sandbox.KindAccessToken {
				continue
			}
			if gap := r.Time.Sub(last); gap < 3*time.Second {
				t.Errorf("a token was asked for %s after the one before", gap)
			}
			last = r.Time
		}
		if n < 50 || n > 90 {
			t.Errorf("%d tokens in five minutes", n)
		}
	})
}

// TestAppVeryShortLife: tokens that live for less than a minute don't make it
// renew at every request.
func TestAppVeryShortLife(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{App: &sandbox.App{TokenLife: 40 * time.Second}}, nil).start()
		for range 10 * 60 {
			if err := i.look(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		if n := i.Count(sandbox.KindAccessToken); n < 28 || n > 34 {
			t.Errorf("%d tokens in ten minutes, want one in 20 s", n)
		}
		i.unrefused()
	})
}

// TestAppOneRenewal: one request for all who wait, each as long as it may.
func TestAppOneRenewal(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{}, nil).start()
		time.Sleep(58 * time.Minute)
		if err := i.look(t.Context()); err != nil {
			t.Error(err)
		}
		i.renewals(1) // two minutes remain
		time.Sleep(time.Minute + 2*time.Second)
		i.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindAccessToken {
				return sandbox.Effect{Delay: 10 * time.Second}
			}
			return sandbox.Effect{}
		})
		begin := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // the one that starts the renewal
			err := i.look(impatient)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 3*time.Second {
				t.Errorf("after %s: %v", time.Since(begin), err)
			}
		})
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				if err := i.look(t.Context()); err != nil || time.Since(begin) > 11*time.Second {
					t.Errorf("after %s: %v", time.Since(begin), err)
				}
			})
		}
		wg.Wait()
		i.renewals(2)
		i.unrefused()
	})
}

// TestAppRevokedToken: a token that is refused is renewed once for all, and what
// was refused is sent again.
func TestAppRevokedToken(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{Latency: 100 * time.Millisecond}, nil).start()
		i.Revoke(i.token())
		var wg sync.WaitGroup
		for n := range 30 {
			wg.Go(func() {
				err := i.look(t.Context())
				if n%2 == 0 {
					err = i.put(t.Context(), fmt.Sprint("value ", n))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		i.renewals(2)

		// In a PUT: its body goes along again.
		key, err := i.client.PublicKey(t.Context(), i.repo, "actions")
		if err != nil {
			t.Fatal(err)
		}
		value := secret.New("the last one")
		i.Revoke(i.token())
		if _, err := i.client.PutSecret(t.Context(), i.repo, "actions", secretName, key, value); err != nil {
			t.Error(err)
		}
		if value, _ := i.Secret("web", "actions", secretName); value != "the last one" {
			t.Errorf("the secret is %q", value)
		}
		i.renewals(3)

		// The response to one that was sent with the old token comes late.
		i.Revoke(i.token())
		var late sync.Once
		i.Hook(func(r sandbox.Request) (e sandbox.Effect) {
			if r.Kind == sandbox.KindGetSecret {
				late.Do(func() { e.Delay = 5 * time.Second })
			}
			return e
		})
		for range 3 {
			wg.Go(func() {
				if err := i.look(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		i.renewals(4)
	})
}

// TestAppRejectedForGood: a 401 that a new token does not fix is returned after one
// new token. The new one is fresh, so it gets three more attempts.
func TestAppRejectedForGood(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{}, nil).start()
		i.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindGetSecret {
				return sandbox.Effect{Skip: true, Status: http.StatusUnauthorized}
			}
			return sandbox.Effect{}
		})
		time.Sleep(time.Minute)
		started := time.Now()
		if err := i.look(t.Context()); !wire.IsUnauthorized(err) {
			t.Errorf("the error is %v", err)
		}
		i.renewals(2)
		if got := i.Count(sandbox.KindGetSecret); got != 5 || time.Since(started) != 7*time.Second {
			t.Errorf("it was sent %d times in %v", got, time.Since(started))
		}
	})
}

// TestAppFreshToken: GitHub does not know a new token for some seconds, at the start
// and at a renewal with many requests. They wait, and no further token is created.
func TestAppFreshToken(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	for _, unknown := range []time.Duration{1500 * time.Millisecond, 4 * time.Second} {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
			t.Run(fmt.Sprint(unknown, " ", status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					i := install(t, sandbox.Options{App: &sandbox.App{UnknownFor: unknown, UnknownStatus: status}}, nil).start()
					for renewals := 1; renewals <= 3; renewals++ {
						started := time.Now()
						var wg sync.WaitGroup
						for n := range 30 {
							wg.Go(func() {
								err := i.look(t.Context())
								if n%3 == 0 {
									err = i.put(t.Context(), "a value")
								}
								if err != nil || time.Since(started) > 15*time.Second {
									t.Errorf("after %v: %v", time.Since(started), err)
								}
							})
						}
						wg.Wait()
						i.renewals(renewals)
						time.Sleep(time.Hour)
					}
				})
			})
		}
	}
}

// TestAppPermissions: the token is requested with the permissions that are needed, of
// the ones that the installation grants, and again if one was withdrawn.
func TestAppPermissions(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	all := []string{"actions", "agents", "codespaces", "dependabot"}
	for name, c := range map[string]struct {
		stores   []string
		readOnly bool
		access   map[string]sandbox.Access
		want     map[string]string
	}{
		"one store":         {[]string{"actions"}, false, nil, map[string]string{"metadata": "read", "secrets": "write"}},
		"all stores":        {all, false, nil, map[string]string{"metadata": "read", "secrets": "write", "agent_secrets": "write", "codespaces_secrets": "write", "dependabot_secrets": "write"}},
		"a dry run":         {all, true, nil, map[string]string{"metadata": "read", "secrets": "read", "agent_secrets": "read", "codespaces_secrets": "write", "dependabot_secrets": "read"}},
		"a missing one":     {[]string{"actions", "dependabot"}, false, map[string]sandbox.Access{"actions": sandbox.Write}, map[string]string{"metadata": "read", "secrets": "write"}},
		"one to read only":  {[]string{"actions"}, false, map[string]sandbox.Access{"actions": sandbox.Read}, map[string]string{"metadata": "read", "secrets": "read"}},
		"no store of these": {[]string{"agents"}, false, map[string]sandbox.Access{"actions": sandbox.Write}, map[string]string{"metadata": "read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := sandbox.Options{App: &sandbox.App{Access: c.access, Extra: map[string]sandbox.Access{"administration": sandbox.Write}}}
				i := install(t, o, func(a *github.AppOptions) { a.Permissions = github.StorePermissions(c.stores, c.readOnly) }).start()
				tokens := i.InstallationTokens()
				if len(tokens) != 1 || !maps.Equal(tokens[0].Requested, c.want) {
					t.Fatalf("requested: %v, want %v", tokens, c.want)
				}

				// The permission for the first store is withdrawn before a renewal.
				i.UpdateApp(func(a *sandbox.App) {
					a.Access = map[string]sandbox.Access{}
					for _, store := range c.stores[1:] {
						a.Access[store] = sandbox.Write
					}
				})
				time.Sleep(time.Hour)
				_ = i.look(t.Context()) // it may be denied now
				tokens = i.InstallationTokens()
				first := map[string]string{"actions": "secrets", "agents": "agent_secrets"}[c.stores[0]]
				if len(tokens) != 2 || tokens[1].Requested[first] != "" || tokens[1].Requested["metadata"] != "read" {
					t.Errorf("requested after the withdrawal: %v", tokens)
				}
			})
		})
	}
}

// TestAppRevoke: at the end the token is revoked, once, also after an interrupt, and
// within a second if GitHub does not respond or is paused.
func TestAppRevoke(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	for name, c := range map[string]struct {
		effect  sandbox.Effect
		prepare func(*installed)
		revoked bool
		atMost  time.Duration
	}{
		"success":     {revoked: true},
		"no response": {effect: sandbox.Effect{Skip: true, End: sandbox.Hang}, atMost: time.Second},
		"rejected":    {effect: sandbox.Effect{Skip: true, Status: http.StatusUnauthorized}},
		"overloaded":  {effect: sandbox.Effect{Skip: true, Status: http.StatusServiceUnavailable}},
		"paused": {prepare: func(i *installed) {
			i.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.SecondaryLimit(429, time.Hour) })
			ctx, cancel := context.WithTimeout(i.t.Context(), time.Second)
			defer cancel()
			_ = i.look(ctx)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := install(t, sandbox.Options{}, nil).start()
				if c.prepare != nil {
					c.prepare(i)
				}
				i.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == sandbox.KindRevokeAccessToken {
						return c.effect
					}
					return sandbox.Effect{}
				})
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // as after an interrupt
				started := time.Now()
				i.app.Revoke(ctx)
				i.app.Revoke(ctx)
				if took := time.Since(started); took > c.atMost {
					t.Errorf("it took %v, want at most %v", took, c.atMost)
				}
				tokens := i.InstallationTokens()
				if len(tokens) != 1 || tokens[0].Revoked != c.revoked {
					t.Errorf("the tokens are %v", tokens)
				}
				if n := i.Count(sandbox.KindRevokeAccessToken); n > 1 {
					t.Errorf("%d requests to revoke it", n)
				}
			})
		})
	}
}

// TestAppRenewalFails: what a failed renewal is to the requests that need it.
func TestAppRenewalFails(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	for name, c := range map[string]struct {
		effect      sandbox.Effect
		times       int // how often it happens
		disposition wire.Disposition
		status      int // of one PUT
		fails       bool
		least       time.Duration // that a GET takes
	}{
		"overload":      {effect: sandbox.Effect{Skip: true, Status: 503}, times: 3, disposition: wire.NotSent, least: 3 * time.Second},
		"reset":         {effect: sandbox.Effect{End: sandbox.Reset}, times: 2, disposition: wire.NotSent},
		"hang":          {effect: sandbox.Effect{End: sandbox.Hang}, times: 1, disposition: wire.NotSent, least: 30 * time.Second},
		"malformed":     {effect: sandbox.Effect{Status: 201, Body: []byte(`<html>`)}, times: 2, disposition: wire.NotSent},
		"limit":         {effect: sandbox.SecondaryLimit(403, 90*time.Second), times: 1, disposition: wire.RateLimited, status: 403, least: 90 * time.Second},
		"long limit":    {effect: sandbox.SecondaryLimit(429, 2*time.Hour), times: 1, disposition: wire.RateLimited, status: 429, least: 2 * time.Hour},
		"uninstalled":   {effect: sandbox.Effect{Skip: true, Status: 404}, times: 99, disposition: wire.Rejected, status: 401, fails: true},
		"suspended":     {effect: sandbox.Effect{Skip: true, Status: 403}, times: 99, disposition: wire.Rejected, status: 401, fails: true},
		"key withdrawn": {effect: sandbox.Effect{Skip: true, Status: 401}, times: 99, disposition: wire.Rejected, status: 401, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := install(t, sandbox.Options{}, nil).start()
				key, err := i.client.PublicKey(t.Context(), i.repo, "actions")
				if err != nil {
					t.Fatal(err)
				}
				value := secret.New("value")
				var mu sync.Mutex
				left := 0
				i.Hook(func(r sandbox.Request) sandbox.Effect {
					mu.Lock()
					defer mu.Unlock()
					if r.Kind != sandbox.KindAccessToken || left == 0 {
						return sandbox.Effect{}
					}
					left--
					return c.effect
				})

				time.Sleep(2 * time.Hour)
				left = min(c.times, 2) // a 401 is sent once more
				_, err = i.client.PutSecret(t.Context(), i.repo, "actions", secretName, key, value)
				if err == nil || wire.DispositionOf(err) != c.disposition || wire.StatusOf(err) != c.status {
					t.Errorf("a PUT failed with disposition %d, status %d: %v", wire.DispositionOf(err), wire.StatusOf(err), err)
				}
				if i.Count(sandbox.KindPutSecret) != 0 {
					t.Error("it was sent all the same")
				}

				time.Sleep(5 * time.Hour)
				left = c.times
				begin := time.Now()
				updated, err := i.client.SecretUpdated(t.Context(), i.repo, "actions", secretName)
				if (err != nil) != c.fails || err != nil && !wire.IsUnauthorized(err) {
					t.Errorf("a GET returned %s, %v", updated, err)
				}
				if took := time.Since(begin); took < c.least || took > c.least+10*time.Second {
					t.Errorf("a GET took %s", took)
				}
				for _, r := range i.Requests() {
					if r.Status == 401 && r.Kind != sandbox.KindAccessToken {
						t.Errorf("request %d was refused: %s %s", r.Sequence, r.Method, r.Path)
					}
				}
			})
		})
	}
}

// TestAppWaitsAtTheGate: a token that did not outlive a wait is not sent.
func TestAppWaitsAtTheGate(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{App: &sandbox.App{TokenLife: 64 * time.Second}}, nil).start()
		var once sync.Once
		i.Hook(func(r sandbox.Request) (e sandbox.Effect) {
			if r.Kind == sandbox.KindGetSecret {
				once.Do(func() { e = sandbox.SecondaryLimit(403, 10*time.Minute) })
			}
			return e
		})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := i.look(t.Context()); err != nil || time.Since(begin) > 11*time.Minute {
					t.Errorf("after %s: %v", time.Since(begin), err)
				}
			})
			synctest.Wait()
		}
		// One that may not wait that long fails at once, or after its patience where a
		// renewal is due: while the service is paused it waits, too.
		for range 2 {
			asked := time.Now()
			err := i.look(pace.WithSendDeadline(t.Context(), asked.Add(2*time.Minute)))
			if !errors.Is(err, pace.ErrSendDeadline) || time.Since(asked) > 40*time.Second {
				t.Errorf("after %s: %v", time.Since(asked), err)
			}
			time.Sleep(time.Minute)
		}
		wg.Wait()
		i.unrefused()
	})
}

// TestAppArrivesInTime: nor is one that would die on the way.
func TestAppArrivesInTime(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{App: &sandbox.App{TokenLife: 64 * time.Second}, Latency: 10 * time.Second}, nil).start()
		var once sync.Once
		i.Hook(func(r sandbox.Request) (e sandbox.Effect) {
			if r.Kind == sandbox.KindGetSecret {
				once.Do(func() { e = sandbox.SecondaryLimit(403, 45*time.Second) })
			}
			return e
		})
		if err := i.look(t.Context()); err != nil {
			t.Error(err)
		}
		i.unrefused()
	})
}

// TestAppNeedsAPlace: the renewal that a PUT waits for gets its place, even where
// all there are belong to that PUT.
func TestAppNeedsAPlace(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{}, nil, postLimit).start()
		key, err := i.client.PublicKey(t.Context(), i.repo, "actions")
		if err != nil {
			t.Fatal(err)
		}
		value := secret.New("value")
		time.Sleep(time.Hour)
		reservation, err := i.pace.Reserve(t.Context(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reservation.Release()
		begin := time.Now()
		ctx := pace.WithSendDeadline(reservation.Context(t.Context()), begin.Add(8*time.Minute))
		if _, err := i.client.PutSecret(ctx, i.repo, "actions", secretName, key, value); err != nil || time.Since(begin) > 4*time.Minute {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		i.renewals(2)
		i.unrefused()
	})
}

// TestAppGoesFirst: a renewal does not queue behind reservations.
func TestAppGoesFirst(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{}, nil, postLimit)
		i.start()
		time.Sleep(time.Hour)
		begin := time.Now()
		var wg sync.WaitGroup
		for n := range 5 {
			wg.Go(func() {
				reservation, err := i.pace.Reserve(t.Context(), 1, int64(n))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				reservation.Release()
			})
		}
		synctest.Wait()
		wg.Go(func() {
			if err := i.look(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		i.renewals(2)
		wg.Wait()
		if took := time.Since(begin); took > 3*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// TestAppHasAnHourOfItsOwn: the primary limit of the App's own requests is not
// taken for the installation's.
func TestAppHasAnHourOfItsOwn(t *testing.T) {
	t.Parallel()
	harness.AppKeys()
	synctest.Test(t, func(t *testing.T) {
		i := install(t, sandbox.Options{}, nil)
		i.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindAccessToken && r.Kind != sandbox.KindInstallation {
				return sandbox.Effect{}
			}
			return sandbox.Effect{Header: http.Header{
				"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"3"},
				"X-Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)},
			}}
		})
		i.start()
		begin := time.Now()
		for range 10 {
			if err := i.look(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestAppRedirect: neither a JWT nor a token goes to another host.
func TestAppRedirect(t *testing.T) {
	t.Parallel()
	i := install(t, sandbox.Options{}, nil).start()
	for _, kind := range []sandbox.Kind{sandbox.KindInstallation, sandbox.KindGetSecret} {
		i.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != kind {
				return sandbox.Effect{}
			}
			return sandbox.Effect{Skip: true, Status: 301, Header: http.Header{"Location": {"https://codacy.test/api/v3/user"}}}
		})
		err := i.look(t.Context())
		if kind == sandbox.KindInstallation {
			err = i.app.Start(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "credentials are not sent there") {
			t.Errorf("%v: %v", kind, err)
		}
	}
	if i.Count(sandbox.KindUser) != 0 {
		t.Error("another host was asked")
	}
}
