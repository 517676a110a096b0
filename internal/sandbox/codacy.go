package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What Codacy takes.
const (
	maxTokens   = 100 // of one repository
	maxLifetime = 365 * 24 * time.Hour
	maxPage     = 100
)

var codacyRoutes = routes(
	route{kind: KindUser, method: "GET", path: "user", do: (*World).getUser},
	route{kind: KindUserTokens, method: "GET", path: "user/tokens", query: "cursor limit", do: (*World).listUserTokens},
	route{kind: KindVersion, method: "GET", path: "version", do: (*World).getVersion},
	route{kind: KindOrganization, method: "GET", path: "organizations/{provider}/{owner}", do: (*World).getOrganization},
	route{kind: KindListRepositories, method: "GET", path: "organizations/{provider}/{owner}/repositories", query: "cursor limit filter search", do: (*World).listRepositories},
	route{kind: KindGetRepository, method: "GET", path: "organizations/{provider}/{owner}/repositories/{repo}", do: (*World).getRepository},
	route{kind: KindListTokens, method: "GET", path: "organizations/{provider}/{owner}/repositories/{repo}/tokens", do: (*World).listTokens},
	route{kind: KindCreateToken, method: "POST", path: "organizations/{provider}/{owner}/repositories/{repo}/tokens", do: (*World).createToken},
	route{kind: KindDeleteToken, method: "DELETE", path: "organizations/{provider}/{owner}/repositories/{repo}/tokens/{token}", do: (*World).deleteToken},
	route{kind: KindDeleteTokens, method: "POST", path: "organizations/{provider}/{owner}/repositories/{repo}/tokens/delete", do: (*World).deleteTokens},
)

// codacyError has the shape of Codacy's ApiError.
func codacyError(status int, message string) response {
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	body := map[string]any{"message": message, "error": name, "actions": []string{}}
	if status == http.StatusUnauthorized {
		body["code"] = name
	}
	return jsonResponse(status, body)
}

func notOnCodacy(what string) *response {
	a := codacyError(http.StatusNotFound, what+" not found")
	return &a
}

// accountToken refuses a request without a living account token.
func (w *World) accountToken(c *call) *response {
	value := c.header.Get("Api-Token")
	lives, known := w.accounts[value]
	expires := w.options.CodacyTokenExpires
	var a response
	switch {
	case lives && (expires.IsZero() || w.now(Codacy).Before(expires)):
		return nil
	case lives:
		a = codacyError(http.StatusUnauthorized, "token expired")
	case known && w.options.InvalidTokenStatus == http.StatusNotFound:
		a = response{status: http.StatusNotFound, body: []byte(`{"error":"not found"}`)}
	default:
		a = codacyError(http.StatusUnauthorized, "Unauthorized")
	}
	return &a
}

// organization refuses a request about another organization.
func (w *World) organization(c *call) *response {
	if c.provider != w.options.Provider || !strings.EqualFold(c.owner, w.options.Organization) ||
		w.options.CaseSensitive && c.owner != w.options.Organization {
		return notOnCodacy("Organization")
	}
	return nil
}

// project resolves the repository of a request for tokens.
func (w *World) project(c *call) (*repository, *response) {
	if refusal := w.accountToken(c); refusal != nil {
		return nil, refusal
	}
	if refusal := w.organization(c); refusal != nil {
		return nil, refusal
	}
	repo := w.codacyNames[c.name]
	if repo == nil || repo.State == NotAdded || repo.CodacyRole != "admin" {
		return nil, notOnCodacy("Repository")
	}
	return repo, nil
}

func (w *World) getUser(c *call) response {
	if refusal := w.accountToken(c); refusal != nil {
		return *refusal
	}
	return data(http.StatusOK, map[string]any{
		"id": 1, "name": "Sandbox", "mainEmail": "sandbox@example.com", "otherEmails": []string{},
		"isAdmin": false, "isActive": true, "created": "2019-05-07T14:29:13.43Z",
	})
}

func (w *World) getVersion(*call) response { return data(http.StatusOK, "2026.11.0") }

func (w *World) listUserTokens(c *call) response {
	if refusal := w.accountToken(c); refusal != nil {
		return *refusal
	}
	tokens := []apiToken{}
	for i, value := range w.options.CodacyTokens {
		if w.accounts[value] {
			tokens = append(tokens, apiToken{ID: int64(i + 1), Token: value, Expires: w.options.CodacyTokenExpires.UTC()})
		}
	}
	return pageOf(tokens, "", maxPage, len(tokens))
}

func (w *World) getOrganization(c *call) response {
	if refusal := w.accountToken(c); refusal != nil {
		return *refusal
	}
	if refusal := w.organization(c); refusal != nil {
		return *refusal
	}
	kind := "Organization"
	if w.options.OwnerType == "User" {
		kind = "Account"
	}
	return data(http.StatusOK, map[string]any{
		"organization": map[string]any{
			"identifier": 1, "name": w.options.Organization, "provider": w.options.Provider, "type": kind,
			"remoteIdentifier":    strconv.FormatInt(accountID(w.options.Organization), 10),
			"singleProviderLogin": false, "hasDastAccess": false, "hasScaEnabled": false,
		},
		"membership": map[string]string{"userRole": "admin"}, "analysisConfigurationMinimumPermission": "admin",
		"subscriptions": []string{},
	})
}

