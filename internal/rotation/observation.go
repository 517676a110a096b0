package rotation

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Token is a managed token: one whose name follows the scheme.
type Token struct {
	ID     int64
	Name   string
	Number int
	// Created is the creation time; zero if it is unknown, which counts as long ago.
	Created time.Time
	// Derived reports whether Created was computed from the expiry. The token may
	// then be up to LifetimeJitter older.
	Derived bool
	// Expires is zero if the token never expires.
	Expires time.Time
}

// uncertainty returns how far the token's creation time may be off.
func (t Token) uncertainty() time.Duration {
	if t.Derived {
		return LifetimeJitter
	}
	return 0
}

// recent reports whether another run may still be storing t at the time.
func (t Token) recent(at time.Time) bool {
	return !t.Created.IsZero() && at.Sub(t.Created) < settlePeriod+t.uncertainty()
}

// Expired reports whether t has expired at the time.
func (t Token) Expired(at time.Time) bool { return !t.Expires.IsZero() && !t.Expires.After(at) }

// StoreState describes the secret in one store.
type StoreState struct {
	Store Store
	// Updated is the time of the last write; zero if there is no secret.
	Updated time.Time
}

// holds reports whether the secret was last written inside t's window, so that it
// contains t.
func (s StoreState) holds(t Token) bool {
	return !s.Updated.IsZero() && !t.Created.IsZero() &&
		!s.Updated.Before(t.Created.Add(-windowBefore)) &&
		!s.Updated.After(t.Created.Add(windowAfter+t.uncertainty()))
}

// holdsAny reports whether the store holds one of the tokens.
func (s StoreState) holdsAny(tokens []Token) bool { return slices.ContainsFunc(tokens, s.holds) }

func (s StoreState) absent() bool { return s.Updated.IsZero() }

// Observation is the state of one repository: its tokens and, where they were
// checked, its secrets. All times are on Codacy's clock.
type Observation struct {
	// Managed lists the managed tokens by number; Total counts all tokens.
	Managed []Token
	Total   int
	// Legacy reports whether the tokens have neither names nor expiries.
	Legacy bool
	// ListedAt is the time at which the tokens were listed.
	ListedAt time.Time
	// SecretsChecked reports whether Stores is known. The stores are read after the
	// tokens were listed.
	SecretsChecked bool
	Stores         []StoreState
}

// ListedToken is a token as Codacy lists it; zero times are unknown.
type ListedToken struct {
	ID               int64
	Name             string
	Created, Expires time.Time
}

// NewObservation returns what a list of a repository's tokens shows under the
// policy. Names that follow the scheme are managed.
func NewObservation(p Policy, listedAt time.Time, tokens []ListedToken) Observation {
	o := Observation{Total: len(tokens), ListedAt: listedAt, Legacy: p.SelfHosted && len(tokens) > 0}
	prefix := TokenPrefix(p.SecretName)
	for _, listed := range tokens {
		if listed.Name != "" || !listed.Created.IsZero() {
			o.Legacy = false
		}
		n, managed := tokenNumber(prefix, listed.Name)
		if !managed {
			continue
		}
		t := Token{ID: listed.ID, Name: listed.Name, Number: n, Created: listed.Created, Expires: listed.Expires}
		if t.Created.IsZero() && !t.Expires.IsZero() {
			t.Created, t.Derived = t.Expires.Add(-p.Lifetime), true
			if t.Created.After(listedAt.Add(maxFutureCreation)) {
				t.Created = time.Time{}
			}
		}
		o.Managed = append(o.Managed, t)
	}
	slices.SortFunc(o.Managed, func(a, b Token) int { return cmp.Compare(a.Number, b.Number) })
	return o
}

// Newest returns the managed token with the highest number, if there is one.
func (o Observation) Newest() (Token, bool) {
	if len(o.Managed) == 0 {
		return Token{}, false
	}
	return o.Managed[len(o.Managed)-1], true
}

// ErrNumbersUsedUp reports that no number is left for the name of another token.
var ErrNumbersUsedUp = errors.New("the numbers of its tokens' names are used up")

// NextNumber returns the number for the name of the next token.
func (o Observation) NextNumber() int {
	newest, _ := o.Newest()
	return newest.Number + 1
}

// TokenName returns the name of the managed token with a number. The error is
// ErrNumbersUsedUp.
func TokenName(secretName string, number int) (string, error) {
	if number > maxNumber {
		return "", ErrNumbersUsedUp
	}
	return TokenPrefix(secretName) + strconv.Itoa(number), nil
}

// Numbered returns the managed token with a number, if there is one.
func (o Observation) Numbered(number int) (Token, bool) {
	i := slices.IndexFunc(o.Managed, func(t Token) bool { return t.Number == number })
	if i < 0 {
		return Token{}, false
	}
	return o.Managed[i], true
}

// Current returns the token that the secrets contain, and the stores that hold
// it: of several such tokens the one that expires first. Where the secrets were
// not checked it is the newest token, held by no known store.
func (o Observation) Current() (Token, []Store, bool) {
	if !o.SecretsChecked {
		newest, ok := o.Newest()
		return newest, nil, ok
	}
	current := -1
	for i, t := range o.Managed {
		held := slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.holds(t) })
		if held && (current < 0 || t.Expires.Before(o.Managed[current].Expires)) {
			current = i
		}
	}
	if current < 0 {
		return Token{}, nil, false
	}
	var stores []Store
	for _, s := range o.Stores {
		if s.holds(o.Managed[current]) {
			stores = append(stores, s.Store)
		}
	}
	return o.Managed[current], stores, true
}

// HasSecret reports whether one of the stores is known to have a secret.
func (o Observation) HasSecret(stores []Store) bool {
	return slices.ContainsFunc(o.Stores, func(s StoreState) bool { return !s.absent() && slices.Contains(stores, s.Store) })
}

// Priority orders the repositories to write, lowest first: those without a token,
// then by expiry.
func (o Observation) Priority() int64 {
	newest, exists := o.Newest()
	switch {
	case !exists && !o.Legacy:
		return math.MinInt64 + 1
	case newest.Expires.IsZero():
		return math.MaxInt64 - 1
	}
	return newest.Expires.Unix()
}

// eligible returns the stores that may be written under the policy.
func (o Observation) eligible(p Policy) []StoreState {
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s StoreState) bool { return o.excludes(p, s) })
}

// excluded returns the other stores.
func (o Observation) excluded(p Policy) []StoreState {
	return slices.DeleteFunc(slices.Clone(o.Stores), func(s StoreState) bool { return !o.excludes(p, s) })
}

// excludes reports whether existing-secrets keeps a store from being written.
func (o Observation) excludes(p Policy, s StoreState) bool {
	switch p.Existing {
	case ExistingKeep:
		return !s.absent() && !s.holdsAny(o.Managed)
	case ExistingOnly:
		return s.absent()
	default:
		return false
	}
}

// tokenNumber parses the number in a token's name; false if the name does not
// follow the scheme.
func tokenNumber(prefix, name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) > 9 || digits == "" || digits[0] == '0' ||
		strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}
