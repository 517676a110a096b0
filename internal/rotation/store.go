package rotation

// Store is a store of a repository's secrets on GitHub, spelled as in the paths
// of its API.
type Store string

// The stores.
const (
	StoreAgents     Store = "agents"
	StoreCodespaces Store = "codespaces"
	StoreDependabot Store = "dependabot"
	StoreActions    Store = "actions"
)

// Permission is GitHub's permission for the secrets of a store.
type Permission struct {
	// Name is the name in the API, and Page the one on the settings pages.
	Name, Page string
	// WriteToRead reports whether even reading requires write access.
	WriteToRead bool
}

// stores lists all stores in the order of writing. Actions is last because most
// credentials may write it: another store denies access while nothing has changed.
// https://docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
var stores = []struct {
	store      Store
	permission Permission
}{
	{StoreAgents, Permission{Name: "agent_secrets", Page: "Agent secrets"}},
	{StoreCodespaces, Permission{Name: "codespaces_secrets", Page: "Codespaces secrets", WriteToRead: true}},
	{StoreDependabot, Permission{Name: "dependabot_secrets", Page: "Dependabot secrets"}},
	{StoreActions, Permission{Name: "secrets", Page: "Secrets"}},
}

// Stores lists all stores in the order of writing.
func Stores() []Store {
	all := make([]Store, len(stores))
	for i, s := range stores {
		all[i] = s.store
	}
	return all
}

// Permission returns the permission of the store; the zero value if it is unknown.
func (s Store) Permission() Permission {
	for _, known := range stores {
		if known.store == s {
			return known.permission
		}
	}
	return Permission{}
}
