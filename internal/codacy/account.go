package codacy

import (
	"context"
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
		err := c.send(ctx, op, http.MethodGet, c.url(nil, "user"), nil, func(resp *http.Response) error {
			return wire.DecodeObject(resp.Body, &body)
		})
		if err == nil && body.Data == nil {
			err = wire.Malformed(Name, op, http.StatusOK, nil, "the response contains no user")
		}
		return struct{}{}, err
	})
	return err
}

// AccountExpiry is the expiry of an account token, on Codacy's clock.
type AccountExpiry struct {
	// Time is zero if there is no expiry, or Codacy doesn't say.
	Time time.Time
	// Uncertain means that Codacy's list doesn't show the token's value: the time is
	// the soonest one of the account's tokens.
	Uncertain bool
}

// Expiry returns the expiry of the account token. It finds the token by its value in
// the list of the account's tokens. Codacy may mask the values; then it is one of
// the tokens that have not expired by now.
func (c *Client) Expiry(ctx context.Context, token secret.Value, now time.Time) (AccountExpiry, error) {
	var own *time.Time
	var soonest time.Time
	type item struct {
		Value   value     `json:"token"`
		Expires time.Time `json:"expiresAt"`
	}
	l := list{op: "list the account's tokens", path: []string{"user", "tokens"}, query: url.Values{}, maxItems: maxTokens, maxBytes: maxTokenBytes}
	err := pages(ctx, c, l, func(it item) {
		if it.Value.Equal(token) {
			own = &it.Expires
		}
		if it.Expires.After(now) && (soonest.IsZero() || it.Expires.Before(soonest)) {
			soonest = it.Expires
		}
	})
	if own != nil {
		return AccountExpiry{Time: *own}, err
	}
	return AccountExpiry{Time: soonest, Uncertain: true}, err
}
