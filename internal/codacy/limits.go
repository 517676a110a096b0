package codacy

import (
	"net/url"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// Limits returns the rate limits of the API at that address: Codacy Cloud's 2,500
// requests per five minutes; none if it is self-hosted.
// https://docs.codacy.com/codacy-api/using-the-codacy-api/
func Limits(api *url.URL) []pace.Limit {
	if !isCloud(api) {
		return nil
	}
	return []pace.Limit{{
		Name: "2,500 requests per 5 minutes", Max: 2500, Period: 5 * time.Minute,
		Cost: func(string) int { return 1 },
	}}
}

func isCloud(api *url.URL) bool {
	host := strings.ToLower(api.Hostname())
	return host == "app.codacy.com" || host == "api.codacy.com"
}
