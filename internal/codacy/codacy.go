// Package codacy is a client for the operations of Codacy's API v3 that the
// action needs: the proof of an account token, an organization's repositories,
// and the tokens of a repository, of both generations.
// https://api.codacy.com/api/api-docs
//
// Reads are tried again as pace.Do does; creating and deleting are sent once,
// and their *wire.Error says whether they may have been carried out.
package codacy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// Name is the service's name in errors.
	Name = "Codacy"
	// pageSize is the most that the API's description allows.
	pageSize = 100
	// maxPages bounds a list that never ends.
	maxPages = 10_000
	// maxValue bounds a token's value, in bytes.
	maxValue = 4096
	// maxName is how much is kept of a repository's name, in bytes: more than any
	// that can be used has.
	maxName = 256
	// The most that the lists can hold: an organization's repositories, and the
	// tokens of one, of which Codacy allows 100.
	maxRepositories = 1_000_000
	maxTokens       = 10_000
	// maxEmpty bounds the pages in a row that hold nothing and point on.
	maxEmptyPages = 3
)

// Client talks to Codacy about one organization.
type Client struct {
	// Learn, if set, is told the value of each new token before anything else is
	// done with the answer that holds it.
	OnSecret func(secret.Value)

	http  *http.Client
	base  *url.URL
	org   []string // path of the organization
	start pace.Retry
	retry pace.Retry
}

// New returns a client for an organization of a provider (gh or ghe) at base,
// such as https://app.codacy.com/api/v3. The http.Client carries the account
// token. Start bounds the first request, retry the other reads.
func New(hc *http.Client, base *url.URL, provider, organization string, start, retry pace.Retry) *Client {
	return &Client{
		http: hc, base: base, org: []string{"organizations", provider, organization},
		start: start, retry: retry,
	}
}

// Repository is one of an organization's repositories on Codacy.
type Repository struct {
	Name string
	// RemoteID is the provider's id of the repository; empty if not told.
	RemoteID string
	// Added tells whether Codacy analyses it; only then it has tokens.
	Added bool
	// Private tells whether not everybody may see it.
	Private bool
}

// Token is a token of a repository, without its value.
type Token struct {
	ID int64
	// Name is empty in the first generation.
	Name string
	// Created and Expires are on Codacy's clock; zero if not told.
	Created, Expires time.Time
}

// User proves the account token; it fails if Codacy does not accept it.
func (c *Client) User(ctx context.Context) error {
	_, err := pace.Do(ctx, c.start, func(ctx context.Context) (struct{}, error) {
		var answer struct {
			Data *struct{} `json:"data"`
		}
		err := c.send(ctx, "GET /user", http.MethodGet, c.url(nil, "user"), nil, &answer)
		if err == nil && answer.Data == nil {
			err = wire.Garbage(Name, "GET /user", http.StatusOK, "the answer names no user")
		}
		return struct{}{}, err
	})
	return err
}

// Repositories calls yield with each repository of the organization, page by
// page. The same repository may come twice.
func (c *Client) Repositories(ctx context.Context, yield func(Repository)) error {
	const op = "list the organization's repositories"
	type item struct {
		Name       string `json:"name"`
		RemoteID   string `json:"remoteIdentifier"`
		AddedState string `json:"addedState"`
		Visibility string `json:"visibility"`
	}
	l := list{
		op: op, path: append(c.org[:3:3], "repositories"), query: url.Values{"limit": {strconv.Itoa(pageSize)}},
		first: c.start, max: maxRepositories,
	}
	return pages(ctx, c, l, func(it item) {
		yield(Repository{
			Name: wire.Truncate(it.Name, maxName), RemoteID: wire.Truncate(it.RemoteID, maxName),
			Added: it.AddedState != "NotAdded", Private: it.Visibility == "Private",
		})
	})
}

// Knows tells whether Codacy has an organization of a provider, so that a wrong
// name can be told from a wrong provider.
func (c *Client) OrganizationExists(ctx context.Context, provider, organization string) bool {
	var answer struct{ Data *[]struct{} }
	address := c.url(url.Values{"limit": {"1"}}, "organizations", provider, organization, "repositories")
	err := c.do(ctx, "look for the organization "+organization, http.MethodGet, address, nil, &answer)
	return err == nil && answer.Data != nil
}

