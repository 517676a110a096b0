package rotation

import (
	"math/rand/v2"
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

// combinations calls f with every combination of what can be observed, and of the
// policies. With four stores it leaves out some of the stores' states.
func combinations(f func(Observation, Policy)) {
	unknown := tok(1, 0, 100*day)
	unknown.Created, unknown.Derived = time.Time{}, true
	dates := derived(tok(1, 20*day, 345*day))
	dates.DateOnly = true
	for _, tokens := range [][]Token{
		nil,
		{tok(1, 2*time.Minute, 365*day)},
		{tok(1, 10*day, 355*day)},
		{tok(1, 300*day, 65*day)},
		{tok(1, 366*day, -day)},
		{tok(1, 300*day, 65*day), tok(2, 10*day, 355*day)},
		{tok(1, 366*day, -day), tok(2, 10*day, 355*day)},
		{tok(1, 10*day, 355*day), tok(2, 2*time.Minute, 365*day)},
		{tok(1, 2*time.Minute, 365*day), tok(2, 10*day, 355*day)},
		{tok(1, 10*day+time.Minute, 355*day), tok(2, 10*day, 355*day)},
		{derived(tok(1, 300*day, 65*day)), derived(tok(2, 10*day, 355*day))},
		{derived(tok(1, 366*day, -day)), tok(2, 10*day, 355*day)},
		{dates, tok(2, 10*day, 355*day)},
		{unknown, tok(2, 10*day, 355*day)},
	} {
		for _, count := range []int{1, 2, 4} {
			states := []time.Duration{unread, absent, unavailable, 10*day - time.Second, 5 * day, 300 * day, 366 * day, time.Minute}
			if count == 4 {
				states = states[:6]
			}
			stores := make([]time.Duration, count)
			var fill func(int)
			fill = func(i int) {
				if i < count {
					for _, stores[i] = range states {
						fill(i + 1)
					}
					return
				}
				for _, existing := range []Existing{ExistingReplace, ExistingKeep, ExistingOnly} {
					for _, rotate := range []Rotate{RotateExpiring, RotateAlways} {
						for _, all := range []bool{false, true} {
							p := policy()
							p.Existing, p.Rotate, p.CheckAllSecrets = existing, rotate, all
							o := seen(tokens, stores...)
							f(o, p)
							if tokens == nil {
								o.Legacy = true
								f(o, p)
							}
						}
					}
				}
			}
			fill(0)
		}
	}
}

// rows is the contract's table once more, each row with what the rows above it
// leave over, so that the rows exclude each other.
func rows(o Observation, p Policy) map[string]Action {
	unreadStores, lost, left, has, holds := 0, 0, 0, 0, 0
	last := len(o.Managed) - 1
	for _, s := range o.Stores {
		in := 0
		for _, t := range o.Managed {
			if o.holds(s, t) {
				in++
			}
		}
		switch {
		case s.Condition == Unavailable:
			lost++
			continue
		case s.Condition == Unread:
			unreadStores++
		case p.Existing == ExistingKeep && s.Condition == Present && in == 0, p.Existing == ExistingOnly && s.Condition == Absent:
			continue
		}
		left++
		if s.Condition == Present {
			has++
		}
		if in == 1 && o.holds(s, o.Managed[last]) {
			holds++
		}
	}
	managed := last >= 0
	young := slices.ContainsFunc(o.Managed, o.recent)
	due := managed && !o.Managed[last].Expires.IsZero() && o.Managed[last].Expires.Before(now.Add(p.RenewBefore))
	always := p.Rotate == RotateAlways
	blind := p.Existing == ExistingReplace && !always && !p.CheckAllSecrets && !o.Legacy && !young && (!managed || due)

	matched := map[string]Action{}
	row := func(name string, fits bool, a Action) {
		if fits {
			matched[name] = a
		}
	}
	known := unreadStores == 0 || blind
	row("unread", !known, CheckSecrets)
	row("unavailable", known && left == 0 && lost > 0, Fail)
	row("none left", known && left == 0 && lost == 0, Keep)
	some := known && left > 0
	row("legacy, secret", some && o.Legacy && has == left, NoOp)
	row("legacy, no secret", some && o.Legacy && has < left, Create)
	row("no managed token", some && !o.Legacy && !managed, Create)
	second := some && !o.Legacy && managed
	row("recent, held", second && young && holds == left, NoOp)
	row("recent, not held", second && young && holds < left, Defer)
	grown := second && !young
	row("always", grown && always, Renew)
	row("due", grown && !always && due, Renew)
	row("held", grown && !always && !due && holds == left, NoOp)
	row("otherwise", grown && !always && !due && holds < left, Renew)
	return matched
}

// TestEveryObservationFitsOneRow goes through all combinations: each fits exactly
// one row, and is decided so.
func TestEveryObservationFitsOneRow(t *testing.T) {
	t.Parallel()

	met := map[string]int{}
	combinations(func(o Observation, p Policy) {
		matched := rows(o, p)
		if len(matched) != 1 {
			t.Fatalf("%d rows fit %+v under %+v: %v", len(matched), o, p, matched)
		}
		for name, want := range matched {
			met[name]++
			if d := Decide(o, p, now, 0); d.Action != want {
				t.Fatalf("%s: decided %v, want %v, for %+v under %+v", name, d.Action, want, o, p)
			}
		}
	})
	if len(met) != 12 {
		t.Errorf("the combinations meet only %d rows: %v", len(met), met)
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

// FuzzDecide checks the guarantees in whatever is observed.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		o, p := randomCase(r)
		d := Decide(o, p, now, 0)
		if d.Action == CheckSecrets && o.SecretsChecked() {
			t.Error("checks the secrets again")
		}
		if d.Writes() != (len(d.Stores) > 0) {
			t.Errorf("decided %v for the stores %v", d.Action, d.Stores)
		}
		if d.Writes() && slices.ContainsFunc(o.Managed, o.recent) {
			t.Error("writes while another run may be working on the repository")
		}
		for _, s := range o.Stores {
			if slices.Contains(d.Stores, s.Store) && (s.unavailable() || o.excludes(p, s)) {
				t.Errorf("writes the store %s, which is unavailable or excluded", s.Store)
			}
		}
		if again := Decide(shift(o, 1000*time.Hour), p, now.Add(1000*time.Hour), 0); again.Action != d.Action || again.Reason != d.Reason {
			t.Errorf("decided %v, and %v at another time", d, again)
		}
		var listed []ListedToken
		for _, m := range o.Managed {
			listed = append(listed, ListedToken{ID: m.ID, Name: m.Name, Created: m.Created, Expires: m.Expires})
		}
		one := NewObservation(p, now, 0, listed)
		r.Shuffle(len(listed), func(i, j int) { listed[i], listed[j] = listed[j], listed[i] })
		if two := NewObservation(p, now, 0, listed); !slices.Equal(one.Managed, two.Managed) {
			t.Errorf("the order of the list matters: %v and %v", one.Managed, two.Managed)
		}
	})
}
