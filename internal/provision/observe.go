package provision

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unique"

	"github.com/codacy/codacy-project-tokens/internal/match"
)

// task is one repository on its way.
type task struct {
	target        match.Target
	observation   Observation
	observedAt    time.Time // when seen was begun, on our clock
	decision      Decision
	jitter        time.Duration // the part of an hour that its token lives shorter
	countedUrgent bool          // among the urgent ones that are not done
}

// key is what depends on the repository alone.
func (t *task) key() string {
	if t.target.GitHub.ID != 0 {
		return fmt.Sprint(t.target.GitHub.ID)
	}
	return t.target.GitHub.Name
}

// look lists the tokens of t anew, and decides as far as that goes.
func (r *Run) listTokens(ctx context.Context, t *task) error {
	begun := time.Now()
	o, err := r.readTokens(ctx, t)
	if err != nil {
		return err
	}
	t.observation, t.observedAt = o, begun
	t.decision = Decide(t.observation, r.Policy, r.codacyNow(), t.key())
	return nil
}

// ask asks every store of t about the secret, and decides.
func (r *Run) checkSecrets(ctx context.Context, t *task) error {
	stores := make([]StoreState, 0, len(r.Policy.Stores))
	for _, name := range r.Policy.Stores {
		updated, err := r.GitHub.SecretUpdated(ctx, t.target.GitHub, string(name), r.Policy.SecretName)
		if err != nil {
			return err
		}
		if !updated.IsZero() {
			updated = r.GitHubClock.ToLocal(updated).Add(r.CodacyClock.Offset())
		}
		stores = append(stores, StoreState{Store: name, Updated: updated})
	}
	t.observation.Stores, t.observation.SecretsChecked = stores, true
	t.decision = Decide(t.observation, r.Policy, r.codacyNow(), t.key())
	return nil
}

// observe does both, the second only where the decision needs it.
func (r *Run) observe(ctx context.Context, t *task) error {
	if err := r.listTokens(ctx, t); err != nil {
		return err
	}
	if t.decision.Action == CheckSecrets {
		return r.checkSecrets(ctx, t)
	}
	return nil
}

// list lists the tokens. It is they that are listed first: a store that is asked
// later can hold nothing that was deleted before.
func (r *Run) readTokens(ctx context.Context, t *task) (Observation, error) {
	begun := time.Now()
	tokens, err := r.Codacy.Tokens(ctx, t.target.Codacy)
	if err != nil {
		return Observation{}, err
	}
	o := Observation{
		Total: len(tokens), ListedAt: begun.Add(r.CodacyClock.Offset()),
		Legacy: r.Policy.SelfHosted && len(tokens) > 0,
	}
	for _, tok := range tokens {
		if tok.Name != "" || !tok.Created.IsZero() {
			o.Legacy = false
		}
		n, ours := TokenNumber(r.prefix, tok.Name)
		if !ours {
			continue
		}
		own := Token{ID: tok.ID, Name: unique.Make(tok.Name).Value(), Number: n, Created: tok.Created, Expires: tok.Expires}
		if own.Created.IsZero() && !own.Expires.IsZero() {
			own.Created, own.Derived = own.Expires.Add(-r.Policy.Lifetime), true
			if own.Created.After(o.ListedAt.Add(maxFutureCreation)) {
				own.Created = time.Time{}
			}
		}
		o.Managed = append(o.Managed, own)
	}
	slices.SortFunc(o.Managed, byNumber)
	return o, nil
}

// firstLook lists the tokens of t. Where nothing can be written, only one that
// GitHub does not show is listed: a living token there is a worry.
func (r *Run) firstListing(ctx context.Context, t *task) event {
	if t.target.Skip == "" {
		return event{err: r.listTokens(ctx, t)}
	}
	result := r.newResult(t, Skipped, t.target.Skip)
	if t.target.NotVisible {
		o, err := r.readTokens(ctx, t)
		newest, ok := o.Newest()
		switch {
		case err != nil:
			result.Reason += "; its tokens could not be listed: " + err.Error()
		case ok && !newest.expired(o.ListedAt):
			result.TokenID, result.TokenName, result.ExpiresAt = newest.ID, newest.Name, newest.Expires
			result.Warning = t.target.Skip + ", but it has a living token of ours, which can't be renewed"
		}
		return event{result: &result, err: err}
	}
	return event{result: &result}
}

// codacyNow is the time on Codacy's clock.
func (r *Run) codacyNow() time.Time { return time.Now().Add(r.CodacyClock.Offset()) }
