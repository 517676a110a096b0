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
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

var (
	limitsMost   = flag.Int("limits.most", 1_000, "the largest organization of TestLimits: 10000 for all that docs/performance.md tells")
	limitsAll    = flag.Bool("limits.all", false, "all cases of TestLimits up to that, not only some")
	limitsUpdate = flag.Bool("limits.update", false, "write the figures into docs/performance.md")
)

// published are the limits of both services, as a strict reader counts them.
func published(primary int) sandbox.Limits {
	return sandbox.Limits{Writes: 80, Points: 900, Concurrency: 100, Primary: primary, Codacy: 2500}
}

// road is a way to the services on which each request takes its time: a third
// to get there, a third at the service and a third back, each log-normal. One
// in a thousand takes ten seconds more, on one of the three.
type road struct {
	mu     sync.Mutex
	r      *rand.Rand
	median time.Duration
}

const (
	spread  = 0.5 // standard deviation of a time's logarithm
	outlier = 10 * time.Second
)

func (l *road) draw() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := time.Duration(float64(l.median) / 3 * math.Exp(spread*l.r.NormFloat64()))
	if l.r.IntN(3000) == 0 {
		d += outlier
	}
	return d
}

// over is the transport to a world whose services take their third by themselves.
func (l *road) over(to http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := wait(r.Context(), l.draw()); err != nil {
			return nil, err
		}
		resp, err := to.RoundTrip(r)
		if err := wait(r.Context(), l.draw()); err != nil {
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
	others               int           // requests a minute that somebody else sends with the same credential
}

func (c crowd) String() string {
	return fmt.Sprintf("%d repositories, %d stores, %v, %d an hour, others %d", c.repositories, c.stores, c.median, c.primary, c.others)
}

// bound is the time below which no client can do it that keeps the limits:
//
//   - n·s secrets are written, at most 80 in any minute. A client does not know
//     when between its leaving and its answer a put counts, so that each of the 80
//     places is taken for 60 s and, on average, the mean time m of a request: the
//     last put leaves no earlier than (60 s + m) · (⌈n·s/80⌉ − 1) after the first.
//   - Each takes two requests to GitHub, the key's and the put. A tenth of the
//     hour's requests is kept back; x requests a minute of somebody else's are
//     gone, too, and by the time that 160 a minute of ours (80 writes) have used
//     up the rest, that is a part of x/(160+x). What is left allows for b; so
//     at least ⌈2·n·s/b⌉ − 1 hours go by, and after them the writes that b did
//     not allow for, at most 80 in any minute.
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

// most is what elapsed ÷ bound may be: nothing is asked of 100 repositories, where
// the bound is a minute or less.
func (c crowd) most() float64 {
	switch {
	case c.repositories >= 10_000:
		return 1.02
	case c.repositories >= 1_000:
		return 1.05
	}
	return math.Inf(1)
}

// TestLimits is the first run over 100 and 1,000 repositories, and 10,000 where
// it is asked for, in virtual time, against services that count strictly: not one
// request too many, and hardly more time than the limits set.
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
	// What is run without a flag, of those that take their time.
	usual := []crowd{
		{1_000, 1, 200 * time.Millisecond, 12_500, 0},
		{1_000, 2, 40 * time.Millisecond, 5_000, 5},
	}
	if !thorough {
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
	table := "| repositories | stores | median | requests an hour | of others, a minute | bound | elapsed | ratio | refused |\n" +
		"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" + strings.Join(rows, "")
	t.Log("\n" + table)
	updateFigures(t, "limits", table)
}

// run runs the program over the crowd and returns its row of the table.
func (c crowd) run(t *testing.T, seed uint64) string {
	stores := []string{"actions", "dependabot", "codespaces", "agents"}[:c.stores]
	way := &road{r: rand.New(rand.NewPCG(seed, 5)), median: c.median}
	v := bubble(t, sandbox.Options{
		Limits:      published(c.primary),
		LatencyFunc: func(*http.Request) time.Duration { return way.draw() },
	}, names(c.repositories)...)
	to := way.over(v.RoundTripper())

	end := make(chan struct{})
	var others sync.WaitGroup
	if c.others > 0 {
		others.Go(func() { v.others(end, time.Minute/time.Duration(c.others)) })
	}
	began := time.Now()
	code, out := v.start(t.Context(), inputs{
		"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
		"secret-stores": strings.Join(stores, ","), "writes-per-minute": "", "max-duration": "120h",
	}, rand.New(rand.NewPCG(seed, 6)), to)
	elapsed := time.Since(began)
	close(end)
	others.Wait()

	v.Check(t)
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out[max(0, len(out)-2000):])
	}
	for _, name := range names(c.repositories) {
		v.provisioned(name, stores...)
	}
	if n := v.Rejected(); n != 0 {
		t.Errorf("%d requests were refused", n)
	}
	bound := c.bound()
	ratio := float64(elapsed) / float64(bound)
	if ratio > c.most() {
		t.Errorf("it took %v, which is %.3f times the bound of %v; want at most %.2f", elapsed.Round(time.Second), ratio, bound.Round(time.Second), c.most())
	}
	return fmt.Sprintf("| %d | %d | %v | %d | %d | %v | %v | %.3f | %d |\n",
		c.repositories, c.stores, c.median, c.primary, c.others, bound.Round(time.Second), elapsed.Round(time.Second), ratio, v.Rejected())
}

