package provision

import (
	"errors"
	"fmt"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// newResult returns a result of t of which nothing else is known.
func (w *worker) newResult(t *task, o outcome.Outcome, reason string) outcome.Result {
	return outcome.Result{Owner: t.target.GitHub.Owner, Name: t.target.GitHub.Name, Outcome: o, Reason: reason}
}

// withToken adds the token that the secrets contain.
func (w *worker) withToken(t *task, result outcome.Result) outcome.Result {
	if token, stores, ok := t.observation.Current(); ok {
		result.Stores = stores
		result.TokenID, result.TokenName, result.ExpiresAt = token.ID, token.Name, token.Expires
	}
	return result
}

// withStoreError makes the result that of a failed repository if a store is
// unavailable.
func (w *worker) withStoreError(t *task, result outcome.Result) outcome.Result {
	storeErr := t.storeErr()
	if storeErr == nil {
		return result
	}
	reason := storeErr.Error()
	if len(result.Writes) > 0 {
		reason += "; the other stores were written"
	}
	result.Outcome, result.Reason, result.Err = outcome.Failed, reason, storeErr
	return result
}

// noOpResult returns the result of a decision that writes nothing.
func (w *worker) noOpResult(t *task) outcome.Result {
	ended := map[rotation.Action]outcome.Outcome{
		rotation.NoOp: outcome.Current, rotation.Keep: outcome.Kept, rotation.Defer: outcome.Deferred, rotation.Fail: outcome.Failed,
	}[t.decision.Action]
	result := w.withToken(t, w.newResult(t, ended, t.decision.Reason))
	if t.observation.Legacy && w.o.Policy.Rotate == rotation.RotateAlways {
		result.Warning = "rotate: always has no effect: tokens of this Codacy server do not expire, and are all alike"
	}
	return w.withStoreError(t, result)
}

// planResult returns the result that a write will have.
func (w *worker) planResult(t *task) outcome.Result {
	if !t.decision.Writes() {
		result := w.noOpResult(t)
		for _, old := range w.revocable(t, nil) {
			result.Revoked = append(result.Revoked, old.Name)
		}
		return result
	}
	result := w.withToken(t, w.newResult(t, t.changed(), t.decision.Reason))
	for _, s := range t.decision.Stores {
		result.Writes = append(result.Writes, outcome.Write{Store: s, Effect: t.effect(s, false)})
	}
	return w.withStoreError(t, result)
}

// appliedResult returns the result of an apply that reached every store to write.
func (w *worker) appliedResult(t *task, done applied) outcome.Result {
	result := w.newResult(t, t.changed(), t.decision.Reason)
	result.Stores, result.Writes = done.stores(), done.written
	result.TokenID, result.TokenName, result.ExpiresAt = done.token.ID, done.token.Name, done.token.Expires
	return w.withStoreError(t, result)
}

// changed returns the outcome of a repository that is written.
func (t *task) changed() outcome.Outcome {
	if t.decision.Action == rotation.Renew {
		return outcome.Renewed
	}
	return outcome.Created
}

// effect returns what a write to a store does. Replaced reports whether there was a
// secret, which matters where it was not read before.
func (t *task) effect(s rotation.Store, replaced bool) outcome.Effect {
	state, foreign := t.observation.State(s)
	_, managed := t.observation.Newest()
	switch {
	case state.Condition == rotation.Unread && !replaced, state.Condition == rotation.Absent:
		return outcome.Add
	case foreign, state.Condition == rotation.Unread && !managed:
		return outcome.Overwrite
	}
	return outcome.Renew
}

// failedResult returns the result of a repository whose job failed.
func (w *worker) failedResult(t *task, done applied, err error) outcome.Result {
	ended, reason := outcome.Failed, strings.ReplaceAll(err.Error(), "\n", "; ")
	rejected := wire.DispositionOf(err) == wire.Rejected // the service said no, whatever else there is
	orphan := errors.As(err, new(*orphanError))
	switch {
	case done.mayBeStored() || orphan:
	case errors.Is(err, errOtherRun):
		ended, reason = outcome.Deferred, errOtherRun.Error()
	case errors.Is(err, errClocks):
		ended, reason = outcome.Deferred, errClocks.Error()
	case github.IsArchived(err):
		ended, reason = outcome.Skipped, "archived on GitHub"
	case github.IsDifferentRepository(err):
		ended, reason = outcome.Skipped, "a different repository has this name on GitHub"
	case w.interrupted.Err() != nil && !rejected:
		ended, reason = outcome.Deferred, errInterrupted.Error()
	case errors.Is(err, pace.ErrSendDeadline), errors.Is(err, errStale) && w.canStart():
		ended, reason = outcome.Deferred, "rate-limited for longer than a new token may wait: "+reason
	case pace.IsTooLong(err) && done.token.ID == 0:
		ended = outcome.Deferred
	case (errors.Is(err, errStale) || done.token.ID == 0) && !w.canStart() && !rejected:
		ended, reason = outcome.Deferred, errTimeUp.Error()
	}
	result := w.withToken(t, w.newResult(t, ended, reason))
	result.Writes, result.NotListed = done.written, t.observedAt.IsZero()
	if ended == outcome.Failed {
		result.Err = err
	}
	return result
}

func joinReasons(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return fmt.Sprintf("%s: %s", a, b)
}
