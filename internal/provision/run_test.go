package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// requestTakes is how long every request to the fake services takes.
const requestTakes = time.Second

// services are both services in memory, without HTTP.
type services struct {
	mu      sync.Mutex
	tokens  map[string][]codacy.Token
	secrets map[string]time.Time
	denied  map[string]bool // their PUTs
	nextID  int64

	log                    []string // "create a", "put a", "delete a", in the order of their ends
	keys                   map[string]int
	creating, deleting     int
	maxCreating            int // before the first PUT was accepted
	maxLater, maxDeletions int
	written                bool
}

func newServices() *services {
	return &services{
		tokens: map[string][]codacy.Token{}, secrets: map[string]time.Time{}, denied: map[string]bool{}, keys: map[string]int{}, nextID: 1000,
	}
}

// provision gives a repository a token that was created some days ago, in its secret.
func (s *services) provision(name string, number, days int) {
	created := time.Now().AddDate(0, 0, -days)
	s.nextID++
	tokenName, _ := rotation.TokenName("CODACY_PROJECT_TOKEN", number)
	s.tokens[name] = append(s.tokens[name], codacy.Token{ID: s.nextID, Name: tokenName, Created: created, Expires: created.AddDate(0, 0, 365)})
	s.secrets[name] = created
}

// enter waits for as long as a request takes.
func enter(ctx context.Context) error {
	select {
	case <-time.After(requestTakes):
		return nil
	case <-ctx.Done():
		return &wire.Error{Service: codacy.Name, Message: "canceled", Disposition: wire.NotSent, Err: context.Cause(ctx)}
	}
}

func (s *services) User(ctx context.Context) error { return enter(ctx) }

func (s *services) Tokens(ctx context.Context, repository string) ([]codacy.Token, error) {
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens[repository]), err
}

func (s *services) CreateToken(ctx context.Context, repository, name string, expires time.Time) (codacy.Token, secret.Value, error) {
	s.mu.Lock()
	s.creating++
	if s.written {
		s.maxLater = max(s.maxLater, s.creating)
	} else {
		s.maxCreating = max(s.maxCreating, s.creating)
	}
	s.mu.Unlock()
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.creating--
		return codacy.Token{}, secret.Value{}, err
	}
	s.nextID++
	t := codacy.Token{ID: s.nextID, Name: name, Created: time.Now(), Expires: expires}
	s.tokens[repository] = append(s.tokens[repository], t)
	s.log = append(s.log, "create "+repository)
	return t, secret.New("value of " + repository), nil
}

func (s *services) DeleteToken(ctx context.Context, repository string, id int64) error {
	s.mu.Lock()
	s.deleting++
	s.maxDeletions = max(s.maxDeletions, s.deleting)
	s.mu.Unlock()
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleting--
	if err == nil {
		s.tokens[repository] = slices.DeleteFunc(s.tokens[repository], func(t codacy.Token) bool { return t.ID == id })
		s.log = append(s.log, "delete "+repository)
	}
	return err
}

func (s *services) PublicKey(ctx context.Context, r github.Repository, _ string) (github.Key, error) {
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[r.Name]++
	return github.Key{}, err
}

func (s *services) SecretUpdated(ctx context.Context, r github.Repository, _, _ string) (time.Time, error) {
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[r.Name], err
}

func (s *services) PutSecret(ctx context.Context, r github.Repository, _, _ string, _ github.Key, _ secret.Value) (github.Write, error) {
	err := enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creating--
	switch {
	case err != nil:
		return github.Write{}, err
	case s.denied[r.Name]:
		s.log = append(s.log, "deny "+r.Name)
		return github.Write{}, githubError(403, "Resource not accessible by integration")
	}
	s.written = true
	s.secrets[r.Name] = time.Now()
	s.log = append(s.log, "put "+r.Name)
	return github.Write{Created: true}, nil
}

