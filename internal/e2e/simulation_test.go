package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

var (
	simSeeds = flag.Int("sim.seeds", 0, "how many seeds the simulation runs; 0: 40, with -thorough 500")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
	simSeed  = flag.Uint64("sim.seed", 0, "run this seed alone and print its timeline")
)

// TestSimulation runs the program through two years of trouble, once for each seed:
// overlapping and killed runs, faults, lost responses, requests that take effect after
// the client gave up, manual changes and clock skew. One request takes effect at a
// time, in an order that the seed decides. The sandbox checks the guarantees at every
// change. At the end three quiet runs, a day apart, must leave one valid token in
// every store and no orphaned token.
//
// A failure prints its seed: go test ./internal/e2e -run Simulation -sim.seed=N
func TestSimulation(t *testing.T) {
	t.Parallel()

	if *simSeed != 0 {
		synctest.Test(t, func(t *testing.T) { simulate(t, *simSeed, true) })
		return
	}
	seeds := uint64(*simSeeds)
	if seeds == 0 {
		seeds = map[bool]uint64{true: 500, false: 40}[*harness.Thorough]
	}
	next := *simFirst
	var mu sync.Mutex
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next-1 < *simFirst+seeds && !t.Failed()
	}
	for i := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", i), func(t *testing.T) {
			t.Parallel()
			for seed, ok := take(); ok; seed, ok = take() {
				synctest.Test(t, func(t *testing.T) { simulate(t, seed, false) })
			}
		})
	}
}

// sim is one simulated history.
type sim struct {
	*sandbox.World
	t        *testing.T
	seed     uint64
	r        *rand.Rand
	timeline []string
	began    time.Time

	in        harness.Inputs
	stores    []string
	repos     []string
	effect    sandbox.Effect
	faults    float64 // probability per request
	calm      bool    // no request is slow
	handmade  map[string]bool
	manualAt  map[string]time.Time // last manual change of a secret, by repository and store
	servers   [2]time.Duration     // how far the second server of each service is off
	others    []string             // repositories that took an old name
	lastWrite time.Time
	grace     time.Duration // revoke-after-hours
	undated   bool
	skew      time.Duration // Codacy's
	slack     time.Duration // no manual change for this long after a creation

	trouble    bool                     // the events of disturb may happen
	byName     bool                     // the server has no addresses by ID
	credential sandbox.Credential       // of the runs
	silent     map[sandbox.Service]bool // services that do not respond
	noDeletes  bool                     // every DELETE fails

	mu      sync.Mutex
	pending []*sent
	runs    int
	random  uint64 // the seed of the latest run
}

// simRun is one run of the program.
type simRun struct {
	number    int
	began     time.Time
	ended     time.Time
	responses [2]int // by service
	cancel    context.CancelFunc
	killed    bool
	done      bool
	code      int
	out       bytes.Buffer
}

// sent is a request on its way.
type sent struct {
	run     *simRun
	key     string
	req     *http.Request
	at      time.Time
	given   bool // the client gave up
	stalled bool // it takes effect only after that
	answer  chan answer
}

type answer struct {
	resp *http.Response
	err  error
}

var errKilled = errors.New("the process was killed")

// lateMost is the longest time between sending a request and its effect.
const lateMost = 3 * time.Minute

