package rotation

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDecide has a case for each row of the contract's table and each sentence
// around it.
func TestDecide(t *testing.T) {
	t.Parallel()

	const old, changed = 10 * day, 5 * day // changed is in no window
	healthy := []Token{tok(1, 400*day, -35*day), tok(2, old, 355*day)}
	young := []Token{tok(1, 5*time.Minute, 365*day)}
	due := []Token{tok(3, 300*day, 65*day)}
	double := []Token{tok(1, old+time.Minute, 65*day), tok(2, old, 355*day)}
	legacy := func(stores ...time.Duration) Observation {
		o := seen(nil, stores...)
		o.Legacy = true
		return o
	}
	for name, c := range map[string]struct {
		o      Observation
		p      Policy
		want   Action
		stores string
		why    string
	}{
		"legacy, every store has a secret": {o: legacy(changed, changed), p: policy(), want: NoOp},
		"legacy, a store has none":         {o: legacy(changed, absent), p: policy(), want: Create, stores: "dependabot actions", why: "in actions"},
		"legacy, unread":                   {o: legacy(unread, unread), p: policy(), want: CheckSecrets},
		"legacy, always":                   {o: legacy(changed, changed), p: policy(always), want: NoOp},
		"legacy, keep":                     {o: legacy(changed, absent), p: policy(keep), want: Create, stores: "actions"},

		"no managed token, unread":   {o: seen(nil, unread, unread), p: policy(), want: Create, stores: "dependabot actions"},
		"no managed token, dry run":  {o: seen(nil, unread, unread), p: policy(checkAll), want: CheckSecrets},
		"no managed token, keep":     {o: seen(nil, changed, absent), p: policy(keep), want: Create, stores: "actions"},
		"no managed token, all kept": {o: seen(nil, changed, changed), p: policy(keep), want: Keep},
		"no managed token, only":     {o: seen(nil, changed, absent), p: policy(only), want: Create, stores: "dependabot"},
		"no secret, only":            {o: seen(nil, absent, absent), p: policy(only), want: Keep},

		"recent, unread":            {o: seen(young, unread, unread), p: policy(), want: CheckSecrets},
		"recent, held":              {o: seen(young, 4*time.Minute, 4*time.Minute), p: policy(always), want: NoOp},
		"recent, not held":          {o: seen(young, 4*time.Minute, absent), p: policy(), want: Defer, why: "15 minutes"},
		"recent and due":            {o: seen([]Token{tok(1, 14*time.Minute, day)}, unread, unread), p: policy(), want: CheckSecrets},
		"an older token is recent":  {o: seen([]Token{tok(1, time.Minute, 365*day), tok(2, old, 355*day)}, old, absent), p: policy(), want: Defer},
		"recent for an hour longer": {o: seen([]Token{derived(tok(1, 74*time.Minute, 365*day))}, absent, absent), p: policy(), want: Defer},
		"no longer recent":          {o: seen([]Token{tok(1, 15*time.Minute, 364*day)}, absent, absent), p: policy(), want: Renew, stores: "dependabot actions"},

		"always":                   {o: seen(healthy, old, old), p: policy(always), want: Renew, stores: "dependabot actions", why: "always"},
		"always, unread":           {o: seen(healthy, unread, unread), p: policy(always), want: CheckSecrets},
		"expired, unread":          {o: seen([]Token{tok(3, 366*day, -day)}, unread, unread), p: policy(), want: Renew, stores: "dependabot actions", why: "expired"},
		"due, unread":              {o: seen(due, unread, unread), p: policy(), want: Renew, stores: "dependabot actions", why: "65 days"},
		"due, unread, keep":        {o: seen(due, unread, unread), p: policy(keep), want: CheckSecrets},
		"due, unread, only":        {o: seen(due, unread, unread), p: policy(only), want: CheckSecrets},
		"due, unread, always":      {o: seen(due, unread, unread), p: policy(always), want: CheckSecrets},
		"due, unread, plan":        {o: seen(due, unread, unread), p: policy(checkAll), want: CheckSecrets},
		"due, keep":                {o: seen(due, 300*day, changed), p: policy(keep), want: Renew, stores: "dependabot"},
		"held":                     {o: seen(healthy, old, old), p: policy(), want: NoOp},
		"in several windows":       {o: seen(double, old, old), p: policy(), want: Renew, stores: "dependabot actions"},
		"a store without a secret": {o: seen(healthy, old, absent), p: policy(), want: Renew, stores: "actions dependabot", why: "in actions"},
		"the same, only":           {o: seen(healthy, old, absent), p: policy(only), want: NoOp},
		"changed manually":         {o: seen(healthy, old, changed), p: policy(), want: Renew, stores: "actions dependabot", why: "changed"},
		"changed manually, keep":   {o: seen(healthy, old, changed), p: policy(keep), want: NoOp},
		"an older token, keep":     {o: seen(healthy, old, 400*day), p: policy(keep), want: Renew, stores: "actions dependabot"},

		"unavailable":                 {o: seen(healthy, unavailable, absent), p: policy(), want: Renew, stores: "actions"},
		"unavailable, others held":    {o: seen(healthy, unavailable, old), p: policy(), want: NoOp},
		"unavailable, others unread":  {o: seen(due, unavailable, unread), p: policy(), want: Renew, stores: "actions"},
		"unavailable, recent":         {o: seen(young, unavailable, absent), p: policy(), want: Defer},
		"unavailable, others kept":    {o: seen(nil, unavailable, changed), p: policy(keep), want: Fail, why: "not accessible"},
		"every store is unavailable":  {o: seen(nil, unavailable, unavailable), p: policy(), want: Fail, why: "not accessible"},
		"neither created nor expires": {o: seen([]Token{{ID: 1, Number: 1}}, old, old), p: policy(), want: Renew, stores: "dependabot actions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			d := Decide(c.o, c.p, now, 0)
			var stores []string
			for _, s := range d.Stores {
				stores = append(stores, string(s))
			}
			if got := strings.Join(stores, " "); d.Action != c.want || got != c.stores || !strings.Contains(d.Reason, c.why) {
				t.Errorf("decided %v, stores %q, %q; want %v, %q, %q", d.Action, got, d.Reason, c.want, c.stores, c.why)
			}
		})
	}
}