// of returns the repositories of one kind of entries in the log, in order.
func (s *services) of(verb string) []string {
	var names []string
	for _, entry := range s.log {
		if name, ok := strings.CutPrefix(entry, verb+" "); ok {
			names = append(names, name)
		}
	}
	return names
}

// agreedClock returns a clock whose responses agree with this machine's.
func agreedClock(t *testing.T) *wire.Clock {
	t.Helper()
	clock := &wire.Clock{}
	origin := &url.URL{Scheme: "https", Host: "service.test"}
	transport := &wire.Transport{Service: "service", Origin: origin, Clock: clock, Base: dated{}, Authorize: func(*http.Request) error { return nil }}
	client := transport.Client()
	for range deletingResponses {
		resp, err := client.Get(origin.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return clock
}

// dated responds with the time.
type dated struct{}

func (dated) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: req, Body: io.NopCloser(strings.NewReader("{}")),
		Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Content-Type": {"application/json"}},
	}, nil
}

// fixture is a Run over the fake services.
type fixture struct {
	*services
	options Options
	results map[string]outcome.Result
}

func newFixture(t *testing.T, seed uint64) *fixture {
	t.Helper()
	time.Sleep(12 * time.Hour) // a token of midnight could have a creation date only
	f := &fixture{services: newServices(), results: map[string]outcome.Result{}}
	none := func() float64 { return 0 }
	f.options = Options{
		Codacy: f.services, GitHub: f.services,
		Policy: rotation.Policy{
			SecretName: "CODACY_PROJECT_TOKEN", Stores: []rotation.Store{rotation.StoreActions},
			Existing: rotation.ExistingReplace, Rotate: rotation.RotateExpiring,
			Lifetime: 365 * 24 * time.Hour, RenewBefore: 90 * 24 * time.Hour, RevokeAfter: 864 * time.Hour,
		},
		CodacyLimiter: pace.NewLimiter(codacy.Name, true, none), GitHubLimiter: pace.NewLimiter(github.Name, false, none),
		WaitingFor:  func() outcome.Wait { return outcome.Wait{} },
		CodacyClock: agreedClock(t), GitHubClock: agreedClock(t),
		Retry:       pace.Retry{MaxElapsed: time.Minute, MaxTotal: time.Minute},
		Concurrency: 8, StartBefore: time.Now().Add(time.Hour),
		Mask: func(secret.Value) error { return nil }, Rand: rand.New(rand.NewPCG(seed, 1)),
		OnResult: func(r outcome.Result) {
			if _, twice := f.results[r.Name]; twice {
				t.Errorf("%s is reported twice", r.Name)
			}
			f.results[r.Name] = r
		},
	}
	return f
}

func targets(names ...string) []match.Target {
	var all []match.Target
	for i, n := range names {
		all = append(all, match.Target{Codacy: n, GitHub: github.Repository{ID: int64(i + 1), Owner: "acme", Name: n}})
	}
	return all
}

func numberedNames(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%02d", prefix, i))
	}
	return names
}

// ended counts the results with an outcome.
func (f *fixture) ended(o outcome.Outcome) int {
	n := 0
	for _, r := range f.results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

// TestConflictNotReached: a repository that can't be matched is deferred where the run
// does not reach it, and failed otherwise.
func TestConflictNotReached(t *testing.T) {
	t.Parallel()

	for _, reached := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 1)
			all := targets("api")
			all[0].Skip, all[0].Conflict = "two entries", true
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			want := outcome.Failed
			if !reached {
				cancel()
				want = outcome.Deferred
			}
			_ = New(f.options, all).Apply(ctx)
			if got := f.results["api"].Outcome; got != want {
				t.Errorf("reached %v: %s, want %s", reached, got, want)
			}
		})
	}
}

