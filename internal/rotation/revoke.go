package rotation

import (
	"slices"
	"time"
)

// Revocable returns the tokens that may be revoked after applying a decision based
// on o. Renewed reports whether a newer token was put into every store of the
// decision.
func Revocable(o Observation, p Policy, now time.Time, renewed bool) []Token {
	newest, exists := o.Newest()
	if !exists || o.Legacy {
		return nil
	}
	derived := slices.ContainsFunc(o.Managed, func(t Token) bool { return t.Derived })
	if derived && !renewed && (!o.SecretsChecked || slices.ContainsFunc(o.Stores, func(s StoreState) bool { return !s.absent() && !s.holds(newest) })) {
		return nil
	}
	if derived && renewed && slices.ContainsFunc(o.excluded(p), func(s StoreState) bool { return !s.absent() }) {
		return nil
	}
	// The grace period is over when no job that read an older secret can still run.
	present := slices.DeleteFunc(slices.Clone(o.Stores), StoreState.absent)
	grace := len(present) > 0 && !slices.ContainsFunc(o.eligible(p), StoreState.absent) &&
		!slices.ContainsFunc(present, func(s StoreState) bool { return now.Sub(s.Updated) < p.RevokeAfter })
	var toRevoke []Token
	for _, t := range o.Managed {
		if renewed && (t.Expired(now) || p.RevokeAfter == 0) ||
			t.ID != newest.ID && o.unreferenced(t) && (t.Expired(now) || grace) {
			toRevoke = append(toRevoke, t)
		}
	}
	return toRevoke
}

// unreferenced reports whether t was old enough when listed, and no store holds it.
func (o Observation) unreferenced(t Token) bool {
	return o.SecretsChecked && !t.recent(o.ListedAt) && !slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.holds(t) })
}

// Evictable returns the token to delete where a repository has MaxTokens: the
// lowest managed token that no store holds. The secrets must have been checked.
func Evictable(o Observation) (Token, bool) {
	newest, _ := o.Newest()
	derived := slices.ContainsFunc(o.Managed, func(t Token) bool { return t.Derived })
	if derived && slices.ContainsFunc(o.Stores, func(s StoreState) bool { return !s.absent() && !s.holds(newest) }) {
		return Token{}, false
	}
	i := slices.IndexFunc(o.Managed, func(t Token) bool { return t.ID != newest.ID && o.unreferenced(t) })
	if i < 0 {
		return Token{}, false
	}
	return o.Managed[i], true
}
