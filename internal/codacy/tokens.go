package codacy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// minValue and maxValue bound a token's value, in bytes. The value is masked in the
// log: masking a short one would blank unrelated text.
const (
	minValue = 16
	maxValue = 4096
)

// Token is a repository's token, without its value.
type Token struct {
	ID int64
	// Name is empty on legacy Codacy.
	Name string
	// Created and Expires are on Codacy's clock; zero if unknown.
	Created, Expires time.Time
}

func (c *Client) tokens(repository string) []string {
	return append(c.org[:3:3], "repositories", repository, "tokens")
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
	var withoutID bool // such a token can't be deleted
	l := list{op: op, path: c.tokens(repository), query: url.Values{}, first: c.retry, maxItems: maxTokens, maxBytes: maxTokenBytes}
	err := pages(ctx, c, l, func(it item) {
		withoutID = withoutID || it.ID <= 0
		tokens = append(tokens, Token{ID: it.ID, Name: wire.Truncate(it.Name, maxName), Created: it.Created.Time, Expires: it.Expires})
	})
	if err == nil && withoutID {
		err = wire.Malformed(Name, op, http.StatusOK, nil, "a token in the list has no ID")
	}
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// creationTime is zero if it can't be parsed: the field's name is not documented,
// but inferred from Codacy's web app, and the action works without it.
type creationTime struct{ time.Time }

func (t *creationTime) UnmarshalJSON(b []byte) error {
	if t.Time.UnmarshalJSON(b) != nil {
		t.Time = time.Time{}
	}
	return nil
}

// CreateToken creates a token with a name and an expiry in whole seconds. It
// returns the token as Codacy describes it, which may differ from the request, and its
// value, which Codacy shows only once. The response has no creation time; its Date,
// by the clock of the server that created the token, stands for it. Legacy Codacy
// ignores name and expiry: there the token has none.
func (c *Client) CreateToken(ctx context.Context, repository, name string, expires time.Time) (Token, secret.Value, error) {
	op := "create the token " + name + " of " + repository
	body, err := json.Marshal(struct {
		Name    string    `json:"name"`
		Expires time.Time `json:"expiresAt"`
	}{name, expires.UTC()})
	if err != nil {
		return Token{}, secret.Value{}, fmt.Errorf("encode the request: %w", err)
	}
	var created struct {
		Data struct {
			ID      int64     `json:"id"`
			Name    string    `json:"name"`
			Expires time.Time `json:"expiresAt"`
			Value   value     `json:"token"`
		} `json:"data"`
	}
	created.Data.Value.onSecret = c.OnSecret
	var at time.Time
	if err := c.doAndDecode(ctx, op, http.MethodPost, c.url(nil, c.tokens(repository)...), body, func(resp *http.Response) error {
		at = wire.Date(resp.Header)
		return wire.DecodeObject(resp.Body, &created)
	}); err != nil {
		return Token{}, secret.Value{}, err
	}
	if v := created.Data.Value; created.Data.ID <= 0 || !v.OneLine() || v.short {
		return Token{}, secret.Value{}, wire.Malformed(Name, op, http.StatusCreated, nil, "the response contains no valid token")
	}
	token := Token{ID: created.Data.ID, Name: wire.Truncate(created.Data.Name, maxName), Created: at, Expires: created.Data.Expires}
	return token, created.Data.Value.Value, nil
}

// value decodes a token's value and passes it to onSecret immediately. A value
// that isn't a string, or is longer than maxValue, stays zero.
type value struct {
	secret.Value
	short    bool // shorter than minValue
	onSecret func(secret.Value)
}

func (v *value) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil || len(s) > maxValue {
		return nil
	}
	v.Value, v.short = secret.New(s), len(s) < minValue
	if v.onSecret != nil {
		v.onSecret(v.Value)
	}
	return nil
}

// DeleteToken deletes a token of a repository. A token that doesn't exist is no
// error.
func (c *Client) DeleteToken(ctx context.Context, repository string, id int64) error {
	op := fmt.Sprintf("delete the token %d of %s", id, repository)
	path := append(c.tokens(repository), strconv.FormatInt(id, 10))
	// A 204 has no body. A body means a proxy's response or an error, so it has to
	// be decoded.
	var body struct {
		Error *json.RawMessage `json:"error"`
	}
	err := c.doAndDecode(ctx, op, http.MethodDelete, c.url(nil, path...), nil, func(resp *http.Response) error {
		if err := wire.DecodeObject(resp.Body, &body); err != io.EOF {
			return err
		}
		return nil
	})
	switch {
	case wire.IsNotFound(err):
		return nil
	case err == nil && body.Error != nil:
		return wire.Malformed(Name, op, http.StatusOK, nil, "the response contains an error")
	}
	return err
}
