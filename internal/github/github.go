// Package github is a client for the operations of GitHub's REST API that the
// action needs: it looks up an owner, lists the repositories that a credential can
// access, and reads and writes a repository's secrets in all four stores. App
// creates and renews a GitHub App's installation tokens.
//
// It is built on go-github, whose Client sends every request. Responses are decoded
// here, because go-github takes an empty response for an empty list, rounds a
// numeric key_id, and lacks the agents store.
// https://docs.github.com/rest
//
// Reads are retried as pace.Do does; PutSecret sends one request.
package github

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Name is the service's name in errors.
const Name = "GitHub"

// Client sends requests to GitHub. It is safe for concurrent use.
type Client struct {
	// KeepTraits has Repositories keep the visibility and the topics.
	KeepTraits bool

	gh        *github.Client
	start     pace.Retry
	retry     pace.Retry
	addresses *addresses
}

// New returns a client for the API at base, such as https://api.github.com or
// https://ghes.example/api/v3. The http.Client adds the credential. start bounds
// the first request, retry all other reads.
func New(hc *http.Client, base *url.URL, start, retry pace.Retry) *Client {
	gh := github.NewClient(hc)
	u := *base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	gh.BaseURL = &u
	return &Client{gh: gh, start: start, retry: retry, addresses: newAddresses()}
}

// get sends a GET and decodes the response into v.
func (c *Client) get(ctx context.Context, op, address string, v any) (*github.Response, error) {
	return c.send(ctx, op, http.MethodGet, address, nil, func(r io.Reader) error { return wire.DecodeObject(r, v) })
}

// send sends a request with a body, unless that is nil, and decodes the response.
func (c *Client) send(ctx context.Context, op, method, address string, body any, decode func(io.Reader) error) (*github.Response, error) {
	req, err := c.gh.NewRequest(method, address, body)
	if err != nil {
		return nil, wire.Failed(Name, op, err)
	}
	ctx, latest := wire.Track(ctx)
	resp, err := c.gh.BareDo(ctx, req)
	if err != nil {
		return nil, wire.Failed(Name, op, cmp.Or(latest(), err))
	}
	defer func() { _ = resp.Body.Close() }() // the body was read
	if err := decode(resp.Body); err != nil {
		return nil, wire.DecodeError(Name, op, resp.StatusCode, resp.Header, err)
	}
	return resp, nil
}

// path joins the elements of an address, each of them escaped.
func path(elements ...string) string { return wire.Path(elements...) }
