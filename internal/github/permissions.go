package github

// permissions are the permissions of an installation for each store.
// https://docs.github.com/rest/authentication/permissions-required-for-github-apps
var permissions = map[string]string{
	"actions":    "secrets",
	"dependabot": "dependabot_secrets",
	"codespaces": "codespaces_secrets",
	"agents":     "agent_secrets",
}

// StorePermissions returns the permissions that a run needs for the secrets of these
// stores: write access, or read access if it changes nothing. Codespaces secrets need
// write access even to be read.
func StorePermissions(stores []string, readOnly bool) map[string]string {
	needed := map[string]string{"metadata": "read"}
	for _, store := range stores {
		needed[permissions[store]] = "write"
		if readOnly && store != "codespaces" {
			needed[permissions[store]] = "read"
		}
	}
	return needed
}

// narrow returns what an installation grants of the needed permissions.
func narrow(needed, granted map[string]string) map[string]string {
	narrowed := map[string]string{}
	for name, level := range needed {
		switch granted[name] {
		case "":
		case "read":
			narrowed[name] = "read"
		default:
			narrowed[name] = level
		}
	}
	return narrowed
}
