package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// createAttempts is the number of requests without a clear response, or rejected
	// after such a one, that a creation may take.
	createAttempts = 3
	// createRequests bounds the requests of one creation, rate-limited ones
	// included.
	createRequests = 20
	// createSendWithin is the time after the last listing within which a request to
	// create a token has to be sent.
	createSendWithin = 30 * time.Second
	// maxExpiryDifference is how far the expiry of a new token may be from the
	// requested one.
	maxExpiryDifference = 24 * time.Hour
)

// The offsets of the numbers to try where a token's name seems to be taken: by
// tokens that Codacy's list does not show, because they have expired. Each list
// tries the first number twice, because the first rejection may have been a race.
// Status 409 says that a name is taken; 400 and 422 may have other reasons.
var (
	offsetsAfterConflict = []int{0, 1, 2, 4, 8, 16, 128}
	offsetsAfterInvalid  = []int{0, 1, 128}
)

// creation is the state of creating one token. Its method next is pure.
type creation struct {
	first   int       // the first number
	expires time.Time // the requested expiry, the same for every attempt
	// known holds the IDs of the managed tokens that the decision was based on.
	known []int64

	number   int  // of the next request
	open     int  // requests for this number that may have taken effect, or may yet
	attempts int  // requests that count towards createAttempts
	rejected int  // rejections that may mean that the name is taken
	evicted  bool // a token was deleted to make space for the last number
}

// newCreation returns the state before the first request.
func newCreation(o rotation.Observation, expires time.Time) creation {
	c := creation{first: o.NextNumber(), expires: expires}
	c.number = c.first
	for _, t := range o.Managed {
		c.known = append(c.known, t.ID)
	}
	return c
}

// stepKind is what to do next.
type stepKind int

const (
	// stepSend sends the request to create the token with the state's number.
	stepSend stepKind = iota
	// stepList lists the tokens, and calls next with them.
	stepList
	// stepDelete deletes a token whose value is lost, and then sends.
	stepDelete
	// stepEvict deletes the token that makes space, and then sends; without one it
	// fails.
	stepEvict
	// stepFail ends the creation with an error.
	stepFail
)

// step is the next step of a creation.
type step struct {
	kind  stepKind
	token rotation.Token // to delete
	err   error
}

func failStep(err error) step { return step{kind: stepFail, err: err} }

// next decides what follows a request that failed with err, and returns the state
// after it. Listed is nil at first; after stepList it is what the list shows.
func (c creation) next(err error, listed *rotation.Observation) (creation, step) {
	disposition := wire.DispositionOf(err)
	maybeTaken := isMaybeTaken(err)
	switch {
	case disposition == wire.RateLimited:
		return c, step{kind: stepSend} // nothing changed; it is sent when the limit allows
	case c.open == 0 && disposition == wire.NotSent && errors.Is(err, pace.ErrSendDeadline):
		return c, failStep(errStale)
	case c.open == 0 && (disposition == wire.NotSent || disposition == wire.Rejected && !maybeTaken):
		return c, failStep(err)
	case listed == nil:
		return c, step{kind: stepList}
	}
	if disposition == wire.Indeterminate {
		c.open++
	}
	if c.open > 0 {
		c.attempts++
		return c.afterIndeterminate(err, *listed)
	}
	return c.afterRejection(err, *listed)
}

// afterIndeterminate decides where a request for this number may have taken effect.
func (c creation) afterIndeterminate(err error, listed rotation.Observation) (creation, step) {
	own, _ := listed.Numbered(c.number)
	if !own.Expires.Equal(c.expires) {
		own = rotation.Token{}
	}
	var last error // ends the creation
	switch {
	case c.otherRun(listed, own.ID):
		last = errOtherRun
	case c.attempts >= createAttempts:
		last = err
	}
	switch {
	case own.ID != 0: // an earlier request created it; its value is unknown
		c.open--
		return c, step{kind: stepDelete, token: own, err: last}
	case last != nil:
		return c, failStep(last)
	}
	return c, step{kind: stepSend}
}

// afterRejection decides where the name of the number may be taken.
func (c creation) afterRejection(err error, listed rotation.Observation) (creation, step) {
	if c.otherRun(listed, 0) {
		return c, failStep(errOtherRun)
	}
	offsets := offsetsAfterInvalid
	if wire.StatusOf(err) == http.StatusConflict {
		offsets = offsetsAfterConflict
	}
	i := slices.Index(offsets, c.number-c.first)
	c.rejected++
	switch {
	case c.rejected == 1:
		return c, step{kind: stepSend} // the same number once more
	case i >= 0 && i+1 < len(offsets):
		c.number = c.first + offsets[i+1]
		return c, step{kind: stepSend}
	case !c.evicted: // hidden tokens count towards Codacy's limit
		c.evicted = true
		return c, step{kind: stepEvict, err: err}
	}
	return c, failStep(err)
}

// otherRun reports whether the list shows a managed token that the decision was not
// based on, except this attempt's own; zero without one.
func (c creation) otherRun(listed rotation.Observation, own int64) bool {
	return slices.ContainsFunc(listed.Managed, func(t rotation.Token) bool {
		return t.ID != own && !slices.Contains(c.known, t.ID)
	})
}