func simulate(t *testing.T, seed uint64, tell bool) {
	time.Sleep(12 * time.Hour) // midnight may be a date without a time of day
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	pick := func(n ...int) int { return n[r.IntN(len(n))] }
	word := func(w ...string) string { return w[r.IntN(len(w))] }

	s := &sim{
		t: t, seed: seed, r: r, began: time.Now(), slack: 16 * time.Minute,
		handmade: map[string]bool{}, manualAt: map[string]time.Time{}, silent: map[sandbox.Service]bool{},
	}
	existing := word("replace", "replace", "replace", "keep", "only")
	hours := pick(0, 1, 24, 24, 864)
	s.grace = time.Duration(hours) * time.Hour
	o := sandbox.Options{
		RevokeAfter:        s.grace,
		Existing:           sandbox.Existing(existing),
		NameTaken:          pick(409, 422, 400),
		TooManyTokens:      pick(409, 422, 400),
		AccountTokenValues: sandbox.AccountValues(r.IntN(3)),
		ListValues:         r.IntN(4) == 0,
		TokenPageSize:      pick(0, 0, 3),
		NumericKeyIDs:      r.IntN(4) == 0,
		NoIDAddresses:      r.IntN(4) == 0,
		PutNoContent:       r.IntN(4) == 0,
		RateHeaders:        sandbox.RateHeaders(r.IntN(3)),
		SecretRole:         word("admin", "write"),
	}
	switch r.IntN(6) {
	case 0:
		o.NoCreationDates, s.undated, s.slack = true, true, 80*time.Minute
	case 1:
		o.CreationDay, s.undated, s.slack = time.UTC, true, 80*time.Minute
	case 2:
		o.CreationDay, s.undated, s.slack = time.FixedZone("", 2*60*60), true, 80*time.Minute
	}
	s.byName = o.NoIDAddresses
	s.credential = sandbox.Credential{
		Value: sandbox.GitHubToken,
		Kind:  []sandbox.CredentialKind{sandbox.Classic, sandbox.FineGrained, sandbox.Installation}[r.IntN(3)],
	}
	if s.credential.Kind == sandbox.Installation {
		s.credential.UnknownFor = time.Duration(pick(0, 1500, 4000)) * time.Millisecond
		s.credential.UnknownStatus = pick(401, 403)
	}
	o.Credentials = []sandbox.Credential{s.credential}
	// Under keep, a secret whose token has expired and is hidden counts as not
	// managed.
	o.HideExpired = r.IntN(4) == 0 && existing != "keep"
	s.World = sandbox.New(o)
	s.World.Hook(func(sandbox.Request) sandbox.Effect { return s.effect })
	for i := range pick(1, 1, 1, 2) {
		// By their IDs, because another repository may take the name.
		s.repos = append(s.repos, fmt.Sprint("#", s.Add(sandbox.Repository{Name: fmt.Sprintf("repo-%d", i)})))
	}
	s.stores = [][]string{
		{"actions"}, {"actions", "dependabot"}, {"actions", "agents", "codespaces"}, {"dependabot", "actions", "codespaces", "agents"},
	}[r.IntN(4)]
	lifetime := pick(40, 120, 365)
	if hours > 24 {
		lifetime = 365 // with less, replaced tokens would outlive the next renewal, and the history would never settle
	}
	if o.HideExpired {
		lifetime = 365 // five pauses beyond the expiry would leave five names that are taken and hidden, which fails as documented
	}
	s.in = harness.Inputs{
		"secret-stores":       strings.Join(s.stores, ","),
		"token-lifetime-days": fmt.Sprint(lifetime), "renew-before-days": fmt.Sprint(lifetime / pick(2, 4)),
		"revoke-after-hours": fmt.Sprint(hours),
		"existing-secrets":   existing,
		"rotate":             word("expiring", "expiring", "always"),
		"concurrency":        "1",
		"max-duration":       "1h",
	}
	for _, service := range []sandbox.Service{sandbox.Codacy, sandbox.GitHub} {
		if r.IntN(2) == 0 {
			skew := time.Duration(r.Int64N(int64(6*time.Hour))) - 3*time.Hour
			s.SetSkew(service, skew)
			if service == sandbox.Codacy {
				s.skew = skew
			}
		}
	}
	if s.in["existing-secrets"] == "only" {
		for _, repo := range s.repos {
			s.manually(repo)
		}
	}
	// Unmanaged tokens, and those of another secret, survive everything.
	var strangers []sandbox.Token
	for _, name := range []string{"ci", "codacy-project-token-01", "codacy-project-token-x", "other-secret-1"} {
		strangers = append(strangers, s.AddToken(s.repos[0], sandbox.Token{Name: name, Expires: s.Time().AddDate(10, 0, 0)}))
	}
	strangers = append(strangers, s.AddToken(s.repos[0], sandbox.OldToken(true)), s.AddToken(s.repos[0], sandbox.OldToken(false)))
	s.say("%v, %v, options %+v", s.in, s.credential, o)

	for s.Time().Sub(s.began) < 2*365*24*time.Hour {
		s.faults = []float64{0, 0.05, 0.25}[r.IntN(3)]
		s.calm = s.faults == 0 && r.IntN(2) == 0
		s.disagree()
		s.trouble = !s.calm && r.IntN(2) == 0
		s.noDeletes = s.trouble && r.IntN(8) == 0
		s.cluster(pick(1, 1, 1, 2, 2, 3), pick(0, 0, 1, 2))
		clear(s.silent)
		// Sometimes the next one follows at once, mostly weeks later.
		gap := time.Duration(r.Int64N(int64(max(lifetime, 100)) * int64(24*time.Hour)))
		if o.HideExpired {
			gap /= 6 // no pause until all have expired, see above
		}
		switch r.IntN(5) {
		case 0:
			gap = time.Duration(r.Int64N(int64(20 * time.Minute)))
		case 1:
			gap = time.Duration(r.Int64N(int64(3 * time.Hour)))
		case 2:
			gap = time.Duration(r.Int64N(int64(48 * time.Hour)))
		}
		time.Sleep(gap)
		if r.IntN(3) == 0 {
			s.change()
		}
	}
	s.settle()
	for _, stranger := range strangers {
		if !s.TokenValid(s.repos[0], stranger.Value) {
			s.fail("the unmanaged token %s was deleted", stranger.Name)
		}
	}
	for _, other := range s.others {
		for _, store := range s.stores {
			if _, ok := s.Secret(other, store, harness.SecretName); ok {
				s.fail("another repository under an old name has a secret in %s", store)
			}
		}
	}
	if tell || t.Failed() {
		t.Logf("seed %d:\n%s", seed, strings.Join(s.timeline, "\n"))
	}
}

