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

// mayRevoke is the contract's paragraph once more, for one token and a run that
// wrote all eligible stores or none.
func mayRevoke(o Observation, p Policy, i int, wrote bool) bool {
	t, last := o.Managed[i], len(o.Managed)-1
	var lost, others, heldByOthers, foreignNear, lately, unsure int // counts of stores
	remaining, holding := 0, 0
	for _, s := range o.Stores {
		if s.Condition == Unavailable {
			lost++
			continue
		}
		var in []int
		for j := range o.Managed {
			if o.holds(s, o.Managed[j]) {
				in = append(in, j)
			}
		}
		secret := s.Condition == Present
		out := p.Existing == ExistingKeep && secret && len(in) == 0 || p.Existing == ExistingOnly && s.Condition == Absent
		onlyNewest := len(in) == 1 && in[0] == last
		if !out {
			remaining++
			if onlyNewest {
				holding++
			}
		}
		if secret && now.Sub(s.Updated) < p.RevokeAfter {
			lately++
		}
		if wrote && !out {
			continue
		}
		others++
		if s.Condition == Unread || slices.Contains(in, i) {
			heldByOthers++
		}
		if secret && !onlyNewest {
			unsure++
		}
		if distance := s.Updated.Sub(t.Created); secret && len(in) == 0 &&
			(t.Created.IsZero() || distance >= -time.Hour-t.earliness() && distance <= time.Hour+t.lateness()) {
			foreignNear++
		}
	}
	all := wrote && remaining > 0
	inexact := slices.ContainsFunc(o.Managed, func(m Token) bool { return (m.Derived || m.Created.IsZero()) && !m.Expired(now) })
	ok := !o.recent(t) && (i < last || all) && heldByOthers == 0 && (lost == 0 || p.Existing != ExistingKeep)
	if t.Expired(now) || !ok {
		return ok
	}
	if lost > 0 || inexact && unsure > 0 || foreignNear > 0 || remaining == 0 {
		return false
	}
	if p.RevokeAfter == 0 {
		return all || holding == remaining
	}
	return i < last && holding == remaining && lately == 0
}

// TestRevocableExhaustively compares both formulations in all combinations.
func TestRevocableExhaustively(t *testing.T) {
	t.Parallel()

	revoked := 0
	combinations(func(o Observation, p Policy) {
		for _, hours := range []int{0, 24} {
			p.RevokeAfter = time.Duration(hours) * time.Hour
			for _, wrote := range []bool{false, true} {
				var written []Store
				if wrote {
					written = o.names(p)
				}
				var want []Token
				for i, token := range o.Managed {
					if !o.Legacy && mayRevoke(o, p, i, wrote) {
						want = append(want, token)
					}
				}
				revoked += len(want)
				if got := numbers(Revocable(o, p, now, written)); got != numbers(want) {
					t.Fatalf("revokes %q, want %q, for %+v under %+v, written %v", got, numbers(want), o, p, written)
				}
			}
		}
	})
	if revoked == 0 {
		t.Error("no combination revokes a token")
	}
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

// FuzzRevocable checks the guarantees in whatever is observed.
func FuzzRevocable(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		o, p := randomCase(r)
		var written []Store
		if r.IntN(2) == 0 {
			written = o.names(p)
		}
		newest, _ := o.Newest()
		_, lost := o.UnavailableMessage()
		got := Revocable(o, p, now, written)
		for _, g := range got {
			if g.ID == newest.ID && len(written) == 0 {
				t.Error("revokes newest, which was not replaced")
			}
			if o.recent(g) {
				t.Error("revokes a recent token")
			}
			if lost && !g.Expired(now) {
				t.Error("revokes a valid token while a store is unavailable")
			}
			for _, s := range o.Stores {
				if !slices.Contains(written, s.Store) && (s.Condition == Unread || o.holds(s, g)) {
					t.Error("revokes a token that a store may hold")
				}
			}
		}
		subset := func(what string, fewer []Token) {
			for _, g := range fewer {
				if !slices.Contains(got, g) {
					t.Errorf("%s revokes %s as well", what, g.Name)
				}
			}
		}
		if len(written) == 0 && len(o.Stores) > 0 {
			worse := o
			worse.SetStore(StoreState{Store: o.Stores[0].Store})
			subset("an unread store", Revocable(worse, p, now, nil))
		}
		shifted, by := shift(o, 1000*time.Hour), 1000*time.Hour
		if again := numbers(Revocable(shifted, p, now.Add(by), written)); again != numbers(got) {
			t.Errorf("revokes %s, and %s at another time", numbers(got), again)
		}
	})
}
