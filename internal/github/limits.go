package github

import (
	"fmt"
	"net/http"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// MaxWritesPerMinute is the number of writes that GitHub's 900 points per minute
// allow: 5 points each, and 1 for the public key that each needs.
const MaxWritesPerMinute = 150

// MaxConcurrentRequests is the number of requests that GitHub allows at a time.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
const MaxConcurrentRequests = 100

// Limits returns GitHub's rate limits, with at most that number of writes per
// minute; none for zero.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func Limits(writesPerMinute int) []pace.Limit {
	if writesPerMinute == 0 {
		return nil
	}
	return []pace.Limit{writeLimit(min(writesPerMinute, MaxWritesPerMinute)), pointLimit(), hourlyWriteLimit()}
}

func writeLimit(perMinute int) pace.Limit {
	return pace.Limit{Name: fmt.Sprintf("%d writes per minute", perMinute), Max: perMinute, Period: time.Minute, Cost: writeCost}
}

// hourlyWriteLimit is GitHub's limit of 500 content-creating requests per hour. It
// isn't documented whether writing a secret counts.
func hourlyWriteLimit() pace.Limit {
	return pace.Limit{Name: "500 writes per hour", Max: 500, Period: time.Hour, Cost: writeCost, Unconfirmed: true}
}

// writeCost counts the writes of secrets. A POST doesn't count: it creates an App's
// token, and requests that reserved capacity for their writes wait for that token.
func writeCost(method string) int {
	if method == http.MethodPut {
		return 1
	}
	return 0
}

// pointLimit is GitHub's limit of 900 points per minute: 5 for a write, 1 for a
// read.
func pointLimit() pace.Limit {
	return pace.Limit{Name: "900 points per minute", Max: 900, Period: time.Minute, Cost: func(method string) int {
		if pace.IsWrite(method) {
			return 5
		}
		return 1
	}}
}
