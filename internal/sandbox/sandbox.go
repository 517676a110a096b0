// Package sandbox is Codacy and GitHub in memory, behind http.Handlers: all
// that the action needs of both, true to what the services do, with faults on
// demand and with the truth open to be looked at. Tests, the demo and the
// benchmarks run against it; the action's binary does not contain it.
//
// A World holds both services. Over a network it is reached by Serve or
// ServeTLS, without one by RoundTripper, which works in a testing/synctest
// bubble too. What the action has promised is checked at every change of state;
// Violations tells what was broken.
package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Credentials that are valid unless Options says otherwise.
const (
	CodacyToken = "sandbox-account-token"
	GitHubToken = "ghp_sandbox"
)

// Options describe a World. The zero value is an organization on Codacy Cloud
// and github.com, without limits.
type Options struct {
	Organization string           // owner of the repositories; "acme" by default
	OwnerType    string           // "Organization" (default) or "User"
	Provider     string           // as Codacy calls it: "gh" (default) or "ghe"
	Now          func() time.Time // time.Now by default

	Legacy          bool // Codacy before 2026: unnamed tokens without expiry, values in the list
	NoCreationDates bool // Codacy's list gives no createdAt
	HideExpired     bool // Codacy's list leaves out expired tokens; their names stay taken
	NumericKeyIDs   bool // GHES: key_id is a JSON number, above 2^53
	CaseSensitive   bool // Codacy knows the organization in these letters only
	WebPages        bool // what is not below /api/v3 answers with a web page, Codacy's 200, GitHub's 404

	CodacyTokens       []string     // valid account tokens; CodacyToken by default
	CodacyTokenExpires time.Time    // when they expire; zero: never
	InvalidTokenStatus int          // to a dead account token: 401 (default), or 404 with {"error":"not found"}
	Credentials        []Credential // of GitHub; one of kind Classic by default: GitHubToken
	App                *App         // a GitHub App that is installed for the owner

	Latency     time.Duration                     // each request waits so long before it is carried out
	LatencyFunc func(*http.Request) time.Duration // added to Latency
	Limits      Limits
	Record      bool // keep each request for Requests

	SecretName string                 // the one secret that may be written; CODACY_PROJECT_TOKEN by default
	IsManaged  func(name string) bool // tokens that may be deleted; by default those named after SecretName
}

// World is both services. Its methods may be called at any time, from hooks and
// from many goroutines at once. A repository is named by its name on GitHub, or on
// Codacy, or on GitHub earlier, whichever is found first; "owner/name" where the
// owner is another one; "#1234" by its id. An unknown name or store is a mistake
// in the test: it panics.
type World struct {
	options  Options
	template []string
	hook     atomic.Pointer[func(Request) Effect]
	sequence atomic.Int64
	pending  atomic.Int64
	counts   [kinds]atomic.Int64

	mu          sync.Mutex // held briefly; never while waiting
	advanced    time.Duration
	skew        [2]time.Duration
	repos       []*repository          // in the order of their adding
	names       map[string]*repository // on GitHub, now: "owner/name" in lower case
	oldNames    map[string]*repository
	ids         map[int64]*repository
	codacyNames map[string]*repository
	listed      map[string][]*repository // sorted lists of GitHub's side, until something changes
	lastID      int64
	lastToken   int64
	values      map[string]*token
	accounts    map[string]bool // account tokens of Codacy: whether they live
	credentials map[string]*credential
	limits      limitState

	everCredentials []string // also those that were revoked
	recording       bool
	log             []Request
	attempts        map[attempt]int
	violations      []Violation
	expired         []Violation
}

