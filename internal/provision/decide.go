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
	youth = 15 * time.Minute
	// A store holds a token if it was written in the token's window, which
	// reaches from windowBefore its making to windowAfter.
	windowBefore = 30 * time.Second
	windowAfter  = 14 * time.Minute
	// putWithin is how long after the making began a put may be sent.
	putWithin = 8 * time.Minute
	// fresh is how old an observation may be that a token is made on.
	fresh = time.Minute
	// spreadLifetime is the random part that a lifetime is shortened by, and so
	// the error of a creation time that is derived from the expiry.
	spreadLifetime = time.Hour
	// spreadDue is the part that due dates are spread over.
	spreadDue = 14 * 24 * time.Hour
	// aheadOfTime: a derived creation later than this is no creation time, but
	// shows that the lifetime was shortened since.
	aheadOfTime = time.Minute
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
	AskAll bool
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
func (t Token) slack() time.Duration {
	if t.Derived {
		return spreadLifetime
	}
	return 0
}

// young tells whether, at the time, another run may still be at work on t.
func (t Token) young(at time.Time) bool {
	return !t.Created.IsZero() && at.Sub(t.Created) < youth+t.slack()
}

// expired tells whether t is dead at the time.
func (t Token) expired(at time.Time) bool { return !t.Expires.IsZero() && !t.Expires.After(at) }

// Store is what GitHub tells of the secret in one store.
type Store struct {
	Name config.Store
	// Updated is when the secret was last written; zero if there is none.
	Updated time.Time
}

// holds tells whether the secret was written with t: nobody else's put falls
// into its window.
func (s Store) holds(t Token) bool {
	return !s.Updated.IsZero() && !t.Created.IsZero() &&
		!s.Updated.Before(t.Created.Add(-windowBefore)) &&
		!s.Updated.After(t.Created.Add(windowAfter+t.slack()))
}

// holdsAny tells whether the store holds one of the tokens.
func (s Store) holdsAny(tokens []Token) bool { return slices.ContainsFunc(tokens, s.holds) }

// Observation is what one look at a repository showed. All times are on
// Codacy's clock.
type Observation struct {
	// Ours are the tokens named by our scheme, by number; Total counts all.
	Ours  []Token
	Total int
	// FirstGeneration: the tokens have neither names nor times.
	FirstGeneration bool
	// Listed is when the tokens were listed.
	Listed time.Time
	// Asked: Stores holds what the stores were asked after that.
	Asked  bool
	Stores []Store
}

// newest is ours with the highest number.
func (o Observation) newest() (Token, bool) {
	if len(o.Ours) == 0 {
		return Token{}, false
	}
	return o.Ours[len(o.Ours)-1], true
}

// Action is what is to be done about a repository.
type Action int

const (
	// Ask the stores, then decide again.
	Ask Action = iota
	// Create a token where none of ours is.
	Create
	// Renew: a new token takes the place of one of ours.
	Renew
	// Current: nothing to do.
	Current
	// Keep: left alone.
	Keep
	// Defer: another run may be at work.
	Defer
)

// Decision is what Decide says.
type Decision struct {
	Action Action
	// Why, for people.
	Why string
	// Stores to be written, in order.
	Stores []config.Store
	// Urgent: there is no token, or it is due.
	Urgent bool
}

// Decide says what is to be done: the table of the contract, row by row. It is
// a function of what was observed, the policy, the time on Codacy's clock and
// the repository's key, which spreads the due dates.
func Decide(o Observation, p Policy, now time.Time, key string) Decision {
	newest, any := o.newest()
	due := any && !newest.Expires.IsZero() && newest.Expires.Sub(now) < p.RenewBefore+p.dueSpread(key)
	urgent := !any && !o.FirstGeneration || due
	// With replace and expiring, what is missing or due needs no look at GitHub.
	blind := !p.AskAll && p.Existing == config.ExistingReplace && p.Rotate == config.RotateExpiring &&
		urgent && !(any && newest.young(o.Listed))
	if !o.Asked && !blind {
		return Decision{Action: Ask, Urgent: urgent}
	}
	table := o.table(p)
	decide := func(a Action, why string) Decision {
		d := Decision{Action: a, Why: why, Urgent: urgent}
		if a == Create || a == Renew {
			d.Stores = p.Stores
			if o.Asked {
				d.Stores = nil
				for _, s := range table {
					d.Stores = append(d.Stores, s.Name)
				}
			}
		}
		return d
	}
	everyHolds := !slices.ContainsFunc(table, func(s Store) bool { return !any || !s.holds(newest) })
	switch {
	case o.Asked && len(table) == 0 && p.Existing == config.ExistingOnly:
		return decide(Keep, "there is no secret, and existing-secrets is only")
	case o.Asked && len(table) == 0:
		return decide(Keep, "the secret was made by somebody else")
	case o.FirstGeneration && !slices.ContainsFunc(table, Store.absent):
		return decide(Current, "the secret is there; this Codacy's tokens do not expire")
	case o.FirstGeneration:
		return decide(Create, "there is no secret"+absentFrom(table))
	case !any:
		return decide(Create, "there is no token of ours")
	case newest.young(o.Listed) && everyHolds:
		return decide(Current, "made a moment ago")
	case newest.young(o.Listed):
		return decide(Defer, "another run may be at work on it: "+newest.Name+" was made less than "+
			strconv.Itoa(int((youth+newest.slack()).Minutes()))+" minutes ago")
	case p.Rotate == config.RotateAlways:
		return decide(Renew, "rotate is always")
	case newest.expired(now):
		return decide(Renew, newest.Name+" has expired")
	case due:
		return decide(Renew, fmt.Sprintf("%s expires in %d days", newest.Name, int(newest.Expires.Sub(now).Hours()/24)))
	case everyHolds:
		return decide(Current, "")
	case slices.ContainsFunc(table, Store.absent):
		return decide(Renew, "there is no secret"+absentFrom(table))
	default:
		return decide(Renew, "the secret was changed since "+newest.Name+" was made")
	}
}