func (s *sim) say(format string, args ...any) {
	s.timeline = append(s.timeline, fmt.Sprintf("%12v  ", s.Time().Sub(s.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	s.say("FAILED: "+format, args...)
	s.t.Errorf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

// start starts a run of the program. Its requests wait for the simulation.
func (s *sim) start() *simRun {
	s.runs++
	run := &simRun{number: s.runs, began: time.Now()}
	if s.credential.Kind == sandbox.Installation {
		s.credential.Value = fmt.Sprintf("ghs_sandbox%d", s.runs) // each job has its own
		s.AddCredential(s.credential)
	}
	// Once in 3,600 times two runs of the same second request the same expiry. After a
	// lost response the expiry identifies the run's own token, so the two must not
	// coincide. Without a lost response it does no harm.
	if !s.calm || s.r.IntN(2) == 0 {
		s.random = s.r.Uint64()
	}
	var ctx context.Context
	ctx, run.cancel = context.WithCancel(s.t.Context())
	env := map[string]string{
		"GITHUB_ACTIONS":         "true",
		"INPUT_CODACY-API-TOKEN": sandbox.CodacyToken, "INPUT_GITHUB-TOKEN": s.credential.Value,
		"INPUT_ORGANIZATION": "acme", "INPUT_CODACY-API-URL": sandbox.CodacyURL, "INPUT_GITHUB-API-URL": sandbox.GitHubURL,
		"INPUT_WRITES-PER-MINUTE": "0",
	}
	for k, v := range s.in {
		env["INPUT_"+strings.ToUpper(k)] = v
	}
	command := cli.Command{
		Version: "test", Stdout: &run.out, Stderr: &run.out, Getenv: func(k string) string { return env[k] },
		Transport: &simTransport{s, run}, Rand: rand.New(rand.NewPCG(s.random, 1)),
	}
	s.say("run %d starts", run.number)
	go func() {
		code := played(s.t, s.World, ctx, command)
		s.mu.Lock()
		defer s.mu.Unlock()
		run.done, run.code, run.ended = true, code, time.Now()
	}()
	return run
}

// simTransport passes requests to the simulation.
type simTransport struct {
	s   *sim
	run *simRun
}

func (tr *simTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body) // from memory
	}
	out := req.Clone(context.Background())
	out.Body = io.NopCloser(bytes.NewReader(body))
	p := &sent{
		run: tr.run, req: out, at: time.Now(), answer: make(chan answer, 1),
		key: fmt.Sprintf("%03d %s %s", tr.run.number, req.Method, req.URL.Path),
	}
	tr.s.mu.Lock()
	if tr.run.killed {
		tr.s.mu.Unlock()
		return nil, errKilled
	}
	tr.s.pending = append(tr.s.pending, p)
	tr.s.mu.Unlock()
	select {
	case a := <-p.answer:
		return a.resp, a.err
	case <-req.Context().Done():
		tr.s.mu.Lock()
		defer tr.s.mu.Unlock()
		p.given = true
		return nil, req.Context().Err()
	}
}

// cluster lets some runs overlap, and kills some of them.
func (s *sim) cluster(runs, kills int) {
	var active []*simRun
	for {
		synctest.Wait()
		s.check()
		active = slices.DeleteFunc(active, func(run *simRun) bool {
			if run.done {
				s.say("run %d ends with %d", run.number, run.code)
				run.cancel()
				s.checkRun(run)
			}
			return run.done
		})
		s.mu.Lock()
		s.pending = slices.DeleteFunc(s.pending, func(p *sent) bool { return p.given && time.Since(p.at) > lateMost-time.Second })
		pending := slices.Clone(s.pending)
		slices.SortFunc(pending, func(a, b *sent) int { return cmp.Or(cmp.Compare(a.key, b.key), a.at.Compare(b.at)) })
		able := slices.DeleteFunc(slices.Clone(pending), func(p *sent) bool { return p.stalled && !p.given })
		s.mu.Unlock()

		die := s.r.IntN(100)
		switch {
		case runs == 0 && len(active) == 0 && len(pending) == 0:
			return
		case runs > 0 && (len(active) == 0 || die < 8):
			active = append(active, s.start())
			runs--
		case kills > 0 && len(active) > 0 && die < 12:
			s.kill(active[s.r.IntN(len(active))])
			kills--
		case len(able) > 0 && (die < 85 || s.calm):
			if s.trouble && s.r.IntN(25) == 0 {
				s.disturb()
			}
			s.process(able[s.r.IntN(len(able))])
		case len(able) > 0 && die < 97:
			s.sleep(3 * time.Second)
		case s.calm:
			s.sleep(time.Second)
		default:
			s.sleep(45 * time.Second)
		}
	}
}

// sleep lets time pass: a random part of most, in nanoseconds, so that no two
// timers of different origin meet.
func (s *sim) sleep(most time.Duration) { time.Sleep(time.Duration(s.r.Int64N(int64(most))) + 1) }

// kill ends a run as SIGKILL does. Requests in flight may still arrive.
func (s *sim) kill(run *simRun) {
	s.say("run %d is killed", run.number)
	s.mu.Lock()
	run.killed = true
	s.mu.Unlock()
	run.cancel()
}

// process lets one request take effect or not, and responds or not.
func (s *sim) process(p *sent) {
	s.effect = sandbox.Effect{}
	what := ""
	service := sandbox.GitHub
	if strings.HasPrefix(p.req.URL.String(), sandbox.CodacyURL) {
		service = sandbox.Codacy
	}
	switch {
	case s.silent[service] && !p.given:
		s.say("run %d: %s hangs on a silent connection", p.run.number, p.key)
		p.stalled = true
		return
	case s.noDeletes && p.req.Method == http.MethodDelete:
		s.effect, what = sandbox.Effect{Skip: true, Status: []int{500, 503}[p.run.number%2]}, "not done, deletes fail"
	case s.r.Float64() < s.faults:
		status := []int{500, 502, 503, 504}[s.r.IntN(4)]
		switch s.r.IntN(15) {
		case 9:
			s.effect, what = sandbox.Effect{Date: s.oddTime()}, "an odd date"
		case 10:
			s.effect, what = sandbox.Effect{Skip: true, Status: status, Date: s.oddTime()}, "not done, 5xx, an odd date"
		case 11:
			s.effect, what = sandbox.RetryAfter(status, "36000"), "not done, 5xx, ten hours"
		case 12:
			s.effect, what = sandbox.RetryAfter(http.StatusTooManyRequests, "36000"), "429, ten hours"
		case 0:
			s.effect, what = sandbox.Effect{Skip: true, Status: status}, "not done, 5xx"
		case 1:
			s.effect, what = sandbox.Effect{Status: status}, "done, 5xx"
		case 2:
			s.effect, what = sandbox.Effect{Skip: true, End: sandbox.Reset}, "not done, reset"
		case 3:
			s.effect, what = sandbox.Effect{End: sandbox.Reset}, "done, reset"
		case 4:
			s.effect, what = sandbox.Effect{End: sandbox.Cut}, "done, cut off"
		case 5:
			s.effect, what = sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {fmt.Sprint(1 + s.r.IntN([]int{5, 200, 900}[s.r.IntN(3)]))}}}, "429"
		case 6:
			s.effect, what = sandbox.Effect{Skip: true, Status: 200, Body: []byte("<html>")}, "not done, malformed"
		case 7:
			s.effect, what = sandbox.Effect{Status: 200, Body: []byte("<html>")}, "done, malformed"
		case 8:
			s.say("run %d: %s hangs", p.run.number, p.key)
			p.stalled = true
			return
		case 13:
			wait := []string{"999999999", "-5", "soon", s.Time().Add(100 * time.Hour).Format(http.TimeFormat)}[s.r.IntN(4)]
			s.effect, what = sandbox.RetryAfter([]int{429, status}[s.r.IntN(2)], wait), "Retry-After "+wait
		case 14:
			s.effect, what = sandbox.Unauthorized(service), "not done, 401"
		}
	}
	s.mu.Lock()
	s.pending = slices.DeleteFunc(s.pending, func(other *sent) bool { return other == p })
	given := p.given
	s.mu.Unlock()
	if given && s.r.IntN(2) == 0 {
		s.say("%s is lost", p.key)
		return
	}
	if given {
		what += " late"
	}
	if p.run.responses[service]++; p.run.responses[service]%2 == 0 && s.effect.Date == 0 {
		s.effect.Date = s.servers[service]
	}
	resp, err := s.RoundTripper().RoundTrip(p.req)
	switch {
	case err != nil:
		s.say("%s %s: %v", p.key, what, err)
	default:
		s.say("%s %s: %d", p.key, what, resp.StatusCode)
	}
	if p.req.Method != http.MethodGet {
		s.lastWrite = time.Now()
	}
	p.answer <- answer{resp, err}
}

