// Package outcome says how each repository ended, how far a run has come, and
// whether the whole run is well. It formats nothing.
package outcome

import (
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// Outcome is how a repository ended.
type Outcome string

// The outcomes, named as in the contract.
const (
	Created  Outcome = "created"
	Renewed  Outcome = "renewed"
	Current  Outcome = "current"
	Kept     Outcome = "kept"
	Skipped  Outcome = "skipped"
	Deferred Outcome = "deferred"
	Failed   Outcome = "failed"
)

// Soon is how near to its expiry the token of a deferred repository makes the run
// fail.
const Soon = 7 * 24 * time.Hour

// All lists the outcomes in the order in which they are shown.
func All() []Outcome {
	return []Outcome{Created, Renewed, Current, Kept, Skipped, Deferred, Failed}
}

// Effect is what writing a secret does to the one that was there.
type Effect int

const (
	// Add writes a secret where there wasn't one.
	Add Effect = iota
	// Renew replaces a secret that this action created.
	Renew
	// Overwrite replaces a secret that this action did not create.
	Overwrite
)

// Write is one secret that was written, or in a plan will be.
type Write struct {
	Store  rotation.Store
	Effect Effect
}

// Action is what a plan will do with a repository.
type Action string

// The actions, named as users see them.
const (
	ActionOverwrite Action = "overwrite"
	ActionRevoke    Action = "revoke"
	ActionCreate    Action = "create"
	ActionRenew     Action = "renew"
)

// Actions lists the actions in the order in which a plan shows them: the
// destructive ones first.
func Actions() []Action {
	return []Action{ActionOverwrite, ActionRevoke, ActionCreate, ActionRenew}
}

// Result is how one repository ended, or in a plan how it will end. Reason and
// Warning may contain a service's text: escape them before printing.
type Result struct {
	// Owner and Name of the repository on GitHub.
	Owner, Name string
	Outcome     Outcome
	Reason      string
	// Warning describes a problem that the outcome does not show; empty if none.
	Warning string
	// Err is the error of a failed repository; nil for the other outcomes.
	Err error
	// Reported is true if the error that ended the run already covers this one.
	Reported bool
	// Writes lists the secrets that were written, or in a plan will be. Where a
	// secret was not read before, PUT's status distinguishes Add from the others.
	Writes []Write
	// Revoked names the replaced tokens that were revoked, or in a plan will be.
	Revoked []string
	// NotListed is true if the repository's tokens were not listed, so that nothing is
	// known of it.
	NotListed bool
	// Stores lists the stores that hold the token, as far as they are known.
	Stores []rotation.Store
	// TokenID and TokenName identify the token that the secrets contain; zero and
	// empty if there isn't one or it is unknown.
	TokenID   int64
	TokenName string
	// ExpiresAt is the token's expiry on Codacy's clock; zero if it never expires
	// or there is no token.
	ExpiresAt time.Time
}

// Repository returns the repository's full name, "owner/name".
func (r Result) Repository() string { return r.Owner + "/" + r.Name }

// Changed reports whether a secret was written.
func (r Result) Changed() bool { return r.Outcome == Created || r.Outcome == Renewed }

// Overwritten returns the stores in which a secret that this action did not create
// was overwritten, or in a plan will be.
func (r Result) Overwritten() []rotation.Store {
	var stores []rotation.Store
	for _, w := range r.Writes {
		if w.Effect == Overwrite {
			stores = append(stores, w.Store)
		}
	}
	return stores
}

// Action returns what a plan will do, by its most destructive effect; empty for
// nothing.
func (r Result) Action() Action {
	switch {
	case len(r.Overwritten()) > 0:
		return ActionOverwrite
	case r.Outcome == Created:
		return ActionCreate
	case r.Outcome == Renewed || slices.ContainsFunc(r.Writes, func(w Write) bool { return w.Effect == Renew }):
		return ActionRenew
	case len(r.Writes) > 0: // of a repository that will fail for another store
		return ActionCreate
	case len(r.Revoked) > 0:
		return ActionRevoke
	}
	return ""
}

// UpToDate reports whether every secret holds the token that it should.
func (r Result) UpToDate() bool { return r.Changed() || r.Outcome == Current }

// ExpiringSoon reports whether the repository is deferred although its token
// expires within Soon of now, on Codacy's clock.
func (r Result) ExpiringSoon(now time.Time) bool {
	return r.Outcome == Deferred && !r.ExpiresAt.IsZero() && r.ExpiresAt.Sub(now) < Soon
}

// IsProblem reports whether the repository failed or is about to.
func (r Result) IsProblem(now time.Time) bool { return r.Outcome == Failed || r.ExpiringSoon(now) }

// NeedsAttention reports whether the repository is a problem or has a warning.
func (r Result) NeedsAttention(now time.Time) bool { return r.IsProblem(now) || r.Warning != "" }

// Severity orders results: failed ones first, then those about to fail, then the
// others.
func (r Result) Severity(now time.Time) int {
	switch {
	case r.Outcome == Failed:
		return 0
	case r.ExpiringSoon(now):
		return 1
	}
	return 2
}
