package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

var (
	limitsMost = flag.Int("limits.most", 1_000, "the largest organization of TestLimits and TestWeekly: 10000 for all figures of docs/performance.md")
	limitsAll  = flag.Bool("limits.all", false, "all cases up to the largest organization, not only some; with -update they are written into docs/performance.md")
)

// published are the limits of both services, in their strictest reading.
func published(primary int) sandbox.Limits {
	return sandbox.Limits{Writes: 80, Points: 900, Concurrency: 100, Primary: primary, Codacy: 2500}
}

// road is a network with latency: a third of a request's time on the way there, a
// third at the service and a third on the way back, each log-normal. With outliers,
// one request in a thousand takes ten seconds more, in one of the three.
type road struct {
	mu       sync.Mutex
	r        *rand.Rand
	median   time.Duration
	pages    float64 // how many times longer a page of a list takes; 0 for 1
	outliers bool

	listing time.Duration // the time that Codacy's pages of repositories took
}

const (
	spread  = 0.5 // standard deviation of a time's logarithm
	outlier = 10 * time.Second
)

func (l *road) draw(r *http.Request) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := float64(l.median) / 3 * math.Exp(spread*l.r.NormFloat64())
	if l.pages > 0 && isRepositoryList(r) {
		d *= l.pages
		if strings.HasSuffix(r.URL.Path, "/repositories") {
			l.listing += time.Duration(d)
		}
	}
	if l.outliers && l.r.IntN(3000) == 0 {
		return time.Duration(d) + outlier
	}
	return time.Duration(d)
}

// isRepositoryList reports whether a request is for a page of repositories.
func isRepositoryList(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/repos") || strings.HasSuffix(r.URL.Path, "/repositories")
}

// over adds the latency of both ways to a transport. The World itself takes the third
// in between.
func (l *road) over(to http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := wait(r.Context(), l.draw(r)); err != nil {
			return nil, err
		}
		resp, err := to.RoundTrip(r)
		if err := wait(r.Context(), l.draw(r)); err != nil {
			return nil, err
		}
		return resp, err
	})
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// crowd is a first run over a large organization.
type crowd struct {
	repositories, stores int
	median               time.Duration // of a request's time
	primary              int           // GitHub's requests an hour
	others               int           // requests per minute by another client of the same credential
}

func (c crowd) String() string {
	return fmt.Sprintf("%d repositories, %d stores, %v, %d an hour, others %d", c.repositories, c.stores, c.median, c.primary, c.others)
}

// bound is the least time that a client needs if it respects the limits:
//
//   - n·s secrets are written, at most 80 in any minute. A client doesn't know at
//     which moment between request and response a PUT counts, so each of the 80
//     units is used for 60 s and, on average, the mean time m of a request. The last
//     PUT is sent at least (60 s + m) · (⌈n·s/80⌉ − 1) after the first.
//   - Each takes two requests to GitHub, the key's and the PUT. A tenth of the
//     hour's requests is reserved. Another client that sends x requests per minute
//     uses the part x/(160+x) of the rest, while the action sends 160 per minute (80
//     writes). The remainder allows for b requests, so at least ⌈2·n·s/b⌉ − 1 hours
//     pass, and after them the writes that b did not allow for, at most 80 in any
//     minute.
//   - Each repository takes two requests to Codacy, 2,500 in any five minutes.
func (c crowd) bound() time.Duration {
	windows := func(requests, most float64, per time.Duration) time.Duration {
		return time.Duration(math.Ceil(requests/most)-1) * (per + c.mean())
	}
	writes := float64(c.repositories * c.stores)
	budget := float64(c.primary) * 0.9 * 160 / (160 + float64(c.others))
	hours := math.Ceil(2*writes/budget) - 1
	last := writes - hours*budget/2
	return max(
		windows(writes, 80, time.Minute),
		time.Duration(hours)*time.Hour+windows(last, 80, time.Minute),
		windows(2*float64(c.repositories), 2500, 5*time.Minute),
	)
}

// mean is the mean time of a request; see road.
func (c crowd) mean() time.Duration {
	return time.Duration(float64(c.median)*math.Exp(spread*spread/2)) + outlier/1000
}

// most is the highest allowed ratio of elapsed time to bound. For 100 repositories the
// bound is a minute or less and the ratio is not limited.
func (c crowd) most() float64 {
	switch {
	case c.repositories >= 10_000:
		return 1.02
	case c.repositories >= 1_000:
		return 1.05
	}
	return math.Inf(1)
}

