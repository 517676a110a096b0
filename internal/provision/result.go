package provision

import (
	"errors"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// result is a result of t about which nothing else is known.
func (r *Run) newResult(t *task, o outcome.Outcome, reason string) outcome.Result {
	return outcome.Result{Owner: t.target.GitHub.Owner, Name: t.target.GitHub.Name, Outcome: o, Reason: reason}
}

// withToken adds the token that the secrets contain.
func (r *Run) withToken(t *task, result outcome.Result) outcome.Result {
	if token, stores, ok := t.observation.Current(); ok {
		result.Stores = stores
		result.TokenID, result.TokenName, result.ExpiresAt = token.ID, token.Name, token.Expires
	}
	return result
}

// settled is the result of a decision that writes nothing.
func (r *Run) noOpResult(t *task) outcome.Result {
	ended := map[rotation.Action]outcome.Outcome{rotation.NoOp: outcome.Current, rotation.Keep: outcome.Kept, rotation.Defer: outcome.Deferred}[t.decision.Action]
	result := r.withToken(t, r.newResult(t, ended, t.decision.Reason))
	if t.observation.Legacy && r.Policy.Rotate == rotation.RotateAlways {
		result.Warning = "rotate: always does nothing here: this Codacy's tokens do not expire, and can't be told apart"
	}
	return result
}

// planned is the result that a write aims at.
func (r *Run) planResult(t *task) outcome.Result {
	if !t.writes() {
		result := r.noOpResult(t)
		var names []string
		for _, old := range r.revocable(t, false) {
			names = append(names, old.Name)
		}
		result.Reason = joinReasons(result.Reason, "would revoke "+strings.Join(names, ", "))
		return result
	}
	ended, verb := outcome.Created, "would create the secret"
	if t.decision.Action == rotation.Renew {
		ended = outcome.Renewed
	}
	if t.observation.HasSecret(t.decision.Stores) {
		verb = "would overwrite the secret"
	} else if !t.observation.SecretsChecked {
		verb = "would write the secret"
	}
	return r.withToken(t, r.newResult(t, ended, joinReasons(verb, t.decision.Reason)))
}

// wrote is the result of an apply that reached every store.
func (r *Run) appliedResult(t *task, done applied) outcome.Result {
	ended, verb := outcome.Created, "new secret"
	if t.decision.Action == rotation.Renew {
		ended = outcome.Renewed
	}
	if done.overwritten {
		verb = "overwrote the secret"
	}
	result := r.newResult(t, ended, joinReasons(verb, t.decision.Reason))
	result.Stores = done.written
	result.TokenID, result.TokenName, result.ExpiresAt = done.token.ID, done.token.Name, done.token.Expires
	return result
}

// failed is the result of a repository that met err.
func (r *Run) failedResult(t *task, done applied, err error) outcome.Result {
	ended, reason := outcome.Failed, strings.ReplaceAll(err.Error(), "\n", "; ")
	settled := wire.DispositionOf(err) == wire.Rejected // the service said no, whatever else there is
	switch {
	case done.storedIn() > 0:
	case errors.Is(err, errOtherRun):
		ended, reason = outcome.Deferred, errOtherRun.Error()
	case github.IsArchived(err):
		ended, reason = outcome.Skipped, "archived on GitHub"
	case r.interruptCtx.Err() != nil && !settled:
		ended, reason = outcome.Deferred, errInterrupted.Error()
	case errors.Is(err, pace.ErrSendDeadline), errors.Is(err, errStale) && r.canStart():
		ended, reason = outcome.Deferred, "a service asked to wait for longer than a token may: "+reason
	case (errors.Is(err, errStale) || done.token.ID == 0) && !r.canStart() && !settled:
		ended, reason = outcome.Deferred, errTimeUp.Error()
	}
	result := r.withToken(t, r.newResult(t, ended, reason))
	if ended == outcome.Failed {
		result.Err = err
	}
	return result
}

// begins tells whether another repository may be begun.
func (r *Run) canStart() bool { return time.Now().Before(r.StartBefore) }

func joinReasons(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return fmt.Sprintf("%s: %s", a, b)
}