// others is somebody else who uses the credential.
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
			v.t.Errorf("somebody else's request: %v %v", resp, err)
			return
		}
	}
}

// updateFigures writes a table into docs/performance.md, between its marks.
func updateFigures(t *testing.T, mark, table string) {
	t.Helper()
	if !*limitsUpdate {
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

// TestAlternatives does the same with what people use today, each as a faithful
// loop: what it costs in time, in requests that are refused, and in tokens whose
// value nobody has any more.
func TestAlternatives(t *testing.T) {
	t.Parallel()

	n := 200
	if !thorough {
		n = 110
	}
	if *limitsAll {
		n = *limitsMost
	}
	ways := []struct {
		name string
		do   func(*byHand)
		safe bool // it keeps the limits and loses nothing
	}{
		{"the old script: a token for the first 100, printed, 10 s pause", func(h *byHand) {
			for _, name := range h.names[:100] {
				h.make(name)
				time.Sleep(10 * time.Second)
			}
		}, false},
		{"a token and `gh secret set`, in a loop", func(h *byHand) {
			for _, name := range h.names {
				h.all(name)
			}
		}, false},
		{"the same with a pause of 1 s", func(h *byHand) {
			for _, name := range h.names {
				h.all(name)
				time.Sleep(time.Second)
			}
		}, n <= 1_000},
		{"the same, 10 at a time without a pause", func(h *byHand) {
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
					h := newByHand(t, n)
					began := time.Now()
					if way.do != nil {
						way.do(h)
					} else {
						h.action()
					}
					took := time.Since(began).Round(time.Second)
					made, stored := 0, 0
					for _, name := range h.names {
						made += len(h.v.Tokens(name))
						if _, ok := h.v.Secret(name, "actions", secretName); ok {
							stored++
						}
					}
					refused := int(h.refused.Load())
					if safe := refused == 0 && made == stored && stored == n; safe != way.safe {
						t.Errorf("%d refused, %d of %d tokens stored, of %d repositories: safe is %t", refused, stored, made, n, safe)
					}
					rows[i] = fmt.Sprintf("| %s | %v | %d | %d | %d |\n", way.name, took, refused, stored, made-stored)
				})
			})
		}
	})
	table := fmt.Sprintf("| %d repositories | elapsed | requests refused | secrets stored | tokens lost |\n| --- | ---: | ---: | ---: | ---: |\n", n) +
		strings.Join(rows, "")
	t.Log("\n" + table)
	updateFigures(t, "alternatives", table)
}

