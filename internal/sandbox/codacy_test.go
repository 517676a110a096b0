package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestTokens goes through the rules of the second generation.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	w.Add(sandbox.Repository{Name: "app"})
	c := newClient(t, w)
	now := w.Time()
	year := 365 * 24 * time.Hour
	body := func(name string, after time.Duration) map[string]any {
		return map[string]any{"name": name, "expiresAt": now.Add(after)}
	}

	first := c.create("web", "codacy-project-token-1")
	if first.Token == "" || first.Name != "codacy-project-token-1" || first.ID < 1<<31 {
		t.Errorf("created %+v", first)
	}
	listed := c.list("web")[first.Name]
	if listed.Token != "" || !listed.ExpiresAt.Equal(first.ExpiresAt) || listed.CreatedAt.IsZero() || listed.ID != first.ID {
		t.Errorf("listed %+v, created %+v", listed, first)
	}
	for name, test := range map[string]struct {
		body   any
		status int
		text   string
	}{
		"taken":        {body("codacy-project-token-1", time.Hour), 409, "already exists"},
		"letters":      {body("a_b", time.Hour), 422, "letters, digits"},
		"too long":     {body(strings.Repeat("a", 101), time.Hour), 422, "100 letters"},
		"past":         {body("a", -time.Second), 422, "future"},
		"too far":      {body("a", year+time.Minute), 422, "one year"},
		"no expiry":    {map[string]any{"name": "a"}, 400, "mandatory"},
		"no RFC 3339":  {map[string]any{"name": "a", "expiresAt": "tomorrow"}, 400, "mandatory"},
		"a year":       {body("a", year-time.Minute), 201, ""},
		"no name":      {body("", time.Hour), 201, `"name":"token-`},
		"longest name": {body(strings.Repeat("a", 100), time.Hour), 201, ""},
	} {
		r := c.do(test.status, "POST", c.tokensURL("web"), test.body)
		if !strings.Contains(r.body, test.text) {
			t.Errorf("%s: %s, want %q in it", name, r.body, test.text)
		}
		if test.status > 201 {
			e := decode[struct {
				Message, Error string
				Actions        []any
			}](t, r)
			if e.Message == "" || e.Error == "" || e.Actions == nil {
				t.Errorf("%s: %s is no ApiError", name, r.body)
			}
		}
	}
	// The same name is free elsewhere, and an id counts in its repository only.
	other := c.create("app", "codacy-project-token-1")
	if other.ID == first.ID {
		t.Error("two tokens have one id")
	}
	c.do(404, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("app"), first.ID), nil)
	c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), first.ID), nil)
	c.do(404, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), first.ID), nil)
	if w.TokenValid("web", first.Token) || !w.TokenValid("app", other.Token) || w.TokenValid("web", other.Token) {
		t.Error("the wrong token is valid")
	}
	again := c.create("web", "codacy-project-token-1")
	second := c.create("web", "codacy-project-token-2")
	c.do(404, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{again.ID, other.ID}})
	if !w.TokenValid("web", again.Token) {
		t.Error("half of a rejected deletion took effect")
	}
	c.do(204, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{again.ID, second.ID}})
	if w.TokenValid("web", again.Token) || w.TokenValid("web", second.Token) {
		t.Error("the tokens still live")
	}
	// Expired ones are still there, with their names.
	w.Advance(301 * 24 * time.Hour)
	if w.TokenValid("app", other.Token) || c.list("app")[other.Name].ID != other.ID || len(w.ValidTokens("app")) != 0 {
		t.Error("the token hasn't expired, or isn't listed")
	}
	c.do(409, "POST", c.tokensURL("app"), map[string]any{"name": other.Name, "expiresAt": w.Time().Add(time.Hour)})
	w.Check(t)
}

func TestHundredTokens(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	c := newClient(t, w)
	for i := range 100 {
		w.AddToken("web", sandbox.Token{Name: fmt.Sprintf("codacy-project-token-%d", i+1)})
	}
	body := map[string]any{"name": "codacy-project-token-101", "expiresAt": w.Time().Add(time.Hour)}
	c.do(422, "POST", c.tokensURL("web"), body)
	c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), w.Tokens("web")[0].ID), nil)
	c.do(201, "POST", c.tokensURL("web"), body)
	if got := len(w.AllTokenValues()); got != 101 {
		t.Errorf("%d values, want 101", got)
	}
}

