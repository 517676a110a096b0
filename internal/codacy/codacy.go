// Package codacy is a client for the operations of Codacy's API v3 that the action
// needs: it verifies the account token, lists an organization's repositories, and
// lists, creates and deletes a repository's tokens. It supports legacy Codacy,
// whose tokens have neither names nor expiries.
// https://api.codacy.com/api/api-docs
//
// Reads are retried as pace.Do does. Creating and deleting are sent once, and
// their *wire.Error says whether they may have taken effect.
package codacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// Name is the service's name in errors.
	Name = "Codacy"
	// maxName bounds the part of a name that is kept, in bytes. It is longer than
	// any valid name.
	maxName = 256
)

// Client sends requests to Codacy about one organization.
type Client struct {
	// OnSecret, if set, is called with the value of each new token before anything
	// else is done with the response that holds it.
	OnSecret func(secret.Value)

	http  *http.Client
	base  string
	org   []string // the organization's path
	start pace.Retry
	retry pace.Retry
}

// New returns a client for an organization of a provider (gh or ghe) at base,
// such as https://app.codacy.com/api/v3. The http.Client adds the account token.
// start bounds the first request, retry all other reads.
func New(hc *http.Client, base *url.URL, provider, organization string, start, retry pace.Retry) *Client {
	return &Client{
		http: hc, base: strings.TrimSuffix(base.String(), "/"), org: []string{"organizations", provider, organization},
		start: start, retry: retry,
	}
}

// url returns an address below the base; each path element is escaped.
func (c *Client) url(query url.Values, elements ...string) string {
	address := c.base + "/" + wire.Path(elements...)
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// do sends one request and decodes the response into v. A 404 because of an invalid
// account token becomes a 401.
func (c *Client) do(ctx context.Context, op, method, address string, body []byte, v any) error {
	return c.doAndDecode(ctx, op, method, address, body, func(resp *http.Response) error { return wire.DecodeObject(resp.Body, v) })
}

// doAndDecode is do with a function that decodes the response.
func (c *Client) doAndDecode(ctx context.Context, op, method, address string, body []byte, decode func(*http.Response) error) error {
	err := c.send(ctx, op, method, address, body, decode)
	if !saysNotFound(err) {
		return err
	}
	// The resource is missing or the account token is invalid. Verify the token to
	// distinguish the two.
	verifyErr := c.send(ctx, op, http.MethodGet, c.url(nil, "user"), nil, func(resp *http.Response) error {
		return wire.DecodeObject(resp.Body, &struct{}{})
	})
	switch {
	case verifyErr != nil && wire.DispositionOf(verifyErr) == wire.Rejected:
		return &wire.Error{
			Service: Name, Op: op, Status: http.StatusUnauthorized, Disposition: wire.Rejected, Err: err,
			Message: "the account token is no longer accepted",
		}
	case verifyErr != nil && method == http.MethodDelete:
		return verifyErr // whether the token exists is not known
	}
	return err
}

// saysNotFound reports whether err may come from an invalid account token: a 404
// whose body is {"error":"not found"}. Codacy's other 404s say what was not found.
func saysNotFound(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && strings.EqualFold(e.Message, "not found")
}

// send is doAndDecode without the extra check for 404.
func (c *Client) send(ctx context.Context, op, method, address string, body []byte, decode func(*http.Response) error) error {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
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
	defer func() { _ = resp.Body.Close() }() // the body was read
	if err := decode(resp); err != nil {
		return wire.DecodeError(Name, op, resp.StatusCode, resp.Header, err)
	}
	return nil
}
