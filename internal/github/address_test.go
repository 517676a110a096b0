package github

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// server responds for one repository with some addresses.
type server struct {
	byID, byName bool  // which addresses of secrets and keys it has
	id           int64 // of the repository that has the name; 0 for none
	secret, key  int   // their statuses
}

func (s server) respond(r request) response {
	status := http.StatusNotFound
	switch {
	case r.path == "/repos/acme/api" && s.id != 0:
		return response{status: 200, body: fmt.Sprintf(`{"id":%d}`, s.id)}
	case strings.HasPrefix(r.path, "/repositories/1/") && !s.byID, strings.HasPrefix(r.path, "/repos/acme/api/") && !s.byName:
	case strings.HasSuffix(r.path, "/public-key"):
		status = s.key
	case strings.Contains(r.path, "/secrets/"):
		status = s.secret
	}
	if status != 200 {
		return response{status: status}
	}
	return response{status: 200, body: `{"key_id":"1","key":"` + goodKey + `","updated_at":"2026-11-20T08:00:00Z"}`}
}

// TestAddresses: secrets and keys are read by ID, unless the first reads show that the
// server lacks these addresses.
func TestAddresses(t *testing.T) {
	t.Parallel()

	const (
		byID, keyByID     = "/repositories/1/actions/secrets/N", "/repositories/1/actions/secrets/public-key"
		byName, keyByName = "/repos/acme/api/actions/secrets/N", "/repos/acme/api/actions/secrets/public-key"
		repository        = "/repos/acme/api"
	)
	for name, tt := range map[string]struct {
		server
		reads string // s: a secret, k: a key, one after the other
		want  []string
		found string // for each read: y, n (absent or not found), d (denied)
	}{
		"by ID":                          {server{true, true, 1, 200, 200}, "ssk", []string{byID, byID, keyByID}, "yyy"},
		"by ID, denied":                  {server{true, true, 1, 403, 200}, "ssk", []string{byID, byID, keyByID}, "ddy"},
		"by ID, absent at first":         {server{true, true, 1, 404, 200}, "skss", []string{byID, repository, byName, keyByID, byID, byID}, "nynn"},
		"by ID, absent twice":            {server{true, true, 1, 404, 200}, "sss", []string{byID, repository, byName, byID, keyByID, byID}, "nnn"},
		"by ID, all hidden":              {server{true, true, 1, 404, 404}, "skss", []string{byID, repository, byName, keyByID, repository, keyByName, byID, keyByID, repository, keyByName, byID, keyByID, repository, keyByName}, "nnnn"},
		"by name, the secret first":      {server{false, true, 1, 200, 200}, "ssk", []string{byID, repository, byName, byName, keyByName, repository}, "yyy"},
		"by name, the key first":         {server{false, true, 1, 404, 200}, "kss", []string{keyByID, repository, keyByName, repository, byName, byName}, "ynn"},
		"by name, absent at first":       {server{false, true, 1, 404, 200}, "sks", []string{byID, repository, byName, keyByID, repository, keyByName, repository, byName}, "nyn"},
		"by name, absent, then denied":   {server{false, true, 1, 404, 403}, "sk", []string{byID, repository, byName, keyByID, repository, keyByName}, "nd"},
		"by name, denied":                {server{false, true, 1, 403, 200}, "s", []string{byID, repository, byName}, "d"},
		"by name, denied, then a key":    {server{false, true, 1, 403, 200}, "sk", []string{byID, repository, byName, keyByName, repository}, "dy"},
		"gone":                           {server{true, true, 0, 404, 404}, "s", []string{byID, repository}, "n"},
		"no repository with this name":   {server{true, false, 0, 404, 200}, "ssk", []string{byID, repository, byID, keyByID, keyByID}, "nny"},
		"another repository of the name": {server{true, true, 2, 404, 404}, "s", []string{byID, repository}, "o"},
		// Its key is no evidence, although the repository itself is gone by ID.
		"another repository, read twice": {server{false, true, 2, 404, 200}, "ssk", []string{byID, repository, byID, keyByID, repository, keyByID, repository}, "ooo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c, s := newClient(t, cloud, tt.respond)
			var found strings.Builder
			for _, kind := range tt.reads {
				var err error
				var at time.Time
				if kind == 's' {
					at, err = c.SecretUpdated(t.Context(), api, "actions", "N")
				} else {
					_, err = c.PublicKey(t.Context(), api, "actions")
				}
				switch {
				case IsDifferentRepository(err):
					found.WriteByte('o')
				case wire.StatusOf(err) == http.StatusForbidden:
					found.WriteByte('d')
				case wire.IsNotFound(err), err == nil && kind == 's' && at.IsZero():
					found.WriteByte('n')
				case err == nil:
					found.WriteByte('y')
				default:
					t.Error(err)
				}
			}
			var paths []string
			for _, r := range s.seen {
				paths = append(paths, r.path)
			}
			if !slices.Equal(paths, tt.want) || found.String() != tt.found {
				t.Errorf("got  %s, %q\nwant %s, %q", found.String(), paths, tt.found, tt.want)
			}
		})
	}
}

