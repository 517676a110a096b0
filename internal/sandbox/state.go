package sandbox

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// Token is a token of a repository on Codacy.
type Token struct {
	ID      int64
	Name    string // empty on legacy Codacy, and for some tokens from before 2026
	Value   string
	Created time.Time
	Expires time.Time // zero if never
	Undated bool      // Codacy's list has no creation date, as for tokens from before 2026
	Deleted bool
}

// OldToken returns a token from before 2026: it has no expiry, its list entry has
// no creation date, and its name is a generated one such as pt-caa4da16ab2e, or
// none.
func OldToken(named bool) Token {
	t := Token{Undated: true}
	if named {
		t.Name = "pt-" // completed when it is added
	}
	return t
}

// AddToken adds a token as a person would. It generates a missing ID or value, and
// a token without a creation date is created now.
func (w *World) AddToken(repository string, t Token) Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.preset(w.find(repository), t).Token
}

func (w *World) preset(repo *repository, t Token) *token {
	if t.Created.IsZero() {
		t.Created = w.now(Codacy)
	}
	added := w.newToken(repo, t)
	if added.Name == "pt-" {
		digest := sha256.Sum256(fmt.Appendf(nil, "old/%d", added.ID))
		added.Name = fmt.Sprintf("pt-%x", digest[:6])
	}
	return added
}

// Provision adds a token and stores it, as an earlier run of the action would have
// done: each secret was written one second after the token was created.
func (w *World) Provision(repository string, t Token, stores ...string) Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(repository)
	added := w.preset(repo, t)
	added.viaAPI = true
	at := added.Created.Add(time.Second - w.skew[Codacy]) // true time
	for _, store := range stores {
		s, _ := w.write(repo, storeIndex(store), w.options.SecretName, added.Value, at.Add(w.skew[GitHub]), at)
		s.byAction = true
	}
	return added.Token
}

// DeleteToken deletes a token as a person would: a secret that holds it is no
// violation.
func (w *World) DeleteToken(repository string, id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.find(repository).tokens {
		if t.ID == id {
			t.Deleted, t.manual = true, true
		}
	}
}

// Tokens returns all tokens that a repository ever had, in the order of creation.
func (w *World) Tokens(repository string) []Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	var tokens []Token
	for _, t := range w.find(repository).tokens {
		tokens = append(tokens, t.Token)
	}
	return tokens
}

// ValidTokens returns the tokens that are neither deleted nor expired.
func (w *World) ValidTokens(repository string) []Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now(Codacy)
	var tokens []Token
	for _, t := range w.find(repository).tokens {
		if t.valid(now) {
			tokens = append(tokens, t.Token)
		}
	}
	return tokens
}

// TokenValid reports whether a value is a token of the repository that is neither
// deleted nor expired by Codacy's clock.
func (w *World) TokenValid(repository, value string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.values[value]
	return t != nil && t.repo == w.find(repository) && t.valid(w.now(Codacy))
}

// Orphans returns the valid managed tokens that no store of the repository holds.
func (w *World) Orphans(repository string) []Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	var tokens []Token
	for _, t := range w.orphans(w.find(repository)) {
		tokens = append(tokens, t.Token)
	}
	return tokens
}

func (w *World) orphans(repo *repository) []*token {
	now := w.now(Codacy)
	var orphans []*token
	for _, t := range repo.tokens {
		held := slices.ContainsFunc(repo.secrets, func(s *secret) bool { return s.token == t })
		if t.valid(now) && !held && w.managed(t) {
			orphans = append(orphans, t)
		}
	}
	return orphans
}

// AllTokenValues returns the values of all tokens that were ever created, so that
// a test can search the action's output for them.
func (w *World) AllTokenValues() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	values := make([]string, 0, len(w.values))
	for value := range w.values {
		values = append(values, value)
	}
	slices.Sort(values)
	return values
}

// Secret returns the value of a secret in plain text.
func (w *World) Secret(repository, store, name string) (value string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.find(repository).secret(storeIndex(store), name)
	if s == nil {
		return "", false
	}
	return s.value, true
}

// UpdatedAt returns when a secret was last written, by GitHub's clock; zero if
// it does not exist.
func (w *World) UpdatedAt(repository, store, name string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(repository).secret(storeIndex(store), name); s != nil {
		return s.updated
	}
	return time.Time{}
}

// SetSecret writes a secret as a person would.
func (w *World) SetSecret(repository, store, name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.write(w.find(repository), storeIndex(store), name, value, w.now(GitHub), w.time())
	s.byAction = false
}

// SetUpdatedAt changes the date of a secret's last write.
func (w *World) SetUpdatedAt(repository, store, name string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.find(repository).secret(storeIndex(store), name)
	if s == nil {
		panic("sandbox: " + repository + " has no secret " + name)
	}
	s.updated = at.UTC().Truncate(time.Second)
	s.changed = s.updated.Add(-w.skew[GitHub])
}

// DeleteSecret deletes a secret as a person would.
func (w *World) DeleteSecret(repository, store, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(repository)
	if s := repo.secret(storeIndex(store), name); s != nil {
		w.remove(repo, s)
	}
}
