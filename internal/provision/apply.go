package provision

import (
	"context"
	"errors"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"net/http"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// finishWithin and undoWithin are the seconds after an interrupt in which
	// what was begun is finished, and then undone: the runner gives ten in all.
	finishWithin  = 4500 * time.Millisecond
	cleanupWithin = 1500 * time.Millisecond
	// staleTries bounds how often an apply begins anew, because what it had seen
	// was too old by the time that a limit let it go on.
	maxStaleAttempts = 10
)

// What ends an apply without a failure.
var (
	errOtherRun = errors.New("another run is at work on it")
	errStale    = errors.New("what was observed is too old by now")
)

// applied is what an apply did.
type applied struct {
	token       codacy.Token
	written     []rotation.Store
	overwritten bool // a secret was overwritten
	uncertain   bool // a put was sent and its answer lost
}

// storeKey is the public key of one store.
type storeKey struct {
	id  string
	key seal.Key
}

// write applies the decision for t, if it is one to write, and revokes.
func (r *Run) applyAndRevoke(ctx context.Context, t *task) event {
	waiting := true
	gotRoom := func() {
		if waiting {
			waiting = false
			r.events <- event{reserved: true}
		}
	}
	var done applied
	var err error
	for tries := 0; t.writes() && (tries == 0 || errors.Is(err, errStale) && tries < maxStaleAttempts && ctx.Err() == nil); tries++ {
		done, err = r.apply(ctx, t, gotRoom)
	}
	gotRoom()
	var result outcome.Result
	switch {
	case err != nil:
		result = r.failedResult(t, done, err)
	case t.writes():
		result = r.appliedResult(t, done)
	default:
		result = r.noOpResult(t)
	}
	r.revoke(ctx, t, err == nil && t.writes(), &result)
	return event{result: &result, err: err, applied: done}
}

// apply makes a token for t and stores it, in the order of the contract. It is
// the only way in which a secret is written. Ctx ends it up to step 2; from then
// on only an interrupt does, after some seconds of grace. ErrStale: nothing was
// made, because what was observed is out of date; apply it again.
func (r *Run) apply(ctx context.Context, t *task, gotRoom func()) (applied, error) {
	var done applied

	// What would be too old by the time that there is room is looked at before:
	// room is what there is least of.
	if r.willBeStale(t) {
		if err := r.observe(ctx, t); err != nil || !t.writes() {
			return done, err
		}
	}

	// 1. The public key of each store.
	keys := map[rotation.Store]storeKey{}
	for _, s := range t.decision.Stores {
		id, key, err := r.GitHub.PublicKey(ctx, t.target.GitHub, string(s))
		if err != nil {
			return done, err
		}
		keys[s] = storeKey{id, key}
	}

	// 2. Room for the writes, so that nothing is made that would have to wait;
	// a fresh look, if the last one is old by now; and a place for the token.
	room, err := r.reserve(ctx, t)
	if err != nil {
		return done, err
	}
	defer room.release()
	gotRoom()
	if time.Since(t.observedAt) > rotation.MaxStaleness {
		if err := r.observe(ctx, t); err != nil {
			return done, err
		}
	}
	if t.writes() && t.observation.Total >= rotation.MaxTokens {
		if err := r.evict(ctx, t); err != nil {
			return done, err
		}
	}
	if !t.writes() {
		return done, nil
	}
	for _, s := range t.decision.Stores {
		if _, ok := keys[s]; !ok {
			return done, errStale // a store more than before: its key first
		}
	}

	// 3. The token. From here on a cancellation does not cut in.
	crit, cancel := r.shield(ctx, finishWithin)
	defer cancel()
	crit = room.context(crit)
	begun := time.Now()
	expires := r.codacyNow().Add(r.Policy.Lifetime - t.jitter).Truncate(time.Second)
	token, value, err := r.createToken(crit, t, expires)
	if err != nil {
		return done, err
	}
	done.token = token

	// 4. Masked, before anything else can print it.
	var failure error
	if err := r.Mask(value); err != nil {
		failure = fmt.Errorf("the new token could not be masked in the log: %w", err)
	}

	// 5. Into each store. Where one refuses and nothing has changed yet, it ends;
	// else the token stays, and the more stores hold it the better.
	for _, s := range t.decision.Stores {
		if failure != nil && done.storedIn() == 0 {
			break
		}
		created, doubt, err := r.put(crit, t, s, keys[s], value, begun.Add(rotation.MaxPutDelay))
		if err != nil {
			failure = errors.Join(failure, err)
			done.uncertain = done.uncertain || doubt
			continue
		}
		done.written = append(done.written, s)
		done.overwritten = done.overwritten || !created
	}

	// 6. No orphan: what nobody holds goes.
	switch {
	case failure == nil:
		return done, nil
	case done.storedIn() > 0:
		return done, fmt.Errorf("its new token is not in every store, the next run mends it: %w", failure)
	}
	undo, cancel := r.shield(ctx, cleanupWithin)
	defer cancel()
	if err := r.deleteToken(room.context(undo), t, token.ID); err != nil {
		failure = fmt.Errorf("%w; its new token could not be deleted, the next run does that: %w", failure, err)
	}
	return done, failure
}

