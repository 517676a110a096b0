package outcome

import (
	"slices"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestTallyHealthy(t *testing.T) {
	t.Parallel()

	expires := func(o Outcome, d time.Duration) Result {
		return Result{Owner: "acme", Name: "web", Outcome: o, ExpiresAt: now.Add(d)}
	}
	for _, tt := range []struct {
		name      string
		res       Result
		healthy   bool
		attention bool
		severity  int
	}{
		{"current", expires(Current, 300*24*time.Hour), true, false, 2},
		{"current, expires tomorrow", expires(Current, 24*time.Hour), true, false, 2},
		{"current, with a warning", Result{Outcome: Current, Warning: "cannot be renewed"}, true, true, 2},
		{"failed", Result{Outcome: Failed}, false, true, 0},
		{"deferred, expires later", expires(Deferred, Soon), true, false, 2},
		{"deferred, expires soon", expires(Deferred, Soon-time.Second), false, true, 1},
		{"deferred, has expired", expires(Deferred, -time.Hour), false, true, 1},
		{"deferred, never expires", Result{Outcome: Deferred}, true, false, 2},
	} {
		var tally Tally
		tally.Add(expires(Current, 200*24*time.Hour))
		tally.Add(tt.res)
		if got := tally.Healthy(now); got != tt.healthy {
			t.Errorf("%s: healthy %v, want %v", tt.name, got, tt.healthy)
		}
		if got := tt.res.NeedsAttention(now); got != tt.attention {
			t.Errorf("%s: needs attention %v, want %v", tt.name, got, tt.attention)
		}
		if got := tt.res.Severity(now); got != tt.severity {
			t.Errorf("%s: severity %d, want %d", tt.name, got, tt.severity)
		}
	}
	if none := (&Tally{}); !none.Healthy(now) || none.Len() != 0 || !none.NextExpiry().IsZero() {
		t.Error("a run without repositories is not healthy, or not empty")
	}
}

func TestTallyCounts(t *testing.T) {
	t.Parallel()

	var tally Tally
	for i, o := range []Outcome{Created, Failed, Created, Deferred} {
		tally.Add(Result{Owner: "acme", Name: string(rune('d' - i)), Outcome: o, ExpiresAt: now.Add(time.Duration(10-i) * time.Hour)})
	}
	for o, want := range map[Outcome]int{Created: 2, Failed: 1, Deferred: 1, Kept: 0} {
		if got := tally.Count(o); got != want {
			t.Errorf("%s: %d, want %d", o, got, want)
		}
	}
	if got, want := tally.Problems(now), 2; got != want {
		t.Errorf("%d problems, want %d", got, want)
	}
	if got, want := tally.NextExpiry(), now.Add(7*time.Hour); !got.Equal(want) {
		t.Errorf("next expiry %v, want %v", got, want)
	}
	results := slices.Collect(tally.Results())
	ByName(results)
	if results[0].Repository() != "acme/a" || slices.Collect(tally.Results())[0].Repository() != "acme/d" {
		t.Error("sorting the results changed the tally's order, or did not sort")
	}
}
