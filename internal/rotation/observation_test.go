package rotation

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const day = 24 * time.Hour

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func policy(change ...func(*Policy)) Policy {
	p := Policy{
		SecretName: "CODACY_PROJECT_TOKEN", Stores: []Store{StoreDependabot, StoreActions},
		Existing: ExistingReplace, Rotate: RotateExpiring,
		Lifetime: 365 * day, RenewBefore: 90 * day, RevokeAfter: 24 * time.Hour,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func keep(p *Policy)      { p.Existing = ExistingKeep }
func only(p *Policy)      { p.Existing = ExistingOnly }
func always(p *Policy)    { p.Rotate = RotateAlways }
func checkAll(p *Policy)  { p.CheckAllSecrets = true }
func immediate(p *Policy) { p.RevokeAfter = 0 }

// tok returns a managed token with its age and the time left until it expires.
func tok(number int, age, left time.Duration) Token {
	return Token{ID: int64(100 + number), Number: number, Name: fmt.Sprintf("codacy-project-token-%d", number), Created: now.Add(-age), Expires: now.Add(left)}
}

func derived(t Token) Token {
	t.Derived = true
	return t
}

// State of a store in the tests, apart from the age of its secret's last write.
const (
	unread      = time.Duration(-1)
	absent      = time.Duration(-2)
	unavailable = time.Duration(-3)
)

// seen returns an observation listed now. Each store is a state or the age of its
// secret's last write.
func seen(tokens []Token, stores ...time.Duration) Observation {
	o := Observation{Managed: tokens, Total: len(tokens), ListedAt: now}
	names := Stores()[4-len(stores):]
	for i, age := range stores {
		s := StoreState{Store: names[i]}
		switch age {
		case unread:
		case absent:
			s.Condition = Absent
		case unavailable:
			s.Condition, s.Message = Unavailable, "Resource not accessible"
		default:
			s.Condition, s.Updated = Present, now.Add(-age)
		}
		o.Stores = append(o.Stores, s)
	}
	return o
}

// listed returns the managed tokens that a list shows.
func listed(tokens ...ListedToken) []Token {
	return NewObservation(policy(), now, 0, tokens).Managed
}

// named returns a token with a number as Codacy lists it.
func named(number int, created, expires time.Time) ListedToken {
	return ListedToken{ID: int64(100 + number), Name: fmt.Sprintf("codacy-project-token-%d", number), Created: created, Expires: expires}
}

// bounds holds the contract's times for a token, in relation to its creation: the
// window, how near a foreign secret may be, and the age at which it is not recent.
type bounds struct{ before, after, nearBefore, nearAfter, recent time.Duration }

func boundsOf(t Token, uncertainty time.Duration) bounds {
	b := bounds{30 * time.Second, 14 * time.Minute, time.Hour, time.Hour, 15 * time.Minute}
	switch {
	case t.Derived && t.DateOnly:
		b = bounds{24*time.Hour + 30*time.Second, 48*time.Hour + 14*time.Minute, 25 * time.Hour, 49 * time.Hour, 48*time.Hour + 15*time.Minute}
	case t.Derived:
		b = bounds{30 * time.Second, 74 * time.Minute, time.Hour, 2 * time.Hour, 75 * time.Minute}
	}
	return bounds{
		b.before + uncertainty, b.after + uncertainty, b.nearBefore + uncertainty, b.nearAfter + uncertainty,
		b.recent + 2*uncertainty,
	}
}

// isRecent is the contract's second formulation of recency.
func isRecent(o Observation, t Token) bool {
	return !t.Created.IsZero() && t.Created.Add(boundsOf(t, o.Uncertainty).recent).After(o.ListedAt)
}

// windows returns the indexes of the tokens in whose windows the secret was written.
func windows(o Observation, s StoreState) (in []int) {
	for i, t := range o.Managed {
		if s.Condition != Present || t.Created.IsZero() {
			continue
		}
		b, since := boundsOf(t, o.Uncertainty), s.Updated.Sub(t.Created)
		if -b.before <= since && since <= b.after {
			in = append(in, i)
		}
	}
	return in
}

// isExcluded is a second formulation of the rule that existing-secrets keeps a
// store from being written.
func isExcluded(o Observation, p Policy, s StoreState) bool {
	return p.Existing == ExistingKeep && s.Condition == Present && len(windows(o, s)) == 0 ||
		p.Existing == ExistingOnly && s.Condition == Absent
}

// TestCreationTime has a case for each sentence about missing and midnight creation
// times.
func TestCreationTime(t *testing.T) {
	t.Parallel()

	midnight := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	east := time.FixedZone("", 2*3600)
	life := 365 * day
	for name, c := range map[string]struct {
		created, expires, want time.Time
		derived, dateOnly      bool
	}{
		"given":                           {created: midnight.Add(time.Hour), expires: midnight.Add(life), want: midnight.Add(time.Hour)},
		"missing":                         {expires: midnight.Add(life + 5*time.Hour), want: midnight.Add(5 * time.Hour), derived: true},
		"missing, no time of day":         {expires: midnight.Add(life), want: midnight, derived: true, dateOnly: true},
		"missing, never expires":          {},
		"a minute in the future":          {expires: now.Add(life + time.Minute), want: now.Add(time.Minute), derived: true},
		"over a minute in the future":     {expires: now.Add(life + 61*time.Second), derived: true},
		"midnight":                        {created: midnight, expires: midnight.Add(life + 5*time.Hour), want: midnight.Add(5 * time.Hour), derived: true},
		"midnight elsewhere":              {created: midnight.In(east).Add(-2 * time.Hour), expires: midnight.Add(life + 5*time.Hour), want: midnight.Add(5 * time.Hour), derived: true},
		"midnight in UTC":                 {created: midnight.In(east), expires: midnight.Add(life + 5*time.Hour), want: midnight.Add(5 * time.Hour), derived: true},
		"midnight, never expires":         {created: midnight, want: midnight},
		"midnight, in the future":         {created: now.Truncate(day), expires: now.Add(life + 2*time.Minute), derived: true},
		"midnight, an hour before":        {created: midnight, expires: midnight.Add(life - time.Hour), want: midnight.Add(-time.Hour), derived: true},
		"midnight, over an hour before":   {created: midnight, expires: midnight.Add(life - 61*time.Minute), want: midnight},
		"midnight, an hour after":         {created: midnight, expires: midnight.Add(life + 25*time.Hour), want: midnight.Add(25 * time.Hour), derived: true},
		"midnight, over an hour after":    {created: midnight, expires: midnight.Add(life + 25*time.Hour + time.Minute), want: midnight},
		"dates only, the day before":      {created: midnight, expires: midnight.Add(life - day), want: midnight.Add(-day), derived: true, dateOnly: true},
		"dates only, three days before":   {created: midnight, expires: midnight.Add(life - 3*day), want: midnight},
		"dates only, two days after it":   {created: midnight.Add(-3 * day), expires: midnight.Add(life), want: midnight, derived: true, dateOnly: true},
		"dates only, three days after it": {created: midnight.Add(-4 * day), expires: midnight.Add(life), want: midnight.Add(-4 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := NewObservation(policy(), now, 0, []ListedToken{{ID: 1, Name: "codacy-project-token-1", Created: c.created, Expires: c.expires}})
			if got := o.Managed[0]; !got.Created.Equal(c.want) || got.Derived != c.derived || got.DateOnly != c.dateOnly {
				t.Errorf("created %v, derived %v, date only %v; want %v, %v, %v", got.Created, got.Derived, got.DateOnly, c.want, c.derived, c.dateOnly)
			}
		})
	}
}

// TestListOrder: neither the order of a list nor a token that is listed twice
// changes what is observed, and a token without the scheme's name only counts.
func TestListOrder(t *testing.T) {
	t.Parallel()

	one, two := named(1, now.Add(-300*day), now.Add(65*day)), named(2, now.Add(-10*day), now.Add(355*day))
	other := ListedToken{ID: 7, Name: "codacy-project-token"}
	for name, tokens := range map[string][]ListedToken{
		"by number": {one, two, other}, "by age": {other, two, one}, "listed twice": {two, one, two, other},
	} {
		o := NewObservation(policy(), now, 0, tokens)
		if got := numbers(o.Managed); got != "1 2" || o.Total != len(tokens) {
			t.Errorf("%s: %s of %d tokens are managed, want 1 2 of %d", name, got, o.Total, len(tokens))
		}
		if newest, _ := o.Newest(); newest.ID != two.ID || o.NextNumber() != 3 {
			t.Errorf("%s: newest is %+v and the next number %d, want %+v and 3", name, newest, o.NextNumber(), two)
		}
	}
	same := named(2, now.Add(-9*day), now.Add(356*day))
	same.ID++
	if a, b := listed(two, same), listed(same, two); !slices.Equal(a, b) || a[1].ID != same.ID {
		t.Errorf("of two tokens with one number %v or %v is newest, want the higher ID", a, b)
	}
}

// TestSetStore: the states of an earlier copy of an observation don't change.
func TestSetStore(t *testing.T) {
	t.Parallel()

	before := seen(nil, unread, unread)
	after := before
	after.SetStore(Policy{}, StoreState{Store: StoreActions, Condition: Absent})
	for _, c := range []struct {
		o    Observation
		want Condition
	}{{before, Unread}, {after, Absent}} {
		if s, _ := c.o.State(StoreActions); s.Condition != c.want {
			t.Errorf("the store's condition is %v, want %v", s.Condition, c.want)
		}
		if s, _ := c.o.State(StoreDependabot); s.Condition != Unread {
			t.Errorf("the other store's condition is %v, want %v", s.Condition, Unread)
		}
	}
}

// TestState: a secret is foreign if it is in no window.
func TestState(t *testing.T) {
	t.Parallel()

	o := seen([]Token{tok(1, 10*day, 355*day)}, 10*day, 5*day, absent, unavailable)
	for i, want := range []bool{false, true, false, false} {
		if s, foreign := o.State(o.Stores[i].Store); foreign != want || s != o.Stores[i] {
			t.Errorf("%+v is foreign: %v, want %v", s, foreign, want)
		}
	}
}

// TestMustConfirmAbsence: hidden is not absent, where a managed token or keep
// requires the difference.
func TestMustConfirmAbsence(t *testing.T) {
	t.Parallel()

	some := []Token{tok(1, 10*day, 355*day)}
	for name, c := range map[string]struct {
		o    Observation
		p    Policy
		want bool
	}{
		"no managed token":       {seen(nil, absent), policy(), false},
		"no managed token, only": {seen(nil, absent), policy(only), false},
		"no managed token, keep": {seen(nil, absent), policy(keep), true},
		"managed token":          {seen(some, absent), policy(), true},
	} {
		if got := c.o.MustConfirmAbsence(c.p); got != c.want {
			t.Errorf("%s: the absence must be confirmed: %v, want %v", name, got, c.want)
		}
	}
}

// TestWindow checks both ends of the window and of recency.
func TestWindow(t *testing.T) {
	t.Parallel()

	dates := derived(tok(1, 10*day, 355*day))
	dates.DateOnly = true
	for name, c := range map[string]struct {
		token                Token
		uncertainty          time.Duration
		before, after, young time.Duration
	}{
		"given":     {token: tok(1, 10*day, 355*day), before: 30 * time.Second, after: 14 * time.Minute, young: 15 * time.Minute},
		"uncertain": {token: tok(1, 10*day, 355*day), uncertainty: 7 * time.Second, before: 37 * time.Second, after: 14*time.Minute + 7*time.Second, young: 15*time.Minute + 14*time.Second},
		"derived":   {token: derived(tok(1, 10*day, 355*day)), before: 30 * time.Second, after: 74 * time.Minute, young: 75 * time.Minute},
		"date only": {token: dates, before: day + 30*time.Second, after: 2*day + 14*time.Minute, young: 2*day + 15*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := Observation{Uncertainty: c.uncertainty}
			for shift, want := range map[time.Duration]bool{-c.before - 1: false, -c.before: true, c.after: true, c.after + 1: false} {
				if got := o.holds(StoreState{Condition: Present, Updated: c.token.Created.Add(shift)}, c.token); got != want {
					t.Errorf("a secret written %v after the creation is held: %v, want %v", shift, got, want)
				}
			}
			for age, want := range map[time.Duration]bool{-time.Second: true, c.young - 1: true, c.young: false} {
				o.ListedAt = c.token.Created.Add(age)
				if got := o.recent(c.token); got != want {
					t.Errorf("at the age of %v recent: %v, want %v", age, got, want)
				}
			}
		})
	}
	if unknown := (Token{}); seen(nil).recent(unknown) {
		t.Error("an unknown creation time counts as recent")
	}
}

// TestNames: only names that follow the scheme are managed.
func TestNames(t *testing.T) {
	t.Parallel()

	prefix := TokenPrefix("CODACY_PROJECT_TOKEN")
	for name, want := range map[string]int{
		"codacy-project-token-1": 1, "codacy-project-token-999999999": 999_999_999,
		"codacy-project-token-0": 0, "codacy-project-token-01": 0, "codacy-project-token-1000000000": 0,
		"codacy-project-token-": 0, "codacy-project-token": 0, "codacy-project-token--1": 0,
		"codacy-project-token-1a": 0, "codacy-project-token-+1": 0, "Codacy-Project-Token-1": 0,
		"my-codacy-project-token-1": 0, "codacy-project-token-2-1": 0, "": 0, "codacy-project-token-١": 0,
	} {
		if got, managed := tokenNumber(prefix, name); got != want || managed != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", name, got, managed, want)
		}
	}
	if _, err := TokenName("X", maxNumber+1); err != ErrNumbersUsedUp {
		t.Errorf("no number is left, but the error is %v", err)
	}
}

