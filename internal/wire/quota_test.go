package wire

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuota(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		epoch := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
		for name, tt := range map[string]struct {
			limit, remaining, reset string
			offset                  time.Duration
			want                    *Quota
		}{
			"nothing":             {"", "", "", 0, nil},
			"no number":           {"5000", "many", epoch(time.Hour), 0, nil},
			"all":                 {"5000", "17", epoch(20 * time.Minute), 0, &Quota{5000, 17, now.Add(20*time.Minute + time.Second)}},
			"skewed":              {"5000", "17", epoch(20 * time.Minute), 5 * time.Minute, &Quota{5000, 17, now.Add(15*time.Minute + time.Second)}},
			"no limit":            {"", "17", epoch(20 * time.Minute), 0, &Quota{0, 17, now.Add(20*time.Minute + time.Second)}},
			"no reset":            {"5000", "0", "", 0, &Quota{5000, 0, time.Time{}}},
			"a reset of words":    {"5000", "0", "soon", 0, &Quota{5000, 0, time.Time{}}},
			"a reset far ahead":   {"5000", "0", epoch(72 * time.Hour), 0, &Quota{5000, 0, now.Add(time.Hour + time.Minute)}},
			"a reset in the past": {"5000", "0", epoch(-time.Hour), 0, &Quota{5000, 0, now.Add(-time.Hour + time.Second)}},
		} {
			h := http.Header{}
			h.Set("X-RateLimit-Limit", tt.limit)
			h.Set("X-RateLimit-Remaining", tt.remaining)
			h.Set("X-RateLimit-Reset", tt.reset)
			h.Set("Date", now.Add(tt.offset).UTC().Format(http.TimeFormat))
			got := (&Transport{Clock: &Clock{}}).quota(h)
			if (got == nil) != (tt.want == nil) || got != nil && (got.Limit != tt.want.Limit || got.Remaining != tt.want.Remaining || !got.Reset.Equal(tt.want.Reset)) {
				t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
			}
			if got.Exhausted() != (tt.remaining == "0") {
				t.Errorf("%s: exhausted %t", name, got.Exhausted())
			}
		}
	})
}
