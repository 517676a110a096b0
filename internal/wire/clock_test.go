package wire

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// tell makes c learn a response: sent and received after noon by our clock, dated
// when the service's clock, ahead by offset, showed noon+at.
func tell(c *Clock, sent, at, received, offset time.Duration) {
	c.observe(noon.Add(sent), noon.Add(received), noon.Add(at+offset).Truncate(time.Second).Format(http.TimeFormat))
}

func TestClockIsZero(t *testing.T) {
	t.Parallel()

	c := &Clock{}
	if c.Offset() != 0 || !c.ToLocal(noon).Equal(noon) {
		t.Errorf("a new clock is off by %v", c.Offset())
	}
	for _, date := range []string{"", "yesterday", "2026-11-20T12:00:00Z"} {
		c.observe(noon, noon, date)
	}
	if c.Offset() != 0 {
		t.Errorf("a clock that nobody told anything is off by %v", c.Offset())
	}
	if got := c.ToLocal(time.Time{}); !got.IsZero() {
		t.Errorf("no time became %v", got)
	}
}

// Each response allows a span of offsets; what all of them allow counts.
func TestClockNarrows(t *testing.T) {
	t.Parallel()

	const offset = 90 * time.Second
	c := &Clock{}
	tell(c, 0, 5*time.Second, 10*time.Second, offset) // a slow response: known within 11 s
	if got := c.Offset(); (got - offset).Abs() > 5500*time.Millisecond {
		t.Errorf("after one response: %v, want %v within 5.5 s", got, offset)
	}
	tell(c, 20*time.Second, 20900*time.Millisecond, 20900*time.Millisecond, offset)
	tell(c, 30*time.Second, 30*time.Second, 30*time.Second, offset)
	if got := c.Offset(); (got - offset).Abs() > time.Second {
		t.Errorf("after three responses: %v, want %v within 1 s", got, offset)
	}
	before := c.Offset()
	tell(c, 40*time.Second, 50*time.Second, 60*time.Second, offset) // tells nothing new
	if got := c.Offset(); got != before {
		t.Errorf("a slow response moved it from %v to %v", before, got)
	}
	if got := c.ToLocal(noon.Add(offset)); got.Sub(noon).Abs() > time.Second {
		t.Errorf("noon there is %v here", got)
	}
}

// A clock that is set anew is believed at once.
func TestClockSteps(t *testing.T) {
	t.Parallel()

	c := &Clock{}
	for i := range 5 {
		tell(c, time.Duration(i)*time.Second, time.Duration(i)*time.Second, time.Duration(i)*time.Second, time.Hour)
	}
	for _, step := range []time.Duration{-time.Hour, 0, 10 * time.Minute} {
		tell(c, time.Minute, time.Minute, time.Minute, step)
		if got := c.Offset(); (got - step).Abs() > time.Second {
			t.Errorf("after a step to %v it says %v", step, got)
		}
	}
}

// Whatever the latencies are, the true offset lies in what is left, and what is
// left only shrinks.
func TestClockProperty(t *testing.T) {
	t.Parallel()

	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		offset := time.Duration(r.Int64N(int64(4*time.Hour))) - 2*time.Hour
		c := &Clock{}
		width := time.Duration(1<<63 - 1)
		now := time.Duration(0)
		for range 50 {
			now += time.Duration(r.Int64N(int64(time.Minute)))
			latency := time.Duration(r.Int64N(int64(15*time.Second)) + 1)
			at := now + time.Duration(r.Int64N(int64(latency)))
			tell(c, now, at, now+latency, offset)
			now += latency
			if offset < c.lo || offset > c.hi {
				t.Fatalf("seed %d: the offset %v lies outside of %v to %v", seed, offset, c.lo, c.hi)
			}
			if c.hi-c.lo > width {
				t.Fatalf("seed %d: from %v it grew to %v", seed, width, c.hi-c.lo)
			}
			width = c.hi - c.lo
		}
	}
}
