package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// keyName takes the place of a secret's name in the address of the public key.
const keyName = "public-key"

// addressMode is how a server addresses a repository's secrets and keys.
type addressMode int32

const (
	// modeUnknown means that no read has shown it yet. Reads are by ID.
	modeUnknown addressMode = iota
	// modeID means that the server knows /repositories/{id}/….
	modeID
	// modeName means that the server only knows /repos/{owner}/{name}/….
	modeName
)

// addresses is what a Client knows of its server's addresses.
//
// Secrets and keys are read by the repository's ID, because its name may belong to
// another repository since the list was read. A server that lacks these addresses is
// recognized by the first reads: they get 404 by ID, and succeed or are denied by name.
type addresses struct {
	mode      atomic.Int32
	learning  chan struct{} // holds one element while the mode is being learned
	fruitless atomic.Int32  // how many reads got 404 and did not show the mode
}

func newAddresses() *addresses { return &addresses{learning: make(chan struct{}, 1)} }

func (a *addresses) is(m addressMode) bool { return addressMode(a.mode.Load()) == m }

// DifferentRepositoryError is the error of a read from a repository that was renamed,
// if its name belongs to another repository by now.
type DifferentRepositoryError struct {
	Repository Repository
	ID         int64 // of the repository that has the name
}

func (e *DifferentRepositoryError) Error() string {
	return fmt.Sprintf("the name %s/%s belongs to another repository (%d, not %d)", e.Repository.Owner, e.Repository.Name, e.ID, e.Repository.ID)
}

// IsDifferentRepository reports whether err is a *DifferentRepositoryError.
func IsDifferentRepository(err error) bool { return errors.As(err, new(*DifferentRepositoryError)) }

// secretPath is the address of a secret, or of the public key, in a repository's
// store, by the repository's name.
func secretPath(r Repository, store, name string) string {
	return path("repos", r.Owner, r.Name, store, "secrets", name)
}

// secretPathByID is the same by the repository's ID.
func secretPathByID(r Repository, store, name string) string {
	return path("repositories", strconv.FormatInt(r.ID, 10), store, "secrets", name)
}

// readSecret reads a secret or the public key in a repository's store into v, by the
// repository's ID unless the server lacks these addresses.
func (c *Client) readSecret(ctx context.Context, op string, r Repository, store, name string, v any) error {
	if r.ID != 0 && c.addresses.is(modeUnknown) {
		done, err := c.learnByReading(ctx, op, r, store, name, v)
		if done || err != nil {
			return err
		}
	}
	if r.ID == 0 || c.addresses.is(modeName) {
		return c.readByName(ctx, op, r, store, name, v)
	}
	return c.readByID(ctx, op, r, store, name, v)
}

// maxLearners is how many reads learn the mode one after the other. If they show
// nothing, because all that they read is hidden, later ones do it side by side.
const maxLearners = 3