// TestChecksWhileWritesWait: however many writes wait for a limit, the secrets of the
// other repositories are checked meanwhile.
func TestChecksWhileWritesWait(t *testing.T) {
	t.Parallel()

	for _, due := range []int{0, 1, maxAwaitingCapacity - 1, maxAwaitingCapacity, maxAwaitingCapacity + 2} {
		t.Run(fmt.Sprint(due, " writes"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 1)
				f.options.GitHubLimiter = pace.NewLimiter(github.Name, false, func() float64 { return 0 }, github.Limits(10)...)
				other, err := f.options.GitHubLimiter.Reserve(t.Context(), 10, math.MinInt64) // all of a minute's
				if err != nil {
					t.Fatal(err)
				}
				const waits = 40 * time.Second
				time.AfterFunc(waits, other.Release)
				names := append(numberedNames("current", 20), numberedNames("due", due)...)
				for i, name := range names {
					f.provision(name, 1, 10+i/20*300)
				}
				report, started := f.options.OnResult, time.Now()
				f.options.OnResult = func(r outcome.Result) {
					report(r)
					if took := time.Since(started); (took < waits) != (r.Outcome == outcome.Current) {
						t.Errorf("%s is %s after %v", r.Name, r.Outcome, took)
					}
				}
				if err := New(f.options, targets(names...)).Apply(t.Context()); err != nil || f.ended(outcome.Renewed) != due {
					t.Errorf("%d renewed, error %v", f.ended(outcome.Renewed), err)
				}
			})
		})
	}
}

// TestTurns: until one secret was written, one token is created at a time. The keys
// are read meanwhile.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		names := numberedNames("new", 30)
		f.denied[names[0]], f.denied[names[1]] = true, true
		if err := New(f.options, targets(names...)).Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.maxCreating != 1 || f.maxLater < 3 {
			t.Errorf("%d at a time before the first write, want 1; %d later", f.maxCreating, f.maxLater)
		}
		if created, failed := f.ended(outcome.Created), f.ended(outcome.Failed); created != 28 || failed != 2 {
			t.Errorf("%d created, %d failed", created, failed)
		}
		for name, n := range f.keys {
			if n != 1 {
				t.Errorf("%s: its key was read %d times, want once", name, n)
			}
		}
	})
}

// TestRecall: repositories that wait for their turn go back to the queue after the
// second denial, so that the next one is drawn from all of them.
func TestRecall(t *testing.T) {
	t.Parallel()

	third := map[string]bool{}
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, seed)
			names := numberedNames("due", 40)
			for i, n := range names {
				f.provision(n, 1, 350-i) // the first expires first
			}
			for _, n := range names[:maxAwaitingCapacity] {
				f.denied[n] = true
			}
			r := New(f.options, targets(names...))
			if err := r.Plan(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := r.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			created := f.of("create")
			for _, n := range created[:2] {
				if !slices.Contains(names[:maxAwaitingCapacity], n) {
					t.Errorf("%s does not expire first", n)
				}
			}
			third[created[2]] = true
			if renewed, failed := f.ended(outcome.Renewed), f.ended(outcome.Failed); renewed != 36 || failed != maxAwaitingCapacity {
				t.Errorf("%d renewed, %d failed", renewed, failed)
			}
			for _, n := range names {
				if f.keys[n] > 2 { // a witness after the first write is read once more
					t.Errorf("%s: its key was read %d times", n, f.keys[n])
				}
			}
		})
	}
	if len(third) < 6 {
		t.Errorf("the third is always one of %v", third)
	}
}