func TestFirstGeneration(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{Legacy: true})
	w.Add(sandbox.Repository{Name: "web"})
	c := newClient(t, w)
	first := decode[struct{ Data token }](t, c.do(201, "POST", c.tokensURL("web"), nil)).Data
	r := c.do(201, "POST", c.tokensURL("web"), `{"name":"ignored"}`)
	if strings.Contains(r.body, "ignored") || strings.Contains(r.body, "expiresAt") {
		t.Errorf("created %s", r.body)
	}
	if listed := c.list("web")[""]; listed.Token != first.Token || !listed.CreatedAt.IsZero() {
		t.Errorf("listed %+v", listed)
	}
	c.do(404, "POST", c.tokensURL("web")+"/delete", map[string]any{"ids": []int64{first.ID}})
	w.Advance(10 * 365 * 24 * time.Hour)
	if !w.TokenValid("web", first.Token) || len(w.Orphans("web")) != 2 {
		t.Errorf("orphans %v", w.Orphans("web"))
	}
	w.Check(t)
	c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), first.ID), nil)
	w.Check(t) // undone: a request created it
	preset := w.AddToken("web", sandbox.Token{})
	c.do(204, "DELETE", fmt.Sprintf("%s/%d", c.tokensURL("web"), preset.ID), nil)
	wantViolations(t, w, "unmanaged token")
}

func TestListOptions(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{NoCreationDates: true, HideExpired: true})
	w.Add(sandbox.Repository{Name: "web"})
	c := newClient(t, w)
	w.AddToken("web", sandbox.Token{Name: "expired-one", Expires: w.Time().Add(-time.Hour)})
	w.AddToken("web", sandbox.Token{Name: "never", Created: w.Time().Add(-time.Hour)})
	r := c.do(200, "GET", c.tokensURL("web"), nil)
	if strings.Contains(r.body, "createdAt") || strings.Contains(r.body, "expired-one") || !strings.Contains(r.body, "never") || strings.Contains(r.body, "expiresAt") {
		t.Errorf("listed %s", r.body)
	}
	c.do(409, "POST", c.tokensURL("web"), map[string]any{"name": "expired-one", "expiresAt": w.Time().Add(time.Hour)})
}

// TestAccountToken sees what each operation says to a token that is not good.
func TestAccountToken(t *testing.T) {
	t.Parallel()
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	w := sandbox.New(sandbox.Options{CodacyTokens: []string{"a", "b"}, CodacyTokenExpires: expires, InvalidTokenStatus: 404})
	w.Add(sandbox.Repository{Name: "web"})
	w.Add(sandbox.Repository{Name: "secret", Private: true})
	w.Add(sandbox.Repository{Name: "low", CodacyRole: "write"})
	c := newClient(t, w)
	c.codacyToken = "a"
	organization := c.codacy + "/organizations/gh/acme"
	all := []string{c.codacy + "/user", organization, c.tokensURL("web"), organization + "/repositories/secret"}
	public := []string{organization + "/repositories", organization + "/repositories/web", c.codacy + "/version"}
	for _, address := range append(all, public...) {
		c.do(200, "GET", address, nil)
	}
	c.do(404, "GET", c.tokensURL("low"), nil)
	c.do(404, "GET", strings.ReplaceAll(organization, "gh/acme", "gh/other")+"/repositories", nil)
	c.do(404, "GET", strings.ReplaceAll(organization, "gh/acme", "ghe/acme")+"/repositories", nil)
	if r := c.do(200, "GET", c.codacy+"/user/tokens", nil); !strings.Contains(r.body, expires.Format(time.RFC3339)) || !strings.Contains(r.body, `"token":"b"`) {
		t.Errorf("the account has %s", r.body)
	}
	rejected := func(status int, text string) {
		t.Helper()
		for _, address := range all {
			if r := c.do(status, "GET", address, nil); !strings.Contains(r.body, text) {
				t.Errorf("%s: %s, want %q", address, r.body, text)
			}
		}
		for _, address := range public {
			c.do(200, "GET", address, nil)
		}
	}
	w.Revoke("a")
	rejected(404, `{"error":"not found"}`)
	c.codacyToken = "unknown"
	rejected(401, `"code":"Unauthorized"`)
	c.codacyToken = ""
	rejected(401, `"code":"Unauthorized"`)
	c.codacyToken = "b"
	w.Advance(2 * time.Hour)
	rejected(401, "token expired")
	w.Check(t)
	if w.Count(sandbox.KindUser) != 5 {
		t.Errorf("%d requests for the user", w.Count(sandbox.KindUser))
	}
}
