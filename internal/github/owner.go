package github

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Scope is the list that an owner's repositories are in.
type Scope int

const (
	// Organization is GET /orgs/{org}/repos.
	Organization Scope = iota
	// Account is GET /user/repos, the repositories of the token's own user.
	Account
	// Installation is GET /installation/repositories, for installation tokens.
	Installation
)

// Owner is an organization or a user.
type Owner struct {
	// Scope is the list of the owner's repositories.
	Scope Scope
	// Login is the owner's name as GitHub spells it.
	Login string
	// Expires is when the token of the request expires, on GitHub's clock; zero if
	// never, or if GitHub does not say.
	Expires time.Time
	// Scopes are those of the token of the request. GitHub returns them for classic
	// tokens only; for these, Classic is set.
	// https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
	Scopes  []string
	Classic bool
}

// Owner looks up an owner. It also verifies the token: GitHub rejects an invalid
// one.
func (c *Client) Owner(ctx context.Context, name string) (Owner, error) {
	op := "look up the owner " + name
	return pace.Do(ctx, c.start, func(ctx context.Context) (Owner, error) {
		var body struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		}
		resp, err := c.get(ctx, op, path("users", name), &body)
		if err != nil {
			return Owner{}, err
		}
		owner := Owner{Login: body.Login, Expires: resp.TokenExpiration.Time}
		scopes, classic := resp.Header[http.CanonicalHeaderKey("X-OAuth-Scopes")]
		owner.Classic = classic
		for _, s := range strings.Split(strings.Join(scopes, ","), ",") {
			if s = strings.TrimSpace(s); s != "" {
				owner.Scopes = append(owner.Scopes, s)
			}
		}
		switch body.Type {
		case "Organization":
			owner.Scope = Organization
		case "User":
			owner.Scope = Account
		default:
			return Owner{}, wire.Malformed(Name, op, http.StatusOK, nil, "the response names no kind of owner")
		}
		return owner, nil
	})
}
