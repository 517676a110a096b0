package codacy

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	t.Parallel()

	for address, cloud := range map[string]bool{
		"https://app.codacy.com/api/v3": true, "https://API.Codacy.com/api/v3": true, "https://app.codacy.com:443/api/v3": true,
		"https://codacy.acme.example/api/v3": false, "https://app.codacy.com.evil.test/api/v3": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := Limits(u)
		if !cloud {
			if len(got) != 0 {
				t.Errorf("%s has %d limits", address, len(got))
			}
			continue
		}
		if len(got) != 1 || got[0].Max != 2500 || got[0].Period != 5*time.Minute {
			t.Fatalf("%s has the limits %+v", address, got)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			if cost := got[0].Cost(method); cost != 1 {
				t.Errorf("%s costs %d", method, cost)
			}
		}
	}
}
