package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Codacy's limits.
const (
	maxTokens = 100 // in one repository
	maxPage   = 100
)

var codacyRoutes = routes(
	route{kind: KindUser, method: "GET", path: "user", do: (*World).getUser},
	route{kind: KindUserTokens, method: "GET", path: "user/tokens", query: "cursor limit", do: (*World).listUserTokens},
	route{kind: KindVersion, method: "GET", path: "version", do: (*World).getVersion},
	route{kind: KindOrganization, method: "GET", path: "organizations/{provider}/{owner}", do: (*World).getOrganization},
	route{kind: KindListRepositories, method: "GET", path: "organizations/{provider}/{owner}/repositories", query: "cursor limit filter search", do: (*World).listRepositories},
	route{kind: KindGetRepository, method: "GET", path: "organizations/{provider}/{owner}/repositories/{repo}", do: (*World).getRepository},
	route{kind: KindListTokens, method: "GET", path: "organizations/{provider}/{owner}/repositories/{repo}/tokens", query: "cursor", do: (*World).listTokens},
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

// accountExpiry returns when an account token expires; zero if never.
func (w *World) accountExpiry(value string) time.Time {
	if expires, ok := w.options.CodacyTokenExpiries[value]; ok {
		return expires
	}
	return w.options.CodacyTokenExpires
}

// accountToken rejects a request without a valid account token.
func (w *World) accountToken(c *call) *response {
	value := c.header.Get("Api-Token")
	active, known := w.accounts[value]
	expires := w.accountExpiry(value)
	var a response
	switch {
	case active && (expires.IsZero() || w.now(Codacy).Before(expires)):
		return nil
	case active:
		a = codacyError(http.StatusUnauthorized, "token expired")
	case known && w.options.InvalidTokenStatus == http.StatusNotFound:
		a = response{status: http.StatusNotFound, body: []byte(`{"error":"not found"}`)}
	default:
		a = codacyError(http.StatusUnauthorized, "Unauthorized")
	}
	return &a
}

// organization rejects a request about another organization.
func (w *World) organization(c *call) *response {
	if c.provider != w.options.Provider || !strings.EqualFold(c.owner, w.options.Organization) ||
		w.options.CaseSensitive && c.owner != w.options.Organization {
		return notOnCodacy("Organization")
	}
	return nil
}

// project returns the repository whose tokens a request is about.
func (w *World) project(c *call) (*repository, *response) {
	if rejection := w.accountToken(c); rejection != nil {
		return nil, rejection
	}
	if rejection := w.organization(c); rejection != nil {
		return nil, rejection
	}
	repo := w.codacyNames[c.name]
	if repo == nil || repo.State == NotAdded || repo.CodacyRole != "admin" {
		return nil, notOnCodacy("Repository")
	}
	return repo, nil
}

func (w *World) getUser(c *call) response {
	if rejection := w.accountToken(c); rejection != nil {
		return *rejection
	}
	return data(http.StatusOK, map[string]any{
		"id": 1, "name": "Sandbox", "mainEmail": "sandbox@example.com", "otherEmails": []string{},
		"isAdmin": false, "isActive": true, "created": "2019-05-07T14:29:13.43Z",
	})
}

func (w *World) getVersion(*call) response { return data(http.StatusOK, "2026.11.0") }

func (w *World) listUserTokens(c *call) response {
	if rejection := w.accountToken(c); rejection != nil {
		return *rejection
	}
	tokens := []apiToken{}
	for i, value := range w.options.CodacyTokens {
		if w.accounts[value] {
			tokens = append(tokens, apiToken{
				ID: int64(i + 1), Token: w.options.AccountTokenValues.show(value), Expires: w.accountExpiry(value).UTC(),
			})
		}
	}
	return pageOf(tokens, "", maxPage, len(tokens))
}

func (w *World) getOrganization(c *call) response {
	if rejection := w.accountToken(c); rejection != nil {
		return *rejection
	}
	if rejection := w.organization(c); rejection != nil {
		return *rejection
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
	if rejection := w.organization(c); rejection != nil {
		return *rejection
	}
	anonymous := w.accountToken(c) != nil // public repositories need no token
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

// cursorHead has every character that must be escaped in a URL.
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
	if rejection := w.organization(c); rejection != nil {
		return *rejection
	}
	repo := w.codacyNames[c.name]
	if repo != nil && !repo.Private {
		return data(http.StatusOK, w.show(repo))
	}
	if rejection := w.accountToken(c); rejection != nil {
		return *rejection
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

// body returns a token as Codacy shows it, when it is created or in the list.
func (w *World) body(t *token, created bool) any {
	if w.options.Legacy {
		return apiToken{ID: t.ID, Token: t.Value}
	}
	b := apiToken{ID: t.ID, Name: t.Name, Created: cut(t.Created, w.options.CreationDay)}
	if !t.Expires.IsZero() {
		b.Expires = t.Expires
		if w.options.ExpiryDay != nil {
			b.Expires = t.Expires.In(w.options.ExpiryDay)
		}
	}
	if created || w.options.ListValues {
		b.Token = t.Value
	}
	if w.options.NoCreationDates || t.Undated {
		b.Created = time.Time{}
	}
	if name := w.options.CreationField; name != "" && !b.Created.IsZero() {
		renamed := struct {
			apiToken
			Created *time.Time `json:"createdAt,omitempty"` // hides the embedded one
		}{apiToken: b}
		return withField{renamed, name, b.Created}
	}
	return b
}

// withField is a JSON object with one more field.
type withField struct {
	object any
	name   string
	value  time.Time
}

// MarshalJSON implements json.Marshaler.
func (f withField) MarshalJSON() ([]byte, error) {
	object, err := json.Marshal(f.object)
	if err != nil {
		return nil, err
	}
	field, err := json.Marshal(map[string]time.Time{f.name: f.value})
	if err != nil {
		return nil, err
	}
	return append(append(object[:len(object)-1], ','), field[1:]...), nil
}

func (w *World) listTokens(c *call) response {
	repo, rejection := w.project(c)
	if rejection != nil {
		return *rejection
	}
	next, ok := fromCursor(c.query)
	switch {
	case c.query.Has("cursor") && w.options.TokenPageSize == 0:
		c.unknown = "the list of tokens has no cursor"
		return response{}
	case !ok:
		return codacyError(http.StatusBadRequest, "cursor is not valid")
	}
	now := w.now(Codacy)
	bodies, total, cursor := []any{}, 0, ""
	for _, t := range slices.Backward(repo.tokens) { // newest first: no order is promised
		if t.Deleted || !t.valid(now) && w.options.HideExpired {
			continue
		}
		switch size := w.options.TokenPageSize; {
		case total < next:
		case size == 0 || len(bodies) < size:
			bodies = append(bodies, w.body(t, false))
		case cursor == "":
			cursor = toCursor(total)
		}
		total++
	}
	return pageOf(bodies, cursor, or(w.options.TokenPageSize, max(maxTokens, total)), total)
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9-]{1,100}$`)

// newTokenRequest is the body of a request for a token.
type newTokenRequest struct {
	Name    string `json:"name"`
	Expires string `json:"expiresAt"`
}

func (w *World) createToken(c *call) response {
	repo, rejection := w.project(c)
	if rejection != nil {
		return *rejection
	}
	var requested newTokenRequest
	var expires time.Time
	if !w.options.Legacy {
		if !c.decode(&requested) {
			return response{}
		}
		var rejection *response
		if expires, rejection = w.admit(repo, requested); rejection != nil {
			return *rejection
		}
		requested.Name = or(requested.Name, fmt.Sprintf("token-%d", w.lastToken+1))
	}
	t := Token{Name: requested.Name, Created: w.written(c).Truncate(time.Millisecond), Expires: expires}
	asked := t.Name
	if c.changeToken != nil {
		c.changeToken(&t)
	}
	added := w.newToken(repo, t)
	added.viaAPI, added.asked = true, asked
	return data(http.StatusCreated, w.body(added, true))
}

// admit checks a request for a token and returns the token's expiry.
func (w *World) admit(repo *repository, requested newTokenRequest) (time.Time, *response) {
	reject := func(status int, message string) (time.Time, *response) {
		a := codacyError(status, message)
		return time.Time{}, &a
	}
	now := w.now(Codacy)
	taken, count := false, 0
	for _, t := range repo.tokens { // expired ones too, whether the list shows them or not
		if !t.Deleted {
			count++
			taken = taken || t.Name != "" && t.Name == requested.Name
		}
	}
	expires, err := time.Parse(time.RFC3339, requested.Expires)
	latest := now.Add(w.options.MaxLifetime)
	if w.options.CapLifetime && expires.After(latest) {
		expires = latest.Truncate(time.Second)
	}
	tooLate := expires.After(latest)
	expires = cut(expires.UTC(), w.options.ExpiryDay)
	switch {
	case err != nil:
		return reject(http.StatusBadRequest, "expiresAt is mandatory, an RFC 3339 time")
	case !expires.After(now):
		return reject(http.StatusUnprocessableEntity, "expiresAt must be in the future")
	case tooLate:
		return reject(http.StatusUnprocessableEntity, "expiresAt must be at most "+lifetime(w.options.MaxLifetime)+" ahead")
	case requested.Name != "" && !tokenName.MatchString(requested.Name):
		return reject(http.StatusUnprocessableEntity, "name must be 1 to 100 letters, digits and dashes")
	case count >= maxTokens:
		return reject(w.options.TooManyTokens, "A repository can't have more than 100 tokens")
	case taken:
		return reject(w.options.NameTaken, "A token with this name already exists")
	}
	return expires, nil
}

// lifetime names the longest lifetime of a token.
func lifetime(d time.Duration) string {
	if days := int(d.Hours() / 24); days != 365 {
		return fmt.Sprintf("%d days", days)
	}
	return "one year"
}

func (w *World) deleteToken(c *call) response {
	id, err := strconv.ParseInt(c.token, 10, 64)
	if err != nil {
		return codacyError(http.StatusBadRequest, "the token ID is not a number")
	}
	return w.delete(c, []int64{id})
}

func (w *World) deleteTokens(c *call) response {
	var requested struct {
		IDs []int64 `json:"ids"`
	}
	if w.options.Legacy {
		return *notOnCodacy("Operation")
	}
	if !c.decode(&requested) {
		return response{}
	}
	return w.delete(c, requested.IDs)
}

// delete deletes all of the tokens, or none of them if one does not exist.
func (w *World) delete(c *call, ids []int64) response {
	repo, rejection := w.project(c)
	if rejection != nil {
		return *rejection
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
	repo     *repository
	viaAPI   bool      // created by a request instead of a test
	asked    string    // name in the request that created it
	manual   bool      // deleted by a test
	released time.Time // true time at which the last secret that held it changed; zero if none ever held it
}

func (t *token) valid(now time.Time) bool {
	return !t.Deleted && (t.Expires.IsZero() || now.Before(t.Expires))
}

// newToken adds a token. It generates a missing ID or value.
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

// data wraps a response as Codacy does.
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
