package provision

import (
	"context"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"time"
	"unique"

	"github.com/codacy/codacy-project-tokens/internal/match"
)

// task is one repository on its way.
type task struct {
	target        match.Target
	observation   rotation.Observation
	observedAt    time.Time // when seen was begun, on our clock
	decision      rotation.Decision
	jitter        time.Duration // the part of an hour that its token lives shorter
	countedUrgent bool          // among the urgent ones that are not done
}

// jitterOfDueDate returns a number in [0, 1) that depends on the repository alone.
func (t *task) jitterOfDueDate() float64 {
	key := t.target.GitHub.Name
	if t.target.GitHub.ID != 0 {
		key = fmt.Sprint(t.target.GitHub.ID)
	}
	return float64(match.Hash(key)>>11) / (1 << 53)
}

// look lists the tokens of t anew, and decides as far as that goes.
func (r *Run) listTokens(ctx context.Context, t *task) error {
	begun := time.Now()
	o, err := r.readTokens(ctx, t)
	if err != nil {
		return err
	}
	t.observation, t.observedAt = o, begun
	t.decision = rotation.Decide(t.observation, r.Policy, r.codacyNow(), t.jitterOfDueDate())
	return nil
}

// ask asks every store of t about the secret, and decides.
func (r *Run) checkSecrets(ctx context.Context, t *task) error {
	stores := make([]rotation.StoreState, 0, len(r.Policy.Stores))
	for _, name := range r.Policy.Stores {
		updated, err := r.GitHub.SecretUpdated(ctx, t.target.GitHub, string(name), r.Policy.SecretName)
		if err != nil {
			return err
		}
		if !updated.IsZero() {
			updated = r.GitHubClock.ToLocal(updated).Add(r.CodacyClock.Offset())
		}
		stores = append(stores, rotation.StoreState{Store: name, Updated: updated})
	}
	t.observation.Stores, t.observation.SecretsChecked = stores, true
	t.decision = rotation.Decide(t.observation, r.Policy, r.codacyNow(), t.jitterOfDueDate())
	return nil
}

// observe does both, the second only where the decision needs it.
func (r *Run) observe(ctx context.Context, t *task) error {
	if err := r.listTokens(ctx, t); err != nil {
		return err
	}
	if t.decision.Action == rotation.CheckSecrets {
		return r.checkSecrets(ctx, t)
	}
	return nil
}

// list lists the tokens. It is they that are listed first: a store that is asked
// later can hold nothing that was deleted before.
func (r *Run) readTokens(ctx context.Context, t *task) (rotation.Observation, error) {
	begun := time.Now()
	tokens, err := r.Codacy.Tokens(ctx, t.target.Codacy)
	if err != nil {
		return rotation.Observation{}, err
	}
	listed := make([]rotation.ListedToken, 0, len(tokens))
	for _, t := range tokens {
		listed = append(listed, rotation.ListedToken{ID: t.ID, Name: unique.Make(t.Name).Value(), Created: t.Created, Expires: t.Expires})
	}
	return rotation.NewObservation(r.Policy, begun.Add(r.CodacyClock.Offset()), listed), nil
}

// firstLook lists the tokens of t. Where nothing can be written, only one that
// GitHub does not show is listed: a living token there is a worry.
func (r *Run) firstListing(ctx context.Context, t *task) event {
	if t.target.Skip == "" {
		return event{err: r.listTokens(ctx, t)}
	}
	result := r.newResult(t, outcome.Skipped, t.target.Skip)
	if t.target.NotVisible {
		o, err := r.readTokens(ctx, t)
		newest, ok := o.Newest()
		switch {
		case err != nil:
			result.Reason += "; its tokens could not be listed: " + err.Error()
		case ok && !newest.Expired(o.ListedAt):
			result.TokenID, result.TokenName, result.ExpiresAt = newest.ID, newest.Name, newest.Expires
			result.Warning = t.target.Skip + ", but it has a living token of ours, which can't be renewed"
		}
		return event{result: &result, err: err}
	}
	return event{result: &result}
}

// codacyNow is the time on Codacy's clock.
func (r *Run) codacyNow() time.Time { return time.Now().Add(r.CodacyClock.Offset()) }
