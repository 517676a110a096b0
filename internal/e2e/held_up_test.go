package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// mortal is a transport that dies with its run after so many POSTs.
type mortal struct {
	http.RoundTripper
	kill  context.CancelFunc
	posts int
}

func (m *mortal) RoundTrip(req *http.Request) (*http.Response, error) {
	if m.posts == 0 {
		return nil, errKilled
	}
	resp, err := m.RoundTripper.RoundTrip(req)
	if req.Method == http.MethodPost {
		if m.posts--; m.posts == 0 {
			m.kill()
			return nil, errKilled
		}
	}
	return resp, err
}

// TestHeldUpBetweenRequests: a service puts a run off at each of its requests in
// turn, for long enough that others begin and end, or die with a token made and
// not stored. Whatever it had seen before that, it does no harm after.
func TestHeldUpBetweenRequests(t *testing.T) {
	t.Parallel()

	for name, in := range map[string]harness.Inputs{
		"due":     {"renew-before-days": "200"},
		"current": {"existing-secrets": "keep"},
		"always":  {"rotate": "always"},
		"no hour": {"rotate": "always", "revoke-after-hours": "0"},
	} {
		in["secret-stores"] = "actions,dependabot"
		for _, hold := range []time.Duration{1020 * time.Second, 1900 * time.Second} {
			if !harness.Thorough && hold > 1020*time.Second {
				continue
			}
			for _, othersDie := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", hold, " others die ", othersDie), func(t *testing.T) {
					t.Parallel()
					for at, sent := 1, 1000; at <= sent; at++ {
						synctest.Test(t, func(t *testing.T) { sent = heldUp(t, in, at, hold, othersDie) })
					}
				})
			}
		}
	}
}

// heldUp is one such history; it returns how many requests the run sent.
func heldUp(t *testing.T, in harness.Inputs, at int, hold time.Duration, othersDie bool) int {
	v := bubble(t, sandbox.Options{}, crashRepo)
	v.Provision(crashRepo, sandbox.Token{
		Name: "codacy-project-token-5", Created: v.Time().AddDate(0, 0, -200), Expires: v.Time().AddDate(0, 0, 165),
	}, "actions", "dependabot")

	slow := &counting{RoundTripper: v.RoundTripper(), at: at, hold: hold}
	var wg sync.WaitGroup
	begin := func(in harness.Inputs, transport http.RoundTripper, ctx context.Context) {
		wg.Go(func() { v.start(ctx, in, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), transport) })
	}
	begin(in, slow, t.Context())
	time.Sleep(time.Second)
	always := harness.Inputs{"secret-stores": "actions,dependabot", "rotate": "always", "existing-secrets": "keep"}
	begin(always, v.RoundTripper(), t.Context())
	time.Sleep(16 * time.Minute)
	if othersDie {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		begin(always, &mortal{RoundTripper: v.RoundTripper(), kill: kill, posts: 1}, ctx)
	} else {
		begin(always, v.RoundTripper(), t.Context())
	}
	wg.Wait()
	for range 3 {
		time.Sleep(24*time.Hour + time.Minute)
		if code, out := v.run(harness.Inputs{"secret-stores": "actions,dependabot"}); code != 0 {
			t.Errorf("held up at %d: a later run exits with %d\n%s", at, code, out)
		}
	}
	v.provisioned(crashRepo, "actions", "dependabot")
	if t.Failed() {
		t.Fatalf("held up at request %d: %s", at, strings.Join(slow.log, "\n"))
	}
	return slow.sent
}

// counting puts one request off.
type counting struct {
	http.RoundTripper
	at, sent int
	hold     time.Duration
	log      []string
	mu       sync.Mutex
}

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.sent++
	now := c.sent == c.at
	c.log = append(c.log, req.Method+" "+req.URL.Path)
	c.mu.Unlock()
	if now {
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Body: http.NoBody, Request: req,
			Header: http.Header{"Retry-After": {fmt.Sprint(int(c.hold.Seconds()))}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		}, nil
	}
	return c.RoundTripper.RoundTrip(req)
}
