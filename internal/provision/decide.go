package provision

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/match"
)

// The protocol's times. docs/how-it-works.md says why they are what they are.
const (
	// youth is how long nobody makes a token on top of a new one: another run
	// may be at work on it.
	settlePeriod = 15 * time.Minute
	// A store holds a token if it was written in the token's window, which
	// reaches from windowBefore its making to windowAfter.
	windowBefore = 30 * time.Second
	windowAfter  = 14 * time.Minute
	// putWithin is how long after the making began a put may be sent.
	maxPutDelay = 8 * time.Minute
	// fresh is how old an observation may be that a token is made on.
	maxStaleness = time.Minute
	// spreadLifetime is the random part that a lifetime is shortened by, and so
	// the error of a creation time that is derived from the expiry.
	lifetimeJitter = time.Hour
	// spreadDue is the part that due dates are spread over.
	maxRenewalJitter = 14 * 24 * time.Hour
	// aheadOfTime: a derived creation later than this is no creation time, but
	// shows that the lifetime was shortened since.
	maxFutureCreation = time.Minute
	// maxTokens is what Codacy allows in one repository.
	maxTokens = 100
)

// Policy is what the inputs ask for.
type Policy struct {
	SecretName string
	// Stores in the order of writing.
	Stores   []config.Store
	Existing config.Existing
	Rotate   config.Rotate
	// Lifetime of new tokens, RenewBefore their end, and RevokeAfter, how long
	// at least a replaced token lives on.
	Lifetime, RenewBefore, RevokeAfter time.Duration
	// SelfHosted: Codacy may be of the first generation.
	SelfHosted bool
	// AskAll: ask the stores even where the decision does not need it, so that
	// a dry run can tell what a write would overwrite.
	CheckAllSecrets bool
}

// Token is a token of ours.
type Token struct {
	ID     int64
	Name   string
	Number int
	// Created is when it was made; zero if nobody knows, which counts as long
	// ago. Derived: it was computed from the expiry, and may be an hour early.
	Created time.Time
	Derived bool
	// Expires is zero if it never does.
	Expires time.Time
}

// slack is the error of a token's creation time.
func (t Token) uncertainty() time.Duration {
	if t.Derived {
		return lifetimeJitter
	}
	return 0
}

// young tells whether, at the time, another run may still be at work on t.
func (t Token) recent(at time.Time) bool {
	return !t.Created.IsZero() && at.Sub(t.Created) < settlePeriod+t.uncertainty()
}

// expired tells whether t is dead at the time.
func (t Token) expired(at time.Time) bool { return !t.Expires.IsZero() && !t.Expires.After(at) }

// Store is what GitHub tells of the secret in one store.
type StoreState struct {
	Store config.Store
	// Updated is when the secret was last written; zero if there is none.
	Updated time.Time
}

// holds tells whether the secret was written with t: nobody else's put falls
// into its window.
func (s StoreState) holds(t Token) bool {
	return !s.Updated.IsZero() && !t.Created.IsZero() &&
		!s.Updated.Before(t.Created.Add(-windowBefore)) &&
		!s.Updated.After(t.Created.Add(windowAfter+t.uncertainty()))
}

// holdsAny tells whether the store holds one of the tokens.
func (s StoreState) holdsAny(tokens []Token) bool { return slices.ContainsFunc(tokens, s.holds) }

// Observation is what one look at a repository showed. All times are on
// Codacy's clock.
type Observation struct {
	// Ours are the tokens named by our scheme, by number; Total counts all.
	Managed []Token
	Total   int
	// FirstGeneration: the tokens have neither names nor times.
	Legacy bool
	// Listed is when the tokens were listed.
	ListedAt time.Time
	// Asked: Stores holds what the stores were asked after that.
	SecretsChecked bool
	Stores         []StoreState
}

// newest is ours with the highest number.
func (o Observation) Newest() (Token, bool) {
	if len(o.Managed) == 0 {
		return Token{}, false
	}
	return o.Managed[len(o.Managed)-1], true
}

// Action is what is to be done about a repository.
type Action int

const (
	// Ask the stores, then decide again.
	CheckSecrets Action = iota
	// Create a token where none of ours is.
	Create
	// Renew: a new token takes the place of one of ours.
	Renew
	// Current: nothing to do.
	NoOp
	// Keep: left alone.
	Keep
	// Defer: another run may be at work.
	Defer
)

// Decision is what Decide says.
type Decision struct {
	Action Action
	// Why, for people.
	Reason string
	// Stores to be written, in order.
	Stores []config.Store
	// Urgent: there is no token, or it is due.
	Urgent bool
}

