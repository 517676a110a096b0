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
	// repositories, and of one repository's tokens, of which Codacy allows 100.
	maxRepositories = 1_000_000
	maxTokens       = 10_000
)

// list is a list of one or more pages.
type list struct {
	op    string
	path  []string
	query url.Values // of the first page; a cursor is added for the others
	first pace.Retry // for the first page
	max   int        // number of items
}

// pages calls yield with the items of all pages of a list.
func pages[T any](ctx context.Context, c *Client, l list, yield func(T)) error {
	type page struct {
		Data       *[]T `json:"data"`
		Pagination struct {
			Cursor string `json:"cursor"`
			Total  int    `json:"total"`
		} `json:"pagination"`
	}
	guard := wire.PageGuard{MaxItems: l.max, PageSize: pageSize}
	for retry := l.first; ; retry = c.retry {
		p, err := pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
			var p page
			err := c.do(ctx, l.op, http.MethodGet, c.url(l.query, l.path...), nil, &p)
			if err == nil && p.Data == nil {
				err = wire.Malformed(Name, l.op, http.StatusOK, nil, "the response contains no list")
			}
			return p, err
		})
		if err != nil {
			return err
		}
		for _, it := range *p.Data {
			yield(it)
		}
		total := p.Pagination.Total
		if total <= pageSize {
			total = 0 // it may count the items of one page
		}
		cursor := p.Pagination.Cursor
		if problem := guard.Next(len(*p.Data), cursor, total); problem != "" {
			return wire.Malformed(Name, l.op, http.StatusOK, nil, "the list does not end: "+problem)
		}
		if cursor == "" {
			return nil
		}
		l.query.Set("cursor", cursor)
	}
}
