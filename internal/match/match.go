// Package match matches Codacy's repositories with GitHub's, and selects the ones that
// a run is about. It does no I/O.
package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
)

// Target is a selected repository.
type Target struct {
	// Codacy is its name on Codacy.
	Codacy string
	// GitHub is the repository on GitHub. Without one on GitHub, only Owner
	// and Name are set, the name being Codacy's.
	GitHub github.Repository
	// Skip is the reason why nothing can be written; empty if it can.
	Skip string
	// Conflict reports whether the reason is that it can't be matched, which is an
	// error.
	Conflict bool
	// NotVisible reports whether GitHub does not show it, so that a valid token of it
	// is a problem.
	NotVisible bool
}

// Selection says which repositories a run is about.
type Selection struct {
	// Include and Exclude match a repository on GitHub. One that GitHub does not show
	// has a name only.
	Include, Exclude func(github.Repository) bool
	// Index and Count are the shard's, Index from 1 to Count.
	Index, Count int
}

// Counts are the repositories of Codacy's list that were not selected.
type Counts struct {
	// NotAdded is the number of repositories that Codacy knows but doesn't analyze.
	NotAdded int `json:"not_added"`
	// Excluded is the number of repositories that the patterns exclude.
	Excluded int `json:"excluded"`
	// OtherShards is the number of those in another shard.
	OtherShards int `json:"other_shards"`
}

// Matcher collects both lists, in any order, and then selects.
type Matcher struct {
	owner  string
	byID   map[int64]github.Repository
	byName map[string]int64
	codacy []codacy.Repository
	// entries holds the index of each entry of Codacy's list, by ID and name.
	entries map[string]int
}

// New returns a Matcher for the repositories of owner.
func New(owner string) *Matcher {
	return &Matcher{
		owner: owner, byID: map[int64]github.Repository{}, byName: map[string]int64{},
		entries: map[string]int{},
	}
}

// AddGitHub adds a repository of GitHub's list. A repository of another owner, or
// one that was added before, is ignored.
func (m *Matcher) AddGitHub(r github.Repository) {
	if _, ok := m.byID[r.ID]; ok || !strings.EqualFold(r.Owner, m.owner) {
		return
	}
	m.byID[r.ID] = r
	m.byName[strings.ToLower(r.Name)] = r.ID
}

// AddCodacy adds an entry of Codacy's list. The same entry counts once, as added if
// it is so on one of the pages.
func (m *Matcher) AddCodacy(r codacy.Repository) {
	key := r.RemoteID + " " + strings.ToLower(r.Name)
	if i, ok := m.entries[key]; ok {
		m.codacy[i].Added = m.codacy[i].Added || r.Added
		return
	}
	m.entries[key] = len(m.codacy)
	m.codacy = append(m.codacy, r)
}

// GitHubCount returns the number of the owner's repositories that GitHub shows.
func (m *Matcher) GitHubCount() int { return len(m.byID) }

// Select matches and selects, in the order of the names. No two targets that can be
// written are the same repository on GitHub.
func (m *Matcher) Select(s Selection) ([]Target, Counts) {
	var counts Counts
	var targets []Target
	taken := map[int64]bool{}
	for _, r := range m.merged() {
		if !r.Added {
			counts.NotAdded++
			continue
		}
		t := m.match(r.Repository)
		switch {
		case r.conflict:
			t = Target{Codacy: r.Name, GitHub: github.Repository{Owner: m.owner, Name: r.Name}, Skip: sameID, Conflict: true}
		case t.GitHub.ID != 0 && taken[t.GitHub.ID]:
			t = m.notVisible(r.Repository, differentRepository)
		}
		taken[t.GitHub.ID] = true
		switch {
		// An invalid name is reported, although no pattern matches it.
		case validName(t.GitHub.Name) && (!s.Include(t.GitHub) || s.Exclude(t.GitHub)):
			counts.Excluded++
			continue
		case int(shardKey(r.Repository)%uint64(s.Count)) != s.Index-1:
			counts.OtherShards++
			continue
		}
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.GitHub.Name, b.GitHub.Name), cmp.Compare(a.Codacy, b.Codacy))
	})
	return targets, counts
}

// entry is a repository of Codacy's list, merged from its entries. Conflict reports
// whether another added entry has the same ID, and none has GitHub's name.
type entry struct {
	codacy.Repository
	conflict bool
}

