package github

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/google/go-github/v60/github"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// pageSize is the largest page that GitHub returns.
	pageSize = 100
	// maxRepositories bounds the list of repositories, of which GitHub allows an
	// organization 100,000, and maxListBytes all of its pages together.
	maxRepositories = 200_000
	maxListBytes    = 2 << 30
	// maxConcurrentPages is the number of pages that are read at a time.
	maxConcurrentPages = 8
	// maxRounds bounds how often a list is read that changes meanwhile.
	maxRounds = 3
)

// page is one page of the list.
type page struct {
	items      []itemWithTraits
	total      int // of an installation's list; zero for the others
	next, last int // numbers of these pages; zero if this is the last one
}

const listOp = "list the repositories"

// listing is one listing of the repositories.
type listing struct {
	*Client
	scope Scope
	owner string
	yield func(Repository)
	guard *wire.PageGuard

	// Of the current round:
	ids          []int64
	fewest, most int // total_count of its pages
	beyond       int // number of the page after the last one; zero if it is the last
}

// Repositories calls yield with every repository of the scope that the credential
// can access; owner names the organization. It may yield a repository twice.
//
// If the first page names the last one, all pages are read concurrently. A repository
// that is deleted meanwhile moves others to the page before, which may have been read:
// so the list is read again if the number of repositories changed, or doesn't fit. Only
// a deletion and a creation within seconds can hide each other.
func (c *Client) Repositories(ctx context.Context, scope Scope, owner string, yield func(Repository)) error {
	l := &listing{Client: c, scope: scope, owner: owner, yield: yield, guard: newPageGuard()}
	first, err := l.read(ctx, c.start, pageSize, 1)
	switch {
	case err != nil:
		return err
	case first.last == 0:
		return l.readOn(ctx, first)
	case first.last > maxRepositories/pageSize:
		return endless(fmt.Sprintf("it has more than %d items", maxRepositories))
	}
	for range maxRounds {
		complete, err := l.readRound(ctx, first.last)
		if complete || err != nil {
			return err
		}
	}
	return nil // it changes all the time: the rounds together have to do
}

func newPageGuard() *wire.PageGuard {
	return &wire.PageGuard{MaxItems: maxRepositories, PageSize: pageSize, MaxBytes: maxListBytes}
}

func endless(problem string) error {
	return wire.Malformed(Name, listOp, http.StatusOK, nil, "the list does not end: "+problem)
}

// readOn takes a page, and reads all pages after it, one after the other.
func (l *listing) readOn(ctx context.Context, p page) error {
	for {
		if err := l.take(p); err != nil {
			return err
		}
		next := ""
		if p.next != 0 {
			next = strconv.Itoa(p.next)
		}
		if problem := l.guard.Next(len(p.items), next, p.total); problem != "" {
			return endless(problem)
		}
		if p.next == 0 {
			return nil
		}
		var err error
		if p, err = l.read(ctx, l.retry, pageSize, p.next); err != nil {
			return err
		}
	}
}

// readRound reads the pages up to the last one concurrently, and those beyond it. It
// returns whether they were all that there are.
func (l *listing) readRound(ctx context.Context, last int) (complete bool, err error) {
	before, err := l.count(ctx)
	if err != nil {
		return false, err
	}
	l.guard, l.ids, l.fewest, l.most, l.beyond = newPageGuard(), l.ids[:0], 0, 0, 0
	if err := l.readPages(ctx, last); err != nil {
		return false, err
	}
	if l.beyond != 0 {
		p, err := l.read(ctx, l.retry, pageSize, l.beyond)
		if err == nil {
			err = l.readOn(ctx, p)
		}
		if err != nil {
			return false, err
		}
	}
	after, err := l.count(ctx)
	if err != nil {
		return false, err
	}
	if l.scope == Installation {
		before, after = l.fewest, l.most
	}
	slices.Sort(l.ids)
	all := len(l.ids)
	return before == after && all == after && len(slices.Compact(l.ids)) == all, nil
}

