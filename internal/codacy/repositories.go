package codacy

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Repository is one of an organization's repositories on Codacy.
type Repository struct {
	Name string
	// RemoteID is the provider's ID of the repository; empty if unknown.
	RemoteID string
	// Added reports whether Codacy analyzes the repository. Others have no tokens.
	Added bool
	// Private reports whether the repository isn't visible to everyone.
	Private bool
}

// Repositories calls yield with each repository of the organization, page by
// page. It may yield a repository twice.
func (c *Client) Repositories(ctx context.Context, yield func(Repository)) error {
	type item struct {
		Name       string `json:"name"`
		RemoteID   string `json:"remoteIdentifier"`
		AddedState string `json:"addedState"`
		Visibility string `json:"visibility"`
	}
	l := list{
		op: "list the organization's repositories", path: append(c.org[:3:3], "repositories"),
		query: url.Values{"limit": {strconv.Itoa(pageSize)}}, first: c.start,
		maxItems: maxRepositories, maxBytes: maxRepositoryBytes,
	}
	return pages(ctx, c, l, func(it item) {
		yield(Repository{
			Name: wire.Truncate(it.Name, maxName), RemoteID: wire.Truncate(it.RemoteID, maxName),
			Added: it.AddedState != "NotAdded", Private: it.Visibility == "Private",
		})
	})
}

// OrganizationExists reports whether Codacy has the organization of a provider, to
// distinguish a wrong name from a wrong provider.
func (c *Client) OrganizationExists(ctx context.Context, provider, organization string) bool {
	var body struct{ Data *[]struct{} }
	address := c.url(url.Values{"limit": {"1"}}, "organizations", provider, organization, "repositories")
	err := c.do(ctx, "find the organization "+organization, http.MethodGet, address, nil, &body)
	return err == nil && body.Data != nil
}
