package rotation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func numbers(tokens []Token) string {
	var all []string
	for _, t := range tokens {
		all = append(all, fmt.Sprint(t.Number))
	}
	return strings.Join(all, " ")
}

// names returns the stores that a run writes: all eligible ones.
func (o Observation) names(p Policy) []Store {
	var all []Store
	for _, s := range o.eligible(p) {
		all = append(all, s.Store)
	}
	return all
}

// TestRevocable has the cases of the contract's paragraph on revocation.
func TestRevocable(t *testing.T) {
	t.Parallel()

	const old = 10 * day
	two := []Token{tok(1, 300*day, 65*day), tok(2, old, 355*day)}
	lately := []Token{tok(1, 300*day, 65*day), tok(2, 23*time.Hour, 364*day)}
	expired := []Token{tok(1, 400*day, -day), tok(2, old, 355*day)}
	inexact := []Token{derived(two[0]), derived(two[1])}
	for name, c := range map[string]struct {
		o       Observation
		p       Policy
		written bool
		want    string
	}{
		"replaced, the grace period over":        {o: seen(two, old, old), p: policy(), want: "1"},
		"replaced, within the grace period":      {o: seen(lately, 23*time.Hour, 23*time.Hour), p: policy()},
		"the same, 0 hours":                      {o: seen(lately, 23*time.Hour, 23*time.Hour), p: policy(immediate), want: "1"},
		"excluded store within the grace period": {o: seen(two, old, time.Hour), p: policy(keep)},
		"a store still holds it":                 {o: seen(two, old, 300*day), p: policy()},
		"a store is without a secret":            {o: seen(two, old, absent), p: policy()},
		"excluded store without a secret":        {o: seen(two, old, absent), p: policy(only), want: "1"},
		"no secret at all":                       {o: seen(two, absent, absent), p: policy(only)},
		"unread":                                 {o: seen(two, unread, unread), p: policy()},
		"expired, unread":                        {o: seen(expired, unread, unread), p: policy()},
		"expired, within the grace period":       {o: seen([]Token{expired[0], lately[1]}, 23*time.Hour, 23*time.Hour), p: policy(), want: "1"},
		"expired, held":                          {o: seen(expired, 400*day, old), p: policy()},
		"recent when listed":                     {o: seen([]Token{tok(1, 10*time.Minute, -time.Minute), tok(2, old, 355*day)}, old, old), p: policy()},
		"newest, expired":                        {o: seen([]Token{tok(1, 400*day, -day)}, 5*day, 5*day), p: policy()},
		"written, newest was held":               {o: seen(two, old, old), p: policy(), written: true, want: "1"},
		"written, newest was not held":           {o: seen(two, old, 5*day), p: policy(), written: true},
		"written unread":                         {o: seen(two, unread, unread), p: policy(), written: true},
		"written unread, 0 hours":                {o: seen(two, unread, unread), p: policy(immediate), written: true, want: "1 2"},
		"written, newest had expired":            {o: seen([]Token{tok(1, 700*day, -300*day), tok(2, 366*day, -day)}, unread, unread), p: policy(), written: true, want: "1 2"},
		"unavailable, valid":                     {o: seen(two, unavailable, old), p: policy()},
		"unavailable, expired":                   {o: seen(expired, unavailable, old), p: policy(), want: "1"},
		"unavailable, expired, keep":             {o: seen(expired, unavailable, old), p: policy(keep)},
		"unavailable, written, 0 hours":          {o: seen(two, unavailable, unread), p: policy(immediate), written: true},
		"all unavailable, newest expired":        {o: seen([]Token{tok(2, 400*day, -day)}, unavailable, unavailable), p: policy()},
		"derived, every store holds newest":      {o: seen(inexact, old, old), p: policy(), want: "1"},
		"derived, excluded store":                {o: seen(inexact, old, 5*day), p: policy(keep)},
		"derived, expired, one store changed":    {o: seen([]Token{derived(expired[0]), derived(two[1])}, old, 5*day), p: policy(), want: "1"},
		"derived but expired, excluded store":    {o: seen([]Token{derived(tok(1, 700*day, -335*day)), tok(2, 300*day, 65*day), tok(3, old, 355*day)}, old, 5*day), p: policy(keep), want: "1 2"},
		"foreign secret near the creation":       {o: seen(two, old, 300*day-59*time.Minute), p: policy(keep)},
		"foreign secret far from the creation":   {o: seen(two, old, 300*day-61*time.Minute), p: policy(keep), want: "1"},
		"foreign secret overwritten":             {o: seen(two, 300*day-59*time.Minute), p: policy(immediate), written: true, want: "1 2"},
		"held in the windows of several":         {o: seen([]Token{tok(1, old+time.Minute, 65*day), two[1]}, old), p: policy()},
		"lower token, newest in several windows": {o: seen([]Token{tok(1, 300*day, 65*day), tok(2, old+time.Minute, 65*day), tok(3, old, 355*day)}, old), p: policy()},
		"legacy":                                 {o: func() Observation { o := seen(two, old, old); o.Legacy = true; return o }(), p: policy()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var written []Store
			if c.written {
				written = c.o.names(c.p)
			}
			if got := numbers(Revocable(c.o, c.p, now, written)); got != c.want {
				t.Errorf("revokes %q, want %q", got, c.want)
			}
		})
	}
}

