package e2e

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// weekly is a later run over a large organization: a part of its tokens is due for
// renewal, and all others are up to date.
type weekly struct {
	repositories, stores int
	median               time.Duration // of a request's time; a page of repositories takes pageTime times longer
	primary              int           // GitHub's requests per hour
	due                  int           // every due-th repository is due; 0 for none
}

const (
	pageSize = 100 // repositories on a page
	pageTime = 10
	// concurrency is the default of the input: repositories at a time, and so
	// requests at a time.
	concurrency = 16
)

func (w weekly) String() string {
	return fmt.Sprintf("%d repositories, %d stores, %v, %d an hour", w.repositories, w.stores, w.median, w.primary)
}

// bound is the least time that a client needs if it respects the limits, has 16
// requests in flight, the default of concurrency, and, as in the contract,
// checks the secrets of repositories that are not due only when it cannot list any
// more:
//
//   - Nothing is known to be selected before both lists are there. Codacy's ⌈n/100⌉
//     pages come one after the other, because each has the next one's cursor. lists is
//     the time that they took in this run.
//   - Each repository takes one request to Codacy, or two if it is due. Of all
//     requests, the pages included, at most 2,500 are sent in any five minutes.
//   - Each store takes one read of GitHub, or the key and a PUT if it is due. A read
//     is one point and a PUT five. 900 points and 80 writes are allowed in any minute.
//   - A repository that is due is found by listing tokens in random order, on average
//     one among w.due. Before its PUTs it takes a read of each key and a creation.
//   - If a limit allows for l units per period, unit i + l comes at least a period and,
//     as in crowd.bound, the mean time of a request after unit i. So the last unit
//     comes ⌈units/l⌉ − 1 periods after one of the first l, which is at the earliest
//     where the order of the work allows it.
//   - Units that come together take at least their mean time, 16 at a time.
//   - A tenth of the hour's requests is reserved. The remainder allows for b requests,
//     so ⌈requests/b⌉ − 1 hours pass, and after them the requests of the last hour.
func (w weekly) bound(lists time.Duration) time.Duration {
	n, s, due := float64(w.repositories), float64(w.stores), 0.0
	if w.due > 0 {
		due = n / float64(w.due)
	}
	mean := time.Duration(float64(w.median) * math.Exp(spread*spread/2))
	busy := func(units float64) time.Duration { return time.Duration(units / concurrency * float64(mean)) }
	pages := math.Ceil(n / pageSize)
	page := pageTime * mean
	// No more can be listed at this time. What is due is written meanwhile.
	written := min(due*s, 80*math.Ceil(float64(busy(min(n, 2500))+1)/float64(time.Minute)))
	listed := lists + busy(min(n, 2500)+written/s*(1+2*s))

	// limit is the time of the last unit of a limit. Early units come from start on,
	// and the others from the time then on.
	limit := func(units, most float64, per time.Duration, early float64, start, then time.Duration) time.Duration {
		periods := max(0, math.Ceil(units/most)-1)
		last := units - periods*most
		if last > early {
			start, last = then, last-early
		}
		return start + time.Duration(periods)*(per+mean) + busy(last)
	}
	codacy := limit(pages+n+due, 2500, 5*time.Minute, pages, lists, lists)
	if last := pages + n + due - 2500*(math.Ceil((pages+n+due)/2500)-1); last < pages {
		codacy -= time.Duration(pages-last) * page // it follows an earlier page
	}
	// The last period's writes follow as many of the first period, which are prepared
	// from the end of the lists on.
	prepared := lists + busy((due-80/s*max(0, math.Ceil(due*s/80)-1))*(float64(w.due)+1+s))
	writes := limit(due*s, 80, time.Minute, 0, prepared, prepared)
	if pages+n+due > 2500 { // the due ones among the last listings are written after them
		last := pages + n + due - 2500*(math.Ceil((pages+n+due)/2500)-1)
		writes = max(writes, limit(max(0, last-pages)*due/(n+due)*s, 80, time.Minute, 0, codacy, codacy))
	}
	// Before all are listed, only writes take points.
	points := limit((n-due)*s+6*due*s, 900, time.Minute, 6*written, lists, listed)
	bound := max(codacy, writes, points) + mean

	requests, budget := pages+(n-due)*s+2*due*s, float64(w.primary)*0.9
	if hours := math.Ceil(requests/budget) - 1; hours > 0 {
		bound = max(bound, time.Duration(hours)*time.Hour+limit(requests-hours*budget, 900, time.Minute, 0, 0, 0))
	}
	return bound
}

// most is the highest allowed ratio of elapsed time to bound. For 100 repositories the
// bound is some seconds and the ratio is not limited.
func (w weekly) most() float64 {
	if w.repositories >= 1_000 {
		return 1.03
	}
	return math.Inf(1)
}

