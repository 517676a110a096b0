package sandbox

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

var gitHubRoutes = routes(append(
	secretRoutes("repos/{owner}/{repo}"), append(secretRoutes("repositories/{id}"),
		route{kind: KindGitHubUser, method: "GET", path: "user", do: (*World).getGitHubUser},
		route{kind: KindGitHubRepositories, method: "GET", path: "user/repos", query: listQuery + " visibility affiliation since before", do: (*World).listOwnRepositories},
		route{kind: KindGitHubOwner, method: "GET", path: "users/{owner}", do: (*World).getOwner},
		route{kind: KindGitHubRepositories, method: "GET", path: "users/{owner}/repos", query: listQuery, do: (*World).listUserRepositories},
		route{kind: KindGitHubRepositories, method: "GET", path: "orgs/{owner}/repos", query: listQuery, do: (*World).listOrganizationRepositories},
		route{kind: KindInstallationRepositories, method: "GET", path: "installation/repositories", query: "per_page page", do: (*World).listInstallationRepositories},
		route{kind: KindGitHubRepository, method: "GET", path: "repos/{owner}/{repo}", do: (*World).getGitHubRepository},
		route{kind: KindGitHubRepository, method: "GET", path: "repositories/{id}", do: (*World).getGitHubRepository},
		route{kind: KindRateLimit, method: "GET", path: "rate_limit", do: (*World).getRateLimit},
		route{kind: KindInstallation, method: "GET", path: "orgs/{owner}/installation", do: (*World).getInstallation},
		route{kind: KindInstallation, method: "GET", path: "users/{owner}/installation", do: (*World).getInstallation},
		route{kind: KindAccessToken, method: "POST", path: "app/installations/{token}/access_tokens", do: (*World).createAccessToken},
		route{kind: KindRevokeAccessToken, method: "DELETE", path: "installation/token", do: (*World).revokeAccessToken},
	)...)...)

const listQuery = "type sort direction per_page page"

// secretRoutes are the operations on secrets, below a repository.
func secretRoutes(repository string) []route {
	secrets := repository + "/{store}/secrets"
	return []route{
		{kind: KindListSecrets, method: "GET", path: secrets, query: "per_page page", do: (*World).listSecrets},
		{kind: KindPublicKey, method: "GET", path: secrets + "/public-key", do: (*World).getPublicKey, prepare: (*World).prepareKey},
		{kind: KindGetSecret, method: "GET", path: secrets + "/{secret}", do: (*World).getSecret},
		{kind: KindPutSecret, method: "PUT", path: secrets + "/{secret}", do: (*World).putSecret, prepare: (*World).preparePut},
		{kind: KindDeleteSecret, method: "DELETE", path: secrets + "/{secret}", do: (*World).deleteSecret},
	}
}

// byID returns the repository with GitHub's ID in a path, or nil.
func (w *World) byID(id string) *repository {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	return w.ids[number]
}

// visible returns the repository of a request if its credential may see it, and
// redirects from an old name to the address by ID.
func (w *World) visible(c *call) (*repository, *response) {
	repo := w.target(c)
	if repo == nil || !c.credential.seesRepository(repo) || c.id != "" && w.options.NoIDAddresses {
		a := githubError(http.StatusNotFound, "Not Found")
		return nil, &a
	}
	if c.name == "" || strings.EqualFold(c.owner, repo.Owner) && strings.EqualFold(c.name, repo.Name) {
		return repo, nil
	}
	status := http.StatusTemporaryRedirect
	if c.Method == http.MethodGet {
		status = http.StatusMovedPermanently
	}
	location := fmt.Sprintf("%s/repositories/%d", c.base, repo.ID)
	if w.options.NoIDAddresses {
		location = fmt.Sprintf("%s/repos/%s/%s", c.base, url.PathEscape(repo.Owner), url.PathEscape(repo.Name))
	}
	if rest := strings.SplitN(c.path, "/", 5); len(rest) == 5 { // "", repos, owner, name, rest
		location += "/" + rest[4]
	}
	a := jsonResponse(status, map[string]string{
		"message": "Moved Permanently", "url": location, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	})
	a.set("Location", location)
	return nil, &a
}

func (w *World) getGitHubRepository(c *call) response {
	repo, rejection := w.visible(c)
	if rejection != nil {
		return *rejection
	}
	return response{status: http.StatusOK, body: w.render(nil, repo)}
}

//go:embed repository.json.tmpl
var repositoryTemplate string

// splitTemplate splits a repository's JSON at its placeholders: text and
// placeholder alternate.
func splitTemplate() []string {
	return strings.Split(strings.ReplaceAll(strings.TrimSpace(repositoryTemplate), "\n", ""), "%")
}

