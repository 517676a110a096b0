package diagnosis

import (
	"testing"
	"time"
)

func TestLongestGap(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour
	for schedule, want := range map[string]time.Duration{
		"17 4 * * 1":        7 * day,
		"17 4 * * MON":      7 * day,
		"17 4 * * 1,4":      4 * day,
		"17 4 * * 1-5":      3 * day,
		"17 4 * * 0":        7 * day,
		"17 4 * * *":        day,
		"17 */6 * * *":      6 * time.Hour,
		"17 4,6 * * *":      22 * time.Hour,
		"*/15 * * * *":      15 * time.Minute,
		"5/20 * * * *":      20 * time.Minute,
		"17 4 1 * *":        31 * day,
		"17 4 31 * *":       61 * day,
		"17 4 1 */3 *":      92 * day,
		"17 4 1 jan *":      366 * day,
		"17 4 1,15 * *":     17 * day,
		"17 4 1 * 1":        7 * day, // one of the two is enough
		"17 4 */2 * *":      2 * day,
		"17 4 29 2 *":       (4*365 + 1) * day,
		"17 4 30 2 *":       0,
		"  17  4  *  *  2 ": 7 * day,
	} {
		got, err := longestGap(schedule)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", schedule, got, err, want)
		}
	}
	for _, schedule := range []string{
		"", "17 4 * *", "17 4 * * 1 1", "60 4 * * *", "17 24 * * *", "17 4 0 * *", "17 4 32 * *", "17 4 * 13 *", "17 4 * * 8",
		"17 4 * foo *", "17 4 * * 5-1", "17 4 */0 * *", "17 4 */x * *", "17 4 1- * *", "@daily", "-1 4 * * *",
	} {
		if got, err := longestGap(schedule); err == nil {
			t.Errorf("%q: %v, want an error", schedule, got)
		}
	}
}

// FuzzLongestGap: no schedule causes a panic or an endless loop, and a gap has bounds.
func FuzzLongestGap(f *testing.F) {
	f.Add("17 4 * * 1")
	f.Add("*/99999999999 1-2/3 29 feb sun,7")
	f.Fuzz(func(t *testing.T, schedule string) {
		gap, err := longestGap(schedule)
		if err != nil && gap != 0 || gap < 0 || gap > 13*366*24*time.Hour {
			t.Errorf("%q: %v, %v", schedule, gap, err)
		}
	})
}