// TestLooksLegacy: tokens, and none with a name or an expiry, on another host.
func TestLooksLegacy(t *testing.T) {
	t.Parallel()

	selfHosted := policy(func(p *Policy) { p.SelfHosted = true })
	for name, c := range map[string]struct {
		p      Policy
		tokens []ListedToken
		want   bool
	}{
		"unnamed":                {selfHosted, []ListedToken{{ID: 1}, {ID: 2}}, true},
		"no token":               {selfHosted, nil, false},
		"one has a name":         {selfHosted, []ListedToken{{ID: 1}, {ID: 2, Name: "x"}}, false},
		"one has an expiry":      {selfHosted, []ListedToken{{ID: 1, Expires: now}, {ID: 2}}, false},
		"unnamed on the cloud's": {policy(), []ListedToken{{ID: 1}}, false},
	} {
		if got := NewObservation(c.p, now, 0, c.tokens).LooksLegacy; got != c.want {
			t.Errorf("%s: looks legacy: %v, want %v", name, got, c.want)
		}
	}
}

// TestCurrent: of the tokens held, the one that expires first; one that never
// expires comes last.
func TestCurrent(t *testing.T) {
	t.Parallel()

	never := tok(1, 300*day, 0)
	never.Expires = time.Time{}
	o := seen([]Token{never, tok(2, 10*day, 355*day)}, 300*day, 10*day)
	if got, stores, ok := o.Current(); !ok || got.Number != 2 || len(stores) != 1 || stores[0] != StoreActions {
		t.Errorf("current is %v in %v, want number 2 in actions", got, stores)
	}
	never.Number, never.ID = 3, 103
	never.Created = now.Add(-10 * day)
	o = seen([]Token{tok(2, 300*day, 65*day), never}, 300*day, 10*day)
	if got, _, ok := o.Current(); !ok || got.Number != 2 {
		t.Errorf("current is %v, want number 2", got)
	}
}

