package github

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// library serves a list of repositories, in pages. Each request takes some time, and
// takes effect in the middle of it.
type library struct {
	t      *testing.T
	scope  Scope
	delay  time.Duration
	change func(l *library, request int) // before a request takes effect, from 1

	mu              sync.Mutex
	ids             []int64
	requests        []string // queries
	inFlight, peak  int
	withoutLastLink bool
}

func (l *library) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.requests = append(l.requests, r.URL.RawQuery)
	number := len(l.requests)
	l.inFlight++
	l.peak = max(l.peak, l.inFlight)
	l.mu.Unlock()
	time.Sleep(l.delay / 2)
	l.mu.Lock()
	if l.change != nil {
		l.change(l, number)
	}
	answer := l.page(r.URL.Query())
	l.mu.Unlock()
	time.Sleep(l.delay / 2)
	l.mu.Lock()
	l.inFlight--
	l.mu.Unlock()
	return (&service{t: l.t, host: r.URL.Host, answer: func(request) response { return answer }}).RoundTrip(r)
}

func (l *library) page(q url.Values) response {
	size, _ := strconv.Atoi(q.Get("per_page"))
	number, _ := strconv.Atoi(q.Get("page"))
	last := (len(l.ids) + size - 1) / size
	var items []string
	for _, id := range l.ids[min(len(l.ids), (number-1)*size):min(len(l.ids), number*size)] {
		items = append(items, fmt.Sprintf(`{"id":%d,"name":"r%d"}`, id, id))
	}
	body := "[" + strings.Join(items, ",") + "]"
	if l.scope == Installation {
		body = fmt.Sprintf(`{"total_count":%d,"repositories":%s}`, len(l.ids), body)
	}
	var links []string
	if number < last {
		links = append(links, fmt.Sprintf(`<https://api.test/x?page=%d>; rel="next"`, number+1))
		if !l.withoutLastLink {
			links = append(links, fmt.Sprintf(`<https://api.test/x?page=%d>; rel="last"`, last))
		}
	}
	return response{status: 200, body: body, link: strings.Join(links, ", ")}
}

// list lists the library, and returns the IDs that were found, in order.
func (l *library) list(t *testing.T) ([]int64, error) {
	t.Helper()
	c, _ := newClient(t, cloud, nil)
	c.gh.Client().Transport.(*wire.Transport).Base = l
	var found []int64
	err := c.Repositories(t.Context(), l.scope, "acme", func(r Repository) { found = append(found, r.ID) })
	slices.Sort(found)
	return slices.Compact(found), err
}

// numbers returns n IDs.
func numbers(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	return ids
}

// TestListingConcurrently: pages are read up to eight at a time.
func TestListingConcurrently(t *testing.T) {
	t.Parallel()

	for _, scope := range []Scope{Organization, Account, Installation} {
		for _, tt := range []struct {
			repositories, requests, peak int
			rounds                       int // one after the other
		}{
			{0, 1, 1, 1},
			{100, 1, 1, 1},
			{101, 5, 2, 4},       // a page, the count, two pages, the count
			{10_000, 103, 8, 16}, // 100 pages, by eight
		} {
			synctest.Test(t, func(t *testing.T) {
				l := &library{t: t, scope: scope, delay: time.Second, ids: numbers(tt.repositories)}
				if scope == Installation && tt.requests > 1 {
					tt.requests, tt.rounds = tt.requests-2, tt.rounds-2 // its pages state the count
				}
				started := time.Now()
				got, err := l.list(t)
				if err != nil || !slices.Equal(got, numbers(tt.repositories)) {
					t.Errorf("%d, %d repositories: found %d, %v", scope, tt.repositories, len(got), err)
				}
				if len(l.requests) != tt.requests || l.peak != tt.peak || time.Since(started) != time.Duration(tt.rounds)*time.Second {
					t.Errorf("%d, %d repositories: %d requests, %d at a time, in %v", scope, tt.repositories, len(l.requests), l.peak, time.Since(started))
				}
			})
		}
	}

	// Without the number of the last page, pages are read one after the other.
	synctest.Test(t, func(t *testing.T) {
		l := &library{t: t, scope: Organization, delay: time.Second, ids: numbers(350), withoutLastLink: true}
		if got, err := l.list(t); err != nil || len(got) != 350 || l.peak != 1 || len(l.requests) != 4 {
			t.Errorf("found %d, %v, %d requests, %d at a time", len(got), err, len(l.requests), l.peak)
		}
	})
}

