package provision

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// worker does the requests for one repository at a time: it observes, applies and
// revokes. It has no access to the loop's state, and changes only its slots, so any
// number of goroutines can use it.
type worker struct {
	o Options
	// interrupted ends at an interrupt.
	interrupted context.Context
	// slots has space for Options.Concurrency jobs, and an element for each that runs.
	// What is free may be taken for additional requests of a job. A job that finds no
	// space runs all the same, so for a moment there may be twice as many requests.
	// Nil allows no additional requests.
	slots chan struct{}
}

func newWorker(o Options, interrupted context.Context) *worker {
	w := &worker{o: o, interrupted: interrupted}
	if 2*o.Concurrency <= github.MaxConcurrentRequests {
		w.slots = make(chan struct{}, o.Concurrency)
	}
	return w
}

// takeSlot takes a slot if one is free, and reports whether it did.
func (w *worker) takeSlot() bool {
	select {
	case w.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// listTokens lists the tokens of t, and decides as far as that goes.
func (w *worker) listTokens(ctx context.Context, t *task) error {
	if err := w.settleClocks(ctx, DecidingResponses); err != nil {
		return err
	}
	observedAt := time.Now()
	o, err := w.readTokens(ctx, t)
	if err != nil {
		return err
	}
	t.observation, t.observedAt = o, observedAt
	for s, err := range t.denied {
		t.deny(w.o.Policy, s, err)
	}
	w.decide(t)
	return nil
}

// readTokens returns what a list of the tokens shows.
func (w *worker) readTokens(ctx context.Context, t *task) (rotation.Observation, error) {
	begun := time.Now()
	tokens, err := w.o.Codacy.Tokens(ctx, t.target.Codacy)
	if err != nil {
		return rotation.Observation{}, err
	}
	listed := make([]rotation.ListedToken, 0, len(tokens))
	for _, tok := range tokens {
		tok.Name = unique.Make(tok.Name).Value()
		listed = append(listed, listedToken(tok))
	}
	o := rotation.NewObservation(w.o.Policy, begun.Add(w.o.CodacyClock.Offset()), w.uncertainty(), listed)
	o.Legacy = o.LooksLegacy && t.legacyServer
	return o, nil
}

// checkSecrets reads the secret of every store of t, and decides.
func (w *worker) checkSecrets(ctx context.Context, t *task) error {
	reads, err := w.readSecrets(ctx, t)
	if err != nil {
		return err
	}
	for i, read := range reads {
		s := w.o.Policy.Stores[i]
		if t.denied[s] != nil {
			continue
		}
		updated, err := w.confirmAbsence(ctx, t, s, read)
		switch {
		case github.IsUnavailable(err):
			t.deny(w.o.Policy, s, err)
		case err != nil:
			return err
		case updated.IsZero():
			t.observation.SetStore(w.o.Policy, rotation.StoreState{Store: s, Condition: rotation.Absent})
		default:
			t.observation.SetStore(w.o.Policy, rotation.StoreState{
				Store: s, Condition: rotation.Present,
				Updated: w.onCodacyClock(updated),
			})
		}
	}
	w.decide(t)
	return nil
}

// secretRead is when a secret was last written; zero if it is absent.
type secretRead struct {
	updated time.Time
	err     error
}

// readSecrets reads the secret of each store that has not denied access. Where slots are
// free it reads side by side, because the job holds a limit's capacity for all reads until
// the last response. Its error is the first one that is not about a store.
func (w *worker) readSecrets(ctx context.Context, t *task) ([]secretRead, error) {
	stores := w.o.Policy.Stores
	reads := make([]secretRead, len(stores))
	failed := func(r secretRead) bool { return r.err != nil && !github.IsUnavailable(r.err) }
	var others sync.WaitGroup
	for i, s := range stores {
		if t.denied[s] != nil {
			continue
		}
		read := func() {
			reads[i].updated, reads[i].err = w.o.GitHub.SecretUpdated(ctx, t.target.GitHub, string(s), w.o.Policy.SecretName)
		}
		if i < len(stores)-1 && w.takeSlot() {
			others.Go(func() {
				defer func() { <-w.slots }()
				read()
			})
		} else if read(); failed(reads[i]) {
			break // the others are likely to fail, too
		}
	}
	others.Wait()
	if i := slices.IndexFunc(reads, failed); i >= 0 {
		return nil, reads[i].err
	}
	return reads, nil
}

// confirmAbsence returns what a read showed. GitHub answers 404 for a hidden secret as
// well, so an absence that matters is confirmed: after it the store's public key can be
// read, and the secret is still absent. A key that was read before shows nothing: the
// secret may be hidden since.
func (w *worker) confirmAbsence(ctx context.Context, t *task, s rotation.Store, read secretRead) (time.Time, error) {
	if read.err != nil || !read.updated.IsZero() || !t.observation.MustConfirmAbsence(w.o.Policy) {
		return read.updated, read.err
	}
	delete(t.keys, s)
	if err := w.readKey(ctx, t, s); err != nil {
		return time.Time{}, err
	}
	return w.o.GitHub.SecretUpdated(ctx, t.target.GitHub, string(s), w.o.Policy.SecretName)
}

// readKey reads the public key of a store, unless t has it.
func (w *worker) readKey(ctx context.Context, t *task, s rotation.Store) error {
	if _, ok := t.keys[s]; ok {
		return nil
	}
	key, err := w.o.GitHub.PublicKey(ctx, t.target.GitHub, string(s))
	if err != nil {
		return err
	}
	if t.keys == nil {
		t.keys = map[rotation.Store]github.Key{}
	}
	t.keys[s] = key
	return nil
}

// decide decides about t as it was observed.
func (w *worker) decide(t *task) {
	now := w.codacyNow()
	t.decision = rotation.Decide(t.observation, w.o.Policy, now, t.jitter)
	t.priority = t.observation.Priority(now)
}

// observe lists the tokens, and checks the secrets where the decision needs them.
// Tokens come first: in the other order, a write in between would look like a
// foreign secret and an orphaned token.
func (w *worker) observe(ctx context.Context, t *task) error {
	if err := w.listTokens(ctx, t); err != nil {
		return err
	}
	if t.decision.Action == rotation.CheckSecrets {
		return w.checkSecrets(ctx, t)
	}
	return nil
}

// firstListing lists the tokens of t for the first time. Of the repositories that
// nothing can be written to, only the ones that GitHub does not show are listed: a
// valid token there is a problem.
func (w *worker) firstListing(ctx context.Context, t *task) event {
	switch {
	case t.target.Conflict:
		result := w.newResult(t, outcome.Failed, t.target.Skip)
		result.Err = errors.New(t.target.Skip)
		return event{result: &result}
	case t.target.Skip == "":
		return event{err: w.listTokens(ctx, t)}
	}
	result := w.newResult(t, outcome.Skipped, t.target.Skip)
	if !t.target.NotVisible {
		return event{result: &result}
	}
	o, err := w.readTokens(ctx, t)
	newest, exists := o.Newest()
	switch {
	case err != nil:
		result.Reason += "; its tokens could not be listed: " + err.Error()
	case exists && !newest.Expired(o.ListedAt):
		result.TokenID, result.TokenName, result.ExpiresAt = newest.ID, newest.Name, newest.Expires
		result.Warning = t.target.Skip + ", but it has a valid token created by this action, which cannot be renewed"
	}
	return event{result: &result, err: err}
}

// secretsChecked checks the secrets of t. In a dry run it reads the public keys
// where a run would write, so that missing access is found.
func (w *worker) secretsChecked(ctx context.Context, t *task) event {
	err := w.checkSecrets(ctx, t)
	if err == nil && w.o.DryRun && t.decision.Writes() {
		err = w.readKeys(ctx, t)
	}
	return event{err: err}
}

// revoke deletes the replaced tokens that may be revoked. Written lists the stores
// that this run put a newer token into. A token that cannot be deleted is a
// warning: the next run tries again.
func (w *worker) revoke(ctx context.Context, t *task, written []rotation.Store, result *outcome.Result) (failed, succeeded bool) {
	for _, old := range w.revocable(t, written) {
		if ctx.Err() != nil || !w.mayDelete(ctx) {
			break
		}
		if err := w.deleteToken(ctx, t, old.ID); err != nil {
			result.Warning = joinReasons(result.Warning, old.Name+" could not be revoked; the next run tries again: "+err.Error())
			failed = true
			break
		}
		result.Revoked = append(result.Revoked, old.Name)
	}
	return failed, len(result.Revoked) > 0
}

// revocable returns the tokens of t that may be revoked.
func (w *worker) revocable(t *task, written []rotation.Store) []rotation.Token {
	if !w.clocksAreCertain() {
		return nil
	}
	return rotation.Revocable(t.observation, w.o.Policy, w.codacyNow(), written)
}

// revokeOnly revokes tokens of a repository that nothing is written to.
func (w *worker) revokeOnly(ctx context.Context, t *task) event {
	result := w.noOpResult(t)
	e := event{result: &result}
	e.revokeFailed, e.revoked = w.revoke(ctx, t, nil, &result)
	return e
}

// deleteToken deletes a token by its ID, which may be repeated.
func (w *worker) deleteToken(ctx context.Context, t *task, id int64) error {
	_, err := pace.Do(ctx, w.o.Retry, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, w.o.Codacy.DeleteToken(ctx, t.target.Codacy, id)
	})
	return err
}

// probe reads the public key of a store that was written before, and returns
// GitHub's denial: nil if it was not denied, which proves nothing.
func (w *worker) probe(ctx context.Context, t *task) *wire.Error {
	_, err := w.o.GitHub.PublicKey(ctx, t.target.GitHub, string(w.o.Policy.Stores[len(w.o.Policy.Stores)-1]))
	var denial *wire.Error
	if errors.As(err, &denial) && (wire.IsUnauthorized(err) || github.IsForbidden(err)) {
		return denial
	}
	return nil
}

// verifyAccount returns the error if Codacy rejects the account token.
func (w *worker) verifyAccount(ctx context.Context) *wire.Error {
	var rejection *wire.Error
	if err := w.o.Codacy.User(ctx); errors.As(err, &rejection) && rejection.Disposition == wire.Rejected {
		return rejection
	}
	return nil
}

// codacyNow returns the time on Codacy's clock.
func (w *worker) codacyNow() time.Time { return time.Now().Add(w.o.CodacyClock.Offset()) }

// onCodacyClock converts a time of GitHub to Codacy's clock.
func (w *worker) onCodacyClock(t time.Time) time.Time {
	return w.o.GitHubClock.ToLocal(t).Add(w.o.CodacyClock.Offset())
}

// uncertainty returns the sum of the uncertainties of both services' clocks.
func (w *worker) uncertainty() time.Duration {
	return w.o.CodacyClock.Uncertainty() + w.o.GitHubClock.Uncertainty()
}

// settleClocks makes sure that enough responses agree on the services' clocks.
func (w *worker) settleClocks(ctx context.Context, responses int) error {
	if w.o.CodacyClock.Agreeing() >= responses && w.o.GitHubClock.Agreeing() >= responses {
		return nil
	}
	return SettleClocks(ctx, responses, w.o.ClockSources...)
}

// mayDelete makes sure that the services' clocks allow deleting a token that an
// earlier run created, and reports whether they do.
func (w *worker) mayDelete(ctx context.Context) bool {
	return w.settleClocks(ctx, deletingResponses) == nil && w.clocksAreCertain()
}

// clocksAreCertain reports whether what can't be undone may rely on the clocks.
func (w *worker) clocksAreCertain() bool {
	return w.uncertainty() <= rotation.MaxUncertainty && !w.o.CodacyClock.Disputed() && !w.o.GitHubClock.Disputed()
}

// canStart reports whether another repository may be started.
func (w *worker) canStart() bool { return time.Now().Before(w.o.StartBefore) }
