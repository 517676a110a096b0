package sandbox_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// TestWritesInAMinute passes the limit by one, and then by pacing from arrivals
// alone, though the service may have counted an early one as late as its response.
func TestWritesInAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(sandbox.Options{Limits: sandbox.Limits{Writes: 2, RetryAfter: 90 * time.Second}})
		w.Add(sandbox.Repository{Name: "web"})
		c := newClient(t, w)
		body := c.seal("web", "actions", w.AddToken("web", sandbox.Token{}).Value)
		address := c.secretURL("web", "actions", secretName)
		c.do(201, "PUT", address, body)
		time.Sleep(30 * time.Second)
		c.do(204, "PUT", address, body)
		time.Sleep(30 * time.Second) // the first is 60 s old
		c.do(204, "PUT", address, body)
		w.Check(t)
		time.Sleep(29 * time.Second)
		r := c.do(403, "PUT", address, body)
		if !strings.Contains(r.body, "secondary rate limit") || !strings.Contains(r.body, `secondary-rate-limits"`) || r.header.Get("Retry-After") != "90" {
			t.Errorf("rejected with %v %s", r.header, r.body)
		}
		wantViolations(t, w, "rate exceeded")
		time.Sleep(89 * time.Second)
		if r := c.do(403, "GET", c.github+"/user", nil); r.header.Get("Retry-After") != "1" {
			t.Errorf("still rejected with %v", r.header)
		}
		time.Sleep(time.Second)
		c.do(204, "PUT", address, body)

		// The first of these may be counted when its response is sent.
		w.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Attempt == 1 {
				return sandbox.Effect{Delay: 59 * time.Second}
			}
			return sandbox.Effect{}
		})
		time.Sleep(time.Minute)
		c.do(204, "PUT", address, body)
		time.Sleep(2 * time.Second)
		wantViolations(t, w, "rate exceeded")
		c.do(204, "PUT", address, body)
		c.do(403, "PUT", address, body)
		wantViolations(t, w, "rate exceeded, rate exceeded")
		if n := w.Rejected(); n != 3 {
			t.Errorf("%d requests were rejected", n)
		}
	})
}

func TestPointsAndConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(sandbox.Options{Latency: time.Second, Limits: sandbox.Limits{Points: 7, Concurrency: 1, Status: 429, Expected: true}})
		w.Add(sandbox.Repository{Name: "web"})
		c := newClient(t, w)
		body := c.seal("web", "actions", w.AddToken("web", sandbox.Token{}).Value) // 1 point
		c.do(201, "PUT", c.secretURL("web", "actions", secretName), body)          // 5
		c.do(200, "GET", c.github+"/user", nil)                                    // 1
		c.do(429, "GET", c.github+"/user", nil)
		time.Sleep(2 * time.Minute)
		statuses := make(chan int)
		for range 2 {
			go func() {
				r, err := c.send(c.request(t.Context(), "GET", c.github+"/user", nil))
				if err != nil {
					t.Error(err)
				}
				statuses <- r.status
			}()
		}
		if sum := <-statuses + <-statuses; sum != 200+429 {
			t.Errorf("the statuses add up to %d", sum)
		}
		w.Check(t)
	})
}

func TestPrimaryLimit(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{Limits: sandbox.Limits{Primary: 2, Expected: true}})
	w.AddCredential(sandbox.Credential{Value: "other", Kind: sandbox.Classic})
	c := newClient(t, w)
	for _, remaining := range []string{"1", "0"} {
		r := c.do(200, "GET", c.github+"/user", nil)
		reset, err := strconv.ParseInt(r.header.Get("X-RateLimit-Reset"), 10, 64)
		if in := time.Until(time.Unix(reset, 0)); err != nil || in > time.Hour || in < 59*time.Minute || r.header.Get("X-RateLimit-Remaining") != remaining || r.header.Get("X-RateLimit-Limit") != "2" {
			t.Errorf("got %v", r.header)
		}
	}
	if r := c.do(403, "GET", c.github+"/user", nil); r.header.Get("X-RateLimit-Remaining") != "0" || !strings.Contains(r.body, "API rate limit exceeded") {
		t.Errorf("rejected with %v %s", r.header, r.body)
	}
	if r := c.do(200, "GET", c.github+"/rate_limit", nil); !strings.Contains(r.body, `"remaining":0`) {
		t.Errorf("the limit is %s", r.body)
	}
	c.githubToken = "other"
	c.do(200, "GET", c.github+"/user", nil)
	c.githubToken = sandbox.GitHubToken
	w.Advance(time.Hour)
	c.do(200, "GET", c.github+"/user", nil)
	w.Check(t)
}

func TestCodacyLimit(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{Limits: sandbox.Limits{Codacy: 2}})
	c := newClient(t, w)
	c.do(200, "GET", c.codacy+"/user", nil)
	c.do(200, "GET", c.codacy+"/user", nil)
	w.Check(t)
	if r := c.do(503, "GET", c.codacy+"/user", nil); r.header.Get("Retry-After") != "" {
		t.Errorf("got %v", r.header)
	}
	wantViolations(t, w, "rate exceeded")
	w.Advance(5*time.Minute + time.Second)
	c.do(200, "GET", c.codacy+"/user", nil)
}

// TestLimitEffects are GitHub's refusals on demand.
func TestLimitEffects(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	c := newClient(t, w)
	for _, test := range []struct {
		effect sandbox.Effect
		header string
		want   string
		text   string
	}{
		{sandbox.SecondaryLimit(429, 1500*time.Millisecond), "Retry-After", "2", "secondary rate limit"},
		{sandbox.SecondaryLimit(403, 0), "Retry-After", "", "secondary rate limit"},
		{sandbox.PrimaryLimit(403, time.Unix(1234, 0)), "X-RateLimit-Reset", "1234", "API rate limit exceeded"},
	} {
		w.Hook(func(sandbox.Request) sandbox.Effect { return test.effect })
		r := c.do(test.effect.Status, "GET", c.github+"/user", nil)
		if r.header.Get(test.header) != test.want || !strings.Contains(r.body, test.text) {
			t.Errorf("got %v %s", r.header, r.body)
		}
	}
	if w.Count(sandbox.KindGitHubUser) != 3 {
		t.Errorf("%d requests", w.Count(sandbox.KindGitHubUser))
	}
}