// TestPriority has the order of the queue.
func TestPriority(t *testing.T) {
	t.Parallel()

	old := tok(1, 360*day, 5*day)
	ordered := []Observation{
		seen([]Token{tok(1, 366*day, -day)}, 366*day),
		seen([]Token{old, tok(2, 10*day, 355*day)}, 360*day),
		seen([]Token{tok(1, 359*day, 6*day)}, unread),
		seen(nil, unread),
		seen([]Token{tok(1, 357*day, 8*day)}, unread),
		seen([]Token{old, tok(2, 11*day, 354*day)}, 11*day),
	}
	for i := 1; i < len(ordered); i++ {
		if a, b := ordered[i-1].Priority(now), ordered[i].Priority(now); a >= b {
			t.Errorf("repository %d has the priority %d, repository %d has %d", i-1, a, i, b)
		}
	}
	if seen([]Token{old, tok(2, 10*day, 355*day)}, unavailable).Priority(now) >= seen(nil).Priority(now) {
		t.Error("an unavailable store may hold the token that expires soon")
	}
}

// TestRecognizable: a secret is recognizable if all its writes lie in the token's window.
func TestRecognizable(t *testing.T) {
	t.Parallel()

	p := Policy{SecretName: "CODACY_PROJECT_TOKEN", Lifetime: 365 * day}
	now := time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)
	for off, want := range map[time.Duration]bool{
		0: true, 30 * time.Second: true, 31 * time.Second: false, 20 * time.Minute: false, 72 * time.Hour: false,
		-6 * time.Minute: true, -6*time.Minute - time.Second: false, -72 * time.Hour: false,
	} {
		created := ListedToken{ID: 1, Name: "codacy-project-token-1", Created: now.Add(off), Expires: now.Add(365 * day)}
		if got := Recognizable(p, created, now, 0, now, now.Add(MaxPutDelay)); got != want {
			t.Errorf("created %v from now: %v, want %v", off, got, want)
		}
	}
	if created := (ListedToken{ID: 1, Name: "codacy-project-token-1", Expires: now.Add(365 * day)}); !Recognizable(p, created, now, 0, now, now.Add(MaxPutDelay)) {
		t.Error("a token without a creation time is not recognizable")
	}
	if created := (ListedToken{ID: 1, Name: "codacy-project-token-1", Created: now.Add(35 * time.Second), Expires: now.Add(365 * day)}); !Recognizable(p, created, now, 5*time.Second, now) {
		t.Error("the uncertainty does not widen the window")
	}
}
