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
	// Derived reports whether Created was computed from the expiry, because Codacy
	// gave no creation time, or a date only.
	Derived bool
	// DateOnly reports whether the expiry of a derived token has no time of day.
	DateOnly bool
	// Expires is zero if the token never expires.
	Expires time.Time
}

// lateness returns how much later than Created the token may have been created.
func (t Token) lateness() time.Duration {
	switch {
	case t.Derived && t.DateOnly:
		return dateJitter
	case t.Derived:
		return LifetimeJitter
	}
	return 0
}

// earliness returns how much earlier than Created the token may have been created.
func (t Token) earliness() time.Duration {
	if t.Derived && t.DateOnly {
		return dateEarly
	}
	return 0
}

// Expired reports whether t has expired at the time.
func (t Token) Expired(at time.Time) bool { return !t.Expires.IsZero() && !t.Expires.After(at) }

// expiresWithin reports whether t expires, or has expired, before d has passed.
func (t Token) expiresWithin(d time.Duration, at time.Time) bool {
	return !t.Expires.IsZero() && t.Expires.Sub(at) < d
}

// expiresBefore reports whether t expires before other, which may never expire.
func (t Token) expiresBefore(other Token) bool {
	return !t.Expires.IsZero() && (other.Expires.IsZero() || t.Expires.Before(other.Expires))
}

// Condition is what is known of one store's secret.
type Condition int

const (
	// Unread means that the store was not checked.
	Unread Condition = iota
	// Absent means that there is no secret.
	Absent
	// Present means that there is a secret, last written at Updated.
	Present
	// Unavailable means that GitHub gives no access to the store, so that nothing
	// is known of its secret.
	Unavailable
)

// StoreState describes the secret in one store.
type StoreState struct {
	Store     Store
	Condition Condition
	// Updated is the time of the last write, if the secret is present.
	Updated time.Time
	// Message is GitHub's, if the store is unavailable.
	Message string
}

func (s StoreState) absent() bool      { return s.Condition == Absent }
func (s StoreState) present() bool     { return s.Condition == Present }
func (s StoreState) unavailable() bool { return s.Condition == Unavailable }

// Observation is the state of one repository: its tokens and, where they were
// checked, its secrets. All times are on Codacy's clock.
type Observation struct {
	// Managed lists the managed tokens by number; Total counts all tokens.
	Managed []Token
	Total   int
	// LooksLegacy reports whether there are tokens, and none has a name or an
	// expiry. Legacy reports whether that is so because the server is a legacy one.
	LooksLegacy, Legacy bool
	// ListedAt is the time at which the tokens were listed.
	ListedAt time.Time
	// Uncertainty is the sum of the uncertainties of both services' clocks.
	Uncertainty time.Duration
	// Stores holds a state for each configured store, in the policy's order; none
	// before one was checked. The secrets were read after the tokens were listed.
	Stores []StoreState
}

// ListedToken is a token as Codacy lists it; zero times are unknown.
type ListedToken struct {
	ID               int64
	Name             string
	Created, Expires time.Time
}

// NewObservation returns what a list of a repository's tokens shows under the
// policy: the tokens whose names follow the scheme are managed. No secret has been
// read yet.
func NewObservation(p Policy, listedAt time.Time, uncertainty time.Duration, tokens []ListedToken) Observation {
	o := Observation{
		Total: len(tokens), ListedAt: listedAt, Uncertainty: uncertainty,
		LooksLegacy: p.SelfHosted && len(tokens) > 0,
	}
	prefix := TokenPrefix(p.SecretName)
	for _, listed := range tokens {
		if listed.Name != "" || !listed.Expires.IsZero() {
			o.LooksLegacy = false
		}
		n, managed := tokenNumber(prefix, listed.Name)
		if !managed {
			continue
		}
		t := Token{ID: listed.ID, Name: listed.Name, Number: n, Created: listed.Created, Expires: listed.Expires}
		o.Managed = append(o.Managed, t.derive(p.Lifetime, listedAt))
	}
	slices.SortFunc(o.Managed, func(a, b Token) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
	})
	// A token listed twice counts once. Otherwise each window of the newest token
	// would be the window of another token as well, and every run would renew it.
	o.Managed = slices.CompactFunc(o.Managed, func(a, b Token) bool { return a.ID == b.ID })
	return o
}

