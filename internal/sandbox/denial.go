package sandbox

import "net/http"

// Denial is why GitHub denies access to a repository's secrets.
type Denial int

// The denials, with GitHub's status and message.
const (
	DenyArchived    Denial = iota + 1 // 403: Repository was archived so is read-only.
	DenyAdminRights                   // 403: Must have admin rights to Repository.
	DenyBlocked                       // 403: Repository access blocked
	DenyLocked                        // 403: Repository has been locked for migration.
	DenyPermission                    // 403: Resource not accessible by …, with X-Accepted-GitHub-Permissions
	DenyPlain                         // 403: Forbidden, without a reason
	DenyHidden                        // 404: Not Found
	DenyTakedown                      // 451: Repository unavailable due to DMCA takedown.
)

// Operation is a group of requests for a store's secrets.
type Operation int

// The operations that can be denied.
const (
	ReadSecrets  Operation = iota // GET …/secrets and …/secrets/{name}
	ReadKey                       // GET …/secrets/public-key
	WriteSecrets                  // PUT and DELETE …/secrets/{name}
	operations
)

// Deny makes a repository's store deny operations from now on; no operation
// means all of them, and an empty store all four. It replaces an earlier denial
// of the same operations.
func (w *World) Deny(repository, store string, d Denial, on ...Operation) {
	w.setDenials(repository, store, &d, on)
}

// Allow ends the denials of operations; no operation means all of them, and an
// empty store all four.
func (w *World) Allow(repository, store string, on ...Operation) {
	w.setDenials(repository, store, nil, on)
}

func (w *World) setDenials(repository, store string, d *Denial, on []Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(repository)
	if len(on) == 0 {
		on = []Operation{ReadSecrets, ReadKey, WriteSecrets}
	}
	for i := range storeNames {
		if store != "" && i != storeIndex(store) {
			continue
		}
		for _, operation := range on {
			repo.denials[i][operation] = d
		}
	}
}

// operation returns the group to which a request for secrets belongs.
func (k Kind) operation() Operation {
	switch k {
	case KindPublicKey:
		return ReadKey
	case KindPutSecret, KindDeleteSecret:
		return WriteSecrets
	}
	return ReadSecrets
}

// response is GitHub's response to a credential that is denied access to a store.
func (d Denial) response(x *credential, store int, access Access) response {
	switch d {
	case DenyArchived:
		return githubError(http.StatusForbidden, "Repository was archived so is read-only.")
	case DenyAdminRights:
		return githubError(http.StatusForbidden, "Must have admin rights to Repository.")
	case DenyBlocked:
		return githubError(http.StatusForbidden, "Repository access blocked")
	case DenyLocked:
		return githubError(http.StatusForbidden, "Repository has been locked for migration.")
	case DenyPermission:
		return x.lacks(store, access)
	case DenyPlain:
		return githubError(http.StatusForbidden, "Forbidden")
	case DenyTakedown:
		return githubError(http.StatusUnavailableForLegalReasons, "Repository unavailable due to DMCA takedown.")
	}
	return githubError(http.StatusNotFound, "Not Found")
}