// TestLimits is the first run over 100 and 1,000 repositories (10,000 with a flag), in
// virtual time, against services that count strictly: no request is rejected, and the
// run takes hardly more time than the limits require.
func TestLimits(t *testing.T) {
	t.Parallel()

	var all []crowd
	for _, n := range []int{100, 1_000, 10_000} {
		for _, stores := range []int{1, 2, 4} {
			for _, median := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond} {
				for _, primary := range []struct{ limit, others int }{{12_500, 0}, {5_000, 0}, {5_000, 5}} {
					all = append(all, crowd{n, stores, median, primary.limit, primary.others})
				}
			}
		}
	}
	// These slow cases run without a flag.
	usual := []crowd{
		{1_000, 1, 200 * time.Millisecond, 12_500, 0},
		{1_000, 2, 40 * time.Millisecond, 5_000, 5},
	}
	if !*harness.Thorough {
		usual = nil
	}
	rows := make([]string, len(all))
	t.Run("runs", func(t *testing.T) {
		for i, c := range all {
			if c.repositories > *limitsMost || !*limitsAll && c.repositories > 100 && !slices.Contains(usual, c) {
				continue
			}
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { rows[i] = c.run(t, uint64(i)) })
			})
		}
	})
	table := "| repositories | stores | median | requests per hour | by others per minute | bound | elapsed | ratio | rejected |\n" +
		"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" + strings.Join(rows, "")
	t.Log("\n" + table)
	updateFigures(t, "limits", table)
}

// run runs the program over the crowd and returns its row of the table.
func (c crowd) run(t *testing.T, seed uint64) string {
	stores := []string{"actions", "dependabot", "codespaces", "agents"}[:c.stores]
	way := &road{r: rand.New(rand.NewPCG(seed, 5)), median: c.median, outliers: true}
	v := bubble(t, sandbox.Options{
		Limits:      published(c.primary),
		LatencyFunc: way.draw,
	}, harness.Names(c.repositories)...)
	to := way.over(v.RoundTripper())

	end := make(chan struct{})
	var others sync.WaitGroup
	if c.others > 0 {
		others.Go(func() { v.others(end, time.Minute/time.Duration(c.others)) })
	}
	started := time.Now()
	code, out := v.start(t.Context(), harness.Inputs{
		"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
		"secret-stores": strings.Join(stores, ","), "writes-per-minute": "", "max-duration": "120h",
	}, rand.New(rand.NewPCG(seed, 6)), to)
	elapsed := time.Since(started)
	close(end)
	others.Wait()

	v.Check(t)
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out[max(0, len(out)-2000):])
	}
	for _, name := range harness.Names(c.repositories) {
		v.provisioned(name, stores...)
	}
	if n := v.Rejected(); n != 0 {
		t.Errorf("%d requests were rejected", n)
	}
	bound := c.bound()
	ratio := float64(elapsed) / float64(bound)
	if ratio > c.most() {
		t.Errorf("it took %v, which is %.3f times the bound of %v; want at most %.2f", elapsed.Round(time.Second), ratio, bound.Round(time.Second), c.most())
	}
	return fmt.Sprintf("| %d | %d | %v | %d | %d | %v | %v | %.3f | %d |\n",
		c.repositories, c.stores, c.median, c.primary, c.others, bound.Round(time.Second), elapsed.Round(time.Second), ratio, v.Rejected())
}

// others is another client of the same credential.
func (v *virtual) others(end <-chan struct{}, every time.Duration) {
	for {
		select {
		case <-end:
			return
		case <-time.After(every):
		}
		req, err := http.NewRequest(http.MethodGet, sandbox.GitHubURL+"/user", nil)
		if err != nil {
			v.t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+sandbox.GitHubToken)
		req.Header.Set("Accept", "application/json")
		resp, err := v.RoundTripper().RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			v.t.Errorf("the other client's request: %v %v", resp, err)
			return
		}
	}
}