// Decide says what is to be done: the table of the contract, row by row. It is
// a function of what was observed, the policy, the time on Codacy's clock and
// the repository's key, which spreads the due dates.
func Decide(o Observation, p Policy, now time.Time, key string) Decision {
	newest, exists := o.Newest()
	due := exists && !newest.Expires.IsZero() && newest.Expires.Sub(now) < p.RenewBefore+p.renewalJitter(key)
	urgent := !exists && !o.Legacy || due
	// With replace and expiring, what is missing or due needs no look at GitHub.
	blind := !p.CheckAllSecrets && p.Existing == config.ExistingReplace && p.Rotate == config.RotateExpiring &&
		urgent && !(exists && newest.recent(o.ListedAt))
	if !o.SecretsChecked && !blind {
		return Decision{Action: CheckSecrets, Urgent: urgent}
	}
	table := o.eligible(p)
	decide := func(a Action, why string) Decision {
		d := Decision{Action: a, Reason: why, Urgent: urgent}
		if a == Create || a == Renew {
			d.Stores = p.Stores
			if o.SecretsChecked {
				d.Stores = nil
				for _, s := range table {
					d.Stores = append(d.Stores, s.Store)
				}
			}
		}
		return d
	}
	everyHolds := !slices.ContainsFunc(table, func(s StoreState) bool { return !exists || !s.holds(newest) })
	switch {
	case o.SecretsChecked && len(table) == 0 && p.Existing == config.ExistingOnly:
		return decide(Keep, "there is no secret, and existing-secrets is only")
	case o.SecretsChecked && len(table) == 0:
		return decide(Keep, "the secret was made by somebody else")
	case o.Legacy && !slices.ContainsFunc(table, StoreState.absent):
		return decide(NoOp, "the secret is there; this Codacy's tokens do not expire")
	case o.Legacy:
		return decide(Create, "there is no secret"+absentNames(table))
	case !exists:
		return decide(Create, "there is no token of ours")
	case newest.recent(o.ListedAt) && everyHolds:
		return decide(NoOp, "made a moment ago")
	case newest.recent(o.ListedAt):
		return decide(Defer, "another run may be at work on it: "+newest.Name+" was made less than "+
			strconv.Itoa(int((settlePeriod+newest.uncertainty()).Minutes()))+" minutes ago")
	case p.Rotate == config.RotateAlways:
		return decide(Renew, "rotate is always")
	case newest.expired(now):
		return decide(Renew, newest.Name+" has expired")
	case due:
		return decide(Renew, fmt.Sprintf("%s expires in %d days", newest.Name, int(newest.Expires.Sub(now).Hours()/24)))
	case everyHolds:
		return decide(NoOp, "")
	case slices.ContainsFunc(table, StoreState.absent):
		return decide(Renew, "there is no secret"+absentNames(table))
	default:
		return decide(Renew, "the secret was changed since "+newest.Name+" was made")
	}
}

func (s StoreState) absent() bool { return s.Updated.IsZero() }

// absentFrom names the stores without a secret, unless there is one store only.
func absentNames(table []StoreState) string {
	if len(table) < 2 {
		return ""
	}
	var names []string
	for _, s := range table {
		if s.absent() {
			names = append(names, string(s.Store))
		}
	}
	return " in " + strings.Join(names, ", ")
}

// table is the stores that the table is about: those not left out.
func (o Observation) eligible(p Policy) []StoreState {
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s StoreState) bool {
		switch p.Existing {
		case config.ExistingKeep:
			return !s.absent() && !s.holdsAny(o.Managed)
		case config.ExistingOnly:
			return s.absent()
		default:
			return false
		}
	})
}

// dueSpread is the part of at most a fortnight by which a repository is due
// earlier, so that tokens made on one day are not all renewed on one day.
func (p Policy) renewalJitter(key string) time.Duration {
	most := min(maxRenewalJitter, (p.Lifetime-p.RenewBefore)/2)
	return time.Duration(float64(most) * (float64(match.Hash(key)>>11) / (1 << 53)))
}

// Revocable are the tokens that go after an apply that began on o. Renewed
// tells that it put a newer token into every store of the decision.
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
	// The grace is over once no job can still run that read an older secret.
	present := slices.DeleteFunc(slices.Clone(o.Stores), StoreState.absent)
	grace := len(present) > 0 && !slices.ContainsFunc(o.eligible(p), StoreState.absent) &&
		!slices.ContainsFunc(present, func(s StoreState) bool { return now.Sub(s.Updated) < p.RevokeAfter })
	var gone []Token
	for _, t := range o.Managed {
		if renewed && (t.expired(now) || p.RevokeAfter == 0) ||
			t.ID != newest.ID && o.unreferenced(t) && (t.expired(now) || grace) {
			gone = append(gone, t)
		}
	}
	return gone
}

func (o Observation) excluded(p Policy) []StoreState {
	table := o.eligible(p)
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s StoreState) bool { return slices.Contains(table, s) })
}

// free tells that t was old enough when listed, and no store holds it.
func (o Observation) unreferenced(t Token) bool {
	return o.SecretsChecked && !t.recent(o.ListedAt) && !slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.holds(t) })
}

// Spare is the token that makes room where a repository has as many as Codacy
// allows: the lowest of ours that nobody can be using. The stores must have been
// asked.
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

// urgency orders what waits: missing, then expired, then by expiry.
func (o *Observation) Priority() int64 {
	newest, exists := o.Newest()
	switch {
	case !exists && !o.Legacy:
		return math.MinInt64 + 1
	case newest.Expires.IsZero():
		return math.MaxInt64 - 1
	}
	return newest.Expires.Unix()
}

// Prefix is what the names of our tokens for a secret begin with; a number
// follows.
func TokenPrefix(secretName string) string {
	return strings.ReplaceAll(strings.ToLower(secretName), "_", "-") + "-"
}

// Number reads the number of a token's name; false if the name is not ours.
func TokenNumber(prefix, name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) > 9 || digits == "" || digits[0] == '0' ||
		strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

func byNumber(a, b Token) int { return cmp.Compare(a.Number, b.Number) }