// TestPartlyWritten: a run that wrote only one of the stores revokes nothing that
// the other one may hold, and not the newest token.
func TestPartlyWritten(t *testing.T) {
	t.Parallel()

	o := seen([]Token{tok(1, 300*day, 65*day), tok(2, 10*day, 355*day)}, 10*day, 5*day)
	if got := Revocable(o, policy(immediate), now, []Store{StoreDependabot}); len(got) > 0 {
		t.Errorf("revokes %s, want none", numbers(got))
	}
}

// TestRefusedAfterWriting: a store that is unavailable at any moment of the run
// keeps valid tokens from being revoked, although the run wrote it.
func TestRefusedAfterWriting(t *testing.T) {
	t.Parallel()

	o := seen([]Token{tok(1, 400*day, -day), tok(2, 300*day, 65*day), tok(3, 10*day, 355*day)}, unavailable, 10*day)
	if got := numbers(Revocable(o, policy(immediate), now, []Store{StoreDependabot, StoreActions})); got != "1" {
		t.Errorf("revokes %q, want the expired one only", got)
	}
}

// mayRevoke is a second formulation of the contract's paragraph, for one token.
func mayRevoke(o Observation, p Policy, i int, written []Store) bool {
	t, last := o.Managed[i], len(o.Managed)-1
	var inaccessible, remaining, replaced, holding int             // counts of stores
	var mayHold, nearForeign, writtenLately, withoutCertainty bool // in any store
	for _, s := range o.Stores {
		in, wrote := windows(o, s), slices.Contains(written, s.Store)
		if s.Condition == Unavailable {
			inaccessible++
			continue
		}
		secret, onlyNewest := s.Condition == Present, len(in) == 1 && in[0] == last
		if !isExcluded(o, p, s) {
			remaining++
			if wrote {
				replaced++
			}
			if onlyNewest {
				holding++
			}
		}
		writtenLately = writtenLately || secret && now.Sub(s.Updated) < p.RevokeAfter
		if wrote {
			continue
		}
		mayHold = mayHold || s.Condition == Unread || slices.Contains(in, i)
		withoutCertainty = withoutCertainty || secret && !onlyNewest
		b, distance := boundsOf(t, o.Uncertainty), s.Updated.Sub(t.Created)
		nearForeign = nearForeign || secret && len(in) == 0 &&
			(t.Created.IsZero() || -b.nearBefore <= distance && distance <= b.nearAfter)
	}
	everywhere := remaining > 0 && replaced == remaining
	expired := !t.Expires.IsZero() && !now.Before(t.Expires)
	inexact := slices.ContainsFunc(o.Managed, func(m Token) bool {
		return (m.Derived || m.Created.IsZero()) && (m.Expires.IsZero() || now.Before(m.Expires))
	})
	if isRecent(o, t) || i == last && !everywhere || mayHold || inaccessible > 0 && p.Existing == ExistingKeep {
		return false
	}
	if expired {
		return true
	}
	if inaccessible > 0 || inexact && withoutCertainty || nearForeign || remaining == 0 {
		return false
	}
	atOnce := p.RevokeAfter == 0 && everywhere
	return atOnce || i < last && holding == remaining && !writtenLately
}

