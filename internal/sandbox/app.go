package sandbox

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// App is a GitHub App that is installed for the organization.
type App struct {
	ID             int64
	ClientID       string // also accepted as the issuer
	PublicKey      *rsa.PublicKey
	InstallationID int64             // 1 by default
	TokenLife      time.Duration     // lifetime of its installation tokens; an hour by default
	Access         map[string]Access // by store; nil: Write to each
	Extra          map[string]Access // further permissions of the installation, such as administration
	Repositories   []string          // nil: all of the organization
	Suspended      bool              // the installation is found, but gets no tokens, and the ones that it has are denied
	SuspendAfter   int               // number of requests with its tokens after which it is suspended; 0: never

	UnknownFor    time.Duration // undocumented: how long GitHub does not know a new token
	UnknownStatus int           // undocumented: the status until then, 401 (default) or 403
	// OnToken changes the n-th token, from 1, before it is issued: its expiry, or
	// how long it is unknown. It is called with the World's lock held.
	OnToken func(n int, c *Credential)
}

// appState is what happened to the App.
type appState struct {
	requests int // with its tokens
	tokens   []*InstallationToken
}

// InstallationToken is a token that the App's installation was given.
type InstallationToken struct {
	Value       string
	Created     time.Time
	Expires     time.Time
	Requested   map[string]string // the permissions in the request; nil if it named none
	Permissions map[string]string // the ones that the token got
	Revoked     bool
}

// maxNamed is how many repositories a request for a token can name.
const maxNamed = 500

// UpdateApp changes the App while requests are served. Tokens lose what the
// installation loses; they gain no permission, but see its current repositories
// unless they were issued for named ones.
func (w *World) UpdateApp(change func(*App)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	app := w.options.App
	change(app)
	for _, x := range w.credentials {
		if x.app == app && !x.narrowed {
			x.sees = w.nameSet(app.Repositories)
		}
	}
}

// InstallationTokens returns all tokens that the App's installation was given.
func (w *World) InstallationTokens() []InstallationToken {
	w.mu.Lock()
	defer w.mu.Unlock()
	var tokens []InstallationToken
	for _, t := range w.app.tokens {
		tokens = append(tokens, *t)
	}
	return tokens
}

// suspended counts a request with an installation token and reports whether the
// installation is suspended.
func (w *World) suspended() bool {
	app := w.options.App
	w.app.requests++
	if app.SuspendAfter > 0 && w.app.requests > app.SuspendAfter {
		app.Suspended = true
	}
	return app.Suspended
}