// isMaybeTaken reports whether Codacy rejected a request with a status that may
// mean that the token's name is taken, which is not documented.
func isMaybeTaken(err error) bool {
	switch wire.StatusOf(err) {
	case http.StatusConflict, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return wire.DispositionOf(err) == wire.Rejected
	}
	return false
}

// createToken creates the token for t. The request is never repeated blindly: after
// a response that leaves open whether it took effect, the list decides. The error
// errStale means that nothing was created, because the observation is too old.
func (w *worker) createToken(ctx context.Context, t *task, expires time.Time) (codacy.Token, secret.Value, error) {
	c := newCreation(t.observation, expires)
	started := time.Now()
	listedAt := started
	var last error
	for range createRequests {
		name, err := rotation.TokenName(w.o.Policy.SecretName, c.number)
		if err != nil {
			return codacy.Token{}, secret.Value{}, err
		}
		token, value, err := w.o.Codacy.CreateToken(pace.WithSendDeadline(ctx, listedAt.Add(createSendWithin)), t.target.Codacy, name, expires)
		if err == nil {
			return w.acceptToken(ctx, t, token, value, name, expires)
		}
		last = err
		// An overloaded service may ask for more time than the token's store has left.
		tooLong := w.o.Retry.WaitAsTold(pace.WithSendDeadline(ctx, started.Add(rotation.MaxPutDelay/2)), err)
		next := step{}
		if c, next = c.next(err, nil); next.kind == stepList {
			listedAt = time.Now()
			listed, listErr := w.readTokens(ctx, t)
			if listErr != nil {
				return codacy.Token{}, secret.Value{}, joinFailures(err, listErr)
			}
			c, next = c.next(err, &listed)
		}
		if err := w.takeStep(ctx, t, next); err != nil {
			return codacy.Token{}, secret.Value{}, err
		}
		if tooLong != nil {
			return codacy.Token{}, secret.Value{}, err
		}
	}
	return codacy.Token{}, secret.Value{}, last
}

// takeStep does what a step asks for, except sending. An error ends the creation.
func (w *worker) takeStep(ctx context.Context, t *task, s step) error {
	switch s.kind {
	case stepFail:
		return s.err
	case stepDelete:
		if err := w.deleteToken(ctx, t, s.token.ID); err != nil {
			return errors.Join(s.err, err)
		}
		return s.err // set where this was the last attempt
	case stepEvict:
		evicted, err := w.evict(ctx, t)
		if err != nil || !evicted {
			return errors.Join(s.err, err)
		}
	}
	return nil
}

// acceptToken compares the token in Codacy's response with the request. One that
// the next run would not recognize is deleted.
func (w *worker) acceptToken(ctx context.Context, t *task, token codacy.Token, value secret.Value, name string, expires time.Time) (codacy.Token, secret.Value, error) {
	legacy := w.o.Policy.SelfHosted && token.Name == "" && token.Expires.IsZero()
	var mismatch error
	switch {
	case legacy:
	case token.Name != name:
		mismatch = fmt.Errorf("Codacy named the new token %q instead of %q", token.Name, name)
	case token.Expires.Before(expires.Add(-maxExpiryDifference)):
		days := int(token.Expires.Sub(w.codacyNow()).Hours()/24 + 0.5)
		mismatch = fmt.Errorf("Codacy allows a token %d days: set token-lifetime-days to at most %d", days, days)
	case token.Expires.After(expires.Add(maxExpiryDifference)):
		mismatch = fmt.Errorf("Codacy set the new token's expiry to %s instead of %s",
			token.Expires.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339))
	case !w.recognizable(token, w.codacyNow(), w.codacyNow().Add(rotation.MaxPutDelay)):
		mismatch = errClocks // a server with another clock created it
	}
	if mismatch == nil {
		return token, value, nil
	}
	if err := w.deleteToken(ctx, t, token.ID); err != nil {
		mismatch = fmt.Errorf("%w; it could not be deleted: %w", mismatch, err)
	}
	return codacy.Token{}, secret.Value{}, mismatch
}

// recognizable reports whether later runs recognize secrets that are written with a
// new token at the given times, on Codacy's clock.
func (w *worker) recognizable(token codacy.Token, writes ...time.Time) bool {
	uncertainty := min(w.uncertainty(), rotation.MaxUncertainty) // above it, no run creates or revokes
	return rotation.Recognizable(w.o.Policy, listedToken(token), w.codacyNow(), uncertainty, writes...)
}

// listedToken is a token of Codacy as the rules see it.
func listedToken(t codacy.Token) rotation.ListedToken {
	return rotation.ListedToken{ID: t.ID, Name: t.Name, Created: t.Created, Expires: t.Expires}
}

// joinFailures joins the failures of a request and of the listing after it. The
// rejection of the credential comes first, because it concerns the whole run.
func joinFailures(request, listing error) error {
	if wire.IsUnauthorized(listing) {
		return errors.Join(listing, request)
	}
	return errors.Join(request, listing)
}