// tokenLists returns lists of tokens in which each condition occurs alone and next
// to others: none, recent, due, expired, derived, dates only, several windows.
func tokenLists() map[string][]Token {
	midnight := now.Truncate(day)
	never := tok(2, 10*day, 0)
	never.Expires = time.Time{}
	var unknown time.Time
	return map[string][]Token{
		"none":                           nil,
		"recent":                         {tok(1, 2*time.Minute, 365*day)},
		"recent and due":                 {tok(1, 2*time.Minute, 10*day)},
		"valid":                          {tok(1, 10*day, 355*day)},
		"due":                            {tok(1, 300*day, 65*day)},
		"expired":                        {tok(1, 366*day, -day)},
		"never expires":                  {tok(1, 300*day, 65*day), never},
		"due, valid":                     {tok(1, 300*day, 65*day), tok(2, 10*day, 355*day)},
		"expired, valid":                 {tok(1, 366*day, -day), tok(2, 10*day, 355*day)},
		"expired, due":                   {tok(1, 366*day, -day), tok(2, 300*day, 65*day)},
		"expired twice":                  {tok(1, 370*day, -5*day), tok(2, 366*day, -day)},
		"valid, recent":                  {tok(1, 10*day, 355*day), tok(2, 2*time.Minute, 365*day)},
		"recent, valid":                  {tok(1, 2*time.Minute, 365*day), tok(2, 10*day, 355*day)},
		"several windows":                {tok(1, 10*day+time.Minute, 355*day), tok(2, 10*day, 355*day)},
		"several windows, the older two": {tok(1, 300*day+time.Minute, 65*day), tok(2, 300*day, 65*day), tok(3, 10*day, 355*day)},
		"derived":                        listed(named(1, unknown, now.Add(65*day)), named(2, unknown, now.Add(355*day))),
		"derived, recent for longer":     listed(named(1, unknown, now.Add(365*day-74*time.Minute))),
		"derived and expired":            {derived(tok(1, 366*day, -day)), tok(2, 10*day, 355*day)},
		"the lifetime was shortened":     listed(named(1, unknown, now.Add(400*day)), named(2, unknown, now.Add(355*day))),
		"midnight creation":              listed(named(1, midnight.Add(-20*day), midnight.Add(345*day+5*time.Hour)), named(2, midnight.Add(-10*day), midnight.Add(355*day+5*time.Hour))),
		"midnight creation and expiry":   listed(named(1, midnight.Add(-20*day), midnight.Add(345*day)), named(2, midnight.Add(-10*day), midnight.Add(355*day))),
		"midnight expiry, recent":        listed(named(1, unknown, midnight.Add(364*day))),
		"midnight expiry, wide windows":  listed(named(1, unknown, midnight.Add(354*day)), named(2, unknown, midnight.Add(355*day))),
	}
}

