package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// finishWithin and cleanupWithin are the times after an interrupt within which
	// steps 3 to 5 finish, and then step 6: the runner gives ten seconds in all.
	finishWithin  = 4500 * time.Millisecond
	cleanupWithin = 1500 * time.Millisecond
	// commitWithin and undoWithin are the times after StartBefore by which steps 3 to
	// 5, and then step 6, end.
	commitWithin = 13 * time.Minute
	undoWithin   = 15 * time.Minute
	// maxWrites is how often a secret is written if GitHub dates it wrongly.
	maxWrites = 3
	// maxStaleAttempts bounds how often an apply starts over because the observation
	// was too old when a limit let it go on.
	maxStaleAttempts = 10
)

// Errors that end an apply without a failure.
var (
	errOtherRun = errors.New("another run is working on it")
	errStale    = errors.New("the observation is too old")
	errRequeue  = errors.New("back to the queue")
	errClocks   = errors.New("the clocks of the services are too uncertain")
	errDated    = errors.New("GitHub stored the new token, but its servers' clocks differ so much that later runs take the secret for one " +
		"that this action did not create: under existing-secrets: keep, delete the secret; otherwise the next run writes it again")
)

// applied is what an apply did.
type applied struct {
	token     codacy.Token
	written   []outcome.Write
	uncertain bool // a PUT was sent and has no clear response
}

// stores returns the stores that were written.
func (a applied) stores() []rotation.Store {
	var stores []rotation.Store
	for _, w := range a.written {
		stores = append(stores, w.Store)
	}
	return stores
}

// storedAny reports whether a PUT was accepted.
func (a applied) storedAny() bool { return len(a.written) > 0 }

// mayBeStored reports whether a store holds the new token, or may hold it.
func (a applied) mayBeStored() bool { return a.uncertain || a.storedAny() }

// reservations is the capacity to create one token and to store it.
type reservations struct{ codacy, github *pace.Reservation }

func (r reservations) context(ctx context.Context) context.Context {
	return r.github.Context(r.codacy.Context(ctx))
}

func (r reservations) release() {
	r.codacy.Release()
	r.github.Release()
}

// loopSignals is how a worker that applies reports to the loop and waits for it.
type loopSignals struct {
	// ready reports that the keys are read; the loop replies on task.turn.
	ready func()
	// reserved reports that the capacity is reserved.
	reserved func()
}

// applyAndRevoke applies the decision for t, and revokes the tokens that were
// replaced long enough ago.
func (w *worker) applyAndRevoke(ctx context.Context, t *task, signals loopSignals, mayRevoke bool) event {
	var done applied
	var err error
	for attempt := 0; t.decision.Writes() && (attempt == 0 || errors.Is(err, errStale) && attempt < maxStaleAttempts && ctx.Err() == nil); attempt++ {
		done, err = w.apply(ctx, t, signals)
	}
	signals.reserved()
	if errors.Is(err, errRequeue) {
		return event{requeue: true}
	}
	var result outcome.Result
	switch {
	case err != nil:
		result = w.failedResult(t, done, err)
	case t.decision.Writes():
		result = w.appliedResult(t, done)
	default:
		result = w.noOpResult(t)
	}
	e := event{result: &result, err: err, applied: done}
	if err == nil && mayRevoke {
		e.revokeFailed, e.revoked = w.revoke(ctx, t, done.stores(), &result)
	}
	return e
}

// apply creates a token for t and stores it, in the order of the contract. It is
// the only writer of secrets. Ctx ends it up to step 2; after that only an
// interrupt does, after some seconds.
func (w *worker) apply(ctx context.Context, t *task, signals loopSignals) (applied, error) {
	capacity, err := w.prepare(ctx, t, signals)
	if err != nil || !t.decision.Writes() {
		return applied{}, err
	}
	defer capacity.release()
	return w.commit(ctx, t, capacity)
}

// prepare does steps 1 and 2. The caller releases the reservations, which are nil
// where the decision is no longer to write.
func (w *worker) prepare(ctx context.Context, t *task, signals loopSignals) (reservations, error) {
	// Observe again now if the observation would be too old once there is capacity,
	// which is scarce.
	if w.willBeStale(t) {
		if err := w.observe(ctx, t); err != nil || !t.decision.Writes() {
			return reservations{}, err
		}
	}

	// 1. The public key of each store, which may show that a store is unavailable.
	if err := w.readKeys(ctx, t); err != nil || !t.decision.Writes() {
		return reservations{}, err
	}
	if err := w.waitForTurn(ctx, t, signals); err != nil {
		return reservations{}, err
	}

	// 2. The capacity for all writes, so that nothing is created that would have to
	// wait; a fresh observation; space for the token.
	capacity, err := w.reserve(ctx, t)
	if err != nil {
		return reservations{}, err
	}
	signals.reserved()
	if err := w.refresh(ctx, t); err != nil || !t.decision.Writes() {
		capacity.release()
		return reservations{}, err
	}
	return capacity, nil
}