// TestRevocableExhaustively compares both formulations in all combinations, with
// no store written, with one, with all that remain, and with all.
func TestRevocableExhaustively(t *testing.T) {
	t.Parallel()

	cases, revoked, newestRevoked := 0, 0, 0
	combinations(func(name string, o Observation, p Policy) {
		if p.CheckAllSecrets || p.Rotate == RotateAlways {
			return // revoking doesn't depend on these
		}
		all := o.names(p)
		for _, hours := range []time.Duration{0, 24 * time.Hour} {
			p.RevokeAfter = hours
			for _, written := range [][]Store{nil, all[:min(1, len(all))], all, Stores()} {
				cases++
				var want []Token
				for i, token := range o.Managed {
					if mayRevoke(o, p, i, written) {
						want = append(want, token)
						if i == len(o.Managed)-1 {
							newestRevoked++
						}
					}
				}
				revoked += len(want)
				if got := Revocable(o, p, now, written); !slices.Equal(got, want) {
					t.Fatalf("%s: revokes %q, want %q, for %+v under %+v, written %v", name, numbers(got), numbers(want), o, p, written)
				}
			}
		}
	})
	if revoked == 0 || newestRevoked == 0 {
		t.Errorf("of %d combinations %d revoke a token, %d the newest one", cases, revoked, newestRevoked)
	}
	t.Logf("%d cases, %d tokens revoked, %d of them newest", cases, revoked, newestRevoked)
}

// TestEvictable has the cases of step 2.
func TestEvictable(t *testing.T) {
	t.Parallel()

	const old = 10 * day
	three := []Token{tok(1, 300*day, 65*day), tok(2, 200*day, 165*day), tok(3, old, 355*day)}
	expired := []Token{tok(1, 300*day, 65*day), tok(2, 400*day, -day), tok(3, old, 355*day)}
	for name, c := range map[string]struct {
		o    Observation
		p    Policy
		want int
	}{
		"the lowest":                    {seen(three, old), policy(), 1},
		"the lowest is held":            {seen(three, 300*day), policy(), 2},
		"never newest":                  {seen(three[2:], 5*day), policy(), 0},
		"recent":                        {seen([]Token{tok(1, time.Minute, 365*day), three[2]}, old), policy(), 0},
		"near a foreign secret":         {seen(three, 300*day-50*time.Minute), policy(), 2},
		"unread":                        {seen(three, unread), policy(), 0},
		"unavailable, valid":            {seen(three, unavailable, old), policy(), 0},
		"unavailable, expired":          {seen(expired, unavailable, old), policy(), 2},
		"unavailable, expired and keep": {seen(expired, unavailable, old), policy(keep), 0},
	} {
		if got, ok := Evictable(c.o, c.p, now); got.Number != c.want || ok != (c.want > 0) {
			t.Errorf("%s: number %d, want %d", name, got.Number, c.want)
		}
	}
}

// TestNearForeignSecret checks both ends of the hour around a creation.
func TestNearForeignSecret(t *testing.T) {
	t.Parallel()

	exact, newest := tok(1, 300*day, 65*day), tok(2, 10*day, 355*day)
	dates, unknown := derived(exact), exact
	dates.DateOnly, unknown.Created = true, time.Time{}
	for name, c := range map[string]struct {
		token         Token
		uncertainty   time.Duration
		before, after time.Duration
	}{
		"given":     {exact, 0, time.Hour, time.Hour},
		"uncertain": {exact, 9 * time.Second, time.Hour + 9*time.Second, time.Hour + 9*time.Second},
		"derived":   {derived(exact), 0, time.Hour, 2 * time.Hour},
		"date only": {dates, 0, 25 * time.Hour, 49 * time.Hour},
	} {
		for distance, want := range map[time.Duration]bool{-c.before - 1: true, -c.before: false, c.after: false, c.after + 1: true} {
			o := seen([]Token{c.token, newest}, 300*day-distance)
			o.Uncertainty = c.uncertainty
			if _, got := Evictable(o, policy(), now); got != want {
				t.Errorf("%s, secret written %v after the creation: deletes the token: %v, want %v", name, distance, got, want)
			}
		}
	}
	if _, ok := Evictable(seen([]Token{unknown, newest}, 5*day), policy(), now); ok {
		t.Error("deletes a token that was created at an unknown time although there is a foreign secret")
	}
	if _, ok := Evictable(seen([]Token{unknown, newest}, 10*day), policy(), now); !ok {
		t.Error("keeps a token that was created at an unknown time although every store holds newest")
	}
}

// sameWindows reports whether each store's secret is in the windows of the same
// tokens in both observations.
func sameWindows(a, b Observation) bool {
	for i := range a.Stores {
		if !slices.Equal(windows(a, a.Stores[i]), windows(b, b.Stores[i])) {
			return false
		}
	}
	return true
}