// oddTime is how far a Date is off.
func (s *sim) oddTime() time.Duration {
	d := []time.Duration{5 * time.Second, 45 * time.Second, 20 * time.Minute, 72 * time.Hour}[s.r.IntN(4)]
	return d * time.Duration(1-2*s.r.IntN(2))
}

// disagree has a service consist, for the next runs, of two servers whose clocks
// differ. Each run gets their responses in turn: a run that met only the wrong one
// could not know. Under keep they differ by no more than docs/protocol.md allows.
func (s *sim) disagree() {
	s.servers = [2]time.Duration{}
	if s.faults > 0 && s.r.IntN(8) == 0 {
		service, d := s.r.IntN(2), s.oddTime()
		if s.in["existing-secrets"] == "keep" && d.Abs() > 14*time.Minute {
			return // a limit of the guarantees
		}
		s.say("servers of service %d differ by %v", service, d)
		s.servers[service] = d
	}
}

// rename gives a repository another name. Another repository takes the old one.
func (s *sim) rename() {
	repo := s.repos[s.r.IntN(len(s.repos))]
	s.say("%s is renamed, and another repository takes its name", repo)
	s.others = append(s.others, fmt.Sprint("#", s.Replace(repo, fmt.Sprintf("renamed-%d", len(s.others)))))
}

