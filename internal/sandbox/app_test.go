package sandbox_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// jwt signs claims with RS256.
func jwt(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	encoded, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(encoded)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestApp(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app := &sandbox.App{ID: 123, ClientID: "Iv1.abc", PublicKey: &key.PublicKey, InstallationID: 77}
	w := sandbox.New(sandbox.Options{App: app})
	w.Add(sandbox.Repository{Name: "web"})
	w.Add(sandbox.Repository{Name: "app"})
	c := newClient(t, w)
	claims := func(issuer any, issued, expires time.Duration) map[string]any {
		return map[string]any{"iss": issuer, "iat": w.Time().Add(issued).Unix(), "exp": w.Time().Add(expires).Unix()}
	}
	installation := c.github + "/orgs/acme/installation"
	for name, bad := range map[string]string{
		"no JWT":    sandbox.GitHubToken,
		"signature": jwt(t, other, claims("123", 0, time.Minute)),
		"issuer":    jwt(t, key, claims("124", 0, time.Minute)),
		"too long":  jwt(t, key, claims("123", 0, 11*time.Minute)),
		"expired":   jwt(t, key, claims("123", -time.Hour, -time.Minute)),
		"future":    jwt(t, key, claims("123", time.Minute, 5*time.Minute)),
	} {
		c.githubToken = bad
		if r := c.do(401, "GET", installation, nil); !strings.Contains(r.body, `"status":"401"`) {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	for _, issuer := range []any{"123", 123, "Iv1.abc"} {
		c.githubToken = jwt(t, key, claims(issuer, -30*time.Second, 9*time.Minute))
		if r := c.do(200, "GET", installation, nil); decode[struct{ ID int64 }](t, r).ID != 77 {
			t.Errorf("the installation is %s", r.body)
		}
	}
	c.do(401, "GET", c.github+"/user", nil) // a JWT is good for the App's own operations only
	c.do(404, "GET", c.github+"/users/acme/installation", nil)
	c.do(404, "GET", c.github+"/orgs/other/installation", nil)
	c.do(404, "POST", c.github+"/app/installations/78/access_tokens", nil)
	type access struct {
		Token   string
		Expires time.Time `json:"expires_at"`
	}
	tokens := c.github + "/app/installations/77/access_tokens"
	first := decode[access](t, c.do(201, "POST", tokens, "null"))
	narrow := decode[access](t, c.do(201, "POST", tokens, map[string]any{
		"repositories": []string{"web"}, "permissions": map[string]string{"secrets": "write"},
	}))
	c.do(422, "POST", tokens, map[string]any{"permissions": map[string]string{"administration": "write"}})
	if life := first.Expires.Sub(w.Time()).Round(time.Minute); !strings.HasPrefix(first.Token, "ghs_") || len(first.Token) < 200 || life != time.Hour {
		t.Errorf("the token %q is valid for %s", first.Token, life)
	}
	c.githubToken = narrow.Token
	c.do(404, "GET", c.secretURL("app", "actions", "public-key"), nil)
	c.do(200, "GET", c.secretURL("web", "actions", "public-key"), nil)
	c.do(403, "GET", c.secretURL("web", "dependabot", "public-key"), nil)
	c.githubToken = first.Token
	r := c.do(200, "GET", c.github+"/installation/repositories", nil)
	if !strings.HasPrefix(r.body, `{"total_count":2,"repository_selection":"all"`) || r.header.Get("github-authentication-token-expiration") != "" {
		t.Errorf("the installation shows %.200s", r.body)
	}
	w.Advance(61 * time.Minute)
	c.do(401, "GET", c.github+"/installation/repositories", nil)
	w.Check(t)
}
