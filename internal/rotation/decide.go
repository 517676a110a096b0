package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is what to do about a repository.
type Action uint8

const (
	// CheckSecrets has the secrets read before the decision is made.
	CheckSecrets Action = iota
	// Create stores a token where there is no managed one.
	Create
	// Renew replaces a managed token.
	Renew
	// NoOp leaves a repository that is up to date.
	NoOp
	// Keep leaves a repository because of existing-secrets.
	Keep
	// Defer leaves a repository that another run may be working on.
	Defer
	// Fail leaves a repository none of whose stores can be accessed.
	Fail
)

// Decision is the result of Decide.
type Decision struct {
	// Reason explains the action to users.
	Reason string
	// Stores lists the stores to write, in the order of writing: stores that do not
	// hold the newest token first.
	Stores []Store
	Action Action
	// Urgent reports whether the token is missing, expired or due for renewal.
	Urgent bool
	// Necessary reports whether the write must not be given up when one store denies
	// it: something is due, or rotate is always.
	Necessary bool
}

// Writes reports whether the decision creates a token.
func (d Decision) Writes() bool { return d.Action == Create || d.Action == Renew }

// situation is what the rows of Decide test.
type situation struct {
	newest      Token
	exists      bool         // there is a managed token
	due         bool         // newest is due for renewal
	urgent      bool         // there is no token, or it is due
	recent      Token        // a token that another run may still be storing
	hasRecent   bool         // there is such a token
	eligible    []StoreState // the stores that may be written
	allHold     bool         // every eligible store holds newest
	anyAbsent   bool         // an eligible store has no secret
	unavailable bool         // a store is unavailable
	message     string       // what GitHub said about it
	// skipSecrets reports whether the decision is made without the secrets.
	skipSecrets bool
}

func assess(o Observation, p Policy, now time.Time, jitter float64) situation {
	s := situation{eligible: o.eligible(p)}
	s.newest, s.exists = o.Newest()
	s.recent, s.hasRecent = o.newestRecent()
	s.message, s.unavailable = o.UnavailableMessage()
	s.due = s.exists && s.newest.expiresWithin(p.RenewBefore+p.renewalJitter(jitter), now)
	s.urgent = !s.exists && !o.Legacy || s.due
	s.allHold = s.exists && !slices.ContainsFunc(s.eligible, func(st StoreState) bool { return !o.holdsNewest(st) })
	s.anyAbsent = slices.ContainsFunc(s.eligible, StoreState.absent)
	s.skipSecrets = !p.CheckAllSecrets && p.Existing == ExistingReplace && p.Rotate == RotateExpiring && s.urgent && !s.hasRecent
	return s
}

// Decide returns the first matching row of the contract's table. It is a function
// of the observation, the policy, the time on Codacy's clock, and a number in
// [0, 1) that spreads the due dates of the repositories.
func Decide(o Observation, p Policy, now time.Time, jitter float64) Decision {
	s := assess(o, p, now, jitter)
	decide := func(a Action, reason string) Decision {
		d := Decision{Action: a, Reason: reason, Urgent: s.urgent, Necessary: s.urgent || p.Rotate == RotateAlways}
		if d.Writes() {
			d.Stores = o.writeOrder(s.eligible)
		}
		return d
	}
	switch {
	case !o.SecretsChecked() && !s.skipSecrets:
		return decide(CheckSecrets, "")
	case len(s.eligible) == 0 && s.unavailable:
		return decide(Fail, s.message)
	case len(s.eligible) == 0 && p.Existing == ExistingOnly:
		return decide(Keep, "no secret, and existing-secrets is only")
	case len(s.eligible) == 0:
		return decide(Keep, "the secret is not from this action")
	case o.Legacy && !s.anyAbsent:
		return decide(NoOp, "there is a secret; tokens of this Codacy server do not expire")
	case o.Legacy:
		return decide(Create, "no secret"+absentNames(s.eligible))
	case !s.exists:
		return decide(Create, "no token from this action")
	case s.hasRecent && s.allHold:
		return decide(NoOp, "created recently")
	case s.hasRecent:
		return decide(Defer, fmt.Sprintf("another run may be working on it: %s was created less than %d minutes ago",
			s.recent.Name, int((settlePeriod+s.recent.lateness()+2*o.Uncertainty).Minutes())))
	case p.Rotate == RotateAlways:
		return decide(Renew, "rotate is always")
	case s.newest.Expired(now):
		return decide(Renew, s.newest.Name+" has expired")
	case s.due:
		return decide(Renew, daysLeft(s.newest.Expires.Sub(now)))
	case s.allHold:
		return decide(NoOp, "")
	case s.anyAbsent:
		return decide(Renew, "no secret"+absentNames(s.eligible))
	default:
		return decide(Renew, "the secret was changed after "+s.newest.Name+" was created")
	}
}

// daysLeft says how many whole days are left.
func daysLeft(d time.Duration) string {
	if days := int(d.Hours() / 24); days != 1 {
		return fmt.Sprintf("%d days left", days)
	}
	return "1 day left"
}

// writeOrder returns the stores in the order of writing: stores that hold the
// newest token, and so work, last.
func (o Observation) writeOrder(stores []StoreState) []Store {
	var first, last []Store
	for _, s := range stores {
		if o.holdsNewest(s) {
			last = append(last, s.Store)
		} else {
			first = append(first, s.Store)
		}
	}
	return append(first, last...)
}

// absentNames names the stores without a secret, unless there is only one store.
func absentNames(stores []StoreState) string {
	if len(stores) < 2 {
		return ""
	}
	var absent []string
	for _, s := range stores {
		if s.absent() {
			absent = append(absent, string(s.Store))
		}
	}
	return " in " + strings.Join(absent, ", ")
}