// byHand is somebody who sends the requests without a thought for limits.
type byHand struct {
	t       *testing.T
	v       *virtual
	names   []string
	to      http.RoundTripper
	refused atomic.Int64
}

func newByHand(t *testing.T, n int) *byHand {
	way := &road{r: rand.New(rand.NewPCG(1, 5)), median: 40 * time.Millisecond}
	limits := published(5_000)
	limits.Expected = true
	h := &byHand{t: t, names: names(n)}
	h.v = bubble(t, sandbox.Options{
		Limits: limits, LatencyFunc: func(*http.Request) time.Duration { return way.draw() },
	}, h.names...)
	over := way.over(h.v.RoundTripper())
	h.to = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := over.RoundTrip(r)
		if err == nil && resp.StatusCode >= 400 {
			h.refused.Add(1)
		}
		return resp, err
	})
	return h
}

// action runs the action.
func (h *byHand) action() {
	code, out := h.v.start(h.t.Context(), inputs{
		"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
		"writes-per-minute": "", "max-duration": "120h",
	}, rand.New(rand.NewPCG(1, 6)), h.to)
	if code != 0 {
		h.t.Errorf("exit code %d\n%s", code, tail(out))
	}
}

// all makes a token and stores it, as well as it goes.
func (h *byHand) all(name string) {
	value := h.make(name)
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
	h.send(http.MethodPut, base+secretName, map[string]string{"encrypted_value": sealed, "key_id": public.ID}, nil)
}

// make makes a token and returns its value, empty where it is refused.
func (h *byHand) make(name string) string {
	var made struct{ Data struct{ Token string } }
	h.send(http.MethodPost, sandbox.CodacyURL+"/organizations/gh/acme/repositories/"+name+"/tokens",
		map[string]string{"name": "by-hand", "expiresAt": time.Now().UTC().AddDate(0, 6, 0).Format(time.RFC3339)}, &made)
	return made.Data.Token
}

// send sends a request and tells whether it was carried out.
func (h *byHand) send(method, url string, body, answer any) bool {
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

// TestHold: one of fifty requests in flight is told to wait for 3 s. Nothing is
// sent to that service until that is over, and all is done after.
func TestHold(t *testing.T) {
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
				var told time.Time
				inFlight := 0
				r := rand.New(rand.NewPCG(1, 1))
				v := bubble(t, sandbox.Options{Record: true, LatencyFunc: func(*http.Request) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(100+r.IntN(100)) * time.Millisecond
				}}, names(200)...)
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
								told = time.Now()
							}
							return e
						}
					}
					return sandbox.Effect{}
				})
				code, out := v.run(inputs{"concurrency": "50"})
				if code != 0 || told.IsZero() {
					t.Fatalf("exit code %d\n%s", code, tail(out))
				}
				for _, name := range names(200) {
					v.provisioned(name)
				}
				after := 0
				for _, r := range v.Requests() {
					if r.Service != c.service {
						continue
					}
					if r.Time.After(told) {
						after++
					} else if r.Time.After(told.Add(-200 * time.Millisecond)) {
						inFlight++
					}
					if r.Time.After(told) && r.Time.Before(told.Add(c.hold)) {
						t.Errorf("%s %s was sent %v after the service asked to wait", r.Method, r.Path, r.Time.Sub(told))
					}
				}
				if inFlight < 20 || after < 100 {
					t.Errorf("%d requests around it, %d after it: that shows little", inFlight, after)
				}
			})
		})
	}
}

