package codacy

import (
	"context"
	"net/http"
	"net/url"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// pageSize is the largest page that the API's description allows.
	pageSize = 100
	// maxRepositories and maxTokens bound the lists: of an organization's
	// repositories, of which GitHub allows 100,000, and of one repository's tokens, of
	// which Codacy allows 100.
	maxRepositories = 200_000
	maxTokens       = 1_000
	// maxRepositoryBytes and maxTokenBytes bound all pages of these lists together. Up to
	// a hundred lists of tokens are read at a time.
	maxRepositoryBytes = 512 << 20
	maxTokenBytes      = 1 << 20
	// maxCursor bounds a cursor, in bytes. It becomes a part of the next address.
	maxCursor = 4 << 10
)

// list is a list of one or more pages.
type list struct {
	op       string
	path     []string
	query    url.Values // of the first page; a cursor is added for the others
	first    pace.Retry // for the first page
	maxItems int
	maxBytes int64
}

// pagination is the part of a page that points to the next one.
type pagination struct {
	Cursor string `json:"cursor"`
	Total  int    `json:"total"`
}

// pages calls yield with the items of all pages of a list.
func pages[T any](ctx context.Context, c *Client, l list, yield func(T)) error {
	type page struct {
		Items      []T        `json:"data"`
		Pagination pagination `json:"pagination"`
	}
	guard := wire.PageGuard{MaxItems: l.maxItems, PageSize: pageSize, MaxBytes: l.maxBytes}
	malformed := func(problem string) error { return wire.Malformed(Name, l.op, http.StatusOK, nil, problem) }
	for retry := l.first; ; retry = c.retry {
		p, err := pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
			var p page
			err := c.doAndDecode(ctx, l.op, http.MethodGet, c.url(l.query, l.path...), nil, func(resp *http.Response) error {
				return guard.Decode(resp.Body, &p)
			})
			switch {
			case err == nil && p.Items == nil:
				err = malformed("the response contains no list")
			case err == nil && len(p.Pagination.Cursor) > maxCursor:
				err = malformed("the list's cursor is too long")
			}
			return p, err
		})
		if err != nil {
			return err
		}
		for _, it := range p.Items {
			yield(it)
		}
		total := p.Pagination.Total
		if total <= pageSize {
			total = 0 // it may count the items of one page
		}
		if problem := guard.Next(len(p.Items), p.Pagination.Cursor, total); problem != "" {
			return malformed("the list does not end: " + problem)
		}
		if p.Pagination.Cursor == "" {
			return nil
		}
		l.query.Set("cursor", p.Pagination.Cursor)
	}
}