// authenticateApp verifies a GitHub App's JWT.
func (w *World) authenticateApp(c *call) *response {
	reject := func(message string) *response {
		a := githubError(http.StatusUnauthorized, message)
		return &a
	}
	app := w.options.App
	parts := strings.Split(c.bearer(), ".")
	if app == nil || len(parts) != 3 {
		return reject("A JSON web token could not be decoded")
	}
	var header struct{ Alg string }
	var claims struct {
		Iat, Exp float64
		Iss      any
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) || header.Alg != "RS256" ||
		rsa.VerifyPKCS1v15(app.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		return reject("A JSON web token could not be decoded")
	}
	issuer := fmt.Sprint(claims.Iss)
	if number, ok := claims.Iss.(float64); ok {
		issuer = strconv.FormatFloat(number, 'f', -1, 64)
	}
	now := float64(w.now(GitHub).Unix())
	switch {
	case issuer != strconv.FormatInt(app.ID, 10) && (app.ClientID == "" || issuer != app.ClientID):
		return reject("Integration must generate a public key, or the issuer is not known")
	case claims.Iat > now:
		return reject("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case claims.Exp <= now:
		return reject("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.Exp > now+600:
		return reject("'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

// decodePart reads one part of a JWT.
func decodePart(part string, into any) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(decoded, into) == nil
}

func (a *App) installationID() int64 { return or(a.InstallationID, 1) }

// permissions returns what the installation grants, in GitHub's words.
func (a *App) permissions() map[string]string {
	granted := map[string]string{"metadata": string(Read)}
	for name, access := range a.Extra {
		granted[name] = string(access)
	}
	for i, store := range storeNames {
		if a.Access == nil {
			granted[permissions[i]] = string(Write)
		} else if access := a.Access[store]; access != "" {
			granted[permissions[i]] = string(access)
		}
	}
	return granted
}

func (a *App) selection() string {
	if a.Repositories == nil {
		return "all"
	}
	return "selected"
}

// suspendedInstallation is GitHub's response for a suspended installation.
func suspendedInstallation() response {
	return githubErrorAbout(http.StatusForbidden, "This installation has been suspended",
		"https://docs.github.com/rest/apps/apps#suspend-an-app-installation")
}

// validationError has the shape of GitHub's validation-error.
func validationError(message string) response {
	return jsonResponse(http.StatusUnprocessableEntity, map[string]string{
		"message": message, "documentation_url": "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app",
	})
}

func (w *World) getInstallation(c *call) response {
	ofOrganization := strings.HasPrefix(c.path, "/orgs/")
	if !strings.EqualFold(c.owner, w.options.Organization) || ofOrganization != (w.options.OwnerType == "Organization") {
		return githubError(http.StatusNotFound, "Not Found")
	}
	app := w.options.App
	id := app.installationID()
	body := map[string]any{
		"id": id, "app_id": app.ID, "client_id": app.ClientID, "app_slug": "sandbox",
		"account":   w.account(w.options.Organization),
		"target_id": accountID(w.options.Organization), "target_type": w.options.OwnerType,
		"permissions": app.permissions(), "repository_selection": app.selection(), "events": []string{},
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", c.base, id),
		"repositories_url":  c.base + "/installation/repositories",
		"html_url":          fmt.Sprintf("https://github.com/organizations/%s/settings/installations/%d", w.options.Organization, id),
		"created_at":        "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil,
	}
	if app.Suspended {
		body["suspended_by"], body["suspended_at"] = w.account("octocat"), "2026-11-01T03:04:05Z"
	}
	return jsonResponse(http.StatusOK, body)
}

// tokenRequest is the body of a request for an installation token.
type tokenRequest struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// granted returns the permissions of the token that a request is for; false if
// the installation does not grant them all. Every token may read metadata.
func (a *App) granted(requested map[string]string) (map[string]string, bool) {
	all := a.permissions()
	if requested == nil {
		return all, true
	}
	granted := map[string]string{"metadata": string(Read)}
	for name, access := range requested {
		if access != string(Read) && access != string(Write) || all[name] != access && all[name] != string(Write) {
			return nil, false
		}
		granted[name] = access
	}
	return granted, true
}

func (w *World) createAccessToken(c *call) response {
	app := w.options.App
	if c.token != strconv.FormatInt(app.installationID(), 10) {
		return githubError(http.StatusNotFound, "Not Found")
	}
	if app.Suspended {
		return suspendedInstallation()
	}
	var requested tokenRequest
	if len(c.body) > 0 && !c.decode(&requested) {
		return response{}
	}
	granted, ok := app.granted(requested.Permissions)
	switch {
	case !ok:
		return validationError("The permissions requested are not granted to this installation.")
	case len(requested.Repositories)+len(requested.RepositoryIDs) > maxNamed:
		return validationError("There are too many repositories listed.")
	}
	issued := Credential{
		Kind: Installation, Repositories: app.Repositories, UnknownFor: app.UnknownFor, UnknownStatus: app.UnknownStatus,
		Expires: w.now(GitHub).Add(or(app.TokenLife, time.Hour)).Truncate(time.Second),
	}
	for _, id := range requested.RepositoryIDs {
		if repo := w.ids[id]; repo != nil {
			requested.Repositories = append(requested.Repositories, repo.Owner+"/"+repo.Name)
		}
	}
	if requested.Repositories != nil {
		issued.Repositories = requested.Repositories
	}
	if requested.Permissions != nil || app.Access != nil {
		issued.Access = map[string]Access{}
		for i, store := range storeNames {
			issued.Access[store] = Access(granted[permissions[i]])
		}
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "installation/%d", c.Sequence))
	issued.Value = fmt.Sprintf("ghs_%d_%s", app.ID, strings.Repeat(base64.RawURLEncoding.EncodeToString(digest[:]), 12))
	if app.OnToken != nil {
		app.OnToken(len(w.app.tokens)+1, &issued)
	}
	x := w.addCredential(issued)
	x.app, x.narrowed = app, requested.Repositories != nil
	w.app.tokens = append(w.app.tokens, &InstallationToken{
		Value: x.Value, Created: w.time(), Expires: x.Expires, Requested: maps.Clone(requested.Permissions), Permissions: maps.Clone(granted),
	})
	return jsonResponse(http.StatusCreated, map[string]any{
		"token": x.Value, "expires_at": x.Expires, "permissions": granted, "repository_selection": app.selection(),
	})
}

// revokeAccessToken revokes the installation token that a request carries.
// https://docs.github.com/rest/apps/installations#revoke-an-installation-access-token
func (w *World) revokeAccessToken(c *call) response {
	if c.credential.Kind != Installation {
		return githubError(http.StatusForbidden, "You must authenticate with an installation access token in order to revoke it.")
	}
	value := c.credential.Value
	delete(w.credentials, value)
	if i := slices.IndexFunc(w.app.tokens, func(t *InstallationToken) bool { return t.Value == value }); i >= 0 {
		w.app.tokens[i].Revoked = true
	}
	return response{status: http.StatusNoContent}
}