// states returns the state of each configured store.
func (o Observation) states(p Policy) []StoreState {
	if len(o.Stores) > 0 {
		return o.Stores
	}
	unread := make([]StoreState, len(p.Stores))
	for i, s := range p.Stores {
		unread[i].Store = s
	}
	return unread
}

// derive computes the creation time from the expiry where Codacy gave none, or
// maybe a date only.
func (t Token) derive(lifetime time.Duration, listedAt time.Time) Token {
	if t.Expires.IsZero() || !t.Created.IsZero() && !isMidnight(t.Created) {
		return t
	}
	derived, dateOnly := t.Expires.Add(-lifetime), isMidnight(t.Expires)
	tolerance := LifetimeJitter
	if dateOnly {
		tolerance = dateJitter
	}
	if !t.Created.IsZero() &&
		(derived.Before(t.Created.Add(-tolerance)) || derived.After(t.Created.Add(24*time.Hour+tolerance))) {
		return t // created at midnight, or with another lifetime
	}
	t.Created, t.Derived, t.DateOnly = derived, true, dateOnly
	if derived.After(listedAt.Add(maxFutureCreation)) {
		t.Created = time.Time{} // the lifetime was shortened since
	}
	return t
}

// isMidnight reports whether t is at midnight, in its own offset or in UTC, so
// that it may be a date only.
func isMidnight(t time.Time) bool {
	midnight := func(t time.Time) bool {
		hour, minute, second := t.Clock()
		return hour == 0 && minute == 0 && second == 0 && t.Nanosecond() == 0
	}
	return midnight(t) || midnight(t.UTC())
}

// recent reports whether another run may still be storing t.
func (o Observation) recent(t Token) bool {
	return !t.Created.IsZero() && o.ListedAt.Sub(t.Created) < settlePeriod+t.lateness()+2*o.Uncertainty
}

// newestRecent returns the managed token with the highest number that another run
// may still be storing.
func (o Observation) newestRecent() (Token, bool) {
	for _, t := range slices.Backward(o.Managed) {
		if o.recent(t) {
			return t, true
		}
	}
	return Token{}, false
}

// holds reports whether the secret in s was last written inside t's window, so
// that it contains t unless it is in the window of another token as well.
func (o Observation) holds(s StoreState, t Token) bool {
	return s.present() && !t.Created.IsZero() &&
		!s.Updated.Before(t.Created.Add(-windowBefore-t.earliness()-o.Uncertainty)) &&
		!s.Updated.After(t.Created.Add(windowAfter+t.lateness()+o.Uncertainty))
}

// Recognizable reports whether later runs recognize secrets written at the given
// times with a new token, as Codacy describes it in its response. All times are on
// Codacy's clock.
func Recognizable(p Policy, created ListedToken, now time.Time, uncertainty time.Duration, writes ...time.Time) bool {
	o := NewObservation(p, now, uncertainty, []ListedToken{created})
	return len(o.Managed) == 1 && !slices.ContainsFunc(writes, func(at time.Time) bool {
		return !o.holds(StoreState{Condition: Present, Updated: at}, o.Managed[0])
	})
}

// explained reports whether a managed token explains the secret in s.
func (o Observation) explained(s StoreState) bool {
	return slices.ContainsFunc(o.Managed, func(t Token) bool { return o.holds(s, t) })
}

// holdsNewest reports whether the secret in s contains the newest token. A secret
// in the windows of several tokens proves nothing.
func (o Observation) holdsNewest(s StoreState) bool {
	newest, exists := o.Newest()
	return exists && o.holds(s, newest) &&
		!slices.ContainsFunc(o.Managed[:len(o.Managed)-1], func(t Token) bool { return o.holds(s, t) })
}

// Newest returns the managed token with the highest number, if there is one.
func (o Observation) Newest() (Token, bool) {
	if len(o.Managed) == 0 {
		return Token{}, false
	}
	return o.Managed[len(o.Managed)-1], true
}

// SecretsChecked reports whether every store was read, or found to be unavailable.
func (o Observation) SecretsChecked() bool {
	return len(o.Stores) > 0 && !slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.Condition == Unread })
}

