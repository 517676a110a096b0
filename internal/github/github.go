// Package github is a client for what the action needs of GitHub: the kind of
// an owner, the repositories that a credential sees, and a repository's secrets
// in all four stores. It is built on go-github, whose Client carries every
// request; answers are decoded here, because go-github takes an empty answer for
// an empty list, rounds a numeric key_id, and does not know the agents store.
// https://docs.github.com/rest
//
// Reads are tried again as pace.Do does; PutSecret is sent once.
package github

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/google/go-github/v60/github"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// Name is the service's name in errors.
	Name = "GitHub"
	// maxPages bounds a list that never ends.
	maxPages = 10_000
	// maxEmpty bounds the pages in a row that hold nothing and point on.
	maxEmptyPages = 3
	// pageSize is the most that GitHub gives.
	pageSize = 100
	// maxName is how much is kept of a name, in bytes: more than any that can be
	// used has.
	maxName = 256
)

// Client talks to GitHub. It is safe for concurrent use.
type Client struct {
	gh    *github.Client
	start pace.Retry
	retry pace.Retry
}

// New returns a client for the API at base, such as https://api.github.com or
// https://ghes.example/api/v3. The http.Client carries the credential. Start
// bounds the first request, retry the other reads.
func New(hc *http.Client, base *url.URL, start, retry pace.Retry) *Client {
	gh := github.NewClient(hc)
	u := *base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	gh.BaseURL = &u
	return &Client{gh: gh, start: start, retry: retry}
}

// Scope is the list that holds an owner's repositories.
type Scope int

const (
	// Organization: GET /orgs/{org}/repos.
	Organization Scope = iota
	// Account: GET /user/repos, those of the token's own user.
	Account
	// Installation: GET /installation/repositories, for installation tokens.
	Installation
)

// Repository is what the action keeps of a repository.
type Repository struct {
	ID                          int64
	Owner, Name                 string
	Archived, Disabled, Private bool
}

// Owner is an organization or a user.
type Owner struct {
	// Scope is the list of its repositories.
	Scope Scope
	// Login is its name as GitHub spells it.
	Login string
	// Expires is when the token expires that asked, on GitHub's clock; zero if
	// never, or if GitHub does not say.
	Expires time.Time
	// Scopes are those of the token that asked, if it is a classic one: only for
	// these GitHub tells any, and then Classic is set.
	// https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
	Scopes  []string
	Classic bool
}

// Owner looks an owner up. It proves the token too: a dead one is refused.
func (c *Client) Owner(ctx context.Context, name string) (Owner, error) {
	op := "look up the owner " + name
	return pace.Do(ctx, c.start, func(ctx context.Context) (Owner, error) {
		var answer struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		}
		resp, err := c.get(ctx, op, path("users", name), &answer)
		if err != nil {
			return Owner{}, err
		}
		owner := Owner{Login: answer.Login, Expires: resp.TokenExpiration.Time}
		scopes, classic := resp.Header[http.CanonicalHeaderKey("X-OAuth-Scopes")]
		owner.Classic = classic
		for _, s := range strings.Split(strings.Join(scopes, ","), ",") {
			if s = strings.TrimSpace(s); s != "" {
				owner.Scopes = append(owner.Scopes, s)
			}
		}
		switch answer.Type {
		case "Organization":
			owner.Scope = Organization
		case "User":
			owner.Scope = Account
		default:
			return Owner{}, wire.Garbage(Name, op, http.StatusOK, "the answer names no kind of owner")
		}
		return owner, nil
	})
}

