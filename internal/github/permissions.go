package github

import "github.com/codacy/codacy-project-tokens/internal/rotation"

// StorePermissions returns the permissions that a run needs for the secrets of these
// stores: write access, or read access if it changes nothing.
func StorePermissions(stores []string, readOnly bool) map[string]string {
	needed := map[string]string{"metadata": "read"}
	for _, store := range stores {
		p := rotation.Store(store).Permission()
		needed[p.Name] = "write"
		if readOnly && !p.WriteToRead {
			needed[p.Name] = "read"
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
