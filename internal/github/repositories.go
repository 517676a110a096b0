package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	// maxName bounds the part of a name that is kept, in bytes. It is longer than
	// any valid name.
	maxName = 256
)

// Repository is what the action needs to know of a repository.
type Repository struct {
	ID                          int64
	Owner, Name                 string
	Archived, Disabled, Private bool
	// Visibility is public, private or internal; empty if GitHub doesn't say.
	Visibility string
	// Topics are only kept if the Client's KeepTopics is set.
	Topics []string
}

// maxTopics is the number of topics of a repository that are kept. GitHub allows 20.
// https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/classifying-your-repository-with-topics
const maxTopics = 100

// item is a repository in a list.
type item struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner struct {
		Login string `json:"login"`
	} `json:"owner"`
	Archived bool `json:"archived"`
	Disabled bool `json:"disabled"`
	Private  bool `json:"private"`

	Visibility string   `json:"visibility"`
	Topics     []string `json:"topics"`
}

// page is one page of the list.
type page struct {
	items []item
	total int // of an installation's list; zero for the others
	next  int // number of the next page; zero if this is the last one
}

const listOp = "list the repositories"

// Repositories calls yield with every repository of the scope that the credential
// can access; owner names the organization. It may yield a repository twice.
func (c *Client) Repositories(ctx context.Context, scope Scope, owner string, yield func(Repository)) error {
	defaultOwner := owner
	if scope == Installation {
		defaultOwner = "" // its list names the owners
	}
	guard := &wire.PageGuard{MaxItems: maxRepositories, PageSize: pageSize, MaxBytes: maxListBytes}
	retry := c.start
	for number := 1; number != 0; retry = c.retry {
		p, err := pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
			return c.page(ctx, guard, scope, owner, number)
		})
		if err != nil {
			return err
		}
		for _, it := range p.items {
			yield(Repository{
				ID: it.ID, Owner: unique.Make(wire.Truncate(cmp.Or(it.Owner.Login, defaultOwner), maxName)).Value(), Name: wire.Truncate(it.Name, maxName),
				Archived: it.Archived, Disabled: it.Disabled, Private: it.Private,
				Visibility: unique.Make(wire.Truncate(it.Visibility, maxName)).Value(), Topics: c.topics(it),
			})
		}
		next := ""
		if p.next != 0 {
			next = strconv.Itoa(p.next)
		}
		if problem := guard.Next(len(p.items), next, p.total); problem != "" {
			return wire.Malformed(Name, listOp, http.StatusOK, nil, "the list does not end: "+problem)
		}
		number = p.next
	}
	return nil
}

// topics returns the topics to keep of a repository.
func (c *Client) topics(it item) []string {
	if !c.KeepTopics {
		return nil
	}
	topics := make([]string, 0, min(maxTopics, len(it.Topics)))
	for _, t := range it.Topics[:cap(topics)] {
		topics = append(topics, unique.Make(wire.Truncate(t, maxName)).Value())
	}
	return topics
}

// Probe sends the cheapest request, for a further response by which to estimate
// GitHub's clock: a list of one repository.
func (c *Client) Probe(ctx context.Context, scope Scope, owner string) error {
	_, err := pace.Do(ctx, c.start, func(ctx context.Context) (struct{}, error) {
		_, err := c.get(ctx, listOp, listPath(scope, owner)+"per_page=1", new(json.RawMessage))
		return struct{}{}, err
	})
	return err
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

// page reads one page of the list.
func (c *Client) page(ctx context.Context, guard *wire.PageGuard, scope Scope, owner string, number int) (page, error) {
	field := "" // the list is the response itself
	if scope == Installation {
		field = "repositories"
	}
	var p page
	var found bool
	address := fmt.Sprintf("%sper_page=%d&page=%d", listPath(scope, owner), pageSize, number)
	resp, err := c.send(ctx, listOp, http.MethodGet, address, nil, func(r io.Reader) (err error) {
		p.items, found, err = wire.DecodeList[item](guard.Reader(r), maxRepositories, field, map[string]any{"total_count": &p.total})
		return err
	})
	if err != nil {
		return page{}, err
	}
	if problem := pageProblem(p.items, found, resp, number); problem != "" {
		return page{}, wire.Malformed(Name, listOp, http.StatusOK, nil, problem)
	}
	p.next = resp.NextPage
	return p, nil
}

// pageProblem reports why a page is malformed; empty if it isn't.
func pageProblem(list []item, found bool, resp *github.Response, number int) string {
	switch {
	case !found:
		return "the response contains no list"
	case slices.ContainsFunc(list, func(it item) bool { return it.ID <= 0 || it.Name == "" }):
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