// Repositories calls yield with every repository of the scope that the
// credential sees; owner names the organization. The same may come twice.
func (c *Client) Repositories(ctx context.Context, scope Scope, owner string, yield func(Repository)) error {
	const op = "list the repositories"
	address := map[Scope]string{
		Organization: path("orgs", owner, "repos") + "?",
		Account:      "user/repos?affiliation=owner&",
		Installation: "installation/repositories?",
	}[scope]
	type item struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Owner struct {
			Login string `json:"login"`
		} `json:"owner"`
		Archived bool `json:"archived"`
		Disabled bool `json:"disabled"`
		Private  bool `json:"private"`
	}
	type page struct {
		items []item
		next  int
	}
	asked := owner // whose list it is; that of an installation says it itself
	if scope == Installation {
		asked = ""
	}
	retry, listed, empty := c.start, 0, 0
	var raw bytes.Buffer
	for number, pages := 1, 0; number != 0; pages++ {
		p, err := pace.Do(ctx, retry, func(ctx context.Context) (page, error) {
			var list *[]item
			var answer any = &list
			var installed struct {
				Total        int     `json:"total_count"`
				Repositories *[]item `json:"repositories"`
			}
			if scope == Installation {
				answer = &installed
			}
			resp, err := c.getIn(ctx, &raw, op, fmt.Sprintf("%sper_page=%d&page=%d", address, pageSize, number), answer)
			if err != nil {
				return page{}, err
			}
			if scope == Installation {
				list = installed.Repositories
			}
			switch {
			case list == nil:
				return page{}, wire.Garbage(Name, op, http.StatusOK, "the answer holds no list")
			case slices.ContainsFunc(*list, func(it item) bool { return it.ID <= 0 || it.Name == "" }):
				return page{}, wire.Garbage(Name, op, http.StatusOK, "a repository in the list has no id or no name")
			case resp.NextPage == 0 && strings.Contains(resp.Header.Get("Link"), `rel="next"`):
				return page{}, wire.Garbage(Name, op, http.StatusOK, "the list's next page has no number")
			case resp.NextPage != 0 && resp.NextPage <= number, pages == maxPages,
				resp.LastPage != 0 && resp.NextPage > resp.LastPage,
				resp.NextPage != 0 && len(*list) == 0 && empty == maxEmptyPages-1,
				installed.Total > 0 && listed+len(*list) > installed.Total+pageSize: // some may be added meanwhile
				return page{}, wire.Garbage(Name, op, http.StatusOK, "the list does not end")
			}
			return page{*list, resp.NextPage}, nil
		})
		if err != nil {
			return err
		}
		for _, it := range p.items {
			yield(Repository{
				ID: it.ID, Owner: unique.Make(wire.Truncate(cmp.Or(it.Owner.Login, asked), maxName)).Value(), Name: wire.Truncate(it.Name, maxName),
				Archived: it.Archived, Disabled: it.Disabled, Private: it.Private,
			})
		}
		listed += len(p.items)
		if empty++; len(p.items) > 0 {
			empty = 0
		}
		number, retry = p.next, c.retry
	}
	return nil
}

// PublicKey fetches the key that the secrets of one of a repository's stores are
// sealed for. Its id goes along with what it sealed.
func (c *Client) PublicKey(ctx context.Context, r Repository, store string) (id string, key seal.Key, err error) {
	op := fmt.Sprintf("fetch the public key of %s/%s (%s)", r.Owner, r.Name, store)
	type answer struct {
		ID  json.RawMessage `json:"key_id"`
		Key string          `json:"key"`
	}
	a, err := pace.Do(ctx, c.retry, func(ctx context.Context) (answer, error) {
		var a answer
		_, err := c.get(ctx, op, secrets(r, store, "public-key"), &a)
		if err == nil && (len(a.ID) == 0 || a.Key == "") {
			err = wire.Garbage(Name, op, http.StatusOK, "the answer holds no key")
		}
		return a, err
	})
	if err != nil {
		return "", seal.Key{}, err
	}
	// A string, or on GHES a number, whose digits are kept as they came.
	if json.Unmarshal(a.ID, &id) != nil {
		id = string(a.ID)
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			id = ""
		}
	}
	if id == "" {
		return "", seal.Key{}, wire.Garbage(Name, op, http.StatusOK, "the key's id is neither a text nor a number")
	}
	if key, err = seal.ParseKey(a.Key); err != nil {
		return "", seal.Key{}, wire.Garbage(Name, op, http.StatusOK, err.Error())
	}
	return id, key, nil
}