// updateFigures writes a complete table into docs/performance.md, between its marks.
func updateFigures(t *testing.T, mark, table string) {
	t.Helper()
	if !*harness.Update || !*limitsAll || *limitsMost < 10_000 {
		return
	}
	const path = "../../docs/performance.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- "+mark+" -->\n"), []byte("<!-- /"+mark+" -->")
	from, to := bytes.Index(text, begin), bytes.Index(text, end)
	if from < 0 || to < from {
		t.Fatalf("%s has no marks for %s", path, mark)
	}
	if err := os.WriteFile(path, slices.Concat(text[:from+len(begin)], []byte(table), text[to:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAlternatives measures the ways in use today, each as a faithful loop: the time,
// the rejected requests, and the tokens whose value was lost.
func TestAlternatives(t *testing.T) {
	t.Parallel()

	n := 200
	if !*harness.Thorough {
		n = 110
	}
	if *limitsAll {
		n = *limitsMost
	}
	ways := []struct {
		name string
		do   func(*scripted)
		safe bool // respects the limits and loses no token
	}{
		{"the old script: a token for the first 100, printed, 10 s pause", func(h *scripted) {
			for _, name := range h.names[:100] {
				h.create(name)
				time.Sleep(10 * time.Second)
			}
		}, false},
		{"a token and `gh secret set`, in a loop", func(h *scripted) {
			for _, name := range h.names {
				h.all(name)
			}
		}, false},
		{"the same with a pause of 1 s", func(h *scripted) {
			for _, name := range h.names {
				h.all(name)
				time.Sleep(time.Second)
			}
		}, n <= 1_000},
		{"the same, 10 at a time without a pause", func(h *scripted) {
			var group sync.WaitGroup
			todo := make(chan string)
			for range 10 {
				group.Go(func() {
					for name := range todo {
						h.all(name)
					}
				})
			}
			for _, name := range h.names {
				todo <- name
			}
			close(todo)
			group.Wait()
		}, false},
		{"this action", nil, true},
	}
	rows := make([]string, len(ways))
	t.Run("ways", func(t *testing.T) {
		for i, way := range ways {
			t.Run(way.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newScripted(t, n)
					started := time.Now()
					if way.do != nil {
						way.do(h)
					} else {
						h.action()
					}
					took := time.Since(started).Round(time.Second)
					created, stored := 0, 0
					for _, name := range h.names {
						created += len(h.v.Tokens(name))
						if _, ok := h.v.Secret(name, "actions", harness.SecretName); ok {
							stored++
						}
					}
					rejected := int(h.rejected.Load())
					if safe := rejected == 0 && created == stored && stored == n; safe != way.safe {
						t.Errorf("%d rejected, %d of %d tokens stored, of %d repositories: safe is %t", rejected, stored, created, n, safe)
					}
					t.Logf("%s: %d requests rejected", way.name, rejected)
					rows[i] = fmt.Sprintf("| %s | %v | %d | %d |\n", way.name, took, stored, created-stored)
				})
			})
		}
	})
	table := "| way | elapsed | stored | lost |\n| --- | ---: | ---: | ---: |\n" + strings.Join(rows, "") // fits a phone
	t.Log("\n" + table)
	updateFigures(t, "alternatives", table)
}

// scripted is a script that ignores the limits.
type scripted struct {
	t        *testing.T
	v        *virtual
	names    []string
	to       http.RoundTripper
	rejected atomic.Int64
}

func newScripted(t *testing.T, n int) *scripted {
	way := &road{r: rand.New(rand.NewPCG(1, 5)), median: 40 * time.Millisecond, outliers: true}
	limits := published(5_000)
	limits.Expected = true
	h := &scripted{t: t, names: harness.Names(n)}
	h.v = bubble(t, sandbox.Options{
		Limits: limits, LatencyFunc: way.draw,
	}, h.names...)
	over := way.over(h.v.RoundTripper())
	h.to = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := over.RoundTrip(r)
		if err == nil && resp.StatusCode >= 400 {
			h.rejected.Add(1)
		}
		return resp, err
	})
	return h
}

// action runs the action.
func (h *scripted) action() {
	code, out := h.v.start(h.t.Context(), harness.Inputs{
		"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
		"writes-per-minute": "", "max-duration": "120h",
	}, rand.New(rand.NewPCG(1, 6)), h.to)
	if code != 0 {
		h.t.Errorf("exit code %d\n%s", code, tail(out))
	}
}

// all creates a token and stores it, and ignores errors.
func (h *scripted) all(name string) {
	value := h.create(name)
	if value == "" {
		return
	}
	base := sandbox.GitHubURL + "/repos/acme/" + name + "/actions/secrets/"
	var public struct {
		ID  string `json:"key_id"`
		Key string `json:"key"`
	}
	if !h.send(http.MethodGet, base+"public-key", nil, &public) {
		return
	}
	key, err := seal.ParseKey(public.Key)
	if err != nil {
		h.t.Error(err)
		return
	}
	sealed, err := key.Seal(secret.New(value))
	if err != nil {
		h.t.Error(err)
		return
	}
	h.send(http.MethodPut, base+harness.SecretName, map[string]string{"encrypted_value": sealed, "key_id": public.ID}, nil)
}

