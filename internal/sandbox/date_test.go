package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestDates has the Date of single responses off or missing, with and without a
// network, and on error pages.
func TestDates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, test := range map[string]struct {
		effect sandbox.Effect
		want   string
	}{
		"right":             {sandbox.Effect{}, date(0)},
		"ahead":             {sandbox.Effect{Date: 72 * time.Hour}, date(72 * time.Hour)},
		"behind":            {sandbox.Effect{Date: -45 * time.Second}, date(-45 * time.Second)},
		"on an error page":  {sandbox.Effect{Status: 502, Date: 20 * time.Minute}, date(20 * time.Minute)},
		"without effect":    {sandbox.Effect{Skip: true, Status: 503, Date: time.Hour}, date(time.Hour)},
		"malformed":         {sandbox.Effect{Header: http.Header{"Date": {"soon"}}}, "soon"},
		"missing":           {sandbox.Effect{NoDate: true}, ""},
		"missing, an error": {sandbox.Effect{Status: 500, NoDate: true}, ""},
	} {
		for way, client := range map[string]func(*testing.T, *sandbox.World) *client{"memory": newClient, "network": newServedClient} {
			w := sandbox.New(sandbox.Options{Now: func() time.Time { return now }})
			c := client(t, w)
			for _, address := range []string{c.codacy + "/user", c.github + "/user"} {
				w.Hook(func(sandbox.Request) sandbox.Effect { return test.effect })
				r, err := c.send(c.request(t.Context(), "GET", address, nil))
				if err != nil {
					t.Fatal(err)
				}
				if got := r.header.Get("Date"); got != test.want {
					t.Errorf("%s, %s: the Date is %q, want %q", name, way, got, test.want)
				}
				w.Hook(nil)
				if got := c.do(200, "GET", address, nil).header.Get("Date"); got != date(0) {
					t.Errorf("%s, %s: the next Date is %q", name, way, got)
				}
			}
		}
	}
}

// TestServers puts two machines behind a service, whose clocks disagree.
func TestServers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, data := range []bool{false, true} {
		w, c := newWorld(t, sandbox.Options{Now: func() time.Time { return now }})
		w.SetServers(sandbox.Codacy, data, 0, 40*time.Second)
		w.SetServers(sandbox.GitHub, data, -time.Minute)
		offset := func(address string) time.Duration {
			got, err := http.ParseTime(c.do(200, "GET", address, nil).header.Get("Date"))
			if err != nil {
				t.Fatal(err)
			}
			return got.Sub(now)
		}
		for _, want := range []time.Duration{0, 40 * time.Second, 0, 40 * time.Second} {
			if got := offset(c.codacy + "/user"); got != want {
				t.Errorf("Codacy's Date is %s off, want %s", got, want)
			}
		}
		if got := offset(c.github + "/user"); got != -time.Minute {
			t.Errorf("GitHub's Date is %s off", got)
		}
		first, second := c.create("web", "one"), c.create("web", "two")
		created, written := second.CreatedAt.Sub(first.CreatedAt), time.Duration(0)
		c.put(201, "web", "actions", secretName, second.Token)
		written = w.UpdatedAt("web", "actions", secretName).Sub(now)
		wantCreated, wantWritten := time.Duration(0), time.Duration(0)
		if data {
			wantCreated, wantWritten = 40*time.Second, -time.Minute
		}
		if created != wantCreated || written != wantWritten {
			t.Errorf("data %t: created %s apart, written %s off", data, created, written)
		}
		w.SetServers(sandbox.GitHub, data)
		if got := offset(c.github + "/user"); got != 0 {
			t.Errorf("GitHub's Date is still %s off", got)
		}
		w.Check(t)
	}
}

