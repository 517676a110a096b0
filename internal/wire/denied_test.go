package wire

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDenials: when a request with a rejected credential is sent again.
func TestDenials(t *testing.T) {
	t.Parallel()

	seconds := func(s ...int) []time.Duration {
		var d []time.Duration
		for _, n := range s {
			d = append(d, time.Duration(n)*time.Second)
		}
		return d
	}
	const none = -1 // no credential is created
	for name, tt := range map[string]struct {
		age      int   // of the credential at the first request, in seconds
		statuses []int // of the responses; the last one repeats
		renews   bool  // OnUnauthorized renews the credential
		sent     []time.Duration
		want     int // status in the end
	}{
		"accepted":                      {none, []int{200}, false, seconds(0), 0},
		"hiccup":                        {none, []int{401, 200}, false, seconds(0, 2), 0},
		"rejected":                      {none, []int{401}, false, seconds(0, 2), 401},
		"denied":                        {none, []int{403}, false, seconds(0), 403},
		"hiccup, then denied":           {none, []int{401, 403}, false, seconds(0, 2), 403},
		"old, denied":                   {10, []int{403}, false, seconds(0), 403},
		"old, hiccup":                   {10, []int{401, 200}, false, seconds(0, 2), 0},
		"fresh, unknown once":           {9, []int{401, 200}, false, seconds(0, 1), 0},
		"fresh, denied twice":           {0, []int{403, 403, 200}, false, seconds(0, 1, 3), 0},
		"fresh, both":                   {0, []int{401, 403, 401, 200}, false, seconds(0, 1, 3, 7), 0},
		"fresh, denied for good":        {0, []int{403}, false, seconds(0, 1, 3, 7), 403},
		"fresh, unknown for good":       {0, []int{401}, false, seconds(0, 1, 3, 7, 9), 401},
		"fresh, not found":              {0, []int{404}, false, seconds(0), 404},
		"renewed":                       {20, []int{401, 200}, true, seconds(0, 0), 0},
		"renewed, unknown":              {20, []int{401, 403, 401, 200}, true, seconds(0, 0, 1, 3), 0},
		"renewed, rejected for good":    {20, []int{401}, true, seconds(0, 0, 1, 3, 7), 401},
		"fresh, then renewed, rejected": {0, []int{401}, true, seconds(0, 1, 3, 7, 7, 8, 10, 14), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				created := map[string]time.Time{"first": started.Add(-time.Duration(tt.age) * time.Second)}
				credential := "first"
				var sent []time.Duration
				tr := newTransport(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					if b, _ := io.ReadAll(r.Body); string(b) != "the body" {
						t.Errorf("the body was sent as %q", b)
					}
					sent = append(sent, time.Since(started))
					return answer(tt.statuses[min(len(sent), len(tt.statuses))-1], ""), nil
				}))
				tr.Authorize = func(r *http.Request) error { r.Header.Set("Authorization", credential); return nil }
				if tt.age != none {
					tr.CreatedAt = func(r *http.Request) time.Time { return created[r.Header.Get("Authorization")] }
				}
				if tt.renews {
					tr.OnUnauthorized = func(*http.Request, *Error) (bool, time.Duration) {
						credential = "second"
						created["second"] = time.Now()
						return true, 0
					}
				}
				resp, err := tr.Client().Post(origin1, "text/plain", strings.NewReader("the body"))
				if err == nil {
					_ = resp.Body.Close()
				}
				if StatusOf(err) != tt.want || !slices.Equal(sent, tt.sent) {
					t.Errorf("sent at %v, want %v; %v", sent, tt.sent, err)
				}
			})
		})
	}
}

// Rate limits and overload are not denials, and the wait after a denial ends with the
// context.
func TestDenialsThatAreNone(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		n := 0
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
			n++
			switch n {
			case 1:
				return answer(401, `{"message":"secondary rate limit"}`), nil
			case 2:
				return answer(403, "", "Retry-After", "60"), nil
			}
			return answer(401, ""), nil
		}))
		tr.CreatedAt = func(*http.Request) time.Time { return time.Now() }
		started := time.Now()
		for _, want := range []int{401, 403} {
			if err := get(t, tr.Client(), origin1); StatusOf(err) != want || time.Since(started) != 0 {
				t.Errorf("%v after %v", err, time.Since(started))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin1, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.Client().Do(req)
		if StatusOf(err) != 401 || time.Since(started) != 1500*time.Millisecond || n != 4 {
			t.Errorf("%v after %v and %d requests", err, time.Since(started), n)
		}
	})
}
