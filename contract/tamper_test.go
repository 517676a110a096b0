package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestEveryFieldCounts shows that the check finds mistakes: it renames each field of
// every request's and response's body in turn, at any depth, and each time there
// must be a finding.
func TestEveryFieldCounts(t *testing.T) {
	t.Parallel()

	published := load(t)
	var exchanges []exchange
	for _, o := range []sandbox.Options{
		{},
		{OwnerType: "User"},
		{Credentials: []sandbox.Credential{{Value: "ghs_given", Kind: sandbox.Installation}}},
		{Legacy: true},
		appOptions("Organization"),
		appOptions("User"),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t, o)
			p.add("api")
			in := inputs{"codacy-api-url": sandbox.CodacyURL, "secret-stores": allStores, "rotate": "always", "revoke-after-hours": "0"}
			switch {
			case o.Credentials != nil:
				in["github-token"] = "ghs_given"
			case o.App != nil:
				in["github-token"], in["github-app-id"], in["github-app-private-key"] = "", "12", appKey
			}
			for range 2 { // the second one finds the first one's tokens
				p.run(0, in)
				p.Advance(time.Hour)
			}
			p.run(2, inputs{"codacy-api-token": "invalid", "github-token": "invalid"})
			exchanges = append(exchanges, p.exchanges...)
		})
	}
	seen := map[string]bool{}
	renamed := 0
	for v, x := range published.verdicts(exchanges) {
		if len(v.findings) > 0 {
			t.Fatalf("before a field was renamed: %v", v.findings)
		}
		for what, body := range map[string]*string{"request": &x.Body, "response": &x.Response} {
			for _, field := range fields(t, *body) {
				key := fmt.Sprintf("the %s of %s (%d): %s", what, v.operation, x.Status, field)
				if seen[key] {
					continue
				}
				seen[key] = true
				renamed++
				clean := *body
				*body = rename(t, clean, field)
				if len(published.check(x, false).findings) == 0 {
					t.Errorf("%s was renamed, and there is no finding", key)
				}
				*body = clean
			}
		}
	}
	if renamed < 100 {
		t.Errorf("only %d fields were renamed", renamed)
	}
	t.Logf("%d fields renamed", renamed)
}

// fields lists the paths of all fields in a JSON text. Only the first element of a
// list counts.
func fields(t *testing.T, body string) []string {
	t.Helper()
	if body == "" {
		return nil
	}
	var paths []string
	walk(decode(t, body), "", func(object map[string]any, at, name string) {
		paths = append(paths, at+"/"+name)
	})
	slices.Sort(paths)
	return paths
}

// rename renames the field at a path, wherever it occurs.
func rename(t *testing.T, body, path string) string {
	t.Helper()
	v := decode(t, body)
	walk(v, "", func(object map[string]any, at, name string) {
		if at+"/"+name == path {
			object[name+"X"] = object[name]
			delete(object, name)
		}
	})
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode(t *testing.T, body string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// walk calls f for each field of v, the inner ones first.
func walk(v any, at string, f func(object map[string]any, at, name string)) {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			walk(v[0], at+"[]", f)
		}
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			walk(v[name], at+"/"+name, f)
			f(v, at, name)
		}
	}
}

// tampering is a possible mistake of one side.
type tampering struct {
	name  string
	apply func(*exchange)
	want  string // in a finding
}

// in applies a change to the exchanges with a method and a part of the path.
func in(method, path string, change func(*exchange)) func(*exchange) {
	return func(x *exchange) {
		if x.Method == method && strings.Contains(x.URL.Path, path) {
			change(x)
		}
	}
}