// projectBody is a repository as Codacy shows it.
type projectBody struct {
	Provider   string     `json:"provider"`
	Owner      string     `json:"owner"`
	Name       string     `json:"name"`
	FullPath   string     `json:"fullPath"`
	Visibility string     `json:"visibility"`
	RemoteID   string     `json:"remoteIdentifier,omitempty"`
	Permission string     `json:"permission"`
	Problems   []struct{} `json:"problems"`
	Languages  []string   `json:"languages"`
	Standards  []struct{} `json:"standards"`
	State      AddedState `json:"addedState"`
}

func (w *World) show(repo *repository) projectBody {
	p := projectBody{
		Provider: w.options.Provider, Owner: w.options.Organization, Name: repo.CodacyName,
		FullPath: w.options.Organization + "/" + repo.CodacyName, Visibility: "Public",
		RemoteID: or(repo.RemoteID, strconv.FormatInt(repo.ID, 10)), Permission: repo.CodacyRole,
		Problems: []struct{}{}, Languages: []string{"Go"}, Standards: []struct{}{}, State: repo.State,
	}
	if repo.Private {
		p.Visibility = "Private"
	}
	if repo.NoRemoteID {
		p.RemoteID = ""
	}
	return p
}

func (w *World) listRepositories(c *call) response {
	if refusal := w.organization(c); refusal != nil {
		return *refusal
	}
	anonymous := w.accountToken(c) != nil // public repositories are shown to anybody
	filter := c.query.Get("filter")
	if !slices.Contains([]string{"", "Synced", "NotSynced", "AllSynced"}, filter) {
		return codacyError(http.StatusBadRequest, "filter is not known")
	}
	limit, ok := maxPage, true
	if text := c.query.Get("limit"); text != "" {
		var err error
		limit, err = strconv.Atoi(text)
		ok = err == nil && limit >= 1 && limit <= maxPage
	}
	next, cursorOK := fromCursor(c.query)
	if !ok || !cursorOK {
		return codacyError(http.StatusBadRequest, "limit or cursor is not valid")
	}
	page, total, cursor := make([]projectBody, 0, limit), 0, ""
	search := strings.ToLower(c.query.Get("search"))
	for i, repo := range w.repos {
		switch {
		case repo.NotOnCodacy, anonymous && repo.Private, filter == "AllSynced" && repo.State == NotAdded,
			!strings.Contains(strings.ToLower(repo.CodacyName), search):
			continue
		}
		total++
		switch {
		case i < next:
		case len(page) < limit:
			page = append(page, w.show(repo))
		case cursor == "":
			cursor = toCursor(i)
		}
	}
	return pageOf(page, cursor, limit, total)
}

// A cursor is opaque, and has every character that must be escaped in a URL.
const cursorHead = "+/=&? %"

func toCursor(i int) string {
	return cursorHead + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "next:%d", i))
}

func fromCursor(query map[string][]string) (next int, ok bool) {
	if query["cursor"] == nil {
		return 0, true
	}
	text, ok := strings.CutPrefix(query["cursor"][0], cursorHead)
	decoded, err := base64.StdEncoding.DecodeString(text)
	number, isCursor := strings.CutPrefix(string(decoded), "next:")
	next, err2 := strconv.Atoi(number)
	return next, ok && err == nil && isCursor && err2 == nil
}

func (w *World) getRepository(c *call) response {
	if refusal := w.organization(c); refusal != nil {
		return *refusal
	}
	repo := w.codacyNames[c.name]
	if repo != nil && !repo.Private {
		return data(http.StatusOK, w.show(repo))
	}
	if refusal := w.accountToken(c); refusal != nil {
		return *refusal
	}
	if repo == nil {
		return *notOnCodacy("Repository")
	}
	return data(http.StatusOK, w.show(repo))
}

// apiToken is a token as Codacy shows it.
type apiToken struct {
	ID      int64     `json:"id"`
	Token   string    `json:"token,omitempty"`
	Name    string    `json:"name,omitempty"`
	Created time.Time `json:"createdAt,omitzero"`
	Expires time.Time `json:"expiresAt,omitzero"`
}

func (w *World) body(t *token, value bool) apiToken {
	if w.options.Legacy {
		return apiToken{ID: t.ID, Token: t.Value}
	}
	b := apiToken{ID: t.ID, Name: t.Name, Expires: t.Expires, Created: t.Created}
	if value {
		b.Token = t.Value
	}
	if w.options.NoCreationDates {
		b.Created = time.Time{}
	}
	return b
}