// render appends a repository's JSON, which is as long as GitHub's own.
func (w *World) render(to []byte, repo *repository) []byte {
	visibility := "public"
	switch {
	case repo.Internal:
		visibility = "internal"
	case repo.Private:
		visibility = "private"
	}
	owner, name := escape(repo.Owner), escape(repo.Name)
	for i, part := range w.template {
		if i%2 == 0 {
			to = append(to, part...)
			continue
		}
		switch part {
		case "owner":
			to = append(to, owner...)
		case "name":
			to = append(to, name...)
		case "id":
			to = strconv.AppendInt(to, repo.ID, 10)
		case "ownerid":
			to = strconv.AppendInt(to, accountID(repo.Owner), 10)
		case "type":
			to = append(to, w.ownerType(repo.Owner)...)
		case "private":
			to = strconv.AppendBool(to, repo.Private)
		case "visibility":
			to = append(to, visibility...)
		case "topics":
			topics, err := json.Marshal(append([]string{}, repo.Topics...))
			must(err)
			to = append(to, topics...)
		case "archived":
			to = strconv.AppendBool(to, repo.Archived)
		case "disabled":
			to = strconv.AppendBool(to, repo.Disabled)
		case "admin":
			to = strconv.AppendBool(to, repo.Role == "admin")
		case "push":
			to = strconv.AppendBool(to, repo.Role != "read")
		}
	}
	return to
}

// escape escapes text for the inside of a JSON string.
func escape(text string) []byte {
	quoted, err := json.Marshal(text)
	must(err)
	return quoted[1 : len(quoted)-1]
}

// accountID generates the ID of a user or an organization.
func accountID(login string) int64 { return int64(crc32.ChecksumIEEE([]byte(strings.ToLower(login)))) }

func (w *World) ownerType(login string) string {
	if strings.EqualFold(login, w.options.Organization) {
		return w.options.OwnerType
	}
	return "User"
}

// sorted returns the repositories on GitHub: newest first, or by name.
func (w *World) sorted(c *call, byName bool) []*repository {
	if sort := c.query.Get("sort"); sort != "" {
		byName = sort == "full_name"
	}
	backwards := c.query.Get("direction") == "desc"
	if direction := c.query.Get("direction"); direction == "" {
		backwards = !byName
	}
	key := fmt.Sprint(byName, backwards)
	if list := w.listed[key]; list != nil {
		return list
	}
	list := make([]*repository, 0, len(w.repos))
	for _, repo := range w.repos {
		if !repo.NotOnGitHub {
			list = append(list, repo)
		}
	}
	if byName {
		slices.SortStableFunc(list, func(a, b *repository) int {
			return strings.Compare(lower(a.Owner, a.Name), lower(b.Owner, b.Name))
		})
	}
	if backwards {
		slices.Reverse(list)
	}
	w.listed[key] = list
	return list
}

// listPage returns one page of the visible repositories that pass, and the number
// of all of them.
func (w *World) listPage(c *call, byName bool, pass func(*repository) bool) (all int, a response) {
	var list []*repository
	for _, repo := range w.sorted(c, byName) {
		if c.credential.seesRepository(repo) && pass(repo) {
			list = append(list, repo)
		}
	}
	from, to, a := c.page(len(list))
	if a.status != http.StatusOK {
		return 0, a
	}
	body := make([]byte, 0, 2+(to-from)*(len(repositoryTemplate)+2048))
	body = append(body, '[')
	for i, repo := range list[from:to] {
		if i > 0 {
			body = append(body, ',')
		}
		body = w.render(body, repo)
	}
	a.body = append(body, ']')
	return len(list), a
}

func (w *World) listOwned(c *call, byName bool, owner string) response {
	private := c.query.Get("type")
	_, a := w.listPage(c, byName, func(repo *repository) bool {
		return strings.EqualFold(repo.Owner, owner) &&
			(private != "public" || !repo.Private) && (private != "private" || repo.Private)
	})
	return a
}

func (w *World) listOrganizationRepositories(c *call) response {
	if !strings.EqualFold(c.owner, w.options.Organization) || w.options.OwnerType != "Organization" {
		return githubError(http.StatusNotFound, "Not Found")
	}
	if rejection := w.denied(c.credential, c.owner); rejection != nil {
		return *rejection
	}
	return w.listOwned(c, false, c.owner)
}

func (w *World) listUserRepositories(c *call) response {
	if !w.exists(c.owner) {
		return githubError(http.StatusNotFound, "Not Found")
	}
	_, a := w.listPage(c, true, func(repo *repository) bool { // the public ones, for every credential
		return strings.EqualFold(repo.Owner, c.owner) && !repo.Private
	})
	return a
}