// TestRejections has the effects that are rejections of one request.
func TestRejections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		effect  sandbox.Effect
		status  int
		message string
		header  string // Retry-After
	}{
		"abuse, no wait":  {sandbox.AbuseLimit(0), 403, "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.", ""},
		"abuse, a wait":   {sandbox.AbuseLimit(90 * time.Second), 403, "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.", "90"},
		"401":             {sandbox.Unauthorized(sandbox.GitHub), 401, "Bad credentials", ""},
		"401 of Codacy":   {sandbox.Unauthorized(sandbox.Codacy), 401, "Unauthorized", ""},
		"429, ten hours":  {sandbox.RetryAfter(429, "36000"), 429, "", "36000"},
		"503, for ever":   {sandbox.RetryAfter(503, "99999999999999999999"), 503, "", "99999999999999999999"},
		"500, the past":   {sandbox.RetryAfter(500, "-1"), 500, "", "-1"},
		"502, not a time": {sandbox.RetryAfter(502, "soon"), 502, "", "soon"},
	} {
		w, c := newWorld(t, sandbox.Options{})
		address, kind := c.secretURL("web", "actions", "public-key"), sandbox.KindPublicKey
		if name == "401 of Codacy" {
			address, kind = c.tokensURL("web"), sandbox.KindListTokens
		}
		w.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == kind && r.Attempt == 1 {
				return test.effect
			}
			return sandbox.Effect{}
		})
		r := c.do(test.status, "GET", address, nil)
		e := decode[struct{ Message string }](t, r)
		if e.Message == "" || test.message != "" && e.Message != test.message || r.header.Get("Retry-After") != test.header {
			t.Errorf("%s: %s with %q", name, r.body, r.header.Get("Retry-After"))
		}
		c.do(200, "GET", address, nil) // one request only
		w.Check(t)
	}
}

// TestFailingDeletes has deletes fail, with and without effect.
func TestFailingDeletes(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, sandbox.Options{})
	first, second := c.create("web", "codacy-project-token-1"), c.create("web", "codacy-project-token-2")
	w.Hook(func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindDeleteToken {
			return sandbox.Effect{Skip: r.Attempt == 1, Status: 500}
		}
		return sandbox.Effect{}
	})
	c.do(500, "DELETE", c.tokensURL("web")+"/"+itoa(first.ID), nil)
	c.do(500, "DELETE", c.tokensURL("web")+"/"+itoa(second.ID), nil)
	if !w.TokenValid("web", first.Token) || w.TokenValid("web", second.Token) {
		t.Error("the wrong token was deleted")
	}
}

// TestChangedToken has a POST create a token with another name and expiry.
func TestChangedToken(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, sandbox.Options{})
	expires := w.Time().Add(90 * 24 * time.Hour).Truncate(time.Second)
	w.Hook(func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindCreateToken && r.Attempt == 1 {
			return sandbox.Effect{Token: func(t *sandbox.Token) { t.Name, t.Expires = "other", expires }}
		}
		return sandbox.Effect{}
	})
	if got := c.create("web", "codacy-project-token-1"); got.Name != "other" || !got.ExpiresAt.Equal(expires) || c.list("web")["other"].ID != got.ID {
		t.Errorf("created %+v, listed %+v", got, c.list("web"))
	}
	if got := c.create("web", "codacy-project-token-1"); got.Name != "codacy-project-token-1" {
		t.Errorf("created %+v", got)
	}
}

// TestSilence has a connection go silent before the response and within it: only
// the context ends the request.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []sandbox.End{sandbox.Hang, sandbox.Stall} {
			w, c := newWorld(t, sandbox.Options{})
			w.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.Effect{End: end} })
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
			start := time.Now()
			r, err := c.send(c.request(ctx, "GET", c.codacy+"/user", nil))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Hour {
				t.Errorf("it ended with %v after %s", err, time.Since(start))
			}
			if stalled := end == sandbox.Stall; (r.status == 200) != stalled || (r.body != "") != stalled {
				t.Errorf("got %d %q", r.status, r.body)
			}
			cancel()
		}
	})
}

// TestStallOverNetwork does the same over a network.
func TestStallOverNetwork(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	c := newServedClient(t, w)
	w.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.Effect{End: sandbox.Stall} })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := c.http.Do(c.request(ctx, "GET", c.codacy+"/user", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	if b, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) || len(b) == 0 {
		t.Errorf("read %q, %v", b, err)
	}
}
