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

// killAfterPosts is a transport that kills its run after a number of POSTs.
type killAfterPosts struct {
	http.RoundTripper
	kill  context.CancelFunc
	posts int
}

func (m *killAfterPosts) RoundTrip(req *http.Request) (*http.Response, error) {
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

// TestDelayBetweenRequests: a service delays a run at each of its requests in turn.
// Meanwhile other runs start and end, or are killed after they created a token and
// before they stored it. The delayed run does no harm, although its observations are
// old.
func TestDelayBetweenRequests(t *testing.T) {
	t.Parallel()

	for name, in := range map[string]harness.Inputs{
		"due":     {"renew-before-days": "200"},
		"current": {"existing-secrets": "keep"},
		"always":  {"rotate": "always"},
		"0 hours": {"rotate": "always", "revoke-after-hours": "0"},
	} {
		in["secret-stores"] = "actions,dependabot"
		for _, delay := range []time.Duration{1020 * time.Second, 1900 * time.Second} {
			if !*harness.Thorough && delay > 1020*time.Second {
				continue
			}
			for _, kill := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", delay, " killed ", kill), func(t *testing.T) {
					t.Parallel()
					for at, sent := 1, 1000; at <= sent; at++ {
						synctest.Test(t, func(t *testing.T) { sent = delayed(t, in, at, delay, kill) })
					}
				})
			}
		}
	}
}

// delayed is one such history. It returns how many requests the delayed run sent.
func delayed(t *testing.T, in harness.Inputs, at int, delay time.Duration, kill bool) int {
	v := bubble(t, sandbox.Options{}, crashRepo)
	v.Provision(crashRepo, sandbox.Token{
		Name: "codacy-project-token-5", Created: v.Time().AddDate(0, 0, -200), Expires: v.Time().AddDate(0, 0, 165),
	}, "actions", "dependabot")

	slow := &delaying{RoundTripper: v.RoundTripper(), at: at, delay: delay}
	var wg sync.WaitGroup
	start := func(in harness.Inputs, transport http.RoundTripper, ctx context.Context) {
		wg.Go(func() { v.start(ctx, in, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), transport) })
	}
	start(in, slow, t.Context())
	time.Sleep(time.Second)
	always := harness.Inputs{"secret-stores": "actions,dependabot", "rotate": "always", "existing-secrets": "keep"}
	start(always, v.RoundTripper(), t.Context())
	time.Sleep(16 * time.Minute)
	if kill {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		start(always, &killAfterPosts{RoundTripper: v.RoundTripper(), kill: kill, posts: 1}, ctx)
	} else {
		start(always, v.RoundTripper(), t.Context())
	}
	wg.Wait()
	for _, later := range laterRuns {
		time.Sleep(later)
		if code, out := v.run(harness.Inputs{"secret-stores": "actions,dependabot"}); code != 0 {
			t.Errorf("delayed at %d: a later run exits with %d\n%s", at, code, out)
		}
	}
	v.provisioned(crashRepo, "actions", "dependabot")
	if t.Failed() {
		t.Fatalf("delayed at request %d: %s", at, strings.Join(slow.log, "\n"))
	}
	return slow.sent
}

// delaying delays one request and counts all of them.
type delaying struct {
	http.RoundTripper
	at, sent int
	delay    time.Duration
	log      []string
	mu       sync.Mutex
}

func (c *delaying) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.sent++
	now := c.sent == c.at
	c.log = append(c.log, req.Method+" "+req.URL.Path)
	c.mu.Unlock()
	if now {
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Body: http.NoBody, Request: req,
			Header: http.Header{"Retry-After": {fmt.Sprint(int(c.delay.Seconds()))}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		}, nil
	}
	return c.RoundTripper.RoundTrip(req)
}