// check fails at the first broken guarantee.
func (s *sim) check() {
	for _, v := range s.Violations() {
		s.fail("%v", v)
	}
	if s.t.Failed() {
		s.t.Logf("seed %d:\n%s", s.seed, strings.Join(s.timeline, "\n"))
		s.t.FailNow()
	}
}

// checkRun checks how a run ended. It may last for max-duration, 15 minutes more,
// and a minute of the simulation's own pauses.
func (s *sim) checkRun(run *simRun) {
	if run.killed {
		return
	}
	if took := run.ended.Sub(run.began); took > time.Hour+16*time.Minute {
		s.fail("run %d took %v", run.number, took)
	}
	out := run.out.String()
	if run.code == 0 && failedLine.MatchString(out) {
		s.fail("run %d exits with 0 although a repository failed", run.number)
	}
}

var failedLine = regexp.MustCompile(`(?m)^failed +acme/`)

// disturb is an event that happens between two requests.
func (s *sim) disturb() {
	repo, store := s.repos[s.r.IntN(len(s.repos))], s.stores[s.r.IntN(len(s.stores))]
	if s.r.IntN(3) == 0 {
		store = "" // all of them
	}
	switch s.r.IntN(9) {
	case 0:
		// Where the server has no addresses by ID, nothing shows that the name
		// belongs to another repository by now.
		if !s.byName {
			s.rename()
		}
	case 1, 2:
		denials := []sandbox.Denial{
			sandbox.DenyAdminRights, sandbox.DenyBlocked, sandbox.DenyLocked, sandbox.DenyPermission, sandbox.DenyPlain, sandbox.DenyTakedown,
		}
		d := denials[s.r.IntN(len(denials))]
		on := [][]sandbox.Operation{nil, {sandbox.ReadSecrets}, {sandbox.ReadKey}, {sandbox.WriteSecrets}}[s.r.IntN(4)]
		s.say("%s of %s denies %v with %v", store, repo, on, d)
		s.Deny(repo, store, d, on...)
	case 3:
		s.say("%s of %s is hidden", store, repo)
		s.Deny(repo, store, sandbox.DenyHidden)
	case 4, 5:
		s.say("%s of %s is available again", store, repo)
		s.Allow(repo, store)
	case 6:
		if s.r.IntN(2) == 0 {
			s.access(map[string]sandbox.Access{"actions": sandbox.Read})
		} else {
			s.access(map[string]sandbox.Access{})
		}
	case 7:
		s.access(nil)
	case 8:
		service := sandbox.Service(s.r.IntN(2))
		s.silent[service] = !s.silent[service]
		s.say("%v is silent: %v", service, s.silent[service])
	}
}

