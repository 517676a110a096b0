package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

var (
	limitsMost   = flag.Int("limits.most", 1_000, "the largest organization of TestLimits; 10000 for all that docs/performance.md tells")
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

func (l *road) draw() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := time.Duration(float64(l.median) / 3 * math.Exp(0.5*l.r.NormFloat64()))
	if l.r.IntN(3000) == 0 {
		d += 10 * time.Second
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
//   - n·s secrets are written, at most 80 in any minute: the last one no earlier
//     than 60 s · (⌈n·s/80⌉ − 1) after the first.
//   - Each takes two requests to GitHub, the key's and the put. A tenth of the
//     hour's requests is kept back; x requests a minute of somebody else's are
//     gone, too, and by the time that 160 a minute of ours (80 writes) have used
//     up the rest, that is a part of x/(160+x). What is left allows for b; so
//     at least ⌈2·n·s/b⌉ − 1 hours go by, and after them the writes that b did
//     not allow for, at most 80 in any minute.
//   - Each repository takes two requests to Codacy, 2,500 in any five minutes.
func (c crowd) bound() time.Duration {
	windows := func(requests, most float64, per time.Duration) time.Duration {
		return time.Duration(math.Ceil(requests/most)-1) * per
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
	rows := make([]string, len(all))
	t.Run("runs", func(t *testing.T) {
		for i, c := range all {
			if c.repositories > *limitsMost {
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
	if n := v.Refused(); n != 0 {
		t.Errorf("%d requests were refused", n)
	}
	bound := c.bound()
	ratio := float64(elapsed) / float64(bound)
	if ratio > c.most() {
		t.Errorf("it took %v, which is %.3f times the bound of %v; want at most %.2f", elapsed.Round(time.Second), ratio, bound, c.most())
	}
	return fmt.Sprintf("| %d | %d | %v | %d | %d | %v | %v | %.3f | %d |\n",
		c.repositories, c.stores, c.median, c.primary, c.others, bound, elapsed.Round(time.Second), ratio, v.Refused())
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