// SetStore sets the state of one store of the policy.
func (o *Observation) SetStore(p Policy, s StoreState) {
	o.Stores = slices.Clone(o.states(p)) // an earlier copy of the observation keeps its states
	for i := range o.Stores {
		if o.Stores[i].Store == s.Store {
			o.Stores[i] = s
		}
	}
}

// MustConfirmAbsence reports whether an absent secret is believed only after the
// store's public key was read: GitHub answers 404 for a hidden secret as well.
func (o Observation) MustConfirmAbsence(p Policy) bool {
	return len(o.Managed) > 0 || p.Existing == ExistingKeep
}

// UnavailableMessage returns GitHub's message about the first store that is
// unavailable, if there is one.
func (o Observation) UnavailableMessage() (message string, unavailable bool) {
	for _, s := range o.Stores {
		if s.unavailable() {
			return s.Message, true
		}
	}
	return "", false
}

// ErrNumbersUsedUp reports that no number is left for the name of another token.
var ErrNumbersUsedUp = errors.New("no number is left for the name of a new token")

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
// it: of several such tokens the one that expires first. Where a store was not
// read and no other one holds a token, it is the newest token, held by no known
// store.
func (o Observation) Current() (Token, []Store, bool) {
	current := -1
	for i, t := range o.Managed {
		held := slices.ContainsFunc(o.Stores, func(s StoreState) bool { return o.holds(s, t) })
		if held && (current < 0 || t.expiresBefore(o.Managed[current])) {
			current = i
		}
	}
	_, unavailable := o.UnavailableMessage()
	switch {
	case current < 0 && (unavailable || !o.SecretsChecked()):
		newest, ok := o.Newest()
		return newest, nil, ok
	case current < 0:
		return Token{}, nil, false
	}
	var stores []Store
	for _, s := range o.Stores {
		if o.holds(s, o.Managed[current]) {
			stores = append(stores, s.Store)
		}
	}
	return o.Managed[current], stores, true
}

// ExpiringFirst returns the token whose expiry would break a build first: of the
// newest token and the tokens that a store may hold, the one that expires first.
func (o Observation) ExpiringFirst() (Token, bool) {
	var first Token
	found := false
	for i, t := range o.Managed {
		mayBeHeld := i == len(o.Managed)-1 || slices.ContainsFunc(o.Stores, func(s StoreState) bool {
			return s.Condition == Unread || s.unavailable() || o.holds(s, t)
		})
		if mayBeHeld && !t.Expires.IsZero() && (!found || t.Expires.Before(first.Expires)) {
			first, found = t, true
		}
	}
	return first, found
}

// State returns the state of a configured store, and whether its secret is one that
// no managed token explains.
func (o Observation) State(store Store) (s StoreState, foreign bool) {
	i := slices.IndexFunc(o.Stores, func(s StoreState) bool { return s.Store == store })
	if i < 0 {
		return StoreState{Store: store}, false
	}
	return o.Stores[i], o.Stores[i].present() && !o.explained(o.Stores[i])
}

// Priority orders the repositories to write, lowest first: those in which a token
// that a secret may contain has expired or is about to, because a working build
// breaks; then those without a managed token, because nothing works yet; then by
// expiry.
func (o Observation) Priority(now time.Time) int64 {
	const class = 1 << 60 // more than any expiry in seconds
	newest, exists := o.Newest()
	first, expires := o.ExpiringFirst()
	switch {
	case expires && first.expiresWithin(critical, now):
		return -2*class + first.Expires.Unix()
	case !exists && !o.Legacy:
		return -class
	case newest.Expires.IsZero():
		return math.MaxInt64 - 1
	}
	return newest.Expires.Unix()
}

// eligible returns the stores that may be written under the policy.
func (o Observation) eligible(p Policy) []StoreState {
	excluded := func(s StoreState) bool { return s.unavailable() || o.excludes(p, s) }
	states := o.states(p)
	if !slices.ContainsFunc(states, excluded) {
		return states // a copy for each repository would cost
	}
	return slices.DeleteFunc(slices.Clone(states), excluded)
}

// excludes reports whether existing-secrets keeps a store from being written.
func (o Observation) excludes(p Policy, s StoreState) bool {
	switch p.Existing {
	case ExistingKeep:
		return s.present() && !o.explained(s)
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
