package codacy

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// User verifies the account token. It fails if Codacy does not accept the token.
func (c *Client) User(ctx context.Context) error {
	const op = "GET /user"
	_, err := pace.Do(ctx, c.start, func(ctx context.Context) (struct{}, error) {
		var body struct {
			Data *struct{} `json:"data"`
		}
		err := c.send(ctx, op, http.MethodGet, c.url(nil, "user"), nil, func(r io.Reader) error {
			return wire.DecodeObject(r, &body)
		})
		if err == nil && body.Data == nil {
			err = wire.Malformed(Name, op, http.StatusOK, nil, "the response contains no user")
		}
		return struct{}{}, err
	})
	return err
}

// Expiry returns when the account token expires, on Codacy's clock; the zero time
// if it never does or Codacy does not say. It finds the token by its value in the
// list of the account's tokens.
func (c *Client) Expiry(ctx context.Context, token secret.Value) (time.Time, error) {
	var expires time.Time
	type item struct {
		Value   value     `json:"token"`
		Expires time.Time `json:"expiresAt"`
	}
	l := list{op: "list the account's tokens", path: []string{"user", "tokens"}, query: url.Values{}, maxItems: maxTokens, maxBytes: maxTokenBytes}
	err := pages(ctx, c, l, func(it item) {
		if it.Value.Equal(token) {
			expires = it.Expires
		}
	})
	return expires, err
}