// New makes a World without repositories.
func New(options Options) *World {
	o := &options
	o.Organization = or(o.Organization, "acme")
	o.OwnerType = or(o.OwnerType, "Organization")
	o.Provider = or(o.Provider, "gh")
	o.SecretName = or(o.SecretName, "CODACY_PROJECT_TOKEN")
	o.InvalidTokenStatus = or(o.InvalidTokenStatus, http.StatusUnauthorized)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CodacyTokens == nil {
		o.CodacyTokens = []string{CodacyToken}
	}
	if o.Credentials == nil {
		o.Credentials = []Credential{{Value: GitHubToken, Kind: Classic}}
	}
	if o.IsManaged == nil {
		o.IsManaged = numberedAfter(o.SecretName)
	}
	w := &World{
		template:    splitTemplate(),
		names:       map[string]*repository{},
		oldNames:    map[string]*repository{},
		ids:         map[int64]*repository{},
		codacyNames: map[string]*repository{},
		listed:      map[string][]*repository{},
		lastID:      500_000_000,
		lastToken:   3_000_000_000, // more than 32 bits hold
		values:      map[string]*token{},
		accounts:    map[string]bool{},
		credentials: map[string]*credential{},
		recording:   o.Record,
		attempts:    map[attempt]int{},
	}
	for _, value := range o.CodacyTokens {
		w.accounts[value] = true
	}
	w.options = options
	for _, c := range o.Credentials {
		w.AddCredential(c)
	}
	return w
}

// numberedAfter is the scheme of the action: the secret's name in lower case
// with dashes, and a number without leading zero, of at most nine digits.
func numberedAfter(secret string) func(string) bool {
	prefix := strings.ReplaceAll(strings.ToLower(secret), "_", "-") + "-"
	return func(name string) bool {
		digits, ok := strings.CutPrefix(name, prefix)
		number, err := strconv.Atoi(digits)
		return ok && err == nil && number > 0 && len(digits) <= 9 && strconv.Itoa(number) == digits
	}
}

// AddedState tells whether Codacy analyses a repository.
type AddedState string

// The states that a repository has on Codacy.
const (
	NotAdded  AddedState = "NotAdded" // listed, but it takes no tokens
	Added     AddedState = "Added"
	Following AddedState = "Following"
)

// Repository is one repository, as both services know it. Only Name is needed.
type Repository struct {
	Name     string // on GitHub
	Owner    string // the organization by default
	ID       int64  // GitHub's; made up if 0
	Private  bool
	Archived bool
	Disabled bool
	Role     string   // the credential's role on GitHub: "admin" (default), "write" or "read"
	OldNames []string // redirected, unless a repository bears that name now

	Hidden      bool // on GitHub, but seen only by credentials that name it
	NotOnGitHub bool
	NotOnCodacy bool

	State      AddedState // on Codacy; Added by default
	CodacyName string     // Name by default, and not changed by a rename on GitHub
	CodacyRole string     // of the account token's owner: "admin" (default), "write" or "read"
	RemoteID   string     // the remoteIdentifier that Codacy gives; ID by default
	NoRemoteID bool       // Codacy gives none
}

// repository is a Repository with what it holds.
type repository struct {
	Repository
	tokens     []*token
	secrets    []*secret
	keys       [len(storeNames)]*keyPair
	generation [len(storeNames)]int
}

// Add adds a repository and returns its id on GitHub.
func (w *World) Add(r Repository) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
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
		panic(fmt.Sprintf("sandbox: two repositories have the id %d", r.ID))
	}
	w.ids[r.ID] = repo
	w.repos = append(w.repos, repo)
	w.index(repo)
	return r.ID
}

// Update changes a repository: its name (the old one is redirected from then
// on), its state, and whatever else. Its id stays. NotOnGitHub also takes away
// its secrets.
func (w *World) Update(name string, change func(*Repository)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(name)
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

// Archive archives a repository on GitHub.
func (w *World) Archive(name string) { w.Update(name, func(r *Repository) { r.Archived = true }) }

// Remove deletes a repository on GitHub, its secrets with it.
func (w *World) Remove(name string) { w.Update(name, func(r *Repository) { r.NotOnGitHub = true }) }

// index enters the names of a repository; two on one name are a mistake.
func (w *World) index(repo *repository) {
	clear(w.listed)
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

// find looks a repository up for a test.
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

// or returns value, or fallback where value is zero.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
