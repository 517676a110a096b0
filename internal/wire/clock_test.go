package wire

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// respond makes c observe a response that was sent and received at these times
// after noon, dated when the service's clock, ahead by offset, showed noon+at.
func respond(c *Clock, sent, at, received, offset time.Duration) {
	c.observe(200, noon.Add(sent), noon.Add(received), date(at+offset))
}

func date(afterNoon time.Duration) string {
	return noon.Add(afterNoon).Truncate(time.Second).Format(http.TimeFormat)
}

const s = time.Second

func TestClockWithoutEstimate(t *testing.T) {
	t.Parallel()

	c := &Clock{}
	check := func(name string) {
		t.Helper()
		if c.Offset() != 0 || c.Agreeing() != 0 || c.Uncertainty() < 365*24*time.Hour || !c.ToLocal(noon).Equal(noon) {
			t.Errorf("%s: offset %v ± %v, %d agreeing", name, c.Offset(), c.Uncertainty(), c.Agreeing())
		}
	}
	check("a new clock")
	for _, d := range []string{"", "yesterday", "2026-11-20T12:00:00Z"} {
		c.observe(200, noon, noon, d)
	}
	check("without a valid date")
	for _, status := range []int{0, 101, 301, 302, 304, 400, 401, 404, 429, 500, 503} {
		for range 3 {
			c.observe(status, noon, noon, date(time.Hour))
		}
	}
	check("with errors and redirects only")
	if got := c.ToLocal(time.Time{}); !got.IsZero() {
		t.Errorf("the zero time became %v", got)
	}
	if sum := 2 * (c.Uncertainty() + c.Uncertainty()); sum < 0 {
		t.Errorf("twice the sum of two uncertainties is %v", sum)
	}
}

// A row of the table is a series of responses, each with the true offset of its
// server, and what the clock says in the end.
func TestClock(t *testing.T) {
	t.Parallel()

	type response struct {
		at     time.Duration
		offset time.Duration
	}
	const odd = 72 * time.Hour
	for name, tt := range map[string]struct {
		responses []response
		agreeing  int
		offset    time.Duration // within the uncertainty
		atMost    time.Duration // the uncertainty
	}{
		"one response":        {[]response{{0, 90 * s}}, 0, 90 * s, unknownUncertainty},
		"two responses":       {[]response{{0, 90 * s}, {5 * s, 90 * s}}, 2, 90 * s, 1 * s},
		"three responses":     {[]response{{0, -time.Hour}, {0, -time.Hour}, {1 * s, -time.Hour}}, 3, -time.Hour, 1 * s},
		"the first one odd":   {[]response{{0, odd}, {1 * s, 0}, {2 * s, 0}}, 2, 0, 1 * s},
		"the second one odd":  {[]response{{0, 0}, {1 * s, odd}, {2 * s, 0}}, 2, 0, 1 * s},
		"two odd, unlike":     {[]response{{0, odd}, {1 * s, -odd}, {2 * s, 0}, {3 * s, 0}}, 2, 0, 1 * s},
		"nothing agrees":      {[]response{{0, 0}, {1 * s, time.Minute}, {2 * s, 2 * time.Minute}, {3 * s, 3 * time.Minute}}, 0, 3 * time.Minute, unknownUncertainty},
		"the third one odd":   {[]response{{0, 0}, {1 * s, 0}, {2 * s, odd}}, 2, 0, 1 * s},
		"odd by 45 s":         {[]response{{0, 0}, {1 * s, 0}, {20 * s, 45 * s}, {40 * s, 45 * s}}, 2, 0, 1 * s},
		"two odd in a row":    {[]response{{0, 0}, {1 * s, 0}, {20 * s, odd}, {60 * s, odd}}, 2, 0, 1 * s},
		"odd every other":     {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {20 * s, 0}, {30 * s, odd}, {40 * s, 0}, {50 * s, odd}, {60 * s, odd}}, 4, 0, 1 * s},
		"three odd in 9 s":    {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {12 * s, odd}, {19 * s, odd}}, 2, 0, 1 * s},
		"three odd, unlike":   {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {22 * s, 2 * odd}, {39 * s, 3 * odd}}, 2, 0, 1 * s},
		"three over 10 s":     {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {12 * s, odd}, {20 * s, odd}}, 3, odd, 1 * s},
		"set at a busy time":  {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {10 * s, odd}, {11 * s, odd}, {12 * s, odd}, {20 * s, odd}}, 5, odd, 1 * s},
		"set back":            {[]response{{0, odd}, {1 * s, odd}, {10 * s, 0}, {15 * s, 0}, {20 * s, 0}}, 3, 0, 1 * s},
		"set and set back":    {[]response{{0, 0}, {1 * s, 0}, {10 * s, odd}, {15 * s, odd}, {20 * s, odd}, {30 * s, 0}, {35 * s, 0}, {41 * s, 0}}, 5, 0, 1 * s},
		"servers 5 s apart":   {[]response{{0, 0}, {1 * s, 5 * s}, {2 * s, 0}, {3 * s, 5 * s}}, 4, 2500 * time.Millisecond, 4 * s},
		"servers 9 s apart":   {[]response{{0, 9 * s}, {1 * s, 0}}, 2, 4500 * time.Millisecond, 6 * s},
		"a third server":      {[]response{{0, 0}, {1 * s, 9 * s}, {2 * s, 18 * s}}, 2, 4500 * time.Millisecond, 6 * s},
		"servers 40 s apart":  {[]response{{0, 0}, {1 * s, 40 * s}, {2 * s, 0}, {20 * s, 40 * s}, {25 * s, 40 * s}, {28 * s, 0}, {31 * s, 40 * s}}, 3, 0, 1 * s},
		"a proof of both":     {[]response{{0, 0}, {1 * s, 0}, {20 * s, 40 * s}, {25 * s, 40 * s}, {31 * s, 40 * s}, {32 * s, 0}}, 3, 20 * s, 21 * s},
		"both, then one only": {[]response{{0, 0}, {1 * s, 0}, {20 * s, 40 * s}, {25 * s, 40 * s}, {31 * s, 40 * s}, {32 * s, 0}, {40 * s, 40 * s}, {45 * s, 40 * s}, {50 * s, 40 * s}}, 6, 40 * s, 1 * s},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := &Clock{}
			for _, r := range tt.responses {
				respond(c, r.at, r.at, r.at, r.offset)
			}
			if got := c.Agreeing(); got != tt.agreeing {
				t.Errorf("%d responses agree, want %d", got, tt.agreeing)
			}
			if got := c.Offset(); (got - tt.offset).Abs() > s {
				t.Errorf("the offset is %v, want %v", got, tt.offset)
			}
			if got := c.Uncertainty(); got > tt.atMost || got < tt.atMost-2*s {
				t.Errorf("the uncertainty is %v, want %v or a little less", got, tt.atMost)
			}
			if got := c.ToLocal(noon.Add(tt.offset)); got.Sub(noon).Abs() > s {
				t.Errorf("noon there is %v here", got)
			}
		})
	}
}

