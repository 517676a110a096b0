package outcome

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// writes returns a write with each effect.
func writes(effects ...Effect) []Write {
	var all []Write
	for i, e := range effects {
		all = append(all, Write{Store: rotation.Stores()[i], Effect: e})
	}
	return all
}

func TestAction(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name string
		res  Result
		want Action
	}{
		{"nothing", Result{Outcome: Current}, ""},
		{"create", Result{Outcome: Created, Writes: writes(Add)}, ActionCreate},
		{"create, effect unknown", Result{Outcome: Created}, ActionCreate},
		{"renew", Result{Outcome: Renewed, Writes: writes(Renew)}, ActionRenew},
		{"renew and revoke", Result{Outcome: Renewed, Writes: writes(Renew), Revoked: []string{"t-1"}}, ActionRenew},
		{"one of two stores", Result{Outcome: Created, Writes: writes(Add, Overwrite)}, ActionOverwrite},
		{"a changed secret", Result{Outcome: Renewed, Writes: writes(Renew, Overwrite)}, ActionOverwrite},
		{"revoke", Result{Outcome: Current, Revoked: []string{"t-1"}}, ActionRevoke},
		{"another store is unavailable", Result{Outcome: Failed, Writes: writes(Add)}, ActionCreate},
		{"another store is unavailable, renew", Result{Outcome: Failed, Writes: writes(Renew, Add)}, ActionRenew},
		{"failed", Result{Outcome: Failed}, ""},
	} {
		if got := tt.res.Action(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.want != "" && !slices.Contains(Actions(), tt.want) {
			t.Errorf("%s is not listed", tt.want)
		}
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()

	got := Effects([]*Result{
		{Outcome: Created, Writes: writes(Add, Overwrite)},
		{Outcome: Created},
		{Outcome: Renewed},
		{Outcome: Renewed, Writes: writes(Renew, Add)},
		{Outcome: Failed, Writes: writes(Overwrite)},
		{Outcome: Current, Revoked: []string{"t-1"}},
		{Outcome: Failed},
	})
	if want := map[Effect]int{Add: 3, Renew: 2, Overwrite: 2}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDestructiveFirst(t *testing.T) {
	t.Parallel()

	results := []*Result{
		{Name: "e", Outcome: Renewed},
		{Name: "d", Outcome: Created, Writes: writes(Add)},
		{Name: "c", Revoked: []string{"t-1"}},
		{Name: "b", Outcome: Created, Writes: writes(Overwrite)},
		{Name: "a", Outcome: Created, Writes: writes(Overwrite)},
	}
	DestructiveFirst(results)
	var got []string
	for _, r := range results {
		got = append(got, r.Name)
	}
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNextToExpire(t *testing.T) {
	t.Parallel()

	var tally Tally
	for i, days := range []int{0, 30, 10, 20, 0} { // zero never expires
		r := Result{Name: string(rune('a' + i)), Outcome: Current}
		if days > 0 {
			r.ExpiresAt = now.AddDate(0, 0, days)
		}
		tally.Add(r)
	}
	if got := tally.NextToExpire(); got.Name != "c" || !tally.NextExpiry().Equal(now.AddDate(0, 0, 10)) {
		t.Errorf("%q expires first, at %v", got.Name, tally.NextExpiry())
	}
	tally.Add(Result{Outcome: Deferred, ExpiresAt: now.Add(time.Hour)})
	tally.Add(Result{Outcome: Created})
	if got, want := tally.UpToDate(), 6; got != want {
		t.Errorf("%d are up to date, want %d", got, want)
	}
	if got, want := tally.ExpiringSoon(now), 1; got != want {
		t.Errorf("%d expire soon, want %d", got, want)
	}
}