// SecretUpdated tells when the secret was last written, in whole seconds on
// GitHub's clock; the zero time if there is none. GitHub never tells the value.
func (c *Client) SecretUpdated(ctx context.Context, r Repository, store, name string) (time.Time, error) {
	op := fmt.Sprintf("look at the secret %s of %s/%s (%s)", name, r.Owner, r.Name, store)
	return pace.Do(ctx, c.retry, func(ctx context.Context) (time.Time, error) {
		var answer struct {
			Updated time.Time `json:"updated_at"`
		}
		_, err := c.get(ctx, op, secrets(r, store, name), &answer)
		switch {
		case wire.IsNotFound(err):
			return time.Time{}, nil
		case err == nil && answer.Updated.IsZero():
			err = wire.Garbage(Name, op, http.StatusOK, "the answer tells no updated_at")
		}
		return answer.Updated, err
	})
}

// Secrets counts the secrets of a store.
func (c *Client) Secrets(ctx context.Context, r Repository, store string) (int, error) {
	var answer struct {
		Count int `json:"total_count"`
	}
	op := fmt.Sprintf("count the secrets of %s/%s (%s)", r.Owner, r.Name, store)
	_, err := c.get(ctx, op, path("repos", r.Owner, r.Name, store, "secrets")+"?per_page=1", &answer)
	return answer.Count, err
}

// PutSecret stores what was sealed for the key with the id, and tells whether
// the secret is new (201) or took the place of one (204).
func (c *Client) PutSecret(ctx context.Context, r Repository, store, name, keyID, sealed string) (created bool, err error) {
	op := fmt.Sprintf("write the secret %s of %s/%s (%s)", name, r.Owner, r.Name, store)
	req, err := c.gh.NewRequest(http.MethodPut, secrets(r, store, name),
		&github.EncryptedSecret{KeyID: keyID, EncryptedValue: sealed})
	if err != nil {
		return false, wire.Failed(Name, op, err)
	}
	ctx, latest := wire.Track(ctx)
	resp, err := c.gh.BareDo(ctx, req)
	if err != nil {
		return false, wire.Failed(Name, op, cmp.Or(latest(), err))
	}
	defer func() {
		// A 201 has a body, {}: read, it leaves the connection fit to be used
		// again. The status has told everything, whatever becomes of it.
		_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
		_ = resp.Body.Close()
	}()
	switch resp.StatusCode {
	case http.StatusCreated:
		return true, nil
	case http.StatusNoContent:
		return false, nil
	}
	return false, wire.Garbage(Name, op, resp.StatusCode, "the answer is neither 201 nor 204")
}

// get sends a GET and decodes the answer into v; a 404 is wire.IsNotFound.
func (c *Client) get(ctx context.Context, op, address string, v any) (*github.Response, error) {
	return c.getIn(ctx, new(bytes.Buffer), op, address, v)
}

// getIn is get with a buffer for the answer, which many large ones can share.
func (c *Client) getIn(ctx context.Context, raw *bytes.Buffer, op, address string, v any) (*github.Response, error) {
	req, err := c.gh.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, wire.Failed(Name, op, err)
	}
	raw.Reset()
	ctx, latest := wire.Track(ctx)
	resp, err := c.gh.Do(ctx, req, raw)
	if err != nil {
		return nil, wire.Failed(Name, op, cmp.Or(latest(), err))
	}
	if err := json.Unmarshal(raw.Bytes(), v); err != nil {
		return nil, wire.Unreadable(Name, op, resp.StatusCode, resp.Header, "the answer is no JSON of the described form")
	}
	return resp, nil
}

func secrets(r Repository, store, name string) string {
	return path("repos", r.Owner, r.Name, store, "secrets", name)
}

// path joins the elements of an address, each of them escaped.
func path(elements ...string) string { return wire.Path(elements...) }