// A slow response allows many offsets. It agrees with most, and widens nothing.
func TestClockSlowResponses(t *testing.T) {
	t.Parallel()

	const offset = 90 * s
	c := &Clock{}
	respond(c, 0, 5*s, 10*s, offset)
	respond(c, 0, 1*s, 10*s, offset)
	if got := c.Uncertainty(); (c.Offset()-offset).Abs() > got || got > 5500*time.Millisecond {
		t.Errorf("after slow responses: %v ± %v", c.Offset(), got)
	}
	respond(c, 20*s, 20900*time.Millisecond, 20900*time.Millisecond, offset)
	respond(c, 30*s, 30*s, 30*s, offset)
	before, uncertainty := c.Offset(), c.Uncertainty()
	if (before-offset).Abs() > uncertainty || uncertainty > s {
		t.Errorf("after fast responses: %v ± %v", before, uncertainty)
	}
	respond(c, 40*s, 50*s, 60*s, offset)
	if c.Offset() != before || c.Uncertainty() != uncertainty {
		t.Errorf("a slow response moved it from %v ± %v to %v ± %v", before, uncertainty, c.Offset(), c.Uncertainty())
	}
}

// When this machine's clock is set, the estimate is dropped, and a response that was
// under way meanwhile counts nothing.
func TestClockStep(t *testing.T) {
	t.Parallel()

	c := &Clock{}
	set := noon.Add(30 * s) // this machine's clock is set by an hour then
	c.step = func(from, to time.Time) time.Duration {
		if from.Before(set) != to.Before(set) {
			return time.Hour
		}
		return 0
	}
	for i := range 5 {
		respond(c, time.Duration(i)*s, time.Duration(i)*s, time.Duration(i)*s, 0)
	}
	c.last = noon.Add(5 * s)
	respond(c, 29*s, 29*s, 31*s, 0)
	c.last = time.Time{} // the other calls are by the real clock
	if got := c.Agreeing(); got != 0 || c.Offset() != 0 {
		t.Errorf("%d agree after the step, offset %v", got, c.Offset())
	}
	for i := range 2 {
		at := 40*s + time.Duration(i)*s
		c.last = noon.Add(at)
		respond(c, at, at, at, -time.Hour)
	}
	c.last = time.Time{}
	if c.Agreeing() != 2 || (c.Offset()+time.Hour).Abs() > s {
		t.Errorf("%d agree, offset %v; want 2, and minus an hour", c.Agreeing(), c.Offset())
	}

	// A query notices it, too.
	c.step = func(time.Time, time.Time) time.Duration { return -2 * s }
	c.last = noon
	if got := c.Agreeing(); got != 0 {
		t.Errorf("%d agree after a step", got)
	}
}

// The real clocks never seem to be set.
func TestClockRealTime(t *testing.T) {
	t.Parallel()

	c := &Clock{}
	for range 3 {
		now := time.Now()
		c.observe(200, now, time.Now(), now.UTC().Format(http.TimeFormat))
	}
	if c.Agreeing() != 3 || c.Offset().Abs() > 2*s || c.Uncertainty() > s {
		t.Errorf("%v ± %v, %d agree", c.Offset(), c.Uncertainty(), c.Agreeing())
	}
}

