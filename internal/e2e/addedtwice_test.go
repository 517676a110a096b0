package e2e

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestListedTwice: Codacy lists one repository under two names, or with and without its
// ID. The added entry counts. Of two added ones, the one with GitHub's name counts, and
// without it both fail.
func TestListedTwice(t *testing.T) {
	t.Parallel()

	entry := func(name, id string, added bool) map[string]any {
		state := "NotAdded"
		if added {
			state = "Added"
		}
		e := map[string]any{"name": name, "owner": "acme", "provider": "gh", "visibility": "Private", "addedState": state, "problems": []any{}}
		if id != "" {
			e["remoteIdentifier"] = id
		}
		return e
	}
	const id = "{id}" // of the repository on GitHub
	for name, c := range map[string]struct {
		first, second map[string]any
		outcome       string
	}{
		"an added and a not added entry": {entry("new", id, true), entry("old", id, false), "created"},
		"an added entry without the ID":  {entry("new", id, false), entry("new", "", true), "created"},
		"the old name is added":          {entry("old", id, true), entry("new", id, false), "created"},
		"two added entries, one with GitHub's name": {
			entry("old", id, true), entry("new", id, true), "created",
		},
		"two added entries with other names": {entry("old", id, true), entry("older", id, true), "failed"},
		"twice the same":                     {entry("new", id, true), entry("new", id, true), "created"},
	} {
		for _, swapped := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", in the other order"}[swapped], func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v := bubble(t, sandbox.Options{})
					remote := v.Add(sandbox.Repository{Name: "new", CodacyName: codacyName(c.first, c.second)})
					entries := []any{c.first, c.second}
					if swapped {
						entries = []any{c.second, c.first}
					}
					list, err := json.Marshal(map[string]any{"data": entries, "pagination": map[string]any{"limit": 100, "total": 2}})
					if err != nil {
						t.Fatal(err)
					}
					list = bytes.ReplaceAll(list, []byte(id), []byte(jsonNumber(remote)))
					transport := v.tampered(func(r *http.Request, _ *http.Response, body []byte) []byte {
						if strings.HasSuffix(r.URL.Path, "/acme/repositories") {
							return list
						}
						return body
					})
					code, out := v.start(t.Context(), nil, rand.New(rand.NewPCG(1, 2)), transport)
					if want := map[string]int{"created": 0, "failed": 1}[c.outcome]; code != want {
						t.Errorf("exit code %d, want %d\n%s", code, want, out)
					}
					if n := strings.Count(out, "\n"+c.outcome+" "); n != map[string]int{"created": 1, "failed": 2}[c.outcome] {
						t.Errorf("%d repositories %s\n%s", n, c.outcome, out)
					}
					if c.outcome == "created" {
						v.provisioned("new")
					} else if n := v.Writes(); n > 0 {
						t.Errorf("%d writes", n)
					}
				})
			})
		}
	}
}

// codacyName is the name by which the sandbox has to know the repository: that of the
// entry that counts.
func codacyName(entries ...map[string]any) string {
	name := ""
	for _, e := range entries {
		if e["addedState"] == "Added" && (name == "" || e["name"] == "new") {
			name = e["name"].(string)
		}
	}
	return name
}

func jsonNumber(n int64) string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(b)
}