// readKeys reads the public key of each store to write, and decides again without
// the unavailable ones.
func (w *worker) readKeys(ctx context.Context, t *task) error {
	for again := true; again && t.decision.Writes(); {
		again = false
		for _, s := range t.decision.Stores {
			err := w.readKey(ctx, t, s)
			switch {
			case github.IsUnavailable(err):
				t.deny(w.o.Policy, s, err)
				again = true
			case err != nil:
				return err
			}
		}
		if again {
			w.decide(t)
		}
		if t.decision.Action == rotation.CheckSecrets {
			if err := w.checkSecrets(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitForTurn waits until the loop lets t create a token. The error errRequeue
// sends t back to the queue.
func (w *worker) waitForTurn(ctx context.Context, t *task, signals loopSignals) error {
	if t.holdsTurn {
		return nil
	}
	signals.ready()
	select {
	case granted := <-t.turn:
		if !granted {
			return errRequeue
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reserve reserves the capacity for the writes of t.
func (w *worker) reserve(ctx context.Context, t *task) (reservations, error) {
	gh, err := w.o.GitHubLimiter.Reserve(ctx, len(t.decision.Stores), t.priority)
	if err != nil {
		return reservations{}, err
	}
	co, err := w.o.CodacyLimiter.Reserve(ctx, 1, t.priority)
	if err != nil {
		gh.Release()
		return reservations{}, err
	}
	return reservations{co, gh}, nil
}

// refresh observes t again if the observation is too old, and makes space for the
// token. The error errStale means that a store was added whose key is unknown.
func (w *worker) refresh(ctx context.Context, t *task) error {
	if time.Since(t.observedAt) > rotation.MaxStaleness {
		if err := w.observe(ctx, t); err != nil {
			return err
		}
	}
	if t.decision.Writes() && !t.observation.Legacy && t.observation.Total >= rotation.MaxTokens {
		evicted, err := w.evict(ctx, t)
		if err != nil {
			return err
		}
		if !evicted && t.decision.Writes() {
			return fmt.Errorf("the repository has %d tokens on Codacy, its limit, and none can be deleted safely; "+
				"delete some on Codacy in the repository's Settings, API tokens", t.observation.Total)
		}
	}
	if t.decision.Writes() && slices.ContainsFunc(t.decision.Stores, func(s rotation.Store) bool { _, ok := t.keys[s]; return !ok }) {
		return errStale
	}
	if t.decision.Writes() && (w.settleClocks(ctx, DecidingResponses) != nil || w.uncertainty() > rotation.MaxUncertainty) {
		return errClocks
	}
	return nil
}

// willBeStale reports whether the observation of t is likely to be too old once
// there is capacity. It is false if the wait is too long for observing now would
// not help.
func (w *worker) willBeStale(t *task) bool {
	turn := time.Second
	if w.o.WritesPerMinute > 0 {
		turn += time.Duration(maxAwaitingCapacity*len(t.decision.Stores)) * time.Minute / time.Duration(w.o.WritesPerMinute)
	}
	return turn < rotation.MaxStaleness/2 && time.Since(t.observedAt)+turn > rotation.MaxStaleness
}

// evict makes space for a token: it deletes the lowest managed token that no store
// holds, if there is one.
func (w *worker) evict(ctx context.Context, t *task) (evicted bool, err error) {
	if !t.observation.SecretsChecked() {
		if err := w.checkSecrets(ctx, t); err != nil || !t.decision.Writes() {
			return false, err // checking the secrets may change the decision
		}
	}
	token, ok := rotation.Evictable(t.observation, w.o.Policy, w.codacyNow())
	if !ok {
		return false, nil
	}
	if !w.mayDelete(ctx) {
		return false, errClocks
	}
	return true, w.deleteToken(ctx, t, token.ID)
}

// commit does steps 3 to 6. A cancellation does not interrupt it.
func (w *worker) commit(ctx context.Context, t *task, capacity reservations) (applied, error) {
	shielded, cancel := w.shield(ctx, finishWithin, commitWithin)
	defer cancel()
	shielded = capacity.context(shielded)

	// 3. The token. Its expiry is computed once, because it identifies the request.
	begun := time.Now()
	expires := w.codacyNow().Add(w.o.Policy.Lifetime - t.shorten).Truncate(time.Second)
	token, value, err := w.createToken(shielded, t, expires)
	if err != nil {
		return applied{}, err
	}
	done := applied{token: token}

	// 4. Mask the value before anything else can print it.
	failure := w.o.Mask(value)
	if failure != nil {
		failure = fmt.Errorf("the new token could not be masked in the log: %w", failure)
	}
	stores := t.decision.Stores
	if failure != nil {
		stores = nil
	}

	// 5. Store it. A store that denies the write does not stop the others, unless
	// nothing has changed yet and nothing has to.
	for _, s := range stores {
		if failure != nil && !done.mayBeStored() && !t.decision.Necessary {
			break
		}
		if err := w.store(shielded, t, s, value, begun, &done); err != nil {
			failure = errors.Join(failure, err)
		}
	}

	// 6. Delete the token if no store has it.
	switch {
	case failure == nil:
		return done, nil
	case len(done.written) == len(stores) && errors.Is(failure, errDated):
		return done, failure
	case done.mayBeStored():
		return done, fmt.Errorf("the new token is not in every store; the next run completes it: %w", failure)
	}
	cleanup, cancel := w.shield(ctx, cleanupWithin, undoWithin)
	defer cancel()
	if err := w.deleteToken(capacity.context(cleanup), t, token.ID); err != nil {
		return done, &orphanError{failure: failure, deletion: err}
	}
	return done, failure
}

// store seals the value for a store and puts it there. A PUT may be repeated, and
// none is sent later than MaxPutDelay after the creation started.
func (w *worker) store(ctx context.Context, t *task, s rotation.Store, value secret.Value, begun time.Time, done *applied) error {
	err := w.put(ctx, t, s, value, begun, done)
	if status := wire.StatusOf(err); status != http.StatusConflict && status != http.StatusUnprocessableEntity {
		return err
	}
	// GitHub may have replaced the key since it was read.
	delete(t.keys, s)
	if keyErr := w.readKey(ctx, t, s); keyErr != nil {
		return errors.Join(err, keyErr)
	}
	return w.put(ctx, t, s, value, begun, done)
}

// put writes the secret, and again if a server with another clock wrote it.
func (w *worker) put(ctx context.Context, t *task, s rotation.Store, value secret.Value, begun time.Time, done *applied) error {
	ctx = pace.WithSendDeadline(ctx, begun.Add(rotation.MaxPutDelay))
	for range maxWrites {
		write, err := pace.Do(ctx, w.o.Retry, func(ctx context.Context) (github.Write, error) {
			// The wall clock as well: the monotonic one may stand still in a suspended
			// machine.
			if time.Now().Round(0).Sub(begun.Round(0)) > rotation.MaxPutDelay {
				return github.Write{}, pace.ErrSendDeadline
			}
			write, err := w.o.GitHub.PutSecret(ctx, t.target.GitHub, string(s), w.o.Policy.SecretName, t.keys[s], value)
			done.uncertain = done.uncertain || err != nil && wire.DispositionOf(err) == wire.Indeterminate
			return write, err
		})
		if err != nil {
			return err
		}
		if !slices.Contains(done.stores(), s) {
			done.written = append(done.written, outcome.Write{Store: s, Effect: t.effect(s, !write.Created)})
		}
		if w.recognized(ctx, t, s, done.token, write.Date) {
			return nil
		}
	}
	return errDated
}

// recognized reports whether later runs recognize a secret that was just written,
// by a server whose response had the given Date. Where the Date contradicts the
// estimate of GitHub's clock, the secret itself decides.
func (w *worker) recognized(ctx context.Context, t *task, s rotation.Store, token codacy.Token, date time.Time) bool {
	inWindow := func(at time.Time) bool {
		return w.recognizable(token, w.onCodacyClock(at))
	}
	if legacy := token.Name == ""; legacy || date.IsZero() || inWindow(date) {
		return true
	}
	updated, err := w.o.GitHub.SecretUpdated(ctx, t.target.GitHub, string(s), w.o.Policy.SecretName)
	return err == nil && !updated.IsZero() && inWindow(updated)
}

// shield returns a context that the end of ctx does not end. An interrupt does, d
// after it or after now, whichever is later, and so does the time after StartBefore.
func (w *worker) shield(ctx context.Context, d, afterStart time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancelTime := context.WithDeadlineCause(context.WithoutCancel(ctx), w.o.StartBefore.Add(afterStart), errTimeUp)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(w.interrupted, func() {
		if wire.Sleep(ctx, d) == nil {
			cancel(errInterrupted)
		}
	})
	return ctx, func() { stop(); cancel(nil); cancelTime() }
}

// orphanError is a failed apply whose new token could not be deleted.
type orphanError struct{ failure, deletion error }

func (e *orphanError) Error() string {
	return fmt.Sprintf("%v; the new token could not be deleted, the next run does that: %v", e.failure, e.deletion)
}

// Unwrap returns both errors, the failure first.
func (e *orphanError) Unwrap() []error { return []error{e.failure, e.deletion} }