// create creates a token and returns its value, empty if the request was rejected.
func (h *scripted) create(name string) string {
	var created struct{ Data struct{ Token string } }
	h.send(http.MethodPost, sandbox.CodacyURL+"/organizations/gh/acme/repositories/"+name+"/tokens",
		map[string]string{"name": "script", "expiresAt": time.Now().UTC().AddDate(0, 6, 0).Format(time.RFC3339)}, &created)
	return created.Data.Token
}

// send sends a request and reports whether it succeeded.
func (h *scripted) send(method, url string, body, answer any) bool {
	var encoded bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&encoded).Encode(body); err != nil {
			h.t.Error(err)
		}
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, url, &encoded)
	if err != nil {
		h.t.Error(err)
		return false
	}
	if strings.HasPrefix(url, sandbox.CodacyURL) {
		req.Header.Set("Api-Token", sandbox.CodacyToken)
	} else {
		req.Header.Set("Authorization", "Bearer "+sandbox.GitHubToken)
		req.Header.Set("Accept", "application/json")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := h.to.RoundTrip(req)
	if err != nil {
		h.t.Error(err)
		return false
	}
	if answer != nil && resp.StatusCode < 300 {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			h.t.Error(err)
		}
	}
	return resp.StatusCode < 300
}

// TestPause: one of fifty requests in flight gets a Retry-After of 3 s. Nothing is
// sent to that service until then, and everything is done after that.
func TestPause(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		service sandbox.Service
		kind    sandbox.Kind
		effect  sandbox.Effect
		hold    time.Duration
	}{
		"GitHub, a put":           {sandbox.GitHub, sandbox.KindPutSecret, sandbox.SecondaryLimit(403, 3*time.Second), 3 * time.Second},
		"GitHub, a key":           {sandbox.GitHub, sandbox.KindPublicKey, sandbox.SecondaryLimit(429, 3*time.Second), 3 * time.Second},
		"GitHub, without a time":  {sandbox.GitHub, sandbox.KindPutSecret, sandbox.SecondaryLimit(403, 0), time.Minute},
		"Codacy, a token's POST":  {sandbox.Codacy, sandbox.KindCreateToken, sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"3"}}}, 3 * time.Second},
		"Codacy, under load":      {sandbox.Codacy, sandbox.KindListTokens, sandbox.Effect{Skip: true, Status: 503}, time.Second},
		"Codacy, a POST and load": {sandbox.Codacy, sandbox.KindCreateToken, sandbox.Effect{Status: 504}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var paused time.Time
				inFlight := 0
				r := rand.New(rand.NewPCG(1, 1))
				v := bubble(t, sandbox.Options{Record: true, LatencyFunc: func(*http.Request) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(100+r.IntN(100)) * time.Millisecond
				}}, harness.Names(200)...)
				n := 0
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					mu.Lock()
					defer mu.Unlock()
					if r.Service != c.service {
						return sandbox.Effect{}
					}
					if r.Kind == c.kind {
						if n++; n == 60 {
							e := c.effect
							e.After = func() {
								mu.Lock()
								defer mu.Unlock()
								paused = time.Now()
							}
							return e
						}
					}
					return sandbox.Effect{}
				})
				code, out := v.run(harness.Inputs{"concurrency": "50"})
				if code != 0 || paused.IsZero() {
					t.Fatalf("exit code %d\n%s", code, tail(out))
				}
				for _, name := range harness.Names(200) {
					v.provisioned(name)
				}
				after := 0
				for _, r := range v.Requests() {
					if r.Service != c.service {
						continue
					}
					if r.Time.After(paused) {
						after++
					} else if r.Time.After(paused.Add(-200 * time.Millisecond)) {
						inFlight++
					}
					if r.Time.After(paused) && r.Time.Before(paused.Add(c.hold)) {
						t.Errorf("%s %s was sent %v after the service required a pause", r.Method, r.Path, r.Time.Sub(paused))
					}
				}
				if inFlight < 20 || after < 100 {
					t.Errorf("%d requests around it, %d after it: that shows little", inFlight, after)
				}
			})
		})
	}
}

