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
	target   match.Target
	seen     Observation
	looked   time.Time // when seen was begun, on our clock
	decision Decision
	jitter   time.Duration // the part of an hour that its token lives shorter
	counted  bool          // among the urgent ones that are not done
}

// key is what depends on the repository alone.
func (t *task) key() string {
	if t.target.GitHub.ID != 0 {
		return fmt.Sprint(t.target.GitHub.ID)
	}
	return t.target.GitHub.Name
}

// look lists the tokens of t anew, and decides as far as that goes.
func (r *Run) look(ctx context.Context, t *task) error {
	begun := time.Now()
	o, err := r.list(ctx, t)
	if err != nil {
		return err
	}
	t.seen, t.looked = o, begun
	t.decision = Decide(t.seen, r.Policy, r.codacyNow(), t.key())
	return nil
}

// ask asks every store of t about the secret, and decides.
func (r *Run) ask(ctx context.Context, t *task) error {
	stores := make([]Store, 0, len(r.Policy.Stores))
	for _, name := range r.Policy.Stores {
		updated, err := r.GitHub.SecretUpdated(ctx, t.target.GitHub, string(name), r.Policy.SecretName)
		if err != nil {
			return err
		}
		if !updated.IsZero() {
			updated = r.GitHubClock.Ours(updated).Add(r.CodacyClock.Offset())
		}
		stores = append(stores, Store{Name: name, Updated: updated})
	}
	t.seen.Stores, t.seen.Asked = stores, true
	t.decision = Decide(t.seen, r.Policy, r.codacyNow(), t.key())
	return nil
}

// observe does both, the second only where the decision needs it.
func (r *Run) observe(ctx context.Context, t *task) error {
	if err := r.look(ctx, t); err != nil {
		return err
	}
	if t.decision.Action == Ask {
		return r.ask(ctx, t)
	}
	return nil
}

// list lists the tokens. It is they that are listed first: a store that is asked
// later can hold nothing that was deleted before.
func (r *Run) list(ctx context.Context, t *task) (Observation, error) {
	begun := time.Now()
	tokens, err := r.Codacy.Tokens(ctx, t.target.Codacy)
	if err != nil {
		return Observation{}, err
	}
	o := Observation{
		Total: len(tokens), Listed: begun.Add(r.CodacyClock.Offset()),
		FirstGeneration: r.Policy.SelfHosted && len(tokens) > 0,
	}
	for _, tok := range tokens {
		if tok.Name != "" || !tok.Created.IsZero() {
			o.FirstGeneration = false
		}
		n, ours := Number(r.prefix, tok.Name)
		if !ours {
			continue
		}
		own := Token{ID: tok.ID, Name: unique.Make(tok.Name).Value(), Number: n, Created: tok.Created, Expires: tok.Expires}
		if own.Created.IsZero() && !own.Expires.IsZero() {
			own.Created, own.Derived = own.Expires.Add(-r.Policy.Lifetime), true
			if own.Created.After(o.Listed.Add(aheadOfTime)) {
				own.Created = time.Time{}
			}
		}
		o.Ours = append(o.Ours, own)
	}
	slices.SortFunc(o.Ours, byNumber)
	return o, nil
}

// firstLook lists the tokens of t. Where nothing can be written, only one that
// GitHub does not show is listed: a living token there is a worry.
func (r *Run) firstLook(ctx context.Context, t *task) event {
	if t.target.Skip == "" {
		return event{err: r.look(ctx, t)}
	}
	result := r.result(t, Skipped, t.target.Skip)
	if t.target.Unseen {
		o, err := r.list(ctx, t)
		newest, ok := o.newest()
		switch {
		case err != nil:
			result.Reason += "; its tokens could not be listed: " + err.Error()
		case ok && !newest.expired(o.Listed):
			result.TokenID, result.TokenName, result.ExpiresAt = newest.ID, newest.Name, newest.Expires
			result.Warning = t.target.Skip + ", but it has a living token of ours, which can't be renewed"
		}
		return event{result: &result, err: err}
	}
	return event{result: &result}
}

// codacyNow is the time on Codacy's clock.
func (r *Run) codacyNow() time.Time { return time.Now().Add(r.CodacyClock.Offset()) }