func (w *World) listOwnRepositories(c *call) response {
	if c.credential.isApp() {
		return c.credential.notAccessible()
	}
	if c.query.Get("affiliation") == "owner" {
		return w.listOwned(c, true, c.credential.Login)
	}
	_, a := w.listPage(c, true, func(*repository) bool { return true })
	return a
}

func (w *World) listInstallationRepositories(c *call) response {
	// Undocumented: here a workflow's token may do this if it names its repository.
	if c.credential.Kind != Installation && (c.credential.Kind != Workflow || c.credential.sees == nil) {
		return githubError(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	all, a := w.listPage(c, false, func(repo *repository) bool {
		return strings.EqualFold(repo.Owner, w.options.Organization)
	})
	if a.status == http.StatusOK {
		selection := "all"
		if c.credential.sees != nil {
			selection = "selected"
		}
		head := fmt.Appendf(nil, `{"total_count":%d,"repository_selection":%q,"repositories":`, all, selection)
		a.body = append(append(head, a.body...), '}')
	}
	return a
}

// page reads per_page and page. Its response has status 200 and the Link header.
func (c *call) page(total int) (from, to int, a response) {
	size, page := 30, 1
	for name, into := range map[string]*int{"per_page": &size, "page": &page} {
		if text := c.query.Get(name); text != "" {
			number, err := strconv.Atoi(text)
			if err != nil || number < 1 {
				return 0, 0, githubError(http.StatusUnprocessableEntity, name+" is not a positive number")
			}
			*into = number
		}
	}
	size = min(size, 100)
	last := max(1, (total+size-1)/size)
	a.status = http.StatusOK
	var links []string
	link := func(page int, rel string) {
		query := url.Values{}
		for key, values := range c.query {
			query[key] = values
		}
		query.Set("page", strconv.Itoa(page))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.base, c.path, query.Encode(), rel))
	}
	if page > 1 {
		link(min(page-1, last), "prev")
	}
	if page < last {
		link(page+1, "next")
		link(last, "last")
	}
	if page > 1 {
		link(1, "first")
	}
	if links != nil {
		a.set("Link", strings.Join(links, ", "))
	}
	from = min((page-1)*size, total)
	return from, min(from+size, total), a
}

// exists reports whether GitHub knows an owner.
func (w *World) exists(login string) bool {
	if strings.EqualFold(login, w.options.Organization) {
		return true
	}
	for _, repo := range w.repos {
		if strings.EqualFold(repo.Owner, login) {
			return true
		}
	}
	return false
}

func (w *World) getOwner(c *call) response {
	if !w.exists(c.owner) {
		return githubError(http.StatusNotFound, "Not Found")
	}
	login := c.owner
	if strings.EqualFold(login, w.options.Organization) {
		login = w.options.Organization
	}
	return jsonResponse(http.StatusOK, w.user(login, "public"))
}

func (w *World) getGitHubUser(c *call) response {
	if c.credential.isApp() {
		return c.credential.notAccessible()
	}
	user := w.user(c.credential.Login, "private")
	for _, key := range strings.Fields("private_gists total_private_repos owned_private_repos disk_usage collaborators") {
		user[key] = 0
	}
	user["two_factor_authentication"] = true
	return jsonResponse(http.StatusOK, user)
}

// account returns what GitHub shows about an owner inside other responses.
func (w *World) account(login string) map[string]any {
	id := accountID(login)
	account := map[string]any{
		"login": login, "id": id, "node_id": fmt.Sprintf("U_%d", id), "type": w.ownerType(login), "site_admin": false,
		"avatar_url": fmt.Sprintf("https://avatars.githubusercontent.com/u/%d", id), "gravatar_id": "",
		"html_url": "https://github.com/" + url.PathEscape(login),
	}
	at := "https://api.github.com/users/" + url.PathEscape(login)
	account["url"] = at
	for key, path := range map[string]string{
		"followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
		"starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
		"repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
	} {
		account[key] = at + path
	}
	return account
}

// user returns what GitHub shows about an owner on request.
func (w *World) user(login, view string) map[string]any {
	user := w.account(login)
	user["user_view_type"] = view
	for _, key := range strings.Fields("name company location email hireable bio") {
		user[key] = nil
	}
	for _, key := range strings.Fields("public_repos public_gists followers following") {
		user[key] = 0
	}
	user["blog"] = ""
	user["created_at"], user["updated_at"] = "2012-03-04T05:06:07Z", "2026-03-04T05:06:07Z"
	return user
}