// TestHourlyLimit: GitHub may count a secret's writing among its 500 in an hour.
// Nobody knows before it bites; from then on it is kept.
func TestHourlyLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		limits := published(12_500)
		limits.Hourly = 500
		v := bubble(t, sandbox.Options{Limits: limits, Latency: 40 * time.Millisecond}, names(1_100)...)
		began := time.Now()
		code, out := v.run(inputs{"writes-per-minute": ""})
		took := time.Since(began)
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, tail(out))
		}
		// What was in flight when it bit, and what lost its value to a wait that is
		// longer than a token may wait.
		refused, deferred := v.Rejected(), strings.Count(out, "deferred acme/")
		if refused == 0 || refused > 16 || deferred > 16 {
			t.Errorf("%d requests were refused and %d repositories deferred, want 16 at most", refused, deferred)
		}
		// The first 500 go at 80 a minute, as do the next, an hour later.
		if took < 2*time.Hour || took > 2*time.Hour+4*time.Minute {
			t.Errorf("it took %v, want two hours and what 100 writes take", took)
		}
		if !strings.Contains(out, "waiting for GitHub: 500 writes an hour; about 1 h 1") {
			t.Errorf("the progress doesn't tell it\n%s", tail(out))
		}
		time.Sleep(time.Hour)
		if code, out := v.run(inputs{"writes-per-minute": ""}); code != 0 || v.Rejected() != refused {
			t.Errorf("the next run: exit code %d, %d refused\n%s", code, v.Rejected()-refused, tail(out))
		}
		for _, name := range names(1_100) {
			v.provisioned(name)
		}
	})
}

// TestCutShort: runs that are cut short every time still bring all repositories
// through, in hardly more runs than it takes.
func TestCutShort(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Limits: published(5_000), Latency: 40 * time.Millisecond}, names(700)...)
		runs := 0
		for done := false; !done && runs < 20; runs++ {
			r := rand.New(rand.NewPCG(uint64(runs), 1))
			code, out := v.start(t.Context(), inputs{"writes-per-minute": "", "max-duration": "2m30s"}, r, v.RoundTripper())
			v.Check(t)
			if code != 0 {
				t.Fatalf("exit code %d\n%s", code, tail(out))
			}
			done = true
			for _, name := range names(700) {
				_, stored := v.Secret(name, "actions", secretName)
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

// TestLooksAtTheLimit: runs that only look, which takes a request to Codacy for
// each repository, and after these one to GitHub. Neither waits for more than the
// limits ask for.
func TestLooksAtTheLimit(t *testing.T) {
	t.Parallel()

	const n = 3_000
	// 2,500 requests in five minutes, then 900 points in each.
	const bound = 5*time.Minute + (n/900)*time.Minute
	for name, dryRun := range map[string]string{"all current": "false", "a dry run, all missing": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{Limits: published(12_500), Latency: 40 * time.Millisecond}, names(n)...)
				if dryRun == "false" {
					for _, name := range names(n) {
						v.Provision(name, aged(v.World, 1, 10, 355), "actions")
					}
				}
				began := time.Now()
				code, out := v.run(inputs{
					"writes-per-minute": "", "dry-run": dryRun, "max-duration": "120h",
					"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
				})
				if took := time.Since(began); code != 0 || took > bound*105/100 {
					t.Errorf("exit code %d after %v, want 0 after %v\n%s", code, took, bound, tail(out))
				}
			})
		})
	}
}

// TestPlanAtTheLimit: the plan that is shown by hand leaves no room for writes that
// nobody has said yes to.
func TestPlanAtTheLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Limits: published(12_500), Latency: 40 * time.Millisecond}, names(2_450)...)
		env := map[string]string{"CODACY_API_TOKEN": sandbox.CodacyToken, "GH_TOKEN": sandbox.GitHubToken}
		var out bytes.Buffer
		command := cli.Command{
			Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			Getenv: func(k string) string { return env[k] }, Transport: v.RoundTripper(),
		}
		began := time.Now()
		code := played(t, v.World, t.Context(), command, "--organization", "acme")
		if took := time.Since(began); code != 2 || took > time.Minute {
			t.Errorf("exit code %d after %v\n%s", code, took, tail(out.String()))
		}
		if n := v.Count(sandbox.KindListTokens); n != 2_450 {
			t.Errorf("%d lists of tokens", n)
		}
	})
}
