// Package cron tells how rare a schedule of GitHub Actions is: POSIX cron, five
// fields, in UTC. No library: those that were looked at tell the next time, not
// the longest gap, and this is a page of code.
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one of the five: its bounds, and its names from low on.
type field struct {
	low, high int
	names     []string
}

var fields = [5]field{
	{low: 0, high: 59},
	{low: 0, high: 23},
	{low: 1, high: 31},
	{low: 1, high: 12, names: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{low: 0, high: 7, names: strings.Fields("sun mon tue wed thu fri sat")}, // 7 is Sunday, too
}

// LongestGap is the longest time between two runs of a schedule, 0 for one that
// never comes (30 February). Its error tells what can't be read.
func LongestGap(schedule string) (time.Duration, error) {
	parts := strings.Fields(schedule)
	if len(parts) != len(fields) {
		return 0, fmt.Errorf("%d fields, want 5", len(parts))
	}
	var sets [5]map[int]bool
	for i, part := range parts {
		var err error
		if sets[i], err = fields[i].parse(part); err != nil {
			return 0, err
		}
	}
	minutes, hours, days, months, weekdays := sets[0], sets[1], sets[2], sets[3], sets[4]
	// Where both are restricted, either will do.
	either := !strings.HasPrefix(parts[2], "*") && !strings.HasPrefix(parts[4], "*")

	var times []time.Duration // of a day
	for h := range hours {
		for m := range minutes {
			times = append(times, time.Duration(h)*time.Hour+time.Duration(m)*time.Minute)
		}
	}
	slices.Sort(times)
	longest := time.Duration(0)
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i]-times[i-1])
	}
	// From a leap year over 2100, which is none, to the leap year after the next:
	// no schedule has a longer gap than one for 29 February has here.
	begin := time.Date(2096, 1, 1, 0, 0, 0, 0, time.UTC)
	var last time.Time
	for d := begin; d.Before(begin.AddDate(13, 0, 0)); d = d.AddDate(0, 0, 1) {
		weekday := weekdays[int(d.Weekday())] || d.Weekday() == time.Sunday && weekdays[7]
		fits := days[d.Day()] && weekday
		if either {
			fits = days[d.Day()] || weekday
		}
		if !fits || !months[int(d.Month())] {
			continue
		}
		if !last.IsZero() {
			longest = max(longest, d.Sub(last)-times[len(times)-1]+times[0])
		}
		last = d
	}
	if last.IsZero() {
		return 0, nil
	}
	return longest, nil
}

// parse reads a field: a list of *, a, a-b, each of them with a /step.
func (f field) parse(text string) (map[int]bool, error) {
	set := map[int]bool{}
	for _, item := range strings.Split(text, ",") {
		spread, stepText, stepped := strings.Cut(item, "/")
		low, high, step := f.low, f.high, 1
		var err error
		if spread != "*" {
			from, to, isRange := strings.Cut(spread, "-")
			if low, err = f.value(from); err != nil {
				return nil, err
			}
			switch {
			case isRange:
				if high, err = f.value(to); err != nil {
					return nil, err
				}
			case !stepped:
				high = low
			}
		}
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, fmt.Errorf("%q is no step", stepText)
			}
		}
		if low > high {
			return nil, fmt.Errorf("%q runs backwards", item)
		}
		for v := low; v <= high; v += min(step, f.high+1) { // no sum overflows
			set[v] = true
		}
	}
	return set, nil
}

func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.low + i, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < f.low || v > f.high {
		return 0, fmt.Errorf("%q is not from %d to %d", text, f.low, f.high)
	}
	return v, nil
}
