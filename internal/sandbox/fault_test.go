package sandbox_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestFaults has each fault reach the client, with and without a network, and
// checks whether the request took effect.
func TestFaults(t *testing.T) {
	t.Parallel()
	reset := func(r response, err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }
	status := func(want int, text string) func(response, error) bool {
		return func(r response, err error) bool {
			return err == nil && r.status == want && strings.Contains(r.body, text)
		}
	}
	for name, test := range map[string]struct {
		effect sandbox.Effect
		done   int // tokens that were created
		want   func(response, error) bool
	}{
		"none":                  {sandbox.Effect{}, 1, status(201, `"token"`)},
		"delay":                 {sandbox.Effect{Delay: time.Millisecond}, 1, status(201, `"token"`)},
		"rejected":              {sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"3"}}}, 0, status(429, `"error":"TooManyRequests"`)},
		"skipped":               {sandbox.Effect{Skip: true}, 0, status(500, `"error":"InternalServerError"`)},
		"done, 504":             {sandbox.Effect{Status: 504}, 1, status(504, `"error":"GatewayTimeout"`)},
		"lost":                  {sandbox.Effect{Skip: true, End: sandbox.Reset}, 0, reset},
		"response lost":         {sandbox.Effect{End: sandbox.Reset}, 1, reset},
		"malformed":             {sandbox.Effect{Skip: true, Body: []byte("<html>")}, 0, status(200, "<html>")},
		"malformed, done":       {sandbox.Effect{Status: 200, Body: []byte("<html>")}, 1, status(200, "<html>")},
		"another body":          {sandbox.Effect{Body: []byte(`{"data":{}}`)}, 1, status(201, `{"data":{}}`)},
		"an empty body":         {sandbox.Effect{Body: []byte{}}, 1, func(r response, err error) bool { return err == nil && r.status == 201 && r.body == "" }},
		"cut":                   {sandbox.Effect{End: sandbox.Cut}, 1, func(r response, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && r.status == 201 }},
		"hang":                  {sandbox.Effect{Skip: true, End: sandbox.Hang}, 0, func(_ response, err error) bool { return errors.Is(err, context.Canceled) }},
		"hang, done":            {sandbox.Effect{End: sandbox.Hang}, 1, func(_ response, err error) bool { return errors.Is(err, context.Canceled) }},
		"delay, given up":       {sandbox.Effect{Delay: time.Hour}, 0, func(_ response, err error) bool { return errors.Is(err, context.Canceled) }},
		"late, not yet":         {sandbox.Effect{Late: time.Hour}, 0, reset},
		"late, with a response": {sandbox.Effect{Late: time.Hour, Status: 502}, 0, status(502, `"error":"BadGateway"`)},
	} {
		for way, client := range map[string]func(*testing.T, *sandbox.World) *client{"memory": newClient, "network": newServedClient} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				w := sandbox.New(sandbox.Options{})
				w.Add(sandbox.Repository{Name: "web"})
				c := client(t, w)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var before, after atomic.Int64
				effect := test.effect
				effect.Before = func() { before.Add(1 + int64(len(w.Tokens("web")))) }
				effect.After = func() {
					after.Add(1 + int64(len(w.Tokens("web"))))
					if effect.End == sandbox.Hang {
						cancel()
					}
				}
				var hooked atomic.Pointer[sandbox.Request]
				w.Hook(func(r sandbox.Request) sandbox.Effect {
					hooked.Store(&r)
					if effect.Delay == time.Hour {
						cancel()
					}
					return effect
				})
				r, err := c.send(c.request(ctx, "POST", c.tokensURL("web"), map[string]any{"name": "a", "expiresAt": w.Time().Add(time.Hour)}))
				if !test.want(r, err) {
					t.Errorf("got %d %q, %v", r.status, r.body, err)
				}
				for key, values := range effect.Header {
					if r.header.Get(key) != values[0] {
						t.Errorf("the header is %v", r.header)
					}
				}
				if got := len(w.Tokens("web")); got != test.done {
					t.Errorf("%d tokens were created, want %d", got, test.done)
				}
				if h := hooked.Load(); h == nil || h.Kind != sandbox.KindCreateToken || h.Service != sandbox.Codacy || h.Sequence != 1 ||
					h.Attempt != 1 || h.Repository != "web" || h.Method != "POST" {
					t.Errorf("the hook saw %+v", h)
				}
				if name != "delay, given up" && (before.Load() != 1 || after.Load() != int64(1+test.done)) {
					t.Errorf("Before saw %d tokens, After %d", before.Load()-1, after.Load()-1)
				}
				if late := w.Pending(); (late == 1) != strings.HasPrefix(name, "late") {
					t.Errorf("%d requests are pending", late)
				}
				w.Hook(nil)
				w.Check(t)
			})
		}
	}
}

