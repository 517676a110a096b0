package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Outcome is what a repository ends in.
type Outcome string

// The outcomes, as the contract names them.
const (
	Created  Outcome = "created"
	Renewed  Outcome = "renewed"
	Current  Outcome = "current"
	Kept     Outcome = "kept"
	Skipped  Outcome = "skipped"
	Deferred Outcome = "deferred"
	Failed   Outcome = "failed"
)

// Outcomes lists all outcomes, in the order in which they are told.
func All() []Outcome {
	return []Outcome{Created, Renewed, Current, Kept, Skipped, Deferred, Failed}
}

// Result is how one repository ended. Reason and Warning may hold words of a
// service: neutralise them before they are printed.
type Result struct {
	// Repository is its name on GitHub, with its owner.
	Repository string
	Outcome    Outcome
	Reason     string
	// Warning is what looks well and is not; empty if nothing.
	Warning string
	// Err is what it failed with; nil unless the outcome is that.
	Err error
	// Told: the error that ends the run tells this one, too.
	Reported bool
	// Stores that hold the token, as far as is known.
	Stores []config.Store
	// TokenID and TokenName are of the token in place; 0 and empty if there is
	// none or nobody knows.
	TokenID   int64
	TokenName string
	// ExpiresAt is when it expires, on Codacy's clock; zero if it doesn't or
	// there is none.
	ExpiresAt time.Time
}

// result is a result of t about which nothing else is known.
func (r *Run) newResult(t *task, o Outcome, reason string) Result {
	return Result{Repository: t.target.GitHub.Owner + "/" + t.target.GitHub.Name, Outcome: o, Reason: reason}
}

// placed adds the token in place: of those that a store holds the one that ends
// first; the newest where nobody asked the stores.
func (r *Run) withToken(t *task, result Result) Result {
	var token *Token
	newest, exists := t.observation.Newest()
	if exists && !t.observation.SecretsChecked {
		token = &newest
	}
	for _, tok := range t.observation.Managed {
		if t.observation.SecretsChecked && slices.ContainsFunc(t.observation.Stores, func(s StoreState) bool { return s.holds(tok) }) &&
			(token == nil || tok.Expires.Before(token.Expires)) {
			token = &tok
		}
	}
	if token == nil {
		return result
	}
	for _, s := range t.observation.Stores {
		if s.holds(*token) {
			result.Stores = append(result.Stores, s.Store)
		}
	}
	result.TokenID, result.TokenName, result.ExpiresAt = token.ID, token.Name, token.Expires
	return result
}

// settled is the result of a decision that writes nothing.
func (r *Run) noOpResult(t *task) Result {
	outcome := map[Action]Outcome{NoOp: Current, Keep: Kept, Defer: Deferred}[t.decision.Action]
	result := r.withToken(t, r.newResult(t, outcome, t.decision.Reason))
	if t.observation.Legacy && r.Policy.Rotate == config.RotateAlways {
		result.Warning = "rotate: always does nothing here: this Codacy's tokens do not expire, and can't be told apart"
	}
	return result
}

// planned is the result that a write aims at.
func (r *Run) planResult(t *task) Result {
	if !t.writes() {
		result := r.noOpResult(t)
		var names []string
		for _, old := range r.revocable(t, false) {
			names = append(names, old.Name)
		}
		result.Reason = joinReasons(result.Reason, "would revoke "+strings.Join(names, ", "))
		return result
	}
	outcome, verb := Created, "would create the secret"
	if t.decision.Action == Renew {
		outcome = Renewed
	}
	if slices.ContainsFunc(t.observation.Stores, func(s StoreState) bool {
		return !s.absent() && slices.Contains(t.decision.Stores, s.Store)
	}) {
		verb = "would overwrite the secret"
	} else if !t.observation.SecretsChecked {
		verb = "would write the secret"
	}
	return r.withToken(t, r.newResult(t, outcome, joinReasons(verb, t.decision.Reason)))
}

// wrote is the result of an apply that reached every store.
func (r *Run) appliedResult(t *task, done applied) Result {
	outcome, verb := Created, "new secret"
	if t.decision.Action == Renew {
		outcome = Renewed
	}
	if done.overwritten {
		verb = "overwrote the secret"
	}
	result := r.newResult(t, outcome, joinReasons(verb, t.decision.Reason))
	result.Stores = done.written
	result.TokenID, result.TokenName, result.ExpiresAt = done.token.ID, done.token.Name, done.token.Expires
	return result
}

// failed is the result of a repository that met err.
func (r *Run) failedResult(t *task, done applied, err error) Result {
	outcome, reason := Failed, strings.ReplaceAll(err.Error(), "\n", "; ")
	settled := wire.DispositionOf(err) == wire.Rejected // the service said no, whatever else there is
	switch {
	case done.storedIn() > 0:
	case errors.Is(err, errOtherRun):
		outcome, reason = Deferred, errOtherRun.Error()
	case github.IsArchived(err):
		outcome, reason = Skipped, "archived on GitHub"
	case r.interruptCtx.Err() != nil && !settled:
		outcome, reason = Deferred, errInterrupted.Error()
	case errors.Is(err, pace.ErrSendDeadline), errors.Is(err, errStale) && r.canStart():
		outcome, reason = Deferred, "a service asked to wait for longer than a token may: "+reason
	case (errors.Is(err, errStale) || done.token.ID == 0) && !r.canStart() && !settled:
		outcome, reason = Deferred, errTimeUp.Error()
	}
	result := r.withToken(t, r.newResult(t, outcome, reason))
	if outcome == Failed {
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
