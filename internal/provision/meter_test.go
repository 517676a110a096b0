package provision

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// TestMeter: the rate is that of the last five minutes. The time to the end follows
// from the rate, or from GitHub's limit where the run waits for it.
func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit := pace.Limit{Name: "writes", Max: 60, Period: time.Minute, Cost: func(method string) int {
			if pace.IsWrite(method) {
				return 1
			}
			return 0
		}}
		points := pace.Limit{Name: "points", Max: 890, Period: time.Minute, Cost: func(string) int { return 1 }}
		waiting := outcome.Wait{}
		m := meter{
			codacy: pace.NewLimiter(codacy.Name, true, func() float64 { return 0 }, pace.Limit{
				Name: "requests", Max: 100, Period: time.Minute, Cost: func(string) int { return 1 },
			}),
			github: pace.NewLimiter(github.Name, false, func() float64 { return 0 }, limit, points), stores: 2,
			waitingFor: func() outcome.Wait { return waiting },
		}
		m.start(0)
		time.Sleep(30 * time.Second)
		if p := m.progress(counts{total: 1000, done: 10, pendingWrites: 5}); p.Rate != 0 || p.Remaining != 0 || p.Done != 10 || p.Total != 1000 || p.PendingWrites != 5 {
			t.Errorf("in the first minute: %+v", p)
		}
		time.Sleep(90 * time.Second)
		if p := m.progress(counts{total: 1000, done: 40, pendingWrites: 0}); p.Rate != 20 || p.Remaining != 48*time.Minute {
			t.Errorf("after two minutes: %+v", p)
		}
		for done := 40; done <= 100; done += 10 {
			time.Sleep(time.Minute)
			m.progress(counts{total: 1000, done: done, pendingWrites: 0})
		}
		time.Sleep(time.Minute)
		if p := m.progress(counts{total: 1000, done: 110, pendingWrites: 0}); p.Rate != 10 || p.Remaining != 89*time.Minute {
			t.Errorf("the rate of the last five minutes: %+v", p)
		}
		waiting = outcome.Wait{Cause: "60 writes per minute"}
		if p := m.progress(counts{total: 1000, done: 110, pendingWrites: 90}); p.Remaining < 2*time.Minute || p.Remaining > 4*time.Minute {
			t.Errorf("180 writes at 60 per minute take %v", p.Remaining)
		}
		if p := m.progress(counts{total: 1000, done: 110}); p.Remaining != 2*time.Minute {
			t.Errorf("1,780 reads at 890 per minute take %v", p.Remaining)
		}
		if p := m.progress(counts{total: 1000, done: 110, unlisted: 800, pendingWrites: 90}); p.Remaining != 8*time.Minute {
			t.Errorf("800 lists at 100 per minute take %v", p.Remaining)
		}
	})
}
