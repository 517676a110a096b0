package report

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// A wait is logged within 30 seconds, with its cause and expected end, and again
// every five minutes. A short one isn't.
func TestWaiting(t *testing.T) {
	t.Parallel()

	const cause = "GitHub: 5,000 requests per hour"
	for name, c := range map[string]struct {
		lasts  time.Duration
		known  bool // when it ends
		resets bool
		want   []time.Duration // when it is logged
		text   string
	}{
		"a long one":           {12 * time.Minute, true, true, []time.Duration{0, 5 * time.Minute, 10 * time.Minute}, cause + ", resets at 00:12 UTC"},
		"until":                {time.Minute, true, false, []time.Duration{0}, cause + ", until 00:01 UTC"},
		"of unknown length":    {time.Minute, false, false, []time.Duration{longWait}, cause},
		"a short one":          {longWait - time.Second, true, false, nil, ""},
		"a short one, unknown": {longWait - time.Second, false, false, nil, ""},
		"until another day":    {25 * time.Hour, true, true, nil, cause + ", resets at 2000-01-02 01:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				began := time.Now()
				w := outcome.Wait{Cause: cause, Resets: c.resets}
				if c.known {
					w.Until = began.Add(c.lasts)
				}
				var logged []time.Duration
				for time.Since(began) < c.lasts {
					f.stdout.Reset()
					f.Waiting(w)
					if out := f.stdout.String(); out != "" {
						logged = append(logged, time.Since(began))
						if len(logged) == 1 && out != "waiting for "+c.text+"\n" {
							t.Fatalf("%q, want %q", out, c.text)
						}
					}
					time.Sleep(time.Second)
				}
				f.stdout.Reset()
				if f.Waiting(outcome.Wait{}); f.stdout.Len() > 0 {
					t.Errorf("logged after the end: %s", f.stdout.String())
				}
				if c.want != nil && !slices.Equal(logged, c.want) || c.text == "" && len(logged) > 0 {
					t.Errorf("logged after %v, want %v", logged, c.want)
				}
			})
		})
	}
}

// A run that waits for many short times, as for 80 writes per minute, logs it once in
// five minutes. A line of the progress counts.
func TestWaitingAgain(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		w := outcome.Wait{Cause: "GitHub: 80 writes per minute"}
		f.Progress(outcome.Progress{Done: 1, Total: 3, WaitingFor: w})
		for range 4 * 60 {
			f.Waiting(w)
			time.Sleep(time.Second)
		}
		if got, want := f.stdout.String(), "1 of 3 repositories done; waiting for GitHub: 80 writes per minute\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		f.stdout.Reset()
		f.Waiting(outcome.Wait{})
		time.Sleep(61 * time.Second)
		w.Until = time.Now().Add(time.Minute)
		f.Waiting(w)
		if got, want := f.stdout.String(), "waiting for GitHub: 80 writes per minute, until 00:06 UTC\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// On a terminal a wait is shown immediately, before there is a bar and in it, and
// leaves nothing behind.
func TestWaitingOnTerminal(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Runner, o.ProgressBar = false, true })
		f.Activity("listing repositories")
		f.Waiting(outcome.Wait{Cause: "GitHub: 5,000 requests per hour", Until: time.Now().Add(time.Hour), Resets: true})
		f.Waiting(outcome.Wait{})
		f.Info("3 repositories")
		const erase = "\r\x1b[K"
		want := "listing repositories" + erase + "waiting for GitHub: 5,000 requests per hour, resets at 01:00 UTC" + erase + "listing repositories" + erase
		if got := f.stderr.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		f.stderr.Reset()
		f.Progress(outcome.Progress{Done: 1, Total: 3})
		f.Waiting(outcome.Wait{Cause: "Codacy"})
		time.Sleep(time.Second)
		f.Progress(outcome.Progress{Done: 2, Total: 3, WaitingFor: outcome.Wait{Cause: "Codacy"}})
		f.RemoveBar()
		if got := f.stderr.String(); !strings.Contains(got, "waiting for Codacy") || !strings.Contains(got, "1/3") {
			t.Errorf("the bar shows %q", got)
		}
		if f.stdout.String() != "3 repositories\n" {
			t.Errorf("the log is %q", f.stdout.String())
		}
	})
}