// TestHiddenRepositoriesShowNothing: on a server without addresses by ID, hidden
// repositories are read first. The secret of the next one is found all the same, and
// the reads of hidden ones take place side by side.
func TestHiddenRepositoriesShowNothing(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, cloud, nil)
		c.gh.Client().Transport.(*wire.Transport).Base = slow{func(r request) response {
			if strings.Contains(r.path, "hidden") {
				return server{false, false, 0, 404, 404}.respond(r)
			}
			return server{false, true, 1, 200, 200}.respond(r)
		}}
		started := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				hidden := api
				hidden.Name = "hidden"
				if at, err := c.SecretUpdated(t.Context(), hidden, "actions", "N"); err != nil || !at.IsZero() {
					t.Error(at, err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(started); took > 15*time.Second {
			t.Errorf("100 reads took %v", took)
		}
		if at, err := c.SecretUpdated(t.Context(), api, "actions", "N"); err != nil || at.IsZero() {
			t.Errorf("the secret was not found: %v, %v", at, err)
		}
	})
}

// TestNameChangesHands: on a server without addresses by ID, the key of another
// repository that took the name is not used.
func TestNameChangesHands(t *testing.T) {
	t.Parallel()

	s := server{false, true, 1, 200, 200}
	c, _ := newClient(t, cloud, func(r request) response { return s.respond(r) })
	if _, err := c.PublicKey(t.Context(), api, "actions"); err != nil {
		t.Fatal(err)
	}
	s.id = 2
	key, err := c.PublicKey(t.Context(), api, "actions")
	if !IsDifferentRepository(err) || key != (Key{}) || !strings.Contains(err.Error(), "acme/api") {
		t.Errorf("got %v, %v", key, err)
	}
}

// TestAddressesLearnedOnce: many reads at once learn the addresses with the requests
// of one.
func TestAddressesLearnedOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		n := 0
		c, _ := newClient(t, cloud, nil)
		c.gh.Client().Transport.(*wire.Transport).Base = slow{func(r request) response {
			mu.Lock()
			defer mu.Unlock()
			n++
			return server{false, true, 1, 200, 200}.respond(r)
		}}
		started := time.Now()
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if at, err := c.SecretUpdated(t.Context(), api, "actions", "N"); err != nil || at.IsZero() {
					t.Error(at, err)
				}
			})
		}
		wg.Wait()
		if n != 16+2 || time.Since(started) != 4*time.Second {
			t.Errorf("%d requests in %v", n, time.Since(started))
		}
	})
}

// slow responds after a second, to any number of requests at once.
type slow struct{ respond func(request) response }

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	one := &service{host: r.URL.Host, answer: s.respond}
	return one.RoundTrip(r)
}

// TestRedirects: a renamed repository redirects to itself by ID. Nothing else is
// followed, and nothing twice.
func TestRedirects(t *testing.T) {
	t.Parallel()

	const base = "https://ghes.test/api/v3"
	for name, tt := range map[string]struct {
		location string
		status   int
		follows  bool
	}{
		"itself":              {base + "/repositories/1/actions/secrets/N", 307, true},
		"itself, permanently": {base + "/repositories/1/actions/secrets/N", 308, true},
		"a relative address":  {"/api/v3/repositories/1/actions/secrets/N", 307, true},
		"losing the body":     {base + "/repositories/1/actions/secrets/N", 301, false},
		"another repository":  {base + "/repositories/2/actions/secrets/N", 307, false},
		"another store":       {base + "/repositories/1/dependabot/secrets/N", 307, false},
		"another secret":      {base + "/repositories/1/actions/secrets/M", 307, false},
		"around a corner":     {base + "/repositories/1/../2/actions/secrets/N", 307, false},
		"encoded":             {base + "/repositories/1%2f..%2f2/actions/secrets/N", 307, false},
		"a query":             {base + "/repositories/1/actions/secrets/N?x=y", 307, false},
		"another name":        {base + "/repos/acme/other/actions/secrets/N", 307, false},
		"another API":         {"https://ghes.test/repositories/1/actions/secrets/N", 307, false},
		"another host":        {"https://evil.test/api/v3/repositories/1/actions/secrets/N", 307, false},
		"another port":        {"https://ghes.test:8443/api/v3/repositories/1/actions/secrets/N", 307, false},
		"without TLS":         {"http://ghes.test/api/v3/repositories/1/actions/secrets/N", 307, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c, s := newClient(t, base, func(r request) response {
				if strings.HasPrefix(r.path, "/api/v3/repos/") {
					return response{status: tt.status, location: tt.location}
				}
				return response{status: 204}
			})
			_, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
			if !tt.follows {
				if e := asError(t, err); e.Disposition != wire.Rejected || len(s.seen) != 1 {
					t.Errorf("%v, %d requests", err, len(s.seen))
				}
				return
			}
			if err != nil || len(s.seen) != 2 {
				t.Fatalf("%v, %d requests", err, len(s.seen))
			}
			first, second := s.seen[0], s.seen[1]
			if second.method != "PUT" || second.body != first.body || sealedFor(t, second.body) != "17" || second.header.Get("Authorization") == "" {
				t.Errorf("the secret was sent as %+v", second)
			}
		})
	}

	// A repository that redirects to itself by ID, again and again.
	c, s := newClient(t, base, func(request) response {
		return response{status: 307, location: base + "/repositories/1/actions/secrets/N"}
	})
	_, err := c.PutSecret(t.Context(), api, "actions", "N", testKey, secret.New("value"))
	if e := asError(t, err); e.Disposition != wire.Rejected || len(s.seen) != 2 || !strings.Contains(e.Message, "more than once") {
		t.Errorf("%v, %d requests", err, len(s.seen))
	}
}