// Expiry tells when the account token expires, on Codacy's clock; the zero time
// if never, or if Codacy does not say. The list of the account's tokens holds
// their values, of which the token's own is found by comparing.
func (c *Client) Expiry(ctx context.Context, token secret.Value) (time.Time, error) {
	var expires time.Time
	type item struct {
		Value   value     `json:"token"`
		Expires time.Time `json:"expiresAt"`
	}
	l := list{op: "list the account's tokens", path: []string{"user", "tokens"}, query: url.Values{}, max: maxTokens}
	err := pages(ctx, c, l, func(it item) {
		if it.Value.Equal(token) {
			expires = it.Expires
		}
	})
	return expires, err
}

// Tokens lists the tokens of a repository, in no particular order.
func (c *Client) Tokens(ctx context.Context, repository string) ([]Token, error) {
	op := "list the tokens of " + repository
	type item struct {
		ID      int64        `json:"id"`
		Name    string       `json:"name"`
		Created creationTime `json:"createdAt"`
		Expires time.Time    `json:"expiresAt"`
	}
	var tokens []Token
	var withoutID bool // could not be deleted
	l := list{op: op, path: c.tokens(repository), query: url.Values{}, first: c.retry, max: maxTokens}
	err := pages(ctx, c, l, func(it item) {
		withoutID = withoutID || it.ID <= 0
		tokens = append(tokens, Token{ID: it.ID, Name: wire.Truncate(it.Name, maxName), Created: it.Created.Time, Expires: it.Expires})
	})
	if err == nil && withoutID {
		err = wire.Garbage(Name, op, http.StatusOK, "a token in the list has no id")
	}
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// creationTime is zero where it can't be read: the field's name is inferred from
// Codacy's web app, not documented, and the action does without it.
type creationTime struct{ time.Time }

func (t *creationTime) UnmarshalJSON(b []byte) error {
	if t.Time.UnmarshalJSON(b) != nil {
		t.Time = time.Time{}
	}
	return nil
}

// CreateToken makes a token with a name and an expiry in whole seconds, and
// returns its value, which Codacy shows only this once. Codacy's first generation
// knows neither names nor expiries: the Token returned then has none.
func (c *Client) CreateToken(ctx context.Context, repository, name string, expires time.Time) (Token, secret.Value, error) {
	op := "create the token " + name + " of " + repository
	body, err := json.Marshal(struct {
		Name    string    `json:"name"`
		Expires time.Time `json:"expiresAt"`
	}{name, expires.UTC()})
	if err != nil {
		return Token{}, secret.Value{}, fmt.Errorf("encode the request: %w", err)
	}
	var answer struct {
		Data struct {
			ID      int64      `json:"id"`
			Name    string     `json:"name"`
			Expires *time.Time `json:"expiresAt"`
			Value   value      `json:"token"`
		} `json:"data"`
	}
	answer.Data.Value.onSecret = c.OnSecret
	if err := c.do(ctx, op, http.MethodPost, c.url(nil, c.tokens(repository)...), body, &answer); err != nil {
		return Token{}, secret.Value{}, err
	}
	if answer.Data.ID <= 0 || !usable(answer.Data.Value.Value) {
		return Token{}, secret.Value{}, wire.Garbage(Name, op, http.StatusCreated, "the answer holds no usable token")
	}
	token := Token{ID: answer.Data.ID}
	if answer.Data.Name != "" || answer.Data.Expires != nil {
		token.Name, token.Expires = name, expires
	}
	return token, answer.Data.Value.Value, nil
}

// value takes a token's value out of JSON, and tells it at once; one that is no
// text, or is longer than maxValue, stays zero.
type value struct {
	secret.Value
	onSecret func(secret.Value)
}

func (v *value) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil || len(s) > maxValue {
		return nil
	}
	v.Value = secret.New(s)
	if v.onSecret != nil {
		v.onSecret(v.Value)
	}
	return nil
}