// TestLate has requests take effect after the client has given up, in virtual time.
func TestLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(sandbox.Options{Latency: 40 * time.Millisecond})
		w.Add(sandbox.Repository{Name: "web"})
		c := newClient(t, w)
		added := c.create("web", "codacy-project-token-1")
		body := c.seal("web", "actions", added.Token)
		w.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindPutSecret && r.Attempt == 1 {
				return sandbox.Effect{Late: 3 * time.Minute, End: sandbox.Hang}
			}
			return sandbox.Effect{}
		})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := c.send(c.request(ctx, "PUT", c.secretURL("web", "actions", secretName), body)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the PUT ended with %v", err)
		}
		if waited := time.Since(start); waited != 30*time.Second {
			t.Errorf("the client waited for %s", waited)
		}
		if _, ok := w.Secret("web", "actions", secretName); ok || w.Pending() != 1 {
			t.Error("the PUT took effect too soon")
		}
		// The client gives up and deletes its token; then the PUT arrives after all.
		c.do(204, "DELETE", c.tokensURL("web")+"/"+itoa(added.ID), nil)
		w.Check(t)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if value, _ := w.Secret("web", "actions", secretName); value != added.Token || w.Pending() != 0 {
			t.Errorf("the secret is %q", value)
		}
		if got, want := w.UpdatedAt("web", "actions", secretName), start.Add(3*time.Minute+40*time.Millisecond).Truncate(time.Second); !got.Equal(want) {
			t.Errorf("it was written at %s, want %s", got, want)
		}
		wantViolations(t, w, "bad put")
	})
}

// TestLatency waits in virtual time, many at once.
func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(sandbox.Options{
			Latency:     time.Second,
			LatencyFunc: func(r *http.Request) time.Duration { return time.Duration(len(r.URL.Path)) * time.Second },
		})
		c := newClient(t, w)
		start := time.Now()
		done := make(chan error)
		for range 50 {
			go func() {
				_, err := c.send(c.request(t.Context(), "GET", c.github+"/user", nil))
				done <- err
			}()
		}
		for range 50 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(start); waited != 6*time.Second {
			t.Errorf("50 requests took %s, want 6s", waited)
		}
	})
}

// TestDirectHandler calls a handler without a server: a missing response
// panics as net/http expects.
func TestDirectHandler(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	call := func() (recorder *httptest.ResponseRecorder, panicked any) {
		r := httptest.NewRequest("GET", "https://app.codacy.com/api/v3/user", nil)
		r.Header = http.Header{"Api-Token": {sandbox.CodacyToken}, "User-Agent": {"test"}}
		recorder = httptest.NewRecorder()
		defer func() { panicked = recover() }()
		w.Codacy().ServeHTTP(recorder, r)
		return recorder, nil
	}
	r, panicked := call()
	if r.Code != 200 || panicked != nil {
		t.Errorf("%d, %v", r.Code, panicked)
	}
	whole := r.Body.Len()
	for end, want := range map[sandbox.End]int{sandbox.Reset: 0, sandbox.Cut: whole / 2} {
		w.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.Effect{End: end} })
		if r, panicked := call(); panicked != http.ErrAbortHandler || r.Body.Len() != want { //nolint:errorlint // a panic's value
			t.Errorf("%d bytes of %d, %v", r.Body.Len(), whole, panicked)
		}
	}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web", OldNames: []string{"old"}})
	c := newClient(t, w)
	codacy, github, authority, shut := w.ServeTLS()
	defer shut()
	c.codacy, c.github = codacy, github
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) || !bytes.Contains(authority, []byte("CERTIFICATE")) {
		t.Fatalf("the authority is %s", authority)
	}
	c.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	c.put(201, "old", "actions", secretName, c.create("web", "codacy-project-token-1").Token) // redirected with https
	w.Hook(func(sandbox.Request) sandbox.Effect { return sandbox.Effect{End: sandbox.Reset} })
	if _, err := c.send(c.request(t.Context(), "GET", c.codacy+"/user", nil)); err == nil {
		t.Error("the connection wasn't reset")
	}
	w.Check(t)
	c.http = &http.Client{}
	if _, err := c.send(c.request(t.Context(), "GET", c.codacy+"/user", nil)); err == nil {
		t.Error("the certificate is good without its authority")
	}
}
