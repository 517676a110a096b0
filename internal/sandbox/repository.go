package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AddedState says whether Codacy analyzes a repository.
type AddedState string

// The states of a repository on Codacy.
const (
	NotAdded  AddedState = "NotAdded" // listed, but it accepts no tokens
	Added     AddedState = "Added"
	Following AddedState = "Following"
)

// Repository is one repository, as both services know it. Only Name is required.
type Repository struct {
	Name     string // on GitHub
	Owner    string // the organization by default
	ID       int64  // GitHub's; generated if 0
	Private  bool
	Internal bool // visible to the enterprise's members only; implies Private
	Archived bool
	Disabled bool
	Role     string   // the credential's role on GitHub: "admin" (default), "write" or "read"
	Topics   []string // on GitHub
	OldNames []string // redirected, unless a repository has that name now

	Hidden      bool // on GitHub, but visible only to credentials that name it
	NotOnGitHub bool
	NotOnCodacy bool

	State      AddedState // on Codacy; Added by default
	CodacyName string     // Name by default; a rename on GitHub does not change it
	CodacyRole string     // of the account token's owner: "admin" (default), "write" or "read"
	RemoteID   string     // the remoteIdentifier that Codacy gives; ID by default
	NoRemoteID bool       // Codacy gives none
}

// repository is a Repository with its tokens, secrets and keys.
type repository struct {
	Repository
	tokens     []*token
	secrets    []*secret
	keys       [len(storeNames)]*keyPair
	generation [len(storeNames)]int
	denials    [len(storeNames)][operations]*Denial
	deniedAt   [len(storeNames)]time.Time // when a store last denied a request; true time
	rejections int                        // of new tokens, in a row
}

// Add adds a repository and returns its ID on GitHub.
func (w *World) Add(r Repository) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.add(r).ID
}

func (w *World) add(r Repository) *repository {
	r.Owner = or(r.Owner, w.options.Organization)
	r.Role = or(r.Role, "admin")
	r.State = or(r.State, Added)
	r.CodacyName = or(r.CodacyName, r.Name)
	r.CodacyRole = or(r.CodacyRole, "admin")
	if r.ID == 0 {
		w.lastID++
		r.ID = w.lastID
	}
	repo := &repository{Repository: r}
	if w.ids[r.ID] != nil {
		panic(fmt.Sprintf("sandbox: two repositories have the ID %d", r.ID))
	}
	w.ids[r.ID] = repo
	w.repos = append(w.repos, repo)
	w.index(repo)
	return repo
}

// Update changes a repository. GitHub redirects from an old name to the new one.
// The ID stays. NotOnGitHub also deletes the repository's secrets.
func (w *World) Update(name string, change func(*Repository)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.update(w.find(name), change)
}

func (w *World) update(repo *repository, change func(*Repository)) {
	old := repo.Repository
	if key := lower(old.Owner, old.Name); w.names[key] == repo {
		delete(w.names, key)
	}
	if w.codacyNames[old.CodacyName] == repo {
		delete(w.codacyNames, old.CodacyName)
	}
	change(&repo.Repository)
	repo.ID = old.ID
	if lower(old.Owner, old.Name) != lower(repo.Owner, repo.Name) {
		repo.OldNames = append(repo.OldNames, old.Owner+"/"+old.Name)
	}
	if repo.NotOnGitHub {
		repo.secrets = nil
	}
	w.index(repo)
}

// Rename renames a repository on GitHub.
func (w *World) Rename(name, to string) { w.Update(name, func(r *Repository) { r.Name = to }) }

// Replace renames a repository on GitHub and gives its old name to a new
// repository, which Codacy does not know. It returns the new one's ID.
func (w *World) Replace(name, to string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(name)
	old := repo.Repository
	w.update(repo, func(r *Repository) { r.Name = to })
	return w.add(Repository{Name: old.Name, Owner: old.Owner, Private: old.Private, NotOnCodacy: true}).ID
}

// Archive archives a repository on GitHub.
func (w *World) Archive(name string) { w.Update(name, func(r *Repository) { r.Archived = true }) }

// Remove deletes a repository on GitHub, including its secrets.
func (w *World) Remove(name string) { w.Update(name, func(r *Repository) { r.NotOnGitHub = true }) }

// index registers the names of a repository; two with one name are a mistake.
func (w *World) index(repo *repository) {
	clear(w.listed)
	repo.Private = repo.Private || repo.Internal
	key := lower(repo.Owner, repo.Name)
	switch {
	case repo.NotOnGitHub:
		w.oldNames[key] = repo
	case w.names[key] != nil:
		panic("sandbox: two repositories are named " + key)
	default:
		w.names[key] = repo
	}
	for _, old := range repo.OldNames {
		if !strings.Contains(old, "/") {
			old = repo.Owner + "/" + old
		}
		w.oldNames[strings.ToLower(old)] = repo
	}
	if repo.NotOnCodacy {
		return
	}
	if w.codacyNames[repo.CodacyName] != nil {
		panic("sandbox: two repositories are named " + repo.CodacyName + " on Codacy")
	}
	w.codacyNames[repo.CodacyName] = repo
}

// find returns the repository that a test names.
func (w *World) find(name string) *repository {
	key := strings.ToLower(name)
	if !strings.Contains(key, "/") {
		key = lower(w.options.Organization, name)
	}
	id, _ := strconv.ParseInt(strings.TrimPrefix(name, "#"), 10, 64)
	for _, repo := range []*repository{w.names[key], w.codacyNames[name], w.oldNames[key], w.ids[id]} {
		if repo != nil {
			return repo
		}
	}
	panic("sandbox: no repository is named " + name)
}

func lower(owner, name string) string { return strings.ToLower(owner + "/" + name) }
