package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is what to do about a repository.
type Action int

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
)

// Decision is the result of Decide.
type Decision struct {
	Action Action
	// Reason explains the action to users.
	Reason string
	// Stores lists the stores to write, in order.
	Stores []Store
	// Urgent reports whether the token is missing, expired or due for renewal.
	Urgent bool
}

// Writes reports whether the decision creates a token.
func (d Decision) Writes() bool { return d.Action == Create || d.Action == Renew }

// situation is what the rows of Decide test.
type situation struct {
	newest   Token
	exists   bool         // there is a managed token
	due      bool         // newest is due for renewal
	urgent   bool         // there is no token, or it is due
	eligible []StoreState // the stores that may be written
	allHold  bool         // every eligible store holds newest
	// skipSecrets reports whether the decision is made without the secrets.
	skipSecrets bool
}

func assess(o Observation, p Policy, now time.Time, jitter float64) situation {
	s := situation{eligible: o.eligible(p)}
	s.newest, s.exists = o.Newest()
	s.due = s.exists && !s.newest.Expires.IsZero() && s.newest.Expires.Sub(now) < p.RenewBefore+p.renewalJitter(jitter)
	s.urgent = !s.exists && !o.Legacy || s.due
	s.allHold = s.exists && !slices.ContainsFunc(s.eligible, func(st StoreState) bool { return !st.holds(s.newest) })
	s.skipSecrets = !p.CheckAllSecrets && p.Existing == ExistingReplace && p.Rotate == RotateExpiring &&
		s.urgent && !(s.exists && s.newest.recent(o.ListedAt))
	return s
}

// Decide returns the first matching row of the contract's table. It is a function
// of the observation, the policy, the time on Codacy's clock, and a number in
// [0, 1) that spreads the due dates of the repositories.
func Decide(o Observation, p Policy, now time.Time, jitter float64) Decision {
	s := assess(o, p, now, jitter)
	decide := func(a Action, reason string) Decision {
		d := Decision{Action: a, Reason: reason, Urgent: s.urgent}
		if d.Writes() {
			d.Stores = p.Stores
			if o.SecretsChecked {
				d.Stores = names(s.eligible)
			}
		}
		return d
	}
	switch {
	case !o.SecretsChecked && !s.skipSecrets:
		return decide(CheckSecrets, "")
	case o.SecretsChecked && len(s.eligible) == 0 && p.Existing == ExistingOnly:
		return decide(Keep, "no secret, and existing-secrets is only")
	case o.SecretsChecked && len(s.eligible) == 0:
		return decide(Keep, "the secret is not from this action")
	case o.Legacy && !slices.ContainsFunc(s.eligible, StoreState.absent):
		return decide(NoOp, "there is a secret; tokens of this Codacy server do not expire")
	case o.Legacy:
		return decide(Create, "no secret"+absentNames(s.eligible))
	case !s.exists:
		return decide(Create, "no token from this action")
	case s.newest.recent(o.ListedAt) && s.allHold:
		return decide(NoOp, "created recently")
	case s.newest.recent(o.ListedAt):
		return decide(Defer, fmt.Sprintf("another run may be working on it: %s was created less than %d minutes ago",
			s.newest.Name, int((settlePeriod+s.newest.uncertainty()).Minutes())))
	case p.Rotate == RotateAlways:
		return decide(Renew, "rotate is always")
	case s.newest.Expired(now):
		return decide(Renew, s.newest.Name+" has expired")
	case s.due:
		return decide(Renew, fmt.Sprintf("%s expires in %d days", s.newest.Name, int(s.newest.Expires.Sub(now).Hours()/24)))
	case s.allHold:
		return decide(NoOp, "")
	case slices.ContainsFunc(s.eligible, StoreState.absent):
		return decide(Renew, "no secret"+absentNames(s.eligible))
	default:
		return decide(Renew, "the secret was changed after "+s.newest.Name+" was created")
	}
}

func names(stores []StoreState) []Store {
	var all []Store
	for _, s := range stores {
		all = append(all, s.Store)
	}
	return all
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