// TestListingThatShifts: repositories are deleted or created before each request in turn,
// and move others to another page. All that are there all the time are found.
func TestListingThatShifts(t *testing.T) {
	t.Parallel()

	remove := func(i int) func(*library) {
		return func(l *library) { l.ids = slices.Delete(slices.Clone(l.ids), i, i+1) }
	}
	insert := func(l *library) { l.ids = append([]int64{9_999}, l.ids...) }
	for name, change := range map[string]func(*library){
		"the first is deleted":         remove(0),
		"one in the middle is deleted": remove(250),
		"the last is deleted":          remove(1_099),
		"one is created":               insert,
		"a whole page is deleted":      func(l *library) { l.ids = l.ids[100:] },
		"nearly all are deleted":       func(l *library) { l.ids = l.ids[1_050:] },
		"two pages are created at the end": func(l *library) {
			l.ids = append(slices.Clone(l.ids), 5_001, 5_002)
			l.ids = append(l.ids, numbers(200)...)
		},
	} {
		for _, scope := range []Scope{Organization, Installation} {
			t.Run(fmt.Sprint(name, " ", scope), func(t *testing.T) {
				t.Parallel()
				for at := 1; at <= 16; at++ {
					synctest.Test(t, func(t *testing.T) {
						l := &library{t: t, scope: scope, delay: time.Second, ids: numbers(1_100)}
						l.change = func(l *library, request int) {
							if request == at {
								change(l)
							}
						}
						got, err := l.list(t)
						if err != nil {
							t.Fatalf("changed at request %d: %v", at, err)
						}
						for _, id := range l.ids {
							if id <= 1_100 && !slices.Contains(got, id) {
								t.Fatalf("changed at request %d: %d was not found, with %d requests", at, id, len(l.requests))
							}
						}
					})
				}
			})
		}
	}
}

// TestListingThatNeverRests: a list that changes before each request ends.
func TestListingThatNeverRests(t *testing.T) {
	t.Parallel()

	l := &library{t: t, scope: Organization, ids: numbers(1_000)}
	l.change = func(l *library, request int) { l.ids = append([]int64{int64(10_000 + request)}, l.ids...) }
	got, err := l.list(t)
	if err != nil || len(got) < 1_000 || len(l.requests) > 1+maxRounds*(10+2+2) {
		t.Errorf("found %d with %d requests, %v", len(got), len(l.requests), err)
	}
}

// TestListingFails: a page that fails for good ends the listing, and the requests for
// the others.
func TestListingFails(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, cloud, nil)
		l := &library{t: t, scope: Organization, delay: time.Second, ids: numbers(5_000)}
		c.gh.Client().Transport.(*wire.Transport).Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("page") == "7" {
				return (&service{t: t, host: r.URL.Host, answer: func(request) response { return response{status: 403} }}).RoundTrip(r)
			}
			return l.RoundTrip(r)
		})
		err := c.Repositories(t.Context(), Organization, "acme", func(Repository) {})
		if !IsForbidden(err) || len(l.requests) > 2+16 {
			t.Errorf("%v after %d requests", err, len(l.requests))
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTooManyPages: the number of pages that the first one names is bounded.
func TestTooManyPages(t *testing.T) {
	t.Parallel()

	n := 0
	c, _ := newClient(t, cloud, func(request) response {
		n++
		return response{status: 200, body: `[{"id":1,"name":"a"}]`, link: `<https://api.test/x?page=2>; rel="next", <https://api.test/x?page=2001>; rel="last"`}
	})
	if _, err := names(c, t, Organization); !asError(t, err).Malformed || n != 1 {
		t.Errorf("%v after %d requests", err, n)
	}
}
