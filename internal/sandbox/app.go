package sandbox

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// App is a GitHub App, installed for the organization.
type App struct {
	ID             int64
	ClientID       string // also accepted as the issuer
	PublicKey      *rsa.PublicKey
	InstallationID int64             // 1 by default
	TokenLife      time.Duration     // of its installation tokens; an hour by default
	Access         map[string]Access // by store; nil: Write to each
	Repositories   []string          // nil: all of the organization
	Suspended      bool              // the installation is found, and gets no tokens
}

// authenticateApp verifies a GitHub App's JWT.
func (w *World) authenticateApp(c *call) *response {
	refuse := func(message string) *response {
		a := githubError(http.StatusUnauthorized, message)
		return &a
	}
	app := w.options.App
	parts := strings.Split(c.bearer(), ".")
	if app == nil || len(parts) != 3 {
		return refuse("A JSON web token could not be decoded")
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
		return refuse("A JSON web token could not be decoded")
	}
	issuer := fmt.Sprint(claims.Iss)
	if number, ok := claims.Iss.(float64); ok {
		issuer = strconv.FormatFloat(number, 'f', -1, 64)
	}
	now := float64(w.now(GitHub).Unix())
	switch {
	case issuer != strconv.FormatInt(app.ID, 10) && (app.ClientID == "" || issuer != app.ClientID):
		return refuse("Integration must generate a public key, or the issuer is not known")
	case claims.Iat > now:
		return refuse("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case claims.Exp <= now:
		return refuse("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.Exp > now+600:
		return refuse("'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

// decodePart reads one part of a JWT.
func decodePart(part string, into any) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(decoded, into) == nil
}

func (a *App) installationID() int64 { return or(a.InstallationID, 1) }

// appPermissions are what the App's tokens may do, in GitHub's words.
func appPermissions(access map[string]Access) map[string]string {
	granted := map[string]string{"metadata": "read"}
	for i, store := range storeNames {
		if access == nil {
			granted[permissions[i]] = string(Write)
		} else if access[store] != "" {
			granted[permissions[i]] = string(access[store])
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

func (w *World) getInstallation(c *call) response {
	ofOrganization := strings.HasPrefix(c.path, "/orgs/")
	if !strings.EqualFold(c.owner, w.options.Organization) || ofOrganization != (w.options.OwnerType == "Organization") {
		return githubError(http.StatusNotFound, "Not Found")
	}
	app := w.options.App
	id := app.installationID()
	return jsonResponse(http.StatusOK, map[string]any{
		"id": id, "app_id": app.ID, "client_id": app.ClientID, "app_slug": "sandbox",
		"account":   w.account(w.options.Organization),
		"target_id": accountID(w.options.Organization), "target_type": w.options.OwnerType,
		"permissions": appPermissions(app.Access), "repository_selection": app.selection(), "events": []string{},
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", c.base, id),
		"repositories_url":  c.base + "/installation/repositories",
		"html_url":          fmt.Sprintf("https://github.com/organizations/%s/settings/installations/%d", w.options.Organization, id),
		"created_at":        "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil,
	})
}

func (w *World) createAccessToken(c *call) response {
	app := w.options.App
	if c.token != strconv.FormatInt(app.installationID(), 10) {
		return githubError(http.StatusNotFound, "Not Found")
	}
	if app.Suspended {
		return githubError(http.StatusForbidden, "This installation has been suspended")
	}
	var wanted struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if len(c.body) > 0 && !c.decode(&wanted) {
		return response{}
	}
	narrowed := Credential{Kind: Installation, Access: app.Access, Repositories: app.Repositories}
	for _, id := range wanted.RepositoryIDs {
		if repo := w.ids[id]; repo != nil {
			wanted.Repositories = append(wanted.Repositories, repo.Owner+"/"+repo.Name)
		}
	}
	if wanted.Repositories != nil {
		narrowed.Repositories = wanted.Repositories
	}
	if wanted.Permissions != nil {
		narrowed.Access = map[string]Access{}
		granted := appPermissions(app.Access)
		for name, access := range wanted.Permissions {
			if granted[name] != access && granted[name] != string(Write) {
				return githubError(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
			}
		}
		for i, store := range storeNames {
			narrowed.Access[store] = Access(wanted.Permissions[permissions[i]])
		}
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "installation/%d", c.Sequence))
	narrowed.Value = fmt.Sprintf("ghs_%d_%s", app.ID, strings.Repeat(base64.RawURLEncoding.EncodeToString(digest[:]), 12))
	narrowed.Expires = w.now(GitHub).Add(or(app.TokenLife, time.Hour)).Truncate(time.Second)
	w.addCredential(narrowed)
	return jsonResponse(http.StatusCreated, map[string]any{
		"token": narrowed.Value, "expires_at": narrowed.Expires,
		"permissions": appPermissions(narrowed.Access), "repository_selection": app.selection(),
	})
}
