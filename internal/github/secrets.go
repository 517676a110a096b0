package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// maxKeyID bounds a key's ID, in bytes. It is sent back with each secret.
const maxKeyID = 256

// Key is a store's public key with its ID. Only PublicKey returns one; the zero Key
// can't be used.
type Key struct {
	id  string
	key seal.Key
}

// publicKey is a response with a public key.
type publicKey struct {
	ID  json.RawMessage `json:"key_id"`
	Key string          `json:"key"`
}

// PublicKey reads the key that the secrets of a repository's store are sealed for. It
// reads by the repository's ID: GitHub opens a box only with the key of the repository
// that it is sent to, so no other one under the name can.
func (c *Client) PublicKey(ctx context.Context, r Repository, store string) (Key, error) {
	op := fmt.Sprintf("read the public key of %s/%s (%s)", r.Owner, r.Name, store)
	malformed := func(problem string) error { return wire.Malformed(Name, op, http.StatusOK, nil, problem) }
	body, err := pace.Do(ctx, c.retry, func(ctx context.Context) (publicKey, error) {
		var body publicKey
		err := c.readSecret(ctx, op, r, store, keyName, &body)
		if err == nil && (len(body.ID) == 0 || body.Key == "") {
			err = malformed("the response contains no key")
		}
		return body, err
	})
	if err == nil {
		err = c.checkName(ctx, op, r)
	}
	if err != nil {
		return Key{}, err
	}
	id, ok := parseKeyID(body.ID)
	if !ok {
		return Key{}, malformed("the key's ID is neither a string nor a number")
	}
	key, err := seal.ParseKey(body.Key)
	if err != nil {
		return Key{}, malformed(err.Error())
	}
	return Key{id, key}, nil
}

// parseKeyID parses a key's ID: a string, or on GHES a number, whose digits are kept
// as they are.
func parseKeyID(raw json.RawMessage) (id string, ok bool) {
	if len(raw) > maxKeyID {
		return "", false
	}
	if json.Unmarshal(raw, &id) == nil {
		return id, id != ""
	}
	_, err := strconv.ParseUint(string(raw), 10, 64)
	return string(raw), err == nil
}

// SecretUpdated returns when the secret was last written, in whole seconds on
// GitHub's clock; the zero time if it doesn't exist, or is hidden. It reads by the
// repository's ID. GitHub never returns the value.
func (c *Client) SecretUpdated(ctx context.Context, r Repository, store, name string) (time.Time, error) {
	op := "check the secret " + name + " of " + r.Owner + "/" + r.Name + " (" + store + ")"
	return pace.Do(ctx, c.retry, func(ctx context.Context) (time.Time, error) {
		var body struct {
			Updated time.Time `json:"updated_at"`
		}
		err := c.readSecret(ctx, op, r, store, name, &body)
		switch {
		case wire.IsNotFound(err):
			return time.Time{}, nil
		case err == nil && body.Updated.IsZero():
			err = wire.Malformed(Name, op, http.StatusOK, nil, "the response has no updated_at")
		}
		return body.Updated, err
	})
}

// Secrets counts the secrets of a store.
func (c *Client) Secrets(ctx context.Context, r Repository, store string) (int, error) {
	var body struct {
		Count int `json:"total_count"`
	}
	op := fmt.Sprintf("count the secrets of %s/%s (%s)", r.Owner, r.Name, store)
	_, err := c.get(ctx, op, path("repos", r.Owner, r.Name, store, "secrets")+"?per_page=1", &body)
	return body.Count, err
}

// Write is an accepted write of a secret.
type Write struct {
	Created bool      // there was no secret (201); otherwise it was overwritten (204)
	Date    time.Time // of the response, by the clock of the server that sent it; zero without one
}

// PutSecret seals a value for the store's key and stores it, by the repository's name.
func (c *Client) PutSecret(ctx context.Context, r Repository, store, name string, key Key, value secret.Value) (Write, error) {
	op := fmt.Sprintf("write the secret %s of %s/%s (%s)", name, r.Owner, r.Name, store)
	sealed, err := key.key.Seal(value)
	if err != nil {
		return Write{}, &wire.Error{Service: Name, Op: op, Disposition: wire.Rejected, Message: err.Error(), Err: err}
	}
	req, err := c.gh.NewRequest(http.MethodPut, secretPath(r, store, name),
		&github.EncryptedSecret{KeyID: key.id, EncryptedValue: sealed})
	if err != nil {
		return Write{}, wire.Failed(Name, op, err)
	}
	ctx, latest := wire.Track(c.staysWith(ctx, r, store, name))
	resp, err := c.gh.BareDo(ctx, req)
	if err != nil {
		return Write{}, wire.Failed(Name, op, cmp.Or(latest(), err))
	}
	defer func() {
		// A 201 has the body {}. Read it, so that the connection can be reused. The
		// status is all that counts, so errors don't matter.
		_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
		_ = resp.Body.Close()
	}()
	if resp.StatusCode == http.StatusCreated || resp.StatusCode == http.StatusNoContent {
		return Write{Created: resp.StatusCode == http.StatusCreated, Date: wire.Date(resp.Header)}, nil
	}
	return Write{}, wire.Malformed(Name, op, resp.StatusCode, nil, "the response is neither 201 nor 204")
}