// storeStates returns what a store may show for these tokens: every condition that
// needs no token, and a secret in each token's window, an instant after it, and in
// none.
func storeStates(tokens []Token) []time.Duration {
	states := []time.Duration{unread, absent, unavailable, 5 * day, time.Hour}
	for _, t := range tokens {
		if t.Created.IsZero() {
			continue
		}
		inside := now.Sub(t.Created.Add(time.Minute))
		states = append(states, inside)
		if after := now.Sub(t.Created.Add(boundsOf(t, 0).after + time.Second)); after > 0 {
			states = append(states, after)
		}
	}
	return states
}

// fillStores calls f with each combination of states. Of four stores it leaves out
// those combinations that differ in the order only.
func fillStores(states []time.Duration, f func([]time.Duration)) {
	for _, count := range []int{1, 2, 4} {
		stores := make([]time.Duration, count)
		var fill func(i, from int)
		fill = func(i, from int) {
			if i == count {
				f(stores)
				return
			}
			for n, state := range states[from:] {
				stores[i] = state
				next := 0
				if count == 4 {
					next = from + n
				}
				fill(i+1, next)
			}
		}
		fill(0, 0)
	}
}

// combinations calls f with every combination of what can be observed, and of the
// policies.
func combinations(f func(name string, o Observation, p Policy)) {
	for name, tokens := range tokenLists() {
		fillStores(storeStates(tokens), func(stores []time.Duration) {
			o := seen(tokens, stores...)
			for _, existing := range []Existing{ExistingReplace, ExistingKeep, ExistingOnly} {
				for _, rotate := range []Rotate{RotateExpiring, RotateAlways} {
					for _, all := range []bool{false, true} {
						p := policy()
						p.Existing, p.Rotate, p.CheckAllSecrets = existing, rotate, all
						f(name, o, p)
						if tokens == nil {
							legacy := o
							legacy.Legacy = true
							f("legacy", legacy, p)
						}
					}
				}
			}
		})
	}
}