// soonStale tells whether what was seen of t is likely to be out of date once it
// has its room, though not by a wait that is long itself.
func (r *Run) willBeStale(t *task) bool {
	turn := time.Second
	if r.WritesPerMinute > 0 {
		turn += time.Duration(maxAwaitingCapacity*len(t.decision.Stores)) * time.Minute / time.Duration(r.WritesPerMinute)
	}
	return turn < rotation.MaxStaleness/2 && time.Since(t.observedAt)+turn > rotation.MaxStaleness
}

// wrote tells whether a put was accepted.
func (a applied) storedAny() bool { return len(a.written) > 0 }

// held counts the stores that hold the new token, or may hold it.
func (a applied) storedIn() int {
	if a.uncertain {
		return len(a.written) + 1
	}
	return len(a.written)
}

// writes tells whether the decision is one to write.
func (t *task) writes() bool {
	return t.decision.Action == rotation.Create || t.decision.Action == rotation.Renew
}

// rooms is the right to make one token and to store it.
type reservations struct{ codacy, github *pace.Reservation }

func (r *Run) reserve(ctx context.Context, t *task) (reservations, error) {
	gh, err := r.GitHubLimiter.Reserve(ctx, len(t.decision.Stores), t.observation.Priority())
	if err != nil {
		return reservations{}, err
	}
	co, err := r.CodacyLimiter.Reserve(ctx, 1, t.observation.Priority())
	if err != nil {
		gh.Release()
		return reservations{}, err
	}
	return reservations{co, gh}, nil
}

func (r reservations) context(ctx context.Context) context.Context {
	return r.github.Context(r.codacy.Context(ctx))
}

func (r reservations) release() {
	r.codacy.Release()
	r.github.Release()
}

// makeRoom deletes the lowest token of ours that nobody can be using.
func (r *Run) evict(ctx context.Context, t *task) error {
	if !t.observation.SecretsChecked {
		if err := r.checkSecrets(ctx, t); err != nil {
			return err
		}
		if !t.writes() {
			return nil // the stores had another word to say
		}
	}
	spare, ok := rotation.Evictable(t.observation)
	if !ok {
		return fmt.Errorf("it has %d tokens on Codacy, as many as are allowed, and none that this action may delete: "+
			"delete some in the repository's settings on Codacy, under Integrations, Repository API tokens", t.observation.Total)
	}
	return r.deleteToken(ctx, t, spare.ID)
}

// remove deletes a token by its id, which may be done twice.
func (r *Run) deleteToken(ctx context.Context, t *task, id int64) error {
	_, err := pace.Do(ctx, r.Retry, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, r.Codacy.DeleteToken(ctx, t.target.Codacy, id)
	})
	return err
}

const (
	createAttempts = 3  // requests that leave it open whether a token was made
	createNumbers  = 5  // numbers whose names are taken, though the list doesn't show it
	createRequests = 20 // requests in all, with those that a limit put off
	// makeWithin is how long after the look a request may wait to leave.
	createSendWithin = 30 * time.Second
	maxNumber        = 999_999_999
)