// readPages reads the pages up to the last one, several at a time.
func (l *listing) readPages(ctx context.Context, last int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		number int
		page   page
		err    error
	}
	results := make(chan result)
	var workers sync.WaitGroup
	var previous atomic.Int64
	for range min(maxConcurrentPages, last) {
		workers.Go(func() {
			for ctx.Err() == nil {
				number := int(previous.Add(1))
				if number > last {
					return
				}
				p, err := l.read(ctx, l.retry, pageSize, number)
				results <- result{number, p, err}
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()
	var failed error
	for r := range results {
		if r.err == nil && failed == nil {
			if r.number == last {
				l.beyond = r.page.next
			}
			r.err = l.take(r.page)
		}
		if r.err != nil && failed == nil {
			failed = r.err
			cancel()
		}
	}
	return failed
}

// take yields the repositories of a page.
func (l *listing) take(p page) error {
	if len(l.ids)+len(p.items) > maxRepositories {
		return endless(fmt.Sprintf("it has more than %d items", maxRepositories))
	}
	defaultOwner := l.owner
	if l.scope == Installation {
		defaultOwner = "" // its list names the owners
	}
	for _, it := range p.items {
		l.ids = append(l.ids, it.ID)
		l.yield(Repository{
			ID: it.ID, Owner: unique.Make(wire.Truncate(cmp.Or(it.Owner.Login, defaultOwner), maxName)).Value(), Name: wire.Truncate(it.Name, maxName),
			Archived: it.Archived, Disabled: it.Disabled, Private: it.Private,
			Traits: l.traits(it),
		})
	}
	if l.most == 0 || p.total < l.fewest {
		l.fewest = p.total
	}
	l.most = max(l.most, p.total)
	return nil
}

// count returns the number of repositories in the list: that of the last page, if a
// page has one. An installation's pages state the number themselves.
func (l *listing) count(ctx context.Context) (int, error) {
	if l.scope == Installation {
		return 0, nil
	}
	p, err := l.read(ctx, l.retry, 1, 1)
	return max(p.last, len(p.items)), err
}

// read reads one page of the list.
func (l *listing) read(ctx context.Context, retry pace.Retry, size, number int) (page, error) {
	address := fmt.Sprintf("%sper_page=%d&page=%d", listPath(l.scope, l.owner), size, number)
	return pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
		var p page
		resp, err := l.send(ctx, listOp, http.MethodGet, address, nil, func(r io.Reader) (err error) {
			if l.KeepTraits {
				p.items, p.total, err = decodePage[itemWithTraits](l, r)
				return err
			}
			var items []item
			items, p.total, err = decodePage[item](l, r)
			if items != nil {
				p.items = make([]itemWithTraits, 0, len(items))
			}
			for _, it := range items {
				p.items = append(p.items, itemWithTraits{item: it})
			}
			return err
		})
		if err != nil {
			return page{}, err
		}
		if problem := pageProblem(p.items, resp, number); problem != "" {
			return page{}, wire.Malformed(Name, listOp, http.StatusOK, nil, problem)
		}
		p.next, p.last = resp.NextPage, resp.LastPage
		return p, nil
	})
}

// decodePage decodes a page of a list: an array, or for an installation a field. The
// items are nil if there is no list.
func decodePage[T any](l *listing, r io.Reader) (items []T, total int, err error) {
	if l.scope != Installation {
		items = make([]T, 0, pageSize)
		err = l.guard.Decode(r, &items)
		return items, 0, err
	}
	var body struct {
		Total int `json:"total_count"`
		Items []T `json:"repositories"`
	}
	err = l.guard.Decode(r, &body)
	return body.Items, body.Total, err
}

// listPath returns the list's address, up to its next parameter.
func listPath(scope Scope, owner string) string {
	switch scope {
	case Account:
		return "user/repos?affiliation=owner&"
	case Installation:
		return "installation/repositories?"
	}
	return path("orgs", owner, "repos") + "?"
}

// pageProblem reports why a page is malformed; empty if it isn't.
func pageProblem(list []itemWithTraits, resp *github.Response, number int) string {
	switch {
	case list == nil:
		return "the response contains no list"
	case slices.ContainsFunc(list, func(it itemWithTraits) bool { return it.ID <= 0 || it.Name == "" }):
		return "a repository in the list has no ID or no name"
	case resp.NextPage == 0 && strings.Contains(resp.Header.Get("Link"), `rel="next"`):
		return "the list's next page has no number"
	case resp.NextPage != 0 && resp.NextPage <= number:
		return "the list does not end: a page points back"
	case resp.LastPage != 0 && resp.NextPage > resp.LastPage:
		return "the list does not end: a page points beyond the last one"
	}
	return ""
}