// access changes what the credential may do; nil is everything.
func (s *sim) access(a map[string]sandbox.Access) {
	s.say("the credential may do %v", a)
	s.credential.Access = a
	if s.runs > 0 || s.credential.Kind != sandbox.Installation {
		s.SetAccess(s.credential.Value, a)
	}
}

// change is a manual change, while no run is in progress and outside of the windows in
// which it would be attributed to a managed token.
func (s *sim) change() {
	if time.Since(s.lastWrite) < s.slack {
		return
	}
	defer time.Sleep(s.slack)
	repo, store := s.repos[s.r.IntN(len(s.repos))], s.stores[s.r.IntN(len(s.stores))]
	s.handmade[repo] = true
	switch s.r.IntN(3) {
	case 0:
		s.say("manual change: %s of %s is set", store, repo)
		s.SetSecret(repo, store, harness.SecretName, "manual")
		s.manualAt[repo+store] = s.Time()
	case 1:
		if value, ok := s.Secret(repo, store, harness.SecretName); ok && s.mayDelete(repo, store, value) {
			s.say("manual change: %s of %s is deleted", store, repo)
			s.DeleteSecret(repo, store, harness.SecretName)
		}
	case 2:
		// Under keep a secret without a valid token counts as not managed.
		valid := slices.DeleteFunc(s.ValidTokens(repo), func(t sandbox.Token) bool {
			return !strings.HasPrefix(t.Name, "codacy-project-token-") || strings.HasSuffix(t.Name, "-01") || strings.HasSuffix(t.Name, "-x")
		})
		if len(valid) > 0 && s.in["existing-secrets"] != "keep" {
			deleted := valid[s.r.IntN(len(valid))]
			s.say("manual change: the token %s of %s is deleted", deleted.Name, repo)
			s.DeleteToken(repo, deleted.ID)
		}
	}
}