// FuzzRevocable checks the guarantees in whatever is observed.
func FuzzRevocable(f *testing.F) {
	for seed := range uint64(1000) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		o, p := randomCase(r)
		all := o.names(p)
		written := [][]Store{nil, all, all[:r.IntN(len(all)+1)]}[r.IntN(3)]
		last := len(o.Managed) - 1
		inaccessible := slices.ContainsFunc(o.Stores, func(s StoreState) bool { return s.Condition == Unavailable })
		got := Revocable(o, p, now, written)
		for i, m := range o.Managed {
			if want := mayRevoke(o, p, i, written); want != slices.Contains(got, m) {
				t.Errorf("revokes %s: %v, want %v, for %+v under %+v, written %v", m.Name, !want, want, o, p, written)
			}
		}
		if inaccessible && p.Existing == ExistingKeep && len(got) > 0 {
			t.Error("revokes a token under keep while a store is unavailable")
		}
		for _, g := range got {
			i := slices.IndexFunc(o.Managed, func(m Token) bool { return m.ID == g.ID })
			expired := !g.Expires.IsZero() && !now.Before(g.Expires)
			if isRecent(o, g) {
				t.Error("revokes a recent token")
			}
			if inaccessible && !expired {
				t.Error("revokes a valid token while a store is unavailable")
			}
			for _, s := range o.Stores {
				wrote := slices.Contains(written, s.Store)
				if i == last && !wrote && s.Condition != Unavailable && !isExcluded(o, p, s) {
					t.Errorf("revokes newest, which was not replaced in %s", s.Store)
				}
				if !wrote && (s.Condition == Unread || slices.Contains(windows(o, s), i)) {
					t.Errorf("revokes a token that %s may hold", s.Store)
				}
			}
			if i == last && len(written) == 0 {
				t.Error("revokes newest, which was not replaced")
			}
		}
		subset := func(what string, fewer []Token) {
			t.Helper()
			for _, g := range fewer {
				if !slices.ContainsFunc(got, func(m Token) bool { return m.ID == g.ID }) {
					t.Errorf("%s revokes %s as well", what, g.Name)
				}
			}
		}
		if i := r.IntN(len(o.Stores)); !slices.Contains(written, o.Stores[i].Store) && o.Stores[i].Condition != Unavailable {
			worse := o
			worse.SetStore(p, StoreState{Store: o.Stores[i].Store})
			subset("an unread store", Revocable(worse, p, now, written))
			worse.SetStore(p, StoreState{Store: o.Stores[i].Store, Condition: Unavailable})
			for _, g := range Revocable(worse, p, now, written) {
				if g.Expires.IsZero() || now.Before(g.Expires) {
					t.Errorf("an unavailable store revokes %s, which is valid", g.Name)
				}
			}
		}
		less := o
		less.Uncertainty += 10 * time.Second
		if sameWindows(o, less) {
			subset("an uncertain clock", Revocable(less, p, now, written))
		}
		if last >= 0 {
			vague := o
			vague.Managed = slices.Clone(o.Managed)
			vague.Managed[r.IntN(last+1)].Derived = true
			if sameWindows(o, vague) {
				subset("a derived creation time", Revocable(vague, p, now, written))
			}
		}
		longer := p
		longer.RevokeAfter += time.Hour
		subset("a longer grace period", Revocable(o, longer, now, written))
		if other := Revocable(shuffled(r, o), p, now, written); !slices.Equal(other, got) {
			t.Errorf("revokes %s, and %s with the stores in another order", numbers(got), numbers(other))
		}
		const by = 1000 * time.Hour
		if later := numbers(Revocable(shift(o, by), p, now.Add(by), written)); later != numbers(got) {
			t.Errorf("revokes %s, and %s at another time", numbers(got), later)
		}
		checkEvictable(t, o, p)
	})
}

// checkEvictable checks that the token to delete is neither newest nor recent, that
// no store may hold it, and that it has expired if a store is unavailable.
func checkEvictable(t *testing.T, o Observation, p Policy) {
	t.Helper()
	token, ok := Evictable(o, p, now)
	if !ok {
		return
	}
	i := slices.IndexFunc(o.Managed, func(m Token) bool { return m.ID == token.ID })
	if i == len(o.Managed)-1 || isRecent(o, token) {
		t.Errorf("deletes %s, which is newest or recent", token.Name)
	}
	for _, s := range o.Stores {
		valid := token.Expires.IsZero() || now.Before(token.Expires)
		if s.Condition == Unavailable && (valid || p.Existing == ExistingKeep) {
			t.Errorf("deletes %s while a store is unavailable", token.Name)
		}
		if s.Condition == Unread || slices.Contains(windows(o, s), i) {
			t.Errorf("deletes %s, which %s may hold", token.Name, s.Store)
		}
	}
}
