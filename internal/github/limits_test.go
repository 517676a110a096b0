package github

import (
	"net/http"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	t.Parallel()

	type limit struct {
		max         int
		period      time.Duration
		unconfirmed bool
		get, put    int
		post        int
	}
	for writes, want := range map[int][]limit{
		0:   nil,
		80:  {{80, time.Minute, false, 0, 1, 0}, {900, time.Minute, false, 1, 5, 5}, {500, time.Hour, true, 0, 1, 0}},
		150: {{150, time.Minute, false, 0, 1, 0}, {900, time.Minute, false, 1, 5, 5}, {500, time.Hour, true, 0, 1, 0}},
		999: {{150, time.Minute, false, 0, 1, 0}, {900, time.Minute, false, 1, 5, 5}, {500, time.Hour, true, 0, 1, 0}},
	} {
		got := Limits(writes)
		if len(got) != len(want) {
			t.Fatalf("%d writes: %d limits, want %d", writes, len(got), len(want))
		}
		for i, l := range got {
			is := limit{l.Max, l.Period, l.Unconfirmed, l.Cost(http.MethodGet), l.Cost(http.MethodPut), l.Cost(http.MethodPost)}
			if is != want[i] || l.Name == "" {
				t.Errorf("%d writes, %q: got %+v, want %+v", writes, l.Name, is, want[i])
			}
		}
	}
}