// rows is a second formulation of the contract's table: each row has what the rows
// above it leave over, so that the rows exclude each other.
func rows(o Observation, p Policy, fits func(row string, a Action)) {
	unreadStores, inaccessible, remaining, withSecret, holding := 0, 0, 0, 0, 0
	last := len(o.Managed) - 1
	for _, s := range o.Stores {
		in := windows(o, s)
		switch {
		case s.Condition == Unavailable:
			inaccessible++
			continue
		case s.Condition == Unread:
			unreadStores++
		case isExcluded(o, p, s):
			continue
		}
		remaining++
		if s.Condition == Present {
			withSecret++
		}
		if len(in) == 1 && in[0] == last {
			holding++
		}
	}
	managed := last >= 0
	recent := slices.ContainsFunc(o.Managed, func(t Token) bool { return isRecent(o, t) })
	due := managed && !o.Managed[last].Expires.IsZero() && o.Managed[last].Expires.Before(now.Add(p.RenewBefore))
	always := p.Rotate == RotateAlways
	withoutReading := p.Existing == ExistingReplace && !always && !p.CheckAllSecrets && !o.Legacy && !recent && (!managed || due)

	row := func(name string, matches bool, a Action) {
		if matches {
			fits(name, a)
		}
	}
	known := unreadStores == 0 || withoutReading
	row("unread", !known, CheckSecrets)
	row("unavailable", known && remaining == 0 && inaccessible > 0, Fail)
	row("none remains", known && remaining == 0 && inaccessible == 0, Keep)
	some := known && remaining > 0
	row("legacy, secret", some && o.Legacy && withSecret == remaining, NoOp)
	row("legacy, no secret", some && o.Legacy && withSecret < remaining, Create)
	row("no managed token", some && !o.Legacy && !managed, Create)
	second := some && !o.Legacy && managed
	row("recent, held", second && recent && holding == remaining, NoOp)
	row("recent, not held", second && recent && holding < remaining, Defer)
	settled := second && !recent
	row("always", settled && always, Renew)
	row("due", settled && !always && due, Renew)
	row("held", settled && !always && !due && holding == remaining, NoOp)
	row("otherwise", settled && !always && !due && holding < remaining, Renew)
}

// TestEveryObservationFitsOneRow goes through all combinations: each fits exactly
// one row, and is decided so. What is written is what remains, with the stores that
// hold the newest token last.
func TestEveryObservationFitsOneRow(t *testing.T) {
	t.Parallel()

	matched, cases := map[string]int{}, 0
	combinations(func(name string, o Observation, p Policy) {
		cases++
		count, row, want := 0, "", NoOp
		rows(o, p, func(r string, a Action) { count, row, want = count+1, r, a })
		if count != 1 {
			t.Fatalf("%s: %d rows fit %+v under %+v", name, count, o, p)
		}
		matched[row]++
		d := Decide(o, p, now, 0)
		if d.Action != want {
			t.Fatalf("%s, %s: decided %v, want %v, for %+v under %+v", name, row, d.Action, want, o, p)
		}
		if want == Create || want == Renew {
			checkWriteOrder(t, o, p, d)
		} else if len(d.Stores) > 0 {
			t.Fatalf("%s, %s: writes %v", name, row, d.Stores)
		}
	})
	if len(matched) != 12 {
		t.Errorf("the combinations match only %d rows: %v", len(matched), matched)
	}
	t.Logf("%d cases: %v", cases, matched)
}

// checkWriteOrder checks that d writes the remaining stores, and the ones that hold
// the newest token last.
func checkWriteOrder(t *testing.T, o Observation, p Policy, d Decision) {
	t.Helper()
	var first, last []Store
	for _, s := range o.Stores {
		in := windows(o, s)
		switch {
		case s.Condition == Unavailable, isExcluded(o, p, s):
		case len(in) == 1 && in[0] == len(o.Managed)-1:
			last = append(last, s.Store)
		default:
			first = append(first, s.Store)
		}
	}
	if want := append(first, last...); !slices.Equal(d.Stores, want) {
		t.Fatalf("writes %v, want %v, for %+v under %+v", d.Stores, want, o, p)
	}
}

// TestDueIsSpread: due dates differ by up to 14 days, and never by more than half
// of what lies between lifetime and renewal.
func TestDueIsSpread(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ lifetime, before, most time.Duration }{
		{365 * day, 90 * day, 14 * day},
		{30 * day, 20 * day, 5 * day},
		{2 * day, day, 12 * time.Hour},
	} {
		p := policy(func(p *Policy) { p.Lifetime, p.RenewBefore = c.lifetime, c.before })
		if got := p.renewalJitter(0); got != 0 {
			t.Errorf("least jitter %v, want 0", got)
		}
		if got := p.renewalJitter(0.999); got > c.most || got < c.most*99/100 {
			t.Errorf("most jitter %v, want nearly %v", got, c.most)
		}
	}
}