// TestHourlyLimit: GitHub may count secrets towards its limit of 500 content writes
// per hour. The limit is enforced after its first rejection.
func TestHourlyLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		limits := published(12_500)
		limits.Hourly = 500
		v := bubble(t, sandbox.Options{Limits: limits, Latency: 40 * time.Millisecond}, harness.Names(1_100)...)
		started := time.Now()
		code, out := v.run(harness.Inputs{"writes-per-minute": ""})
		took := time.Since(started)
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, tail(out))
		}
		// Requests that were in flight when the limit was reached, and tokens that
		// could not be stored within their time.
		rejected, deferred := v.Rejected(), strings.Count(out, "deferred acme/")
		if rejected == 0 || rejected > 16 || deferred > 16 {
			t.Errorf("%d requests were rejected and %d repositories deferred, want 16 at most", rejected, deferred)
		}
		// The first 500 are written at 80 per minute, and the next 500 an hour later.
		if took < 2*time.Hour || took > 2*time.Hour+4*time.Minute {
			t.Errorf("it took %v, want two hours and what 100 writes take", took)
		}
		if !strings.Contains(out, "waiting for GitHub: 500 writes per hour") {
			t.Errorf("the progress doesn't say so\n%s", tail(out))
		}
		time.Sleep(time.Hour)
		if code, out := v.run(harness.Inputs{"writes-per-minute": ""}); code != 0 || v.Rejected() != rejected {
			t.Errorf("the next run: exit code %d, %d rejected\n%s", code, v.Rejected()-rejected, tail(out))
		}
		for _, name := range harness.Names(1_100) {
			v.provisioned(name)
		}
	})
}

// TestInterruptedRuns: runs that are always interrupted still reach all repositories,
// in hardly more runs than necessary.
func TestInterruptedRuns(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Limits: published(5_000), Latency: 40 * time.Millisecond}, harness.Names(700)...)
		runs := 0
		for done := false; !done && runs < 20; runs++ {
			r := rand.New(rand.NewPCG(uint64(runs), 1))
			code, out := v.start(t.Context(), harness.Inputs{"writes-per-minute": "", "max-duration": "2m30s"}, r, v.RoundTripper())
			v.Check(t)
			if code != 0 {
				t.Fatalf("exit code %d\n%s", code, tail(out))
			}
			done = true
			for _, name := range harness.Names(700) {
				_, stored := v.Secret(name, "actions", harness.SecretName)
				done = done && stored
				if tokens := len(v.Tokens(name)); !stored && tokens > 0 || tokens > 1 {
					t.Fatalf("run %d: %s has %d tokens, stored: %t", runs, name, tokens, stored)
				}
			}
			time.Sleep(7 * 24 * time.Hour)
		}
		// 2.5 minutes are three windows of 80.
		if most := 700/240 + 2; runs > most {
			t.Errorf("it took %d runs, want %d at most", runs, most)
		}
	})
}

// TestReadsAtTheLimit: runs that only read send one request to Codacy per repository,
// and one to GitHub after it. Neither waits for longer than the limits require.
func TestReadsAtTheLimit(t *testing.T) {
	t.Parallel()

	const n = 3_000
	// 2,500 requests in five minutes, then 900 points in each.
	const bound = 5*time.Minute + (n/900)*time.Minute
	for name, dryRun := range map[string]string{"all current": "false", "a dry run, all missing": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{Limits: published(12_500), Latency: 40 * time.Millisecond}, harness.Names(n)...)
				if dryRun == "false" {
					for _, name := range harness.Names(n) {
						v.Provision(name, harness.Aged(v.World, 1, 10, 355), "actions")
					}
				}
				started := time.Now()
				code, out := v.run(harness.Inputs{
					"writes-per-minute": "", "dry-run": dryRun, "max-duration": "120h",
					"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
				})
				if took := time.Since(started); code != 0 || took > bound*105/100 {
					t.Errorf("exit code %d after %v, want 0 after %v\n%s", code, took, bound, tail(out))
				}
			})
		})
	}
}

// TestPlanAtTheLimit: a plan that is not confirmed yet reserves no capacity for its
// writes.
func TestPlanAtTheLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Limits: published(12_500), Latency: 40 * time.Millisecond}, harness.Names(2_450)...)
		env := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GH_TOKEN": sandbox.GitHubToken}
		var out bytes.Buffer
		command := cli.Command{
			Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			Getenv: func(k string) string { return env[k] }, Transport: v.RoundTripper(),
		}
		started := time.Now()
		code := played(t, v.World, t.Context(), command, "--organization", "acme")
		// The plan says which secrets will be overwritten, so it reads them: 900 points
		// per minute, and a tenth of the hour's quota stays free.
		if took := time.Since(started); code != 2 || took > 3*time.Minute {
			t.Errorf("exit code %d after %v\n%s", code, took, tail(out.String()))
		}
		if n := v.Count(sandbox.KindListTokens); n != 2_450 {
			t.Errorf("%d lists of tokens", n)
		}
	})
}