func (s Store) absent() bool { return s.Updated.IsZero() }

// absentFrom names the stores without a secret, unless there is one store only.
func absentFrom(table []Store) string {
	if len(table) < 2 {
		return ""
	}
	var names []string
	for _, s := range table {
		if s.absent() {
			names = append(names, string(s.Name))
		}
	}
	return " in " + strings.Join(names, ", ")
}

// table is the stores that the table is about: those not left out.
func (o Observation) table(p Policy) []Store {
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s Store) bool {
		switch p.Existing {
		case config.ExistingKeep:
			return !s.absent() && !s.holdsAny(o.Ours)
		case config.ExistingOnly:
			return s.absent()
		default:
			return false
		}
	})
}

// dueSpread is the part of at most a fortnight by which a repository is due
// earlier, so that tokens made on one day are not all renewed on one day.
func (p Policy) dueSpread(key string) time.Duration {
	most := min(spreadDue, (p.Lifetime-p.RenewBefore)/2)
	return time.Duration(float64(most) * (float64(match.Spread(key)>>11) / (1 << 53)))
}

// Revocable are the tokens that go after an apply that began on o. Renewed
// tells that it put a newer token into every store of the decision.
func Revocable(o Observation, p Policy, now time.Time, renewed bool) []Token {
	newest, any := o.newest()
	if !any || o.FirstGeneration {
		return nil
	}
	derived := slices.ContainsFunc(o.Ours, func(t Token) bool { return t.Derived })
	if derived && !renewed && (!o.Asked || slices.ContainsFunc(o.Stores, func(s Store) bool { return !s.absent() && !s.holds(newest) })) {
		return nil
	}
	if derived && renewed && slices.ContainsFunc(o.leftOut(p), func(s Store) bool { return !s.absent() }) {
		return nil
	}
	// The grace is over once no job can still run that read an older secret.
	present := slices.DeleteFunc(slices.Clone(o.Stores), Store.absent)
	grace := len(present) > 0 && !slices.ContainsFunc(o.table(p), Store.absent) &&
		!slices.ContainsFunc(present, func(s Store) bool { return now.Sub(s.Updated) < p.RevokeAfter })
	var gone []Token
	for _, t := range o.Ours {
		if renewed && (t.expired(now) || p.RevokeAfter == 0) ||
			t.ID != newest.ID && o.free(t) && (t.expired(now) || grace) {
			gone = append(gone, t)
		}
	}
	return gone
}

func (o Observation) leftOut(p Policy) []Store {
	table := o.table(p)
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s Store) bool { return slices.Contains(table, s) })
}

// free tells that t was old enough when listed, and no store holds it.
func (o Observation) free(t Token) bool {
	return o.Asked && !t.young(o.Listed) && !slices.ContainsFunc(o.Stores, func(s Store) bool { return s.holds(t) })
}

// Spare is the token that makes room where a repository has as many as Codacy
// allows: the lowest of ours that nobody can be using. The stores must have been
// asked.
func Spare(o Observation) (Token, bool) {
	newest, _ := o.newest()
	derived := slices.ContainsFunc(o.Ours, func(t Token) bool { return t.Derived })
	if derived && slices.ContainsFunc(o.Stores, func(s Store) bool { return !s.absent() && !s.holds(newest) }) {
		return Token{}, false
	}
	i := slices.IndexFunc(o.Ours, func(t Token) bool { return t.ID != newest.ID && o.free(t) })
	if i < 0 {
		return Token{}, false
	}
	return o.Ours[i], true
}

// urgency orders what waits: missing, then expired, then by expiry.
func (o *Observation) urgency() int64 {
	newest, any := o.newest()
	switch {
	case !any && !o.FirstGeneration:
		return math.MinInt64 + 1
	case newest.Expires.IsZero():
		return math.MaxInt64 - 1
	}
	return newest.Expires.Unix()
}

// Prefix is what the names of our tokens for a secret begin with; a number
// follows.
func Prefix(secretName string) string {
	return strings.ReplaceAll(strings.ToLower(secretName), "_", "-") + "-"
}

// Number reads the number of a token's name; false if the name is not ours.
func Number(prefix, name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) > 9 || digits == "" || digits[0] == '0' ||
		strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

func byNumber(a, b Token) int { return cmp.Compare(a.Number, b.Number) }