// TestTampering runs the program with a mistake on one of the sides, which must be
// found.
func TestTampering(t *testing.T) {
	t.Parallel()

	published := load(t)
	body := func(from, to string) func(*exchange) {
		return func(x *exchange) { x.Body = strings.ReplaceAll(x.Body, from, to) }
	}
	query := func(from, to string) func(*exchange) {
		return func(x *exchange) {
			u := *x.URL
			u.RawQuery = strings.Replace(u.RawQuery, from, to, 1)
			x.URL = &u
		}
	}
	path := func(from, to string) func(*exchange) {
		return func(x *exchange) {
			u := *x.URL
			u.Path = strings.Replace(u.Path, from, to, 1)
			x.URL = &u
		}
	}
	header := func(name, value string) func(*exchange) {
		return func(x *exchange) {
			x.Header.Del(name)
			if value != "" {
				x.Header.Set(name, value)
			}
		}
	}
	reply := func(from, to string) func(*exchange) {
		return func(x *exchange) { x.Response = strings.ReplaceAll(x.Response, from, to) }
	}
	status := func(n int) func(*exchange) { return func(x *exchange) { x.Status = n } }
	const post, put, get = http.MethodPost, http.MethodPut, http.MethodGet

	requests := []tampering{
		{"none", func(*exchange) {}, ""},
		{"name of a new token", in(post, "/tokens", body(`"name"`, `"title"`)), `property "title" is unsupported`},
		{"its expiry", in(post, "/tokens", body(`"expiresAt"`, `"expires_at"`)), `property "expires_at" is unsupported`},
		{"its expiry's form", in(post, "/tokens", body(`Z"`, `"`)), "date-time"},
		{"a field more", in(post, "/tokens", body(`{`, `{"scope":"all",`)), `property "scope" is unsupported`},
		{"key of a secret", in(put, "/actions/secrets/", body(`"key_id"`, `"keyId"`)), `property "key_id" is missing`},
		{"key of a Dependabot secret", in(put, "/dependabot/secrets/", body(`"key_id"`, `"keyId"`)), `property "keyId" is unsupported`},
		{"value of a secret", in(put, "/agents/secrets/", body(`"encrypted_value"`, `"value"`)), `property "encrypted_value" is missing`},
		{"form of a value", in(put, "/codespaces/secrets/", body(`"encrypted_value":"`, `"encrypted_value":"-_`)), "regular expression"},
		{"a parameter", in(get, "/repositories", query("limit=", "size=")), `parameter "size" is not declared`},
		{"a parameter's value", in(get, "/repositories", query("limit=100", "limit=1000")), `parameter "limit" in query has an error: number must be at most 100`},
		{"a parameter of GitHub", in(get, "/repos", query("per_page=", "perPage=")), `parameter "perPage" is not declared`},
		{"a path", in(get, "/tokens", path("/tokens", "/api-tokens")), "no such operation"},
		{"a store", in(get, "/secrets", path("/agents/", "/agent/")), "no such operation"},
		{"a method", in(put, "/secrets/", func(x *exchange) { x.Method = post }), "no such operation"},
		{"no token of Codacy", in(get, "/user", header("Api-Token", "")), "no header api-token"},
		{"no token of GitHub", in(get, "/repos", header("Authorization", "")), "no bearer token"},
		{"kind of a body", in(post, "/tokens", header("Content-Type", "text/plain")), "Content-Type"},
		{"an undeclared body", in("DELETE", "/tokens/", func(x *exchange) { x.Body = "{}" }), "not allowed"},
	}
	responses := []tampering{
		{"none", func(*exchange) {}, ""},
		{"the list", in(get, "/tokens", reply(`"data"`, `"items"`)), `property "data" is missing`},
		{"value of a new token", in(post, "/tokens", reply(`"token"`, `"value"`)), `property "value" is unsupported`},
		{"creation of a token", in(get, "/tokens", reply(`"createdAt"`, `"created"`)), `property "created" is unsupported`},
		{"id of a repository", in(get, "/acme/repositories", reply(`"remoteIdentifier"`, `"remoteId"`)), `property "remoteId" is unsupported`},
		{"state of a repository", in(get, "/acme/repositories", reply(`"Added"`, `"Joined"`)), "not one of the allowed values"},
		{"the cursor", in(get, "/acme/repositories", reply(`"cursor"`, `"next"`)), `property "next" is unsupported`},
		{"kind of an owner", in(get, "/users/", reply(`"type"`, `"kind"`)), `"/type"`},
		{"name of a repository", in(get, "/orgs/", reply(`"archived"`, `"is_archived"`)), `property "is_archived" is unsupported`},
		{"a key", in(get, "/public-key", reply(`"key"`, `"public_key"`)), `property "key" is missing`},
		{"a key's id", in(get, "/public-key", reply(`"key_id":"`, `"key_id":0,"x":"`)), `must be a string`},
		{"time of a secret", in(get, "/secrets/CODACY", reply(`"updated_at"`, `"updated"`)), `property "updated_at" is missing`},
		{"a status", in(post, "/tokens", status(200)), "the status 200 is not declared"},
		{"a status of GitHub", in(put, "/secrets/", status(202)), "the status 202 is not declared"},
		{"an error's status", in(get, "/secrets/CODACY", status(418)), "the status 418 is not declared"},
		{"an undeclared body", in(put, "/secrets/", func(x *exchange) { x.Response, x.Status = "{}", 204 }), "has a body"},
		{"kind of a response", in(get, "/user", func(x *exchange) { x.ResponseHeader.Set("Content-Type", "text/html") }), "Content-Type"},
		{"no JSON", in(get, "/user", func(x *exchange) { x.Response = "<html>" }), "decode"},
	}
	for side, table := range map[string][]tampering{"request": requests, "response": responses} {
		for _, tt := range table {
			t.Run(side+"/"+tt.name, func(t *testing.T) {
				t.Parallel()

				var p *play
				synctest.Test(t, func(t *testing.T) {
					p = newPlay(t, runs["all stores"].options)
					p.add(names(3)...)
					if tt.name == "the cursor" {
						p.add(names(101)[3:]...) // on a second page
					}
					in := inputs{"secret-stores": allStores, "rotate": "always", "revoke-after-hours": "0", "writes-per-minute": "0"}
					if _, log := p.start(in); p.Total() < 30 {
						t.Fatalf("the first run ended too soon:\n%s", log)
					}
					p.Advance(time.Hour)
					if side == "request" {
						p.tamperRequest = tt.apply
					} else {
						p.tamperResponse = tt.apply
					}
					in["max-duration"] = "1m"
					p.start(in)
				})
				var findings []string
				for v := range published.verdicts(p.exchanges) {
					findings = append(findings, v.findings...)
				}
				switch {
				case tt.name == "none" && len(findings) > 0:
					t.Errorf("without a change: %s", findings[0])
				case tt.name == "none":
				case len(findings) == 0:
					t.Error("there is no finding")
				case !slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, tt.want) }):
					t.Errorf("no finding contains %q; the first: %s", tt.want, findings[0])
				}
			})
		}
	}
}