// merged returns the repositories of Codacy's list, those with an ID first, because
// IDs take precedence over names.
func (m *Matcher) merged() []entry {
	first := make(map[string]int, len(m.codacy))
	repeated := map[string][]codacy.Repository{}
	var withoutID []codacy.Repository
	for i, r := range m.codacy {
		if r.RemoteID == "" {
			withoutID = append(withoutID, r)
			continue
		}
		switch at, known := first[r.RemoteID]; {
		case !known:
			first[r.RemoteID] = i
		case repeated[r.RemoteID] == nil:
			repeated[r.RemoteID] = []codacy.Repository{m.codacy[at], r}
		default:
			repeated[r.RemoteID] = append(repeated[r.RemoteID], r)
		}
	}
	all := make([]entry, 0, len(m.codacy))
	for i, r := range m.codacy {
		switch {
		case r.RemoteID == "" || first[r.RemoteID] != i:
		case repeated[r.RemoteID] == nil:
			all = append(all, entry{Repository: r})
		default:
			all = append(all, m.resolve(repeated[r.RemoteID])...)
		}
	}
	if len(withoutID) == 0 {
		return all
	}
	added := map[string]bool{} // by name, of those with an ID
	known := map[string]bool{}
	for _, e := range all {
		name := strings.ToLower(e.Name)
		known[name], added[name] = true, added[name] || e.Added
	}
	for _, r := range withoutID {
		// The same repository once more, without its ID.
		if name := strings.ToLower(r.Name); added[name] || known[name] && !r.Added {
			continue
		}
		all = append(all, entry{Repository: r})
	}
	return all
}

// resolve returns the entry that counts of those with one ID: the added one; of
// several added ones the one with GitHub's name, otherwise all of them in conflict.
func (m *Matcher) resolve(entries []codacy.Repository) []entry {
	added := slices.DeleteFunc(slices.Clone(entries), func(r codacy.Repository) bool { return !r.Added })
	switch len(added) {
	case 0:
		return []entry{{Repository: entries[0]}}
	case 1:
		return []entry{{Repository: added[0]}}
	}
	id, err := strconv.ParseInt(added[0].RemoteID, 10, 64)
	if gh, ok := m.byID[id]; ok && err == nil {
		if i := slices.IndexFunc(added, func(r codacy.Repository) bool { return strings.EqualFold(r.Name, gh.Name) }); i >= 0 {
			return []entry{{Repository: added[i]}}
		}
	}
	all := make([]entry, 0, len(added))
	for _, r := range added {
		all = append(all, entry{Repository: r, conflict: true})
	}
	return all
}

const (
	notOnGitHub         = "not on GitHub, or not visible to the token"
	differentRepository = "a different repository has this name on GitHub"
	archived            = "archived on GitHub"
	disabled            = "disabled on GitHub"
	invalidName         = "invalid repository name"
	sameID              = "Codacy lists two repositories with this ID on GitHub, and neither has the name that GitHub shows"
)

// match finds r on GitHub: by ID, so that renames are harmless and a different
// repository under an old name gets nothing; by name only where Codacy gives no ID.
func (m *Matcher) match(r codacy.Repository) Target {
	id, named := m.byName[strings.ToLower(r.Name)]
	if r.RemoteID != "" {
		var err error
		if id, err = strconv.ParseInt(r.RemoteID, 10, 64); err != nil {
			id = 0
		}
	}
	gh, ok := m.byID[id]
	switch {
	case !ok && named:
		return m.notVisible(r, differentRepository)
	case !ok:
		return m.notVisible(r, notOnGitHub)
	}
	if r.Name == gh.Name {
		r.Name = gh.Name // one string instead of two
	}
	t := Target{Codacy: r.Name, GitHub: gh}
	switch {
	case !validName(r.Name) || !validName(gh.Name):
		t.Skip = invalidName
	case gh.Archived:
		t.Skip = archived
	case gh.Disabled:
		t.Skip = disabled
	}
	return t
}

func (m *Matcher) notVisible(r codacy.Repository, why string) Target {
	return Target{
		Codacy: r.Name, GitHub: github.Repository{Owner: m.owner, Name: r.Name},
		Skip: why, NotVisible: validName(r.Name),
	}
}

// validName reports whether a name stays one element of a path, whatever servers do
// with it: none takes ".." for a name, however it is escaped, and some take an
// escaped slash for a slash. No repository on GitHub has such a name.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || r == '%' || unicode.IsControl(r) })
}

// shardKey distributes repositories evenly over shards, and never changes: the ID
// that Codacy gives, otherwise the name. What GitHub shows may differ between the
// shards' credentials.
func shardKey(r codacy.Repository) uint64 { return Hash(cmp.Or(r.RemoteID, strings.ToLower(r.Name))) }

// Hash returns a number that depends on the key alone, evenly distributed over all 64
// bits, however similar the keys are.
func Hash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:])
}