// TestWeekly is a later run with nothing to do, and one with a tenth of all tokens
// due, over 100 and 1,000 repositories (10,000 with a flag), in virtual time, against
// services that count strictly: no request is rejected, and the run takes hardly more
// time than the limits require.
func TestWeekly(t *testing.T) {
	t.Parallel()

	for name, due := range map[string]int{"nothing-to-do": 0, "tenth-due": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var all []weekly
			for _, n := range []int{100, 1_000, 10_000} {
				for _, stores := range []int{1, 4} {
					for _, median := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond} {
						for _, primary := range []int{12_500, 5_000} {
							all = append(all, weekly{n, stores, median, primary, due})
						}
					}
				}
			}
			// These slow cases run without a flag.
			usual := []weekly{
				{1_000, 1, 40 * time.Millisecond, 5_000, due},
				{1_000, 4, 40 * time.Millisecond, 12_500, due},
			}
			if !*harness.Thorough {
				usual = nil
			}
			rows := make([]string, len(all))
			t.Run("runs", func(t *testing.T) {
				for i, w := range all {
					if w.repositories > *limitsMost || !*limitsAll && w.repositories > 100 && !slices.Contains(usual, w) {
						continue
					}
					t.Run(w.String(), func(t *testing.T) {
						t.Parallel()
						rows[i] = w.row(t, uint64(i))
					})
				}
			})
			table := "| repositories | stores | median | requests per hour | bound | elapsed | ratio | rejected |\n" +
				"| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" + strings.Join(rows, "")
			t.Log("\n" + table)
			updateFigures(t, name, table)
		})
	}
}

// row returns the row of the table, and asserts its ratio. The times of the requests and
// the order of the repositories are random, and in a short run chance counts: up to 1,000
// repositories the row is the median of three runs.
func (w weekly) row(t *testing.T, seed uint64) string {
	runs := make([]weeklyRun, 1)
	if w.repositories <= 1_000 {
		runs = make([]weeklyRun, 3)
	}
	for i := range runs {
		synctest.Test(t, func(t *testing.T) { runs[i] = w.run(t, seed+100*uint64(i)) })
	}
	slices.SortFunc(runs, func(a, b weeklyRun) int { return cmp.Compare(a.ratio(), b.ratio()) })
	r := runs[len(runs)/2]
	if r.ratio() > w.most() {
		t.Errorf("it took %v, which is %.3f times the bound of %v; want at most %.2f", r.elapsed.Round(time.Second), r.ratio(), r.bound.Round(time.Second), w.most())
	}
	return fmt.Sprintf("| %d | %d | %v | %d | %v | %v | %.3f | %d |\n",
		w.repositories, w.stores, w.median, w.primary, r.bound.Round(time.Second), r.elapsed.Round(time.Second), r.ratio(), r.rejected)
}

type weeklyRun struct {
	bound, elapsed time.Duration
	rejected       int
}

func (r weeklyRun) ratio() float64 { return float64(r.elapsed) / float64(r.bound) }

// run runs the program over the organization.
func (w weekly) run(t *testing.T, seed uint64) weeklyRun {
	stores := []string{"actions", "dependabot", "codespaces", "agents"}[:w.stores]
	way := &road{r: rand.New(rand.NewPCG(seed, 7)), median: w.median, pages: pageTime}
	v := bubble(t, sandbox.Options{Limits: published(w.primary), LatencyFunc: way.draw}, harness.Names(w.repositories)...)
	due := 0
	for i, name := range harness.Names(w.repositories) {
		token := harness.Aged(v.World, 1, 10, 355)
		if w.due > 0 && i%w.due == 0 {
			token = harness.Aged(v.World, 1, 300, 65)
			due++
		}
		v.Provision(name, token, stores...)
	}

	started := time.Now()
	code, out := v.start(t.Context(), harness.Inputs{
		"codacy-api-url": "https://app.codacy.com/api/v3", "github-api-url": "https://api.github.com",
		"secret-stores": strings.Join(stores, ","), "writes-per-minute": "", "max-duration": "120h",
	}, rand.New(rand.NewPCG(seed, 8)), way.over(v.RoundTripper()))
	elapsed := time.Since(started)

	v.Check(t)
	if code != 0 || v.Count(sandbox.KindPutSecret) != due*w.stores {
		t.Errorf("exit code %d, %d secrets written, want %d\n%s", code, v.Count(sandbox.KindPutSecret), due*w.stores, tail(out))
	}
	if n := v.Rejected(); n != 0 {
		t.Errorf("%d requests were rejected", n)
	}
	return weeklyRun{w.bound(way.listing), elapsed, v.Rejected()}
}
