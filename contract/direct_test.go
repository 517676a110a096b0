package contract

import (
	"crypto"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const (
	codacyAPI = "https://app.codacy.com/api/v3"
	githubAPI = "https://api.github.com"
	person    = "gho_person" // writes as a person, who is held to no promise
)

// directOperations are the operations that the direct requests use, as well as
// some of the program's.
var directOperations = []string{
	"getVersion", "getOrganization", "getRepository", "deleteRepositoryApiTokens",
	"users/get-authenticated", "rate-limit/get", "repos/get", "repos/list-for-user",
	"actions/delete-repo-secret", "dependabot/delete-repo-secret", "codespaces/delete-repo-secret", "agents/delete-repo-secret",
	"actions/list-repo-secrets", "dependabot/list-repo-secrets", "codespaces/list-repo-secrets", "agents/list-repo-secrets",
	"apps/revoke-installation-access-token",
}

// direct are requests to the sandbox without the program, for the responses that
// no run of the program gets: each undocumented fact, and each denial.
var direct = map[string]struct {
	options sandbox.Options
	play    func(*play)
}{
	"all four stores": {asPerson(sandbox.Options{}), func(p *play) {
		p.add("api")
		id := p.Add(sandbox.Repository{Name: "web"})
		for _, store := range sandbox.Stores() {
			byName := fmt.Sprintf("%s/repos/acme/web/%s/secrets", githubAPI, store)
			byID := fmt.Sprintf("%s/repositories/%d/%s/secrets", githubAPI, id, store)
			body := seal(p.send(200, "GET", byID+"/public-key", person, nil))
			for _, secrets := range []string{byName, byID} {
				p.send(404, "GET", secrets+"/CODACY_PROJECT_TOKEN", person, nil)
			}
			p.send(201, "PUT", byName+"/CODACY_PROJECT_TOKEN", person, body)
			p.send(204, "PUT", byName+"/CODACY_PROJECT_TOKEN", person, body)
			for _, secrets := range []string{byName, byID} {
				p.send(200, "GET", secrets, person, nil)
				p.send(200, "GET", secrets+"/CODACY_PROJECT_TOKEN", person, nil)
			}
			p.send(204, "DELETE", byName+"/CODACY_PROJECT_TOKEN", person, nil)
			p.send(404, "DELETE", byName+"/CODACY_PROJECT_TOKEN", person, nil)
			p.send(422, "PUT", fmt.Sprintf("%s/repos/acme/api/%s/secrets/CODACY_PROJECT_TOKEN", githubAPI, store), person, body)
			p.once(sandbox.KindPutSecret, sandbox.Effect{Skip: true, Status: 409})
			p.send(409, "PUT", byName+"/CODACY_PROJECT_TOKEN", person, body)
		}
		for _, address := range []string{"/user", "/repos/acme/web", fmt.Sprint("/repositories/", id), "/users/acme/repos"} {
			p.send(200, "GET", githubAPI+address, person, nil)
		}
	}},
	"a renamed repository": {asPerson(sandbox.Options{}), func(p *play) {
		p.add("web")
		p.Rename("web", "new")
		secrets := githubAPI + "/repos/acme/web/actions/secrets"
		for _, address := range []string{"", "/public-key", "/CODACY_PROJECT_TOKEN"} {
			p.send(301, "GET", secrets+address, person, nil)
		}
		p.send(307, "DELETE", secrets+"/CODACY_PROJECT_TOKEN", person, nil)
		p.send(301, "GET", githubAPI+"/repos/acme/web", person, nil)
	}},
	"denials": {asPerson(sandbox.Options{}), func(p *play) {
		p.add("web")
		secrets := githubAPI + "/repos/acme/web/agents/secrets"
		body := seal(p.send(200, "GET", secrets+"/public-key", person, nil))
		for denial, want := range map[sandbox.Denial]int{
			sandbox.DenyArchived: 403, sandbox.DenyAdminRights: 403, sandbox.DenyBlocked: 403, sandbox.DenyLocked: 403,
			sandbox.DenyPermission: 403, sandbox.DenyPlain: 403, sandbox.DenyHidden: 404, sandbox.DenyTakedown: 451,
		} {
			p.Deny("web", "", denial)
			p.send(want, "GET", secrets, person, nil)
			p.send(want, "GET", secrets+"/public-key", person, nil)
			p.send(want, "GET", secrets+"/CODACY_PROJECT_TOKEN", person, nil)
			p.send(want, "PUT", secrets+"/CODACY_PROJECT_TOKEN", person, body)
			p.send(want, "DELETE", secrets+"/CODACY_PROJECT_TOKEN", person, nil)
		}
	}},
	"names that are taken, 409": {sandbox.Options{}, taken(409)},
	"names that are taken, 422": {sandbox.Options{NameTaken: 422}, taken(422)},
	"names that are taken, 400": {sandbox.Options{NameTaken: 400}, taken(400)},
	"lists of tokens": {
		sandbox.Options{
			CreationDay: time.FixedZone("", 3600), ExpiryDay: time.UTC, ListValues: true, AccountTokenValues: sandbox.MaskValues,
		},
		func(p *play) {
			p.add("web")
			p.AddToken("web", sandbox.OldToken(true))
			p.AddToken("web", sandbox.OldToken(false))
			id := p.AddToken("web", sandbox.Token{Name: "codacy-project-token-1"}).ID
			repositories := codacyAPI + "/organizations/gh/acme/repositories"
			for _, address := range []string{
				repositories + "/web/tokens", repositories + "/web", codacyAPI + "/organizations/gh/acme", codacyAPI + "/version", codacyAPI + "/user/tokens",
			} {
				p.send(200, "GET", address, sandbox.CodacyToken, nil)
			}
			p.send(204, "POST", repositories+"/web/tokens/delete", sandbox.CodacyToken, map[string]any{"ids": []int64{id}})
			p.send(404, "POST", repositories+"/web/tokens/delete", sandbox.CodacyToken, map[string]any{"ids": []int64{id}})
		},
	},
	"account tokens without values": {sandbox.Options{AccountTokenValues: sandbox.OmitValues, CodacyTokenExpires: time.Now().Add(365 * day)}, func(p *play) {
		p.send(200, "GET", codacyAPI+"/user/tokens", sandbox.CodacyToken, nil)
	}},
	"github.com's rate limit": {sandbox.Options{RateHeaders: sandbox.RateAlways}, func(p *play) {
		p.send(200, "GET", githubAPI+"/rate_limit", sandbox.GitHubToken, nil)
	}},
	"no rate limit": {sandbox.Options{RateHeaders: sandbox.RateNever}, func(p *play) {
		p.send(404, "GET", githubAPI+"/rate_limit", sandbox.GitHubToken, nil)
	}},
	"rejections": {sandbox.Options{}, func(p *play) {
		p.add("web")
		tokens := codacyAPI + "/organizations/gh/acme/repositories/web/tokens"
		key := githubAPI + "/repos/acme/web/actions/secrets/public-key"
		for _, status := range []int{429, 502, 503} {
			p.once(sandbox.KindListTokens, sandbox.RetryAfter(status, "99999999999"))
			p.send(status, "GET", tokens, sandbox.CodacyToken, nil)
			p.once(sandbox.KindPublicKey, sandbox.RetryAfter(status, "soon"))
			p.send(status, "GET", key, sandbox.GitHubToken, nil)
		}
		p.once(sandbox.KindPublicKey, sandbox.AbuseLimit(time.Minute))
		p.send(403, "GET", key, sandbox.GitHubToken, nil)
		p.once(sandbox.KindPublicKey, sandbox.Unauthorized(sandbox.GitHub))
		p.send(401, "GET", key, sandbox.GitHubToken, nil)
		p.once(sandbox.KindListTokens, sandbox.Unauthorized(sandbox.Codacy))
		p.send(401, "GET", tokens, sandbox.CodacyToken, nil)
	}},
	"an App's tokens": {freshAppOptions(), func(p *play) {
		p.Add(sandbox.Repository{Name: "web", Topics: []string{"go"}, Internal: true})
		p.send(200, "GET", githubAPI+"/orgs/acme/installation", p.jwt(), nil)
		access := githubAPI + "/app/installations/1/access_tokens"
		permissions := func(name, level string) any {
			return map[string]any{"permissions": map[string]string{"metadata": "read", name: level}}
		}
		for _, name := range []string{"secrets", "dependabot_secrets", "codespaces_secrets", "agent_secrets", "administration"} {
			p.send(201, "POST", access, p.jwt(), permissions(name, "write"))
		}
		p.send(422, "POST", access, p.jwt(), permissions("contents", "read"))
		p.send(404, "POST", githubAPI+"/app/installations/2/access_tokens", p.jwt(), nil)
		var token struct{ Token string }
		if err := json.Unmarshal([]byte(p.send(201, "POST", access, p.jwt(), permissions("secrets", "read"))), &token); err != nil {
			p.t.Fatal(err)
		}
		list := githubAPI + "/installation/repositories?per_page=1"
		p.send(401, "GET", list, token.Token, nil) // unknown for a second
		time.Sleep(time.Second)
		p.send(200, "GET", list, token.Token, nil)
		p.send(403, "GET", githubAPI+"/repos/acme/web/agents/secrets/public-key", token.Token, nil)
		p.UpdateApp(func(a *sandbox.App) { a.Suspended = true })
		p.send(403, "GET", list, token.Token, nil)
		p.send(403, "POST", access, p.jwt(), nil)
		p.send(200, "GET", githubAPI+"/orgs/acme/installation", p.jwt(), nil)
		p.UpdateApp(func(a *sandbox.App) { a.Suspended = false })
		p.send(204, "DELETE", githubAPI+"/installation/token", token.Token, nil)
		p.send(401, "DELETE", githubAPI+"/installation/token", token.Token, nil)
		p.send(403, "DELETE", githubAPI+"/installation/token", sandbox.GitHubToken, nil)
	}},
}

// asPerson adds a person's credential.
func asPerson(o sandbox.Options) sandbox.Options {
	o.Credentials = []sandbox.Credential{{Value: person, Kind: sandbox.OAuth, Manual: true}}
	return o
}

// freshAppOptions are an App's whose tokens are unknown for a second.
func freshAppOptions() sandbox.Options {
	o := appOptions("Organization")
	o.App.UnknownFor, o.App.Extra = time.Second, map[string]sandbox.Access{"administration": sandbox.Write}
	return o
}

// taken requests a name that is taken.
func taken(status int) func(*play) {
	return func(p *play) {
		p.add("web")
		tokens := codacyAPI + "/organizations/gh/acme/repositories/web/tokens"
		body := map[string]any{"name": "codacy-project-token-1", "expiresAt": p.Time().Add(300 * day).Truncate(time.Second)}
		p.send(201, "POST", tokens, sandbox.CodacyToken, body)
		p.send(status, "POST", tokens, sandbox.CodacyToken, body)
	}
}

// send sends a request that must get the status, and returns the response's body.
func (p *play) send(want int, method, address, credential string, body any) string {
	p.t.Helper()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		reader = strings.NewReader(string(b))
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, address, reader)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "contract")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(address, githubAPI) {
		r.Header.Set("Authorization", "Bearer "+credential)
	} else {
		r.Header.Set("Api-Token", credential)
	}
	resp, err := p.recorder.RoundTrip(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		p.t.Errorf("%s %s: status %d, want %d: %s %v", method, address, resp.StatusCode, want, b, err)
	}
	return string(b)
}

// jwt returns a JWT of the App.
func (p *play) jwt() string {
	now := p.Time().Unix()
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil, `{"iss":"12","iat":%d,"exp":%d}`, now, now+60))
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(cryptorand.Reader, private, crypto.SHA256, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return text + "." + part(signature)
}

// seal seals a value for a public key, as the body of a PUT.
func seal(response string) any {
	var key struct {
		ID  string `json:"key_id"`
		Key []byte `json:"key"`
	}
	if err := json.Unmarshal([]byte(response), &key); err != nil {
		panic(err)
	}
	sealed, err := box.SealAnonymous(nil, []byte("value"), (*[32]byte)(key.Key), cryptorand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]any{"key_id": key.ID, "encrypted_value": sealed}
}