// TestDueEarlier: what a repository's number adds makes a token due earlier, and
// the due date itself is not yet due.
func TestDueEarlier(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		left   time.Duration
		jitter float64
		want   Action
	}{
		"at the due date":            {90 * day, 0, NoOp},
		"after the due date":         {90*day - 1, 0, Renew},
		"seven days before it":       {97 * day, 0.49, NoOp},
		"less than seven days to it": {97*day - 1, 0.5, Renew},
	} {
		o := seen([]Token{tok(1, 10*day, c.left)}, 10*day)
		if got := Decide(o, policy(), now, c.jitter); got.Action != c.want {
			t.Errorf("%s: decided %v, want %v", name, got.Action, c.want)
		}
	}
}

// TestNecessary: one denial ends a write that is neither due nor required by rotate.
func TestNecessary(t *testing.T) {
	t.Parallel()

	due, valid := tok(1, 300*day, 65*day), tok(1, 10*day, 355*day)
	for name, c := range map[string]struct {
		o                 Observation
		p                 Policy
		urgent, necessary bool
	}{
		"no managed token":   {seen(nil, absent), policy(), true, true},
		"due":                {seen([]Token{due}, 300*day), policy(), true, true},
		"always":             {seen([]Token{valid}, 10*day), policy(always), false, true},
		"changed manually":   {seen([]Token{valid}, 5*day), policy(), false, false},
		"due, always":        {seen([]Token{due}, 300*day), policy(always), true, true},
		"without one secret": {seen([]Token{valid}, 10*day, absent), policy(), false, false},
	} {
		if d := Decide(c.o, c.p, now, 0); !d.Writes() || d.Urgent != c.urgent || d.Necessary != c.necessary {
			t.Errorf("%s: writes %v, urgent %v, necessary %v; want true, %v, %v", name, d.Writes(), d.Urgent, d.Necessary, c.urgent, c.necessary)
		}
	}
}

// randomCase returns an observation and a policy.
func randomCase(r *rand.Rand) (Observation, Policy) {
	span := func() time.Duration {
		return []time.Duration{time.Second, time.Minute, 14 * time.Minute, 16 * time.Minute, 2 * time.Hour, 25 * time.Hour, 100 * day, 366 * day}[r.IntN(8)] +
			time.Duration(r.Int64N(int64(time.Minute)))
	}
	var tokens []Token
	for n := range r.IntN(5) {
		token := tok(n+1, span(), span()-30*day)
		token.Derived = r.IntN(4) == 0
		token.DateOnly = token.Derived && r.IntN(2) == 0
		if r.IntN(6) == 0 {
			token.Created = time.Time{}
		}
		tokens = append(tokens, token)
	}
	stores := make([]time.Duration, []int{1, 2, 4}[r.IntN(3)])
	for i := range stores {
		stores[i] = []time.Duration{unread, absent, unavailable, span(), span(), span()}[r.IntN(6)]
		if len(tokens) > 0 && r.IntN(2) == 0 { // in a window, if the creation is known
			if t := tokens[r.IntN(len(tokens))]; !t.Created.IsZero() {
				stores[i] = max(0, now.Sub(t.Created)-time.Second)
			}
		}
	}
	o := seen(tokens, stores...)
	o.Uncertainty = time.Duration(r.IntN(20)) * time.Second
	return o, policy(func(p *Policy) {
		p.Existing = []Existing{ExistingReplace, ExistingKeep, ExistingOnly}[r.IntN(3)]
		p.Rotate = []Rotate{RotateExpiring, RotateAlways}[r.IntN(2)]
		p.RevokeAfter = time.Duration(r.IntN(3)) * 24 * time.Hour
	})
}

// shift returns o with all known times later by d.
func shift(o Observation, d time.Duration) Observation {
	later := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.Add(d)
	}
	o.ListedAt = later(o.ListedAt)
	o.Managed, o.Stores = slices.Clone(o.Managed), slices.Clone(o.Stores)
	for i := range o.Managed {
		o.Managed[i].Created, o.Managed[i].Expires = later(o.Managed[i].Created), later(o.Managed[i].Expires)
	}
	for i := range o.Stores {
		o.Stores[i].Updated = later(o.Stores[i].Updated)
	}
	return o
}

