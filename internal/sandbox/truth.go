package sandbox

import (
	"slices"
	"time"
)

// Token is a token of a repository on Codacy.
type Token struct {
	ID      int64
	Name    string // none in the first generation, nor where it was made long ago
	Value   string
	Created time.Time
	Expires time.Time // zero: never
	Deleted bool
}

// AddToken adds a token by hand. The id and the value are made up where there is
// none; where there is no date of creation, it is made now.
func (w *World) AddToken(repository string, t Token) Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.preset(w.find(repository), t).Token
}

func (w *World) preset(repo *repository, t Token) *token {
	if t.Created.IsZero() {
		t.Created = w.now(Codacy)
	}
	return w.newToken(repo, t)
}

// Provision adds a token and has it in the stores, as an earlier run of the
// program would have left it: written one second after it was made.
func (w *World) Provision(repository string, t Token, stores ...string) Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(repository)
	added := w.preset(repo, t)
	added.viaAPI = true
	for _, store := range stores {
		s, created := w.write(repo, storeIndex(store), w.options.SecretName, added.Value)
		s.byAction = true
		s.updated = added.Created.Add(time.Second + w.skew[GitHub] - w.skew[Codacy]).Truncate(time.Second)
		if created {
			s.created = s.updated
		}
	}
	return added.Token
}

// DeleteToken deletes a token by hand: what holds it is no violation.
func (w *World) DeleteToken(repository string, id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.find(repository).tokens {
		if t.ID == id {
			t.Deleted, t.manual = true, true
		}
	}
}

// Tokens are all that a repository ever had, in the order of their making.
func (w *World) Tokens(repository string) []Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	var tokens []Token
	for _, t := range w.find(repository).tokens {
		tokens = append(tokens, t.Token)
	}
	return tokens
}

// Living are those of Tokens that are neither deleted nor expired.
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

// TokenAlive tells whether a value is that of a token of the repository which is
// neither deleted nor expired by Codacy's clock.
func (w *World) TokenValid(repository, value string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.values[value]
	return t != nil && t.repo == w.find(repository) && t.valid(w.now(Codacy))
}

// Orphans are the living tokens of ours that no store of the repository holds.
func (w *World) Orphans(repository string) []Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo, now := w.find(repository), w.now(Codacy)
	var orphans []Token
	for _, t := range repo.tokens {
		held := slices.ContainsFunc(repo.secrets, func(s *secret) bool { return s.token == t })
		if t.valid(now) && !held && (w.options.IsManaged(t.Name) || w.options.Legacy && t.viaAPI) {
			orphans = append(orphans, t.Token)
		}
	}
	return orphans
}

// AllTokenValues are the values of all tokens that were ever made, for a search
// in what the program has written.
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

// Secret is the value of a secret, in the clear.
func (w *World) Secret(repository, store, name string) (value string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.find(repository).secret(storeIndex(store), name)
	if s == nil {
		return "", false
	}
	return s.value, true
}

// UpdatedAt is when a secret was last written, by GitHub's clock; zero where
// there is none.
func (w *World) UpdatedAt(repository, store, name string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(repository).secret(storeIndex(store), name); s != nil {
		return s.updated
	}
	return time.Time{}
}

// SetSecret writes a secret by hand.
func (w *World) SetSecret(repository, store, name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.write(w.find(repository), storeIndex(store), name, value)
	s.byAction = false
}

// SetUpdatedAt dates a secret's last write anew.
func (w *World) SetUpdatedAt(repository, store, name string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.find(repository).secret(storeIndex(store), name)
	if s == nil {
		panic("sandbox: " + repository + " has no secret " + name)
	}
	s.updated = at.UTC().Truncate(time.Second)
}

// DeleteSecret deletes a secret by hand.
func (w *World) DeleteSecret(repository, store, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo := w.find(repository)
	s := repo.secret(storeIndex(store), name)
	repo.secrets = slices.DeleteFunc(repo.secrets, func(other *secret) bool { return other == s })
}