func (w *World) listTokens(c *call) response {
	repo, refusal := w.project(c)
	if refusal != nil {
		return *refusal
	}
	now := w.now(Codacy)
	bodies := []apiToken{}
	for _, t := range slices.Backward(repo.tokens) { // newest first: no order is promised
		if !t.Deleted && (t.valid(now) || !w.options.HideExpired) {
			bodies = append(bodies, w.body(t, false))
		}
	}
	return pageOf(bodies, "", max(maxTokens, len(bodies)), len(bodies))
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)

func (w *World) createToken(c *call) response {
	repo, refusal := w.project(c)
	if refusal != nil {
		return *refusal
	}
	now := w.now(Codacy)
	var wanted struct {
		Name    string `json:"name"`
		Expires string `json:"expiresAt"`
	}
	var expires time.Time
	if !w.options.Legacy {
		if !c.decode(&wanted) {
			return response{}
		}
		living := 0
		taken := false
		for _, t := range repo.tokens {
			if !t.Deleted {
				living++
				taken = taken || t.Name != "" && t.Name == wanted.Name
			}
		}
		var err error
		expires, err = time.Parse(time.RFC3339, wanted.Expires)
		switch {
		case err != nil:
			return codacyError(http.StatusBadRequest, "expiresAt is mandatory, an RFC 3339 time")
		case !expires.After(now):
			return codacyError(http.StatusUnprocessableEntity, "expiresAt must be in the future")
		case expires.After(now.Add(maxLifetime)):
			return codacyError(http.StatusUnprocessableEntity, "expiresAt must be at most one year ahead")
		case wanted.Name != "" && !tokenName.MatchString(wanted.Name):
			return codacyError(http.StatusUnprocessableEntity, "name must be 1 to 100 letters, digits and dashes")
		case living >= maxTokens:
			return codacyError(http.StatusUnprocessableEntity, "A repository can't have more than 100 tokens")
		case taken:
			return codacyError(http.StatusConflict, "A token with this name already exists")
		}
		wanted.Name = or(wanted.Name, fmt.Sprintf("token-%d", w.lastToken+1))
	}
	t := w.newToken(repo, Token{Name: wanted.Name, Created: now.Truncate(time.Millisecond), Expires: expires.UTC()})
	t.viaAPI = true
	return data(http.StatusCreated, w.body(t, true))
}

func (w *World) deleteToken(c *call) response {
	id, err := strconv.ParseInt(c.token, 10, 64)
	if err != nil {
		return codacyError(http.StatusBadRequest, "the token id is no number")
	}
	return w.delete(c, []int64{id})
}

func (w *World) deleteTokens(c *call) response {
	var wanted struct {
		IDs []int64 `json:"ids"`
	}
	if w.options.Legacy {
		return *notOnCodacy("Operation")
	}
	if !c.decode(&wanted) {
		return response{}
	}
	return w.delete(c, wanted.IDs)
}

// delete deletes all of the tokens, or none where one of them is not there.
func (w *World) delete(c *call, ids []int64) response {
	repo, refusal := w.project(c)
	if refusal != nil {
		return *refusal
	}
	var found []*token
	for _, id := range ids {
		i := slices.IndexFunc(repo.tokens, func(t *token) bool { return t.ID == id && !t.Deleted })
		if i < 0 {
			return *notOnCodacy("Token")
		}
		found = append(found, repo.tokens[i])
	}
	for _, t := range found {
		t.Deleted = true
		w.checkDeleted(c, t)
	}
	return response{status: http.StatusNoContent}
}

// token is a Token in its repository.
type token struct {
	Token
	repo   *repository
	viaAPI bool // by a request, not by hand
	manual bool // deleted so
}

func (t *token) valid(now time.Time) bool {
	return !t.Deleted && (t.Expires.IsZero() || now.Before(t.Expires))
}

// newToken adds a token, with an id and a value where it has none.
func (w *World) newToken(repo *repository, t Token) *token {
	w.lastToken++
	t.ID = or(t.ID, w.lastToken)
	if t.Value == "" {
		digest := sha256.Sum256(fmt.Appendf(nil, "token/%d", t.ID))
		t.Value = fmt.Sprintf("%x", digest[:16])
	}
	added := &token{Token: t, repo: repo}
	repo.tokens = append(repo.tokens, added)
	w.values[t.Value] = added
	return added
}

// data wraps an answer as Codacy does.
func data(status int, body any) response {
	return jsonResponse(status, struct {
		Data any `json:"data"`
	}{body})
}

// pageOf wraps a page as Codacy does.
func pageOf[T any](page []T, cursor string, limit, total int) response {
	type pagination struct {
		Cursor string `json:"cursor,omitempty"`
		Limit  int    `json:"limit"`
		Total  int    `json:"total"`
	}
	return jsonResponse(http.StatusOK, struct {
		Data       []T        `json:"data"`
		Pagination pagination `json:"pagination"`
	}{page, pagination{cursor, limit, total}})
}