// shuffled returns o with its stores in another order.
func shuffled(r *rand.Rand, o Observation) Observation {
	o.Stores = slices.Clone(o.Stores)
	r.Shuffle(len(o.Stores), func(i, j int) { o.Stores[i], o.Stores[j] = o.Stores[j], o.Stores[i] })
	return o
}

// FuzzDecide checks the guarantees in whatever is observed.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		o, p := randomCase(r)
		d := Decide(o, p, now, 0)
		count := 0
		rows(o, p, func(row string, want Action) {
			if count++; d.Action != want {
				t.Errorf("%s: decided %v, want %v, for %+v under %+v", row, d.Action, want, o, p)
			}
		})
		if count != 1 {
			t.Errorf("%d rows fit %+v under %+v", count, o, p)
		}
		if d.Action == CheckSecrets && !slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.Condition == Unread }) {
			t.Error("checks secrets that were read")
		}
		if d.Writes() {
			checkWriteOrder(t, o, p, d)
		}
		if d.Writes() != (len(d.Stores) > 0) {
			t.Errorf("decided %v for the stores %v", d.Action, d.Stores)
		}
		if d.Writes() && slices.ContainsFunc(o.Managed, func(m Token) bool { return isRecent(o, m) }) {
			t.Error("writes while another run may be working on the repository")
		}
		if later := Decide(shift(o, 1000*time.Hour), p, now.Add(1000*time.Hour), 0); later.Action != d.Action || later.Reason != d.Reason {
			t.Errorf("decided %v, and %v at another time", d, later)
		}
		if other := Decide(shuffled(r, o), p, now, 0); other.Action != d.Action || len(other.Stores) != len(d.Stores) {
			t.Errorf("decided %v, and %v with the stores in another order", d, other)
		}
		less := o
		i := r.IntN(len(o.Stores))
		less.SetStore(p, StoreState{Store: o.Stores[i].Store, Condition: Unavailable})
		for _, s := range Decide(less, p, now, 0).Stores {
			if s == o.Stores[i].Store {
				t.Errorf("writes %s, which is unavailable", s)
			}
		}
		unchecked, none := o, o
		unchecked.Stores, none.Stores = nil, nil
		for _, s := range o.Stores {
			unchecked.Stores = append(unchecked.Stores, StoreState{Store: s.Store})
		}
		p.Stores = nil
		for _, s := range o.Stores {
			p.Stores = append(p.Stores, s.Store)
		}
		if x, y := Decide(unchecked, p, now, 0), Decide(none, p, now, 0); !reflect.DeepEqual(x, y) {
			t.Errorf("decided %v with unread stores, and %v with none", x, y)
		}
		for _, written := range [][]Store{nil, p.Stores[:1], p.Stores} {
			if x, y := numbers(Revocable(unchecked, p, now, written)), numbers(Revocable(none, p, now, written)); x != y {
				t.Errorf("after writing %v, revokes %s with unread stores, and %s with none", written, x, y)
			}
		}
		tokens := relisted(o)
		one := NewObservation(p, now, 0, tokens)
		r.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
		two := NewObservation(p, now, 0, tokens)
		one.Stores, two.Stores = o.Stores, o.Stores
		if !slices.Equal(one.Managed, two.Managed) {
			t.Errorf("the order of the list matters: %v and %v", one.Managed, two.Managed)
		}
		if x, y := numbers(Revocable(one, p, now, nil)), numbers(Revocable(two, p, now, nil)); x != y {
			t.Errorf("the order of the list matters: revokes %s and %s", x, y)
		}
	})
}

// relisted returns the managed tokens of o as Codacy lists them.
func relisted(o Observation) (tokens []ListedToken) {
	for _, m := range o.Managed {
		tokens = append(tokens, ListedToken{ID: m.ID, Name: m.Name, Created: m.Created, Expires: m.Expires})
	}
	return tokens
}
