package rotation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

func keep(p *Policy)       { p.Existing = ExistingKeep }
func only(p *Policy)       { p.Existing = ExistingOnly }
func always(p *Policy)     { p.Rotate = RotateAlways }
func askAll(p *Policy)     { p.CheckAllSecrets = true }
func selfHosted(p *Policy) { p.SelfHosted = true }

// tok is a token of ours, made so long ago, that expires so much later than now.
func tok(number int, age, left time.Duration) Token {
	return Token{ID: int64(100 + number), Number: number, Name: fmt.Sprintf("codacy-project-token-%d", number), Created: now.Add(-age), Expires: now.Add(left)}
}

// seen is an observation of now. A store is the age of its secret's last write;
// a negative one means that there is none. No stores: not asked.
func seen(tokens []Token, stores ...time.Duration) Observation {
	o := Observation{Managed: tokens, Total: len(tokens), ListedAt: now}
	for i, age := range stores {
		s := StoreState{Store: policy().Stores[i]}
		if age >= 0 {
			s.Updated = now.Add(-age)
		}
		o.Stores, o.SecretsChecked = append(o.Stores, s), true
	}
	return o
}

const absent = -1

// TestDecide has a case for each row of the contract's table.
func TestDecide(t *testing.T) {
	t.Parallel()

	const old = 10 * day
	healthy := []Token{tok(1, 400*day, -35*day), tok(2, old, 355*day)}
	byHand := 5 * day // in no window
	first := Observation{Legacy: true, Total: 1, ListedAt: now}
	withStores := func(o Observation, stores ...time.Duration) Observation {
		s := seen(nil, stores...)
		o.Stores, o.SecretsChecked = s.Stores, true
		return o
	}
	for name, c := range map[string]struct {
		o      Observation
		p      Policy
		want   Action
		stores string
		why    string
	}{
		"first generation, every store has a secret": {o: withStores(first, byHand, byHand), p: policy(selfHosted), want: NoOp},
		"first generation, a store has none":         {o: withStores(first, byHand, absent), p: policy(selfHosted), want: Create, stores: "dependabot actions", why: "in actions"},
		"first generation, not asked":                {o: first, p: policy(selfHosted), want: CheckSecrets},
		"first generation, always":                   {o: withStores(first, byHand, byHand), p: policy(selfHosted, always), want: NoOp},
		"first generation, keep":                     {o: withStores(first, byHand, byHand), p: policy(selfHosted, keep), want: Keep},
		"first generation, keep, one without":        {o: withStores(first, byHand, absent), p: policy(selfHosted, keep), want: Create, stores: "actions"},

		"none of ours, not asked":       {o: seen(nil), p: policy(), want: Create, stores: "dependabot actions"},
		"none of ours, dry run":         {o: seen(nil), p: policy(askAll), want: CheckSecrets},
		"none of ours, keep, not asked": {o: seen(nil), p: policy(keep), want: CheckSecrets},
		"none of ours, keep, one there": {o: seen(nil, byHand, absent), p: policy(keep), want: Create, stores: "actions"},
		"none of ours, keep, all there": {o: seen(nil, byHand, byHand), p: policy(keep), want: Keep},
		"none of ours, only, one there": {o: seen(nil, byHand, absent), p: policy(only), want: Create, stores: "dependabot"},
		"none of ours, only, none":      {o: seen(nil, absent, absent), p: policy(only), want: Keep},

		"young, not asked":              {o: seen([]Token{tok(1, time.Minute, 365*day)}), p: policy(), want: CheckSecrets},
		"young, every store holds it":   {o: seen([]Token{tok(1, 5*time.Minute, 365*day)}, 4*time.Minute, 4*time.Minute), p: policy(), want: NoOp},
		"young, one store not":          {o: seen([]Token{tok(1, 5*time.Minute, 365*day)}, 4*time.Minute, absent), p: policy(), want: Defer},
		"young, always":                 {o: seen([]Token{tok(1, 5*time.Minute, 365*day)}, 4*time.Minute, 4*time.Minute), p: policy(always), want: NoOp},
		"young and due":                 {o: seen([]Token{tok(1, 14*time.Minute, day)}), p: policy(), want: CheckSecrets},
		"young for an hour more":        {o: seen([]Token{derived(tok(1, 70*time.Minute, 365*day-70*time.Minute))}, absent, absent), p: policy(), want: Defer},
		"no longer young, derived":      {o: seen([]Token{derived(tok(1, 76*time.Minute, 365*day-76*time.Minute))}, absent, absent), p: policy(), want: Renew, stores: "dependabot actions"},
		"just not young":                {o: seen([]Token{tok(1, 15*time.Minute, 364*day)}, absent, absent), p: policy(), want: Renew, stores: "dependabot actions"},
		"always":                        {o: seen(healthy, old, old), p: policy(always), want: Renew, stores: "dependabot actions", why: "always"},
		"always, not asked":             {o: seen(healthy), p: policy(always), want: CheckSecrets},
		"expired, not asked":            {o: seen([]Token{tok(3, 366*day, -day)}), p: policy(), want: Renew, stores: "dependabot actions", why: "expired"},
		"due, not asked":                {o: seen([]Token{tok(3, 300*day, 65*day)}), p: policy(), want: Renew, stores: "dependabot actions", why: "65 days"},
		"due, keep, ours in one":        {o: seen([]Token{tok(3, 300*day, 65*day)}, 300*day, byHand), p: policy(keep), want: Renew, stores: "dependabot"},
		"expired, keep, ours in both":   {o: seen([]Token{tok(3, 366*day, -day)}, 366*day, 366*day), p: policy(keep), want: Renew, stores: "dependabot actions"},
		"every store holds newest":      {o: seen(healthy, old, old), p: policy(), want: NoOp},
		"not asked":                     {o: seen(healthy), p: policy(), want: CheckSecrets},
		"a store without secret":        {o: seen(healthy, old, absent), p: policy(), want: Renew, stores: "dependabot actions", why: "in actions"},
		"a store without secret, only":  {o: seen(healthy, old, absent), p: policy(only), want: NoOp},
		"a store with an older token":   {o: seen(healthy, old, 400*day), p: policy(), want: Renew, stores: "dependabot actions", why: "changed"},
		"changed by somebody":           {o: seen(healthy, old, byHand), p: policy(), want: Renew, stores: "dependabot actions", why: "changed"},
		"changed by somebody, keep":     {o: seen(healthy, old, byHand), p: policy(keep), want: NoOp},
		"all changed by somebody, keep": {o: seen(healthy, byHand, byHand), p: policy(keep), want: Keep},
		"an older token, keep":          {o: seen(healthy, old, 400*day), p: policy(keep), want: Renew, stores: "dependabot actions"},
		"no secret at all, keep":        {o: seen(healthy, absent, absent), p: policy(keep), want: Renew, stores: "dependabot actions"},
		"never expires":                 {o: seen([]Token{{ID: 1, Number: 1, Created: now.Add(-old)}}, old, old), p: policy(), want: NoOp},
		"neither made nor expires":      {o: seen([]Token{{ID: 1, Number: 1}}, old, old), p: policy(), want: Renew, stores: "dependabot actions"},
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

func derived(t Token) Token {
	t.Derived = true
	return t
}

// rows is the contract's table once more, each row with what the rows above it
// leave over, so that the rows exclude each other.
func rows(o Observation, p Policy) map[string]Action {
	var left []StoreState
	for _, s := range o.Stores {
		inWindow := slices.ContainsFunc(o.Managed, func(t Token) bool { return s.holds(t) })
		if p.Existing == ExistingKeep && !s.Updated.IsZero() && !inWindow || p.Existing == ExistingOnly && s.Updated.IsZero() {
			continue
		}
		left = append(left, s)
	}
	all := func(f func(StoreState) bool) bool {
		return !slices.ContainsFunc(left, func(s StoreState) bool { return !f(s) })
	}
	has := all(func(s StoreState) bool { return !s.Updated.IsZero() })
	ours := len(o.Managed) > 0
	var newest Token
	if ours {
		newest = o.Managed[len(o.Managed)-1]
	}
	holds := ours && all(func(s StoreState) bool { return s.holds(newest) })
	young := ours && newest.recent(now)
	always := p.Rotate == RotateAlways
	due := ours && !newest.Expires.IsZero() && newest.Expires.Before(now.Add(p.RenewBefore+p.renewalJitter(0)))

	matched := map[string]Action{}
	row := func(name string, fits bool, a Action) {
		if fits {
			matched[name] = a
		}
	}
	none, first := len(left) == 0, o.Legacy
	row("none left", none, Keep)
	row("first generation, secret", !none && first && has, NoOp)
	row("first generation, no secret", !none && first && !has, Create)
	second := !none && !first
	row("none of ours", second && !ours, Create)
	row("young, held", second && ours && young && holds, NoOp)
	row("young, not held", second && ours && young && !holds, Defer)
	grown := second && ours && !young
	row("always", grown && always, Renew)
	row("due", grown && !always && due, Renew)
	row("held", grown && !always && !due && holds, NoOp)
	row("otherwise", grown && !always && !due && !holds, Renew)
	return matched
}

// TestEveryObservationFitsOneRow goes through all combinations of what can be
// observed: each fits exactly one row, and that is what is decided.
func TestEveryObservationFitsOneRow(t *testing.T) {
	t.Parallel()

	ages := []time.Duration{absent, time.Minute, 10 * day, 300 * day, 5 * day}
	tokens := [][]Token{
		nil,
		{tok(1, 2*time.Minute, 365*day)},
		{tok(1, 10*day, 355*day)},
		{tok(1, 300*day, 65*day)},
		{tok(1, 366*day, -day)},
		{tok(1, 300*day, 65*day), tok(2, 10*day, 355*day)},
		{tok(1, 10*day, 355*day), tok(2, 2*time.Minute, 365*day)},
		{derived(tok(1, 30*time.Minute, 365*day-30*time.Minute))},
		{{ID: 1, Number: 1}},
	}
	met := map[string]int{}
	for _, first := range []bool{false, true} {
		for _, ours := range tokens {
			for _, a := range ages {
				for _, b := range ages {
					for _, change := range [][]func(*Policy){nil, {keep}, {only}, {always}, {always, keep}, {always, only}, {askAll}} {
						o := seen(ours, a, b)
						if first {
							o.Managed, o.Legacy, o.Total = nil, true, 1
						}
						p := policy(append(change, selfHosted)...)
						matched := rows(o, p)
						if len(matched) != 1 {
							t.Fatalf("%d rows fit %+v under %+v: %v", len(matched), o, p, matched)
						}
						for name, want := range matched {
							met[name]++
							if d := Decide(o, p, now, 0); d.Action != want {
								t.Errorf("%s: decided %v, want %v, for %+v under %+v", name, d.Action, want, o, p)
							}
						}
						// Not asked, it is the same or a question.
						o.SecretsChecked, o.Stores = false, nil
						if d := Decide(o, p, now, 0); d.Action != CheckSecrets {
							for name, want := range rows(seen(o.Managed, a, b), p) {
								if d.Action != want {
									t.Errorf("%s: decided %v without asking, %v after", name, d.Action, want)
								}
							}
						}
					}
				}
			}
		}
	}
	if len(met) != 10 {
		t.Errorf("the combinations meet only %d rows: %v", len(met), met)
	}
}

// TestDueIsSpread: due dates differ from repository to repository, by a fortnight
// at most, and never by more than half of what lies between.
func TestDueIsSpread(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ lifetime, before, most time.Duration }{
		{365 * day, 90 * day, 14 * day},
		{30 * day, 20 * day, 5 * day},
		{2 * day, day, 12 * time.Hour},
	} {
		p := policy(func(p *Policy) { p.Lifetime, p.RenewBefore = c.lifetime, c.before })
		var least, most time.Duration = c.most, 0
		for i := range 1000 {
			s := p.renewalJitter(float64(i) / 1000)
			least, most = min(least, s), max(most, s)
		}
		if least < 0 || most > c.most || least > c.most/20 || most < c.most*19/20 {
			t.Errorf("%v and %v: spread from %v to %v, want 0 to %v", c.lifetime, c.before, least, most, c.most)
		}
	}
}

// TestRevocable has the cases of the contract's paragraph on revocation.
func TestRevocable(t *testing.T) {
	t.Parallel()

	const old = 10 * day
	two := []Token{tok(1, 300*day, 65*day), tok(2, old, 355*day)}
	for name, c := range map[string]struct {
		o       Observation
		p       Policy
		renewed bool
		want    string
	}{
		"replaced, the grace over":             {o: seen(two, old, old), p: policy(), want: "1"},
		"replaced, within the grace":           {o: seen([]Token{tok(1, 300*day, 65*day), tok(2, 23*time.Hour, 364*day)}, 23*time.Hour, 23*time.Hour), p: policy()},
		"one store within the grace":           {o: seen([]Token{tok(1, 300*day, 65*day), tok(2, 23*time.Hour, 364*day)}, 23*time.Hour, old), p: policy()},
		"a left-out store within the grace":    {o: seen(two, old, time.Hour), p: policy(keep)},
		"a store still holds it":               {o: seen(two, old, 300*day), p: policy()},
		"a store is without a secret":          {o: seen(two, old, absent), p: policy()},
		"a left-out store is without a secret": {o: seen(two, old, absent), p: policy(only), want: "1"},
		"no secret at all":                     {o: seen(two, absent, absent), p: policy(only)},
		"the stores were not asked":            {o: seen(two), p: policy()},
		"expired, the stores were not asked":   {o: seen([]Token{tok(1, 400*day, -day), tok(2, old, 355*day)}), p: policy()},
		"expired, within the grace":            {o: seen([]Token{tok(1, 400*day, -day), tok(2, time.Hour, 355*day)}, time.Hour, time.Hour), p: policy(), want: "1"},
		"expired, a store holds it":            {o: seen([]Token{tok(1, 400*day, -day), tok(2, old, 355*day)}, 400*day, old), p: policy()},
		"young when listed":                    {o: seen([]Token{tok(1, 10*time.Minute, day), tok(2, old, 355*day)}, old, old), p: policy()},
		"newest alone":                         {o: seen([]Token{tok(1, old, 355*day)}, 5*day, 5*day), p: policy()},
		"newest, expired":                      {o: seen([]Token{tok(1, 400*day, -day)}, 5*day, 5*day), p: policy()},
		"renewed":                              {o: seen(two, old, old), p: policy(), renewed: true, want: "1"},
		"renewed without asking":               {o: seen([]Token{tok(1, 400*day, -35*day), tok(2, 300*day, 65*day)}), p: policy(), renewed: true, want: "1"},
		"renewed, newest had expired":          {o: seen([]Token{tok(1, 700*day, -300*day), tok(2, 366*day, -day)}), p: policy(), renewed: true, want: "1 2"},
		"renewed, no grace":                    {o: seen(two), p: policy(func(p *Policy) { p.RevokeAfter = 0 }), renewed: true, want: "1 2"},
		"not renewed, no grace":                {o: seen(two, old, old), p: policy(func(p *Policy) { p.RevokeAfter = 0 }), want: "1"},
		"derived, every store holds newest":    {o: seen([]Token{derived(two[0]), derived(two[1])}, old, old), p: policy(), want: "1"},
		"derived, one store changed":           {o: seen([]Token{derived(two[0]), derived(two[1])}, old, 5*day), p: policy()},
		"derived, a left-out store":            {o: seen([]Token{derived(two[0]), derived(two[1])}, old, 5*day), p: policy(keep)},
		"derived, expired, one store changed":  {o: seen([]Token{derived(tok(1, 400*day, -day)), derived(two[1])}, old, 5*day), p: policy()},
		"derived, renewed, a left-out store":   {o: seen([]Token{derived(tok(1, 400*day, -day)), derived(two[1])}, old, 5*day), p: policy(keep), renewed: true},
		"first generation":                     {o: Observation{Legacy: true, Total: 3, ListedAt: now}, p: policy(selfHosted)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var numbers []string
			for _, tok := range Revocable(c.o, c.p, now, c.renewed) {
				numbers = append(numbers, fmt.Sprint(tok.Number))
			}
			if got := strings.Join(numbers, " "); got != c.want {
				t.Errorf("revokes %q, want %q", got, c.want)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()

	prefix := TokenPrefix("CODACY_PROJECT_TOKEN")
	for name, want := range map[string]int{
		"codacy-project-token-1": 1, "codacy-project-token-999999999": 999_999_999,
		"codacy-project-token-0": 0, "codacy-project-token-01": 0, "codacy-project-token-1000000000": 0,
		"codacy-project-token-": 0, "codacy-project-token": 0, "codacy-project-token--1": 0,
		"codacy-project-token-1a": 0, "codacy-project-token-+1": 0, "Codacy-Project-Token-1": 0,
		"my-codacy-project-token-1": 0, "codacy-project-token-2-1": 0, "": 0, "codacy-project-token-١": 0,
	} {
		got, ours := tokenNumber(prefix, name)
		if got != want || ours != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", name, got, ours, want)
		}
	}
}

// FuzzDecide: whatever is observed, in whatever order it was listed, the promises
// hold in what is decided.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		span := func() time.Duration {
			return []time.Duration{time.Second, time.Minute, 14 * time.Minute, 16 * time.Minute, 2 * time.Hour, 25 * time.Hour, 100 * day, 366 * day}[r.IntN(8)] +
				time.Duration(r.Int64N(int64(time.Minute)))
		}
		var tokens []Token
		for n := range r.IntN(5) {
			token := tok(n+1, span(), span()-30*day)
			if r.IntN(4) == 0 {
				token.Created = time.Time{}
			}
			token.Derived = r.IntN(4) == 0
			tokens = append(tokens, token)
		}
		stores := make([]time.Duration, 2)
		for i := range stores {
			stores[i] = absent
			if r.IntN(3) > 0 {
				stores[i] = span()
				if len(tokens) > 0 && r.IntN(2) == 0 { // in a window
					stores[i] = max(0, now.Sub(tokens[r.IntN(len(tokens))].Created)-time.Minute)
				}
			}
		}
		o := seen(tokens, stores...)
		if r.IntN(4) == 0 {
			o.SecretsChecked, o.Stores = false, nil
		}
		p := policy(func(p *Policy) {
			p.Existing = []Existing{ExistingReplace, ExistingKeep, ExistingOnly}[r.IntN(3)]
			p.Rotate = []Rotate{RotateExpiring, RotateAlways}[r.IntN(2)]
			p.RevokeAfter = time.Duration(r.IntN(3)) * 24 * time.Hour
		})
		d := Decide(o, p, now, 0)
		newest, exists := o.Newest()
		if d.Action == CheckSecrets && o.SecretsChecked {
			t.Error("asks again what was asked")
		}
		if (d.Action == Create || d.Action == Renew) != (len(d.Stores) > 0) {
			t.Errorf("decided %v for the stores %v", d.Action, d.Stores)
		}
		if d.Action == Renew && exists && newest.recent(now) {
			t.Error("renews within the time of another run")
		}
		for _, s := range o.Stores {
			if p.Existing == ExistingKeep && !s.absent() && !s.holdsAny(tokens) && slices.Contains(d.Stores, s.Store) {
				t.Error("overwrites what is to be kept")
			}
			if p.Existing == ExistingOnly && s.absent() && slices.Contains(d.Stores, s.Store) {
				t.Error("creates what is not to be created")
			}
		}
		gone := Revocable(o, p, now, false)
		for _, g := range gone {
			if g.ID == newest.ID {
				t.Error("revokes newest")
			}
			if g.recent(now) {
				t.Error("revokes what another run may be at work on")
			}
			if slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.holds(g) }) {
				t.Error("revokes what a store holds")
			}
		}
		// The order of the list tells nothing.
		shuffled := o
		shuffled.Managed = slices.Clone(o.Managed)
		r.Shuffle(len(shuffled.Managed), func(i, j int) {
			shuffled.Managed[i], shuffled.Managed[j] = shuffled.Managed[j], shuffled.Managed[i]
		})
		slices.SortFunc(shuffled.Managed, func(a, b Token) int { return a.Number - b.Number })
		if again := Decide(shuffled, p, now, 0); again.Action != d.Action || again.Reason != d.Reason {
			t.Errorf("decided %v, and %v in another order", d, again)
		}
	})
}