// mayDelete reports whether a secret may be deleted. Under only, nothing shows when that
// was: a token that no other store holds may be revoked before its grace period is over,
// which is a limit of the guarantees.
func (s *sim) mayDelete(repo, store, value string) bool {
	return s.in["existing-secrets"] != "only" || value == "manual" || slices.ContainsFunc(s.stores, func(other string) bool {
		held, ok := s.Secret(repo, other, harness.SecretName)
		return other != store && ok && held == value
	})
}

func (s *sim) manually(repo string) {
	for _, store := range s.stores {
		s.SetSecret(repo, store, harness.SecretName, "manual")
	}
}

// settle does three quiet runs, a day apart, and checks the result.
func (s *sim) settle() {
	s.faults, s.calm, s.trouble, s.noDeletes = 0, true, false, false
	s.disagree()
	s.access(nil)
	for _, repo := range s.repos {
		s.Allow(repo, "")
	}
	time.Sleep(24 * time.Hour)
	s.in["rotate"] = "expiring"
	// Three runs fix everything. If a token becomes due in one of them, the old one
	// has its grace period, which takes some more runs.
	for runs, quiet := 1, 0; runs <= 5 || quiet < 2; runs++ {
		puts := s.Count(sandbox.KindPutSecret)
		s.cluster(1, 0)
		if runs < 3 {
			time.Sleep(24 * time.Hour)
		} else {
			time.Sleep(max(24*time.Hour, s.grace+time.Hour))
		}
		if quiet++; s.Count(sandbox.KindPutSecret) > puts {
			quiet = 0
		}
		if runs == 5+2*len(s.repos)+2 {
			s.fail("it writes without end")
			return
		}
	}
	replace := s.in["existing-secrets"] == "replace"
	for _, repo := range s.repos {
		holding := map[string]bool{}
		for _, store := range s.stores {
			value, ok := s.Secret(repo, store, harness.SecretName)
			switch {
			case !ok && s.in["existing-secrets"] != "only":
				s.fail("%s has no secret in %s", repo, store)
			case ok && value == "manual" && s.in["existing-secrets"] == "keep":
			case ok && !s.TokenValid(repo, value):
				s.fail("%s holds no valid token in %s", repo, store)
			case ok:
				holding[value] = true
			}
		}
		if len(holding) > 1 {
			s.fail("%s holds %d different tokens", repo, len(holding))
		}
		// A token whose secret was replaced or removed stays valid until it expires.
		// If no store is left to write, or the list has no creation times, so do the tokens
		// that it replaced.
		allowed := 0
		if s.handmade[repo] && !replace {
			allowed = 1
			if s.undated || len(holding) == 0 {
				allowed = 100
			}
		}
		// Under keep, a token that was created within an hour of a manual change stays
		// valid as well, because the secret may contain it.
		orphans := slices.DeleteFunc(s.Orphans(repo), func(t sandbox.Token) bool {
			return s.in["existing-secrets"] == "keep" && slices.ContainsFunc(s.stores, func(store string) bool {
				at, ok := s.manualAt[repo+store]
				d := t.Created.Add(-s.skew).Sub(at).Abs()
				return ok && d < time.Hour+2*time.Minute
			})
		})
		if len(orphans) > allowed {
			s.fail("%s has %d orphaned tokens, the first is %s", repo, len(orphans), orphans[0].Name)
		}
	}
}
