// Package match brings Codacy's and GitHub's repositories together and selects
// those that a run is about. It does no I/O.
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
	// Codacy is its name there.
	Codacy string
	// GitHub is the repository on GitHub. Where Skip says that there is none,
	// only Owner and Name are set, the name being Codacy's.
	GitHub github.Repository
	// Skip is the reason why nothing can be written; empty if it can.
	Skip string
	// Unseen: GitHub does not show it, so a living token of it is a worry.
	NotVisible bool
}

// Selection says which repositories a run is about.
type Selection struct {
	// Include and Exclude match a repository's name on GitHub.
	Include, Exclude func(name string) bool
	// Index and Count are the shard's, Index from 1 to Count.
	Index, Count int
}

// Counts are the repositories of Codacy's list that were not selected.
type Counts struct {
	// NotAdded are those that Codacy knows but doesn't analyse.
	NotAdded int
	// LeftOut are those that the patterns leave out.
	Excluded int
	// OtherShards are those that belong to another shard.
	OtherShards int
}

// Matcher collects both lists, in any order, and then selects.
type Matcher struct {
	owner  string
	byID   map[int64]github.Repository
	byName map[string]int64
	codacy []codacy.Repository
	seen   map[string]bool // of Codacy's repositories
}

// New returns a Matcher for the repositories of owner.
func New(owner string) *Matcher {
	return &Matcher{
		owner: owner, byID: map[int64]github.Repository{}, byName: map[string]int64{},
		seen: map[string]bool{},
	}
}

// AddGitHub adds a repository of GitHub's list. One of another owner, or one
// that was added before, is passed over.
func (m *Matcher) AddGitHub(r github.Repository) {
	if _, ok := m.byID[r.ID]; ok || !strings.EqualFold(r.Owner, m.owner) {
		return
	}
	m.byID[r.ID] = r
	m.byName[strings.ToLower(r.Name)] = r.ID
}

// AddCodacy adds a repository of Codacy's list; one that was added before is
// passed over.
func (m *Matcher) AddCodacy(r codacy.Repository) {
	key := "name " + strings.ToLower(r.Name)
	if r.RemoteID != "" {
		key = "id " + r.RemoteID
	}
	if !m.seen[key] {
		m.seen[key] = true
		m.codacy = append(m.codacy, r)
	}
}

// GitHub is the number of the owner's repositories that GitHub shows.
func (m *Matcher) GitHubCount() int { return len(m.byID) }

// Select matches and selects, in the order of the names. No two targets are the
// same repository on GitHub.
func (m *Matcher) Select(s Selection) ([]Target, Counts) {
	var counts Counts
	var targets []Target
	taken := map[int64]bool{}
	// Those with an id first: what an id says beats what a name says.
	repositories := slices.Clone(m.codacy)
	slices.SortStableFunc(repositories, func(a, b codacy.Repository) int {
		return cmp.Compare(min(1, len(b.RemoteID)), min(1, len(a.RemoteID)))
	})
	listed := map[string]bool{} // with an id, by the name on Codacy
	for _, r := range repositories {
		name := strings.ToLower(r.Name)
		if r.RemoteID == "" && listed[name] {
			continue // the same once more, without its id
		}
		listed[name] = listed[name] || r.RemoteID != ""
		if !r.Added {
			counts.NotAdded++
			continue
		}
		t := m.match(r)
		if t.GitHub.ID != 0 && taken[t.GitHub.ID] {
			t = m.notVisible(r, differentRepository)
		}
		taken[t.GitHub.ID] = true
		switch {
		// A name that is none is told, though no pattern could match it.
		case validName(t.GitHub.Name) && (!s.Include(t.GitHub.Name) || s.Exclude(t.GitHub.Name)):
			counts.Excluded++
			continue
		case int(shardKey(r)%uint64(s.Count)) != s.Index-1:
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

const (
	notOnGitHub         = "not on GitHub, or not visible to the token"
	differentRepository = "a different repository has this name on GitHub"
	archived            = "archived on GitHub"
	disabled            = "disabled on GitHub"
	invalidName         = "its name can't be part of an address"
)

// match finds r on GitHub: by id, so that a rename does no harm and a stranger
// under an old name gets nothing; by name only where Codacy gives no id.
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

// usable tells whether a name stays one element of a path, whatever the servers
// on the way do with it: none takes ".." for a name, however it is escaped, and
// some take an escaped slash for a slash. No repository of GitHub is named so.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || r == '%' || unicode.IsControl(r) })
}

// shardKey spreads repositories evenly over shards, and never changes: the id
// that Codacy gives, else the name. Not what GitHub shows, which may differ
// between the credentials of the shards.
func shardKey(r codacy.Repository) uint64 { return Hash(cmp.Or(r.RemoteID, strings.ToLower(r.Name))) }

// Spread is a number that depends on key alone and is even over all 64 bits,
// however much alike the keys are.
func Hash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:])
}