// FuzzClock gives a Clock a service with one to three servers whose clocks differ by
// up to 9 s, slow and fast responses, odd ones in between, and a time at which the
// service's clock is set. The estimate covers every server that gave a fast
// response,// except between that time and three responses over 10 s.
func FuzzClock(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed%3+1), uint16(seed*700), uint8(seed*13), int64(seed)*1_000_000_007)
	}
	f.Fuzz(func(t *testing.T, seed uint64, servers uint8, spread uint16, oddShare uint8, jump int64) {
		r := rand.New(rand.NewPCG(seed, 1))
		span := time.Duration(spread) * time.Millisecond % (9 * s)
		offset := time.Duration(r.Int64N(int64(4*time.Hour))) - 2*time.Hour
		offsets := make([]time.Duration, servers%3+1)
		for i := range offsets {
			offsets[i] = time.Duration(i) * span / time.Duration(len(offsets))
		}
		c := &Clock{}
		var now, rowStart time.Duration
		settled := true
		known := make([]bool, len(offsets)) // servers that gave a fast response
		respondNow := func(offset time.Duration) (fast bool) {
			latency := time.Duration(r.Int64N(int64(200 * time.Millisecond)))
			if r.IntN(5) == 0 {
				latency = time.Duration(r.Int64N(int64(15 * s)))
			}
			at := now + time.Duration(r.Int64N(int64(latency)+1))
			respond(c, now, at, now+latency, offset)
			now += latency
			return latency < 200*time.Millisecond
		}
		normal := func() {
			i := r.IntN(len(offsets))
			if respondNow(offset + offsets[i]) {
				known[i] = true
			}
		}
		normal()
		normal()
		inARow := 0
		for i := range 60 {
			now += time.Duration(r.Int64N(int64(20 * s)))
			if i == 30 { // the service's clock is set, by more than any spread
				step := time.Duration(jump) % (100 * time.Hour)
				if step.Abs() < 21*s {
					step = 40 * s
				}
				offset += step
				settled, inARow = false, 0
				clear(known)
			}
			if uint8(r.IntN(256)) < oddShare && inARow > 0 && i > 0 {
				// Never twice in a row, so that odd responses can't outvote the others.
				respondNow(offset + time.Duration(r.Int64N(int64(200*time.Hour))) - 100*time.Hour)
				inARow = 0
				if !settled {
					clear(known) // the row that is to be believed starts again
				}
			} else {
				normal()
				if inARow++; inARow == 1 {
					rowStart = now
				}
				settled = settled || inARow >= 3 && now-rowStart >= minContradiction
				if settled {
					check(t, c, offset, offsets, known, fmt.Sprintf("response %d", i))
				}
			}
		}
	})
}

// check asserts that the estimate covers the offset of every known server.
func check(t *testing.T, c *Clock, offset time.Duration, offsets []time.Duration, known []bool, when string) {
	t.Helper()
	if c.Agreeing() < 2 {
		t.Fatalf("%s: %d responses agree", when, c.Agreeing())
	}
	got, uncertainty := c.Offset(), c.Uncertainty()
	for i, o := range offsets {
		if diff := (got - offset - o).Abs(); known[i] && diff > uncertainty+200*time.Millisecond {
			t.Fatalf("%s: a server is at %v, the estimate is %v ± %v", when, offset+o, got, uncertainty)
		}
	}
}

// TestDisputed: after a contradiction an estimate is disputed until three responses
// in a row over at least ten seconds agree with it.
func TestDisputed(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		offsets []time.Duration // of the responses, five seconds apart
		want    bool
	}{
		{"no response", nil, false},
		{"all agree", []time.Duration{0, 0, 0}, false},
		{"the first one was odd", []time.Duration{time.Hour, 0, 0}, true},
		{"odd first, then two more", []time.Duration{time.Hour, 0, 0, 0, 0}, true},
		{"odd first, then settled", []time.Duration{time.Hour, 0, 0, 0, 0, 0}, false},
		{"an odd one in between", []time.Duration{0, 0, time.Hour, 0, 0}, true},
		{"settled after it", []time.Duration{0, 0, time.Hour, 0, 0, 0}, false},
		{"two servers in turn", []time.Duration{0, -20 * time.Minute, -20 * time.Minute, 0, -20 * time.Minute, 0, -20 * time.Minute}, true},
	} {
		c := &Clock{step: func(time.Time, time.Time) time.Duration { return 0 }}
		for i, offset := range tt.offsets {
			now := at.Add(time.Duration(i) * 5 * time.Second)
			c.observe(http.StatusOK, now, now, now.Add(offset).Format(http.TimeFormat))
		}
		if got := c.Disputed(); got != tt.want {
			t.Errorf("%s: disputed %v, want %v", tt.name, got, tt.want)
		}
	}
}