// make makes the token with the next number. The request is never repeated
// blindly: after an answer that leaves open whether it was done, what is there
// decides. ErrStale: nothing was made, and what was seen is too old to go on.
func (r *Run) createToken(ctx context.Context, t *task, expires time.Time) (codacy.Token, secret.Value, error) {
	fail := func(err error) (codacy.Token, secret.Value, error) { return codacy.Token{}, secret.Value{}, err }
	number := 1
	if newest, ok := t.observation.Newest(); ok {
		number = newest.Number + 1
	}
	var (
		open    = 0     // requests for this number that may have been carried out, or may yet be
		tries   = 0     // requests that left it open, or were refused after such a one
		numbers = 1     // numbers asked for
		again   = false // this number's name was taken, though the list didn't show it
		last    error
	)
	looked := time.Now()
	for range createRequests {
		if number > maxNumber {
			return fail(errors.New("the numbers of its tokens' names are used up"))
		}
		token, value, err := r.Codacy.CreateToken(pace.WithSendDeadline(ctx, looked.Add(createSendWithin)),
			t.target.Codacy, fmt.Sprintf("%s%d", r.prefix, number), expires)
		if err == nil {
			return token, value, nil
		}
		last = err
		fate := wire.DispositionOf(err)
		conflict := wire.StatusOf(err) == http.StatusConflict
		switch {
		case open == 0 && fate == wire.NotSent && errors.Is(err, pace.ErrSendDeadline):
			return fail(errStale)
		case fate == wire.RateLimited:
			continue // nothing was done: the next one leaves when it may
		case open == 0 && (fate == wire.NotSent || fate == wire.Rejected && !conflict):
			return fail(err)
		case fate == wire.Indeterminate:
			open++
			tries++
		case fate == wire.Rejected && open > 0:
			tries++
		}

		looked = time.Now()
		o, listErr := r.readTokens(ctx, t)
		switch {
		case wire.IsUnauthorized(listErr): // what it means for the run counts more
			return fail(errors.Join(listErr, err))
		case listErr != nil:
			return fail(errors.Join(err, listErr))
		}
		i := slices.IndexFunc(o.Managed, func(tok rotation.Token) bool { return tok.Number == number })
		switch {
		case i >= 0 && (open == 0 || !o.Managed[i].Expires.Equal(expires)):
			return fail(errOtherRun)
		case i >= 0: // ours, its value lost
			if delErr := r.deleteToken(ctx, t, o.Managed[i].ID); delErr != nil {
				return fail(errors.Join(err, delErr))
			}
			open--
		case open == 0 && !again: // the name is taken and not there: hidden, or just gone
			again = true
		case open == 0 && numbers < createNumbers:
			number, numbers, again = number+1, numbers+1, false
		case open == 0:
			return fail(fmt.Errorf("the names up to %s%d are taken by tokens that Codacy's list does not show: "+
				"delete the expired ones in the repository's settings on Codacy: %w", r.prefix, number, err))
		}
		if tries == createAttempts {
			return fail(err)
		}
	}
	return fail(last)
}

// put seals the value for a store and puts it there, again if need be, but never
// later than by. Doubt: a put was sent whose answer never came.
func (r *Run) put(ctx context.Context, t *task, s rotation.Store, k storeKey, v secret.Value, by time.Time) (created, doubt bool, err error) {
	sealed, err := k.key.Seal(v)
	if err != nil {
		return false, false, err
	}
	created, err = pace.Do(pace.WithSendDeadline(ctx, by), r.Retry, func(ctx context.Context) (bool, error) {
		created, err := r.GitHub.PutSecret(ctx, t.target.GitHub, string(s), r.Policy.SecretName, k.id, sealed)
		doubt = doubt || err != nil && wire.DispositionOf(err) == wire.Indeterminate
		return created, err
	})
	return created, doubt, err
}

// grace returns a context that an end of ctx does not end; an interrupt does, d
// after it came or after now, whichever is later.
func (r *Run) shield(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(r.interruptCtx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	})
	return ctx, func() { stop(); cancel(nil) }
}