// TestWitnessesNext: after a suspicion the repositories that an earlier run wrote come
// next. If all of them are denied, the run ends.
func TestWitnessesNext(t *testing.T) {
	t.Parallel()

	for seed := range uint64(6) {
		for _, written := range []int{0, 1, 2, 5} {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, seed)
				names := numberedNames("new", 20)
				for _, n := range numberedNames("old", written) {
					f.provision(n, 1, 300)
					names = append(names, n)
				}
				for _, n := range names {
					f.denied[n] = true
				}
				r := New(f.options, targets(names...))
				if err := r.Plan(t.Context()); err != nil {
					t.Fatal(err)
				}
				err := r.Apply(t.Context())
				var stopped *StopError
				if !errors.As(err, &stopped) || stopped.Cause != Permission || stopped.Wrote || stopped.AtEnd {
					t.Fatalf("it ends with %v", err)
				}
				created := f.of("create")
				early := 0 // drawn at random before the suspicion
				for _, n := range created[:3] {
					if strings.HasPrefix(n, "old") {
						early++
					}
				}
				if want := 3 + min(3, written-early); len(created) != want {
					t.Errorf("%d tokens were created, want %d: %v", len(created), want, created)
				}
				for _, n := range created[3:] {
					if !strings.HasPrefix(n, "old") {
						t.Errorf("%s is no witness", n)
					}
				}
				if deleted := len(f.of("delete")); deleted != len(created) {
					t.Errorf("%d tokens were created, %d deleted", len(created), deleted)
				}
				if len(f.results) != len(names) {
					t.Errorf("%d of %d are reported", len(f.results), len(names))
				}
			})
		}
	}
}

// TestConcurrentRevocations: tokens are revoked as concurrently as anything else.
func TestConcurrentRevocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		f.options.Policy.Existing = rotation.ExistingKeep // checks the secrets
		names := numberedNames("current", 40)
		for _, n := range names {
			f.provision(n, 1, 200)
			f.provision(n, 2, 50)
		}
		if err := New(f.options, targets(names...)).Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if deleted := len(f.of("delete")); deleted != 40 || f.maxDeletions < 4 || f.maxDeletions > 8 {
			t.Errorf("%d tokens were revoked, up to %d at a time", deleted, f.maxDeletions)
		}
		if current := f.ended(outcome.Current); current != 40 {
			t.Errorf("%d are current", current)
		}
	})
}

// TestDecline: a declined plan leaves everything deferred and unchanged.
func TestDecline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1)
		names := numberedNames("new", 5)
		f.provision("current", 1, 10)
		r := New(f.options, targets(append(names, "current")...))
		if err := r.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if planned := r.Planned(); len(planned) != 5 {
			t.Errorf("%d planned, want 5", len(planned))
		}
		r.Decline()
		if f.ended(outcome.Deferred) != 5 || f.ended(outcome.Current) != 1 || len(f.log) > 0 {
			t.Errorf("results %v, requests %v", f.results, f.log)
		}
		if reason := f.results["new-00"].Reason; reason != "the plan was declined" {
			t.Errorf("the reason is %q", reason)
		}
	})
}

// TestEndsAtAnyMoment: a run that is interrupted, or whose time is up, reports every
// repository once. No goroutine and no token without a secret is left behind.
func TestEndsAtAnyMoment(t *testing.T) {
	t.Parallel()

	for _, interrupted := range []bool{true, false} {
		for tenths := range 120 {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, uint64(tenths))
				names := append(numberedNames("new", 12), numberedNames("due", 12)...)
				for _, n := range names[12:] {
					f.provision(n, 1, 330)
				}
				f.denied[names[0]], f.denied[names[1]] = true, true
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				moment := time.Duration(tenths)*100*time.Millisecond + time.Millisecond
				if interrupted {
					time.AfterFunc(moment, cancel)
				} else {
					f.options.StartBefore = time.Now().Add(moment)
				}
				began := time.Now()
				err := New(f.options, targets(names...)).Apply(ctx)
				if took := time.Since(began); took > moment+10*time.Second {
					t.Errorf("at %v: it took %v", moment, took)
				}
				if len(f.results) != len(names) {
					t.Errorf("at %v: %d of %d are reported", moment, len(f.results), len(names))
				}
				if interrupted && ctx.Err() != nil && !errors.Is(err, errInterrupted) {
					t.Errorf("at %v: the run ends with %v", moment, err)
				}
				for _, n := range names {
					newest := f.tokens[n]
					if len(newest) > 0 && newest[len(newest)-1].Created.After(f.secrets[n]) {
						t.Errorf("at %v: %s has a token that no secret holds", moment, n)
					}
				}
			})
		}
	}
}
