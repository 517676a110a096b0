package rotation

import (
	"slices"
	"time"
)

// Revocable returns the tokens that may be revoked after a decision based on o was
// applied. Written lists the stores that this run put a newer token into: all
// eligible ones, or none if nothing was to be written. After a failed apply nothing
// may be revoked, so Revocable is not called then.
func Revocable(o Observation, p Policy, now time.Time, written []Store) []Token {
	if o.Legacy {
		return nil
	}
	r := revocation{o: o, p: p, now: now, written: written, eligible: o.eligible(p)}
	var revocable []Token
	for _, t := range o.Managed {
		if r.allows(t) {
			revocable = append(revocable, t)
		}
	}
	return revocable
}

// revocation is what decides whether a token may be revoked.
type revocation struct {
	o        Observation
	p        Policy
	now      time.Time
	written  []Store
	eligible []StoreState
}

// allows reports whether t meets the conditions of the contract's paragraph.
func (r revocation) allows(t Token) bool {
	newest, _ := r.o.Newest()
	_, unavailable := r.o.UnavailableMessage()
	switch {
	case r.o.recent(t):
		return false
	case t.ID == newest.ID && !r.replaced():
		return false
	case !r.o.unreferenced(r.p, t, r.now, r.written):
		return false
	case unavailable && r.p.Existing == ExistingKeep:
		return false
	case t.Expired(r.now):
		return true
	case unavailable, r.derivedTokensMayBeHeld():
		return false
	}
	return r.gracePeriodOver(t, newest) && !r.o.nearForeignSecret(t, r.written)
}

func (r revocation) wrote(s StoreState) bool { return slices.Contains(r.written, s.Store) }

// replaced reports whether this run wrote every eligible store.
func (r revocation) replaced() bool {
	return len(r.eligible) > 0 && !slices.ContainsFunc(r.eligible, func(s StoreState) bool { return !r.wrote(s) })
}

// derivedTokensMayBeHeld reports whether the creation time of a valid token is not
// known exactly, so that only a store that holds the newest token shows what it
// contains.
func (r revocation) derivedTokensMayBeHeld() bool {
	inexact := slices.ContainsFunc(r.o.Managed, func(t Token) bool {
		return (t.Derived || t.Created.IsZero()) && !t.Expired(r.now)
	})
	return inexact && slices.ContainsFunc(r.o.Stores, func(s StoreState) bool {
		return s.present() && !r.wrote(s) && !r.o.holdsNewest(s)
	})
}

// gracePeriodOver reports whether no job that read an older secret can still run.
func (r revocation) gracePeriodOver(t, newest Token) bool {
	if r.p.RevokeAfter == 0 && r.replaced() {
		return true // every eligible store was written just now
	}
	if len(r.eligible) == 0 || t.ID == newest.ID {
		return false
	}
	for _, s := range r.eligible {
		if !r.o.holdsNewest(s) {
			return false
		}
	}
	return !slices.ContainsFunc(r.o.Stores, func(s StoreState) bool {
		return s.present() && r.now.Sub(s.Updated) < r.p.RevokeAfter
	})
}

// unreferenced reports whether no store holds t. Written stores hold a newer token.
// Of an unavailable store nothing is known, but an expired token is of no use to it.
func (o Observation) unreferenced(p Policy, t Token, now time.Time, written []Store) bool {
	return !slices.ContainsFunc(o.states(p), func(s StoreState) bool {
		switch {
		case slices.Contains(written, s.Store):
			return false
		case s.unavailable():
			return !t.Expired(now)
		}
		return s.Condition == Unread || o.holds(s, t)
	})
}

// nearForeignSecret reports whether a secret that no managed token explains was
// written near t's creation: it may contain t after all.
func (o Observation) nearForeignSecret(t Token, written []Store) bool {
	return slices.ContainsFunc(o.Stores, func(s StoreState) bool {
		if !s.present() || o.explained(s) || slices.Contains(written, s.Store) {
			return false
		}
		return t.Created.IsZero() ||
			!s.Updated.Before(t.Created.Add(-nearCreation-t.earliness()-o.Uncertainty)) &&
				!s.Updated.After(t.Created.Add(nearCreation+t.lateness()+o.Uncertainty))
	})
}

// Evictable returns the token to delete where a repository has MaxTokens: the
// lowest managed token that no store holds. The secrets must have been checked.
func Evictable(o Observation, p Policy, now time.Time) (Token, bool) {
	newest, _ := o.Newest()
	_, unavailable := o.UnavailableMessage()
	if unavailable && p.Existing == ExistingKeep {
		return Token{}, false
	}
	for _, t := range o.Managed {
		if t.ID != newest.ID && !o.recent(t) && o.unreferenced(p, t, now, nil) && !o.nearForeignSecret(t, nil) {
			return t, true
		}
	}
	return Token{}, false
}