// learnByReading is readSecret while the mode is unknown. It returns false if the mode
// is known meanwhile.
func (c *Client) learnByReading(ctx context.Context, op string, r Repository, store, name string, v any) (done bool, err error) {
	a := c.addresses
	select {
	case a.learning <- struct{}{}:
		if a.fruitless.Load() < maxLearners {
			defer func() { <-a.learning }()
		} else {
			<-a.learning
		}
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if !a.is(modeUnknown) {
		return false, nil
	}
	err = c.readByID(ctx, op, r, store, name, v)
	switch {
	case wire.IsNotFound(err):
		err = c.learn(ctx, op, r, store, name, v, err)
		if a.is(modeUnknown) && (wire.IsNotFound(err) || IsDifferentRepository(err)) {
			a.fruitless.Add(1)
		}
	case answers(err):
		a.mode.Store(int32(modeID))
	}
	return true, err
}

// learn finds out why the address by ID got 404: another repository has the name, the
// server lacks the address, or the secret is absent or hidden. It returns the result of
// the read. Without evidence the mode stays unknown: on a server that lacks the
// addresses, taking absence by ID for absence would be wrong for all repositories.
func (c *Client) learn(ctx context.Context, op string, r Repository, store, name string, v any, notFound error) error {
	a := c.addresses
	// An absent secret has no address at all. But every store has a public key.
	first, viaKey := a.fruitless.Load() == 0, name != keyName
	if !first && viaKey {
		err := c.readByID(ctx, op, r, store, keyName, &publicKey{})
		switch {
		case answers(err):
			a.mode.Store(int32(modeID))
			return notFound
		case !wire.IsNotFound(err):
			return err
		}
	}
	// What another repository answers under the name shows nothing about r.
	err := c.verifyName(ctx, op, r)
	switch {
	case wire.IsNotFound(err):
		return notFound
	case err != nil:
		return err
	case first || !viaKey:
		return c.learnByName(c.readByName(ctx, op, r, store, name, v)) // after 404 the next one asks for a key
	}
	err = c.learnByName(c.readByName(ctx, op, r, store, keyName, &publicKey{}))
	if !a.is(modeName) {
		return err
	}
	return c.readByName(ctx, op, r, store, name, v)
}

// learnByName learns from the result of a read by name, whose address by ID got 404. It
// returns the result.
func (c *Client) learnByName(err error) error {
	if answers(err) {
		c.addresses.mode.Store(int32(modeName))
	}
	return err
}

// answers reports whether the result of a read shows that its address exists. A
// denial does, too: otherwise one repository that denies access would hide that the
// server lacks the addresses by ID, and no other repository could be read.
func answers(err error) bool {
	status := wire.StatusOf(err)
	return err == nil || wire.DispositionOf(err) == wire.Rejected &&
		(status == http.StatusForbidden || status == http.StatusUnavailableForLegalReasons)
}

// checkName returns a *DifferentRepositoryError if a key was read by name, and the name
// belongs to another repository by now: the key may be the other one's. If it does not,
// the key is r's, because the key was read before.
func (c *Client) checkName(ctx context.Context, op string, r Repository) error {
	if r.ID == 0 || !c.addresses.is(modeName) {
		return nil
	}
	return c.verifyName(ctx, op, r)
}

func (c *Client) readByID(ctx context.Context, op string, r Repository, store, name string, v any) error {
	_, err := c.get(c.staysWith(ctx, r, store, name), op, secretPathByID(r, store, name), v)
	return err
}

func (c *Client) readByName(ctx context.Context, op string, r Repository, store, name string, v any) error {
	_, err := c.get(c.staysWith(ctx, r, store, name), op, secretPath(r, store, name), v)
	return err
}

// staysWith returns a context whose request may be redirected, but only to the same
// secret of the same repository, by its ID.
func (c *Client) staysWith(ctx context.Context, r Repository, store, name string) context.Context {
	return wire.WithRedirectTo(ctx, func() string {
		return c.gh.BaseURL.EscapedPath() + secretPathByID(r, store, name)
	})
}

// verifyName asks which repository has r's name. The error is a
// *DifferentRepositoryError if it is another one than r.
func (c *Client) verifyName(ctx context.Context, op string, r Repository) error {
	id, err := pace.Do(ctx, c.retry, func(ctx context.Context) (int64, error) {
		ctx = wire.WithRedirectTo(ctx, func() string {
			return c.gh.BaseURL.EscapedPath() + path("repositories", strconv.FormatInt(r.ID, 10))
		})
		var body struct {
			ID int64 `json:"id"`
		}
		_, err := c.get(ctx, op, path("repos", r.Owner, r.Name), &body)
		if err == nil && body.ID <= 0 {
			err = wire.Malformed(Name, op, http.StatusOK, nil, "the response contains no ID")
		}
		return body.ID, err
	})
	if err == nil && id != r.ID {
		err = &DifferentRepositoryError{r, id}
	}
	return err
}