// usable tells whether a value can be sent in a header, and be masked as one
// line: it is not empty, and holds neither blanks nor control characters.
func usable(v secret.Value) bool {
	return !v.IsZero() && !strings.ContainsFunc(v.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
}

// DeleteToken deletes a token of a repository. That it is not there is no error.
func (c *Client) DeleteToken(ctx context.Context, repository string, id int64) error {
	op := fmt.Sprintf("delete the token %d of %s", id, repository)
	path := append(c.tokens(repository), strconv.FormatInt(id, 10))
	// A 204 holds nothing. What does is somebody else's answer, or an error: it
	// has to be read to be believed.
	var answer struct {
		Error *json.RawMessage `json:"error"`
	}
	err := c.do(ctx, op, http.MethodDelete, c.url(nil, path...), nil, &answer)
	switch {
	case wire.IsNotFound(err):
		return nil
	case err == nil && answer.Error != nil:
		return wire.Garbage(Name, op, http.StatusOK, "the answer holds an error")
	}
	return err
}

func (c *Client) tokens(repository string) []string {
	return append(c.org[:3:3], "repositories", repository, "tokens")
}

// url builds an address from path elements, each of them escaped.
func (c *Client) url(query url.Values, elements ...string) string {
	u := *c.base
	raw := strings.TrimSuffix(u.EscapedPath(), "/") + "/" + wire.Path(elements...)
	u.RawQuery = query.Encode()
	u.RawPath = raw
	u.Path, _ = url.PathUnescape(raw) // it was escaped just now
	return u.String()
}

// list is a list on one or more pages.
type list struct {
	op    string
	path  []string
	query url.Values // of the first page; the others have a cursor beside it
	first pace.Retry // of the first page
	max   int        // items that there can be
}

// pages calls yield with the items of all pages of a list.
func pages[T any](ctx context.Context, c *Client, l list, yield func(T)) error {
	type page struct {
		Data       *[]T `json:"data"`
		Pagination struct {
			Cursor string `json:"cursor"`
			Total  *int   `json:"total"`
		} `json:"pagination"`
	}
	seen, retry := map[string]bool{}, l.first
	items, empty := 0, 0
	endless := func(why string) error {
		return wire.Garbage(Name, l.op, http.StatusOK, "the list does not end: "+why)
	}
	for range maxPages {
		p, err := pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
			var p page
			err := c.do(ctx, l.op, http.MethodGet, c.url(l.query, l.path...), nil, &p)
			if err == nil && p.Data == nil {
				err = wire.Garbage(Name, l.op, http.StatusOK, "the answer holds no list")
			}
			return p, err
		})
		if err != nil {
			return err
		}
		for _, it := range *p.Data {
			yield(it)
		}
		items += len(*p.Data)
		if empty++; len(*p.Data) > 0 {
			empty = 0
		}
		total := p.Pagination.Total
		switch {
		case items > l.max:
			return endless(fmt.Sprintf("it holds more than %d items", l.max))
		case p.Pagination.Cursor == "":
			return nil
		case seen[p.Pagination.Cursor]:
			return endless("a page points back")
		case total != nil && *total > pageSize && items > *total+pageSize: // some may be added meanwhile; a small one may count a page
			return endless(fmt.Sprintf("it goes on after %d items, and tells of %d", items, *total))
		case empty == maxEmptyPages:
			return endless(fmt.Sprintf("%d pages in a row are empty and point on", maxEmptyPages))
		}
		seen[p.Pagination.Cursor], retry = true, c.retry
		l.query.Set("cursor", p.Pagination.Cursor)
	}
	return endless(fmt.Sprintf("it has more than %d pages", maxPages))
}

// do sends one request and decodes the answer into v; an answer without a body
// leaves it as it is. A 404 that may mean a dead account token is a 401 if it does.
func (c *Client) do(ctx context.Context, op, method, address string, body []byte, v any) error {
	err := c.send(ctx, op, method, address, body, v)
	if !saysNotFound(err) {
		return err
	}
	// Something is missing, or the account token dead: that is another question.
	proof := c.send(ctx, op, http.MethodGet, c.url(nil, "user"), nil, &struct{}{})
	switch {
	case proof != nil && wire.DispositionOf(proof) == wire.Rejected:
		return &wire.Error{
			Service: Name, Op: op, Status: http.StatusUnauthorized, Disposition: wire.Rejected, Err: err,
			Message: "the account token is not accepted any more",
		}
	case proof != nil && method == http.MethodDelete:
		return proof // nobody knows whether it is gone
	}
	return err
}

// saysNotFound tells the answer that a dead account token may have: a 404 whose
// body is {"error":"not found"}. Codacy's other 404s say what was not found.
func saysNotFound(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && strings.EqualFold(e.Message, "not found")
}

// send is do, without a thought of what a 404 may mean.
func (c *Client) send(ctx context.Context, op, method, address string, body []byte, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %s: %w", Name, op, err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return wire.Failed(Name, op, err)
	}
	defer func() { _ = resp.Body.Close() }() // what matters was read
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return wire.Failed(Name, op, err)
	}
	if method == http.MethodDelete && len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		var syntax *json.SyntaxError
		what := "the answer does not fit its description"
		if errors.As(err, &syntax) {
			what = "the answer is no JSON"
		}
		return wire.Unreadable(Name, op, resp.StatusCode, resp.Header, what)
	}
	return nil
}
