package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"
)

// What GitHub takes.
const (
	maxSecrets     = 100 // in one store of a repository
	maxSecretBytes = 48 << 10
)

var storeNames = [...]string{"actions", "dependabot", "codespaces", "agents"}

// Stores are the four secret stores.
func Stores() []string { return storeNames[:] }

// storeIndex finds a store by its name.
func storeIndex(name string) int {
	i := slices.Index(storeNames[:], name)
	if i < 0 {
		panic("sandbox: no store is named " + name)
	}
	return i
}

// secret is one secret in one store.
type secret struct {
	store            int
	name             string // in upper case
	value            string
	created, updated time.Time
	token            *token // whose value it holds, of whatever repository
	byAction         bool   // last written by a PUT, not by hand
	reported         *token // whose expiry was recorded
}

// secret finds a secret of a repository, or nil.
func (r *repository) secret(store int, name string) *secret {
	for _, s := range r.secrets {
		if s.store == store && strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

// in returns the secrets of one store.
func (r *repository) in(store int) []*secret {
	var found []*secret
	for _, s := range r.secrets {
		if s.store == store {
			found = append(found, s)
		}
	}
	return found
}

// write sets a secret and tells whether it is new.
func (w *World) write(repo *repository, store int, name, value string) (s *secret, created bool) {
	now := w.now(GitHub).Truncate(time.Second)
	if s = repo.secret(store, name); s == nil {
		s, created = &secret{store: store, name: strings.ToUpper(name), created: now}, true
		repo.secrets = append(repo.secrets, s)
	}
	s.value, s.updated, s.token = value, now, w.values[value]
	return s, created
}

// keyPair is the key of one store of one repository.
type keyPair struct {
	id              string
	public, private *[32]byte
}

// deriveKey makes a key pair, the same one for the same repository, store and
// generation.
func deriveKey(repository int64, store, generation int) *keyPair {
	seed := sha256.Sum256(fmt.Appendf(nil, "key/%d/%d/%d", repository, store, generation))
	public, private, err := box.GenerateKey(bytes.NewReader(seed[:]))
	must(err)
	id := binary.BigEndian.Uint64(seed[:])>>2 | 1<<60 // above 2^53, and odd digits count
	return &keyPair{id: strconv.FormatUint(id, 10), public: public, private: private}
}

// prepareKey has the key of the store at hand, made without the lock.
func (w *World) prepareKey(c *call) {
	store := storeIndex(c.Store)
	w.mu.Lock()
	repo := w.meant(c)
	var id int64
	var generation int
	if repo != nil {
		c.key, id, generation = repo.keys[store], repo.ID, repo.generation[store]
	}
	w.mu.Unlock()
	if repo == nil || c.key != nil {
		return
	}
	key := deriveKey(id, store, generation)
	w.mu.Lock()
	defer w.mu.Unlock()
	if repo.generation[store] == generation {
		repo.keys[store] = or(repo.keys[store], key)
		c.key = repo.keys[store]
	}
}

// RotateKey gives a store of a repository a new key.
func (w *World) RotateKey(repository, store string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	repo, i := w.find(repository), storeIndex(store)
	repo.generation[i]++
	repo.keys[i] = nil
}

// sealed is what a PUT brings, as far as it could be opened.
type sealed struct {
	Value  string `json:"encrypted_value"`
	KeyID  string `json:"key_id"`
	opened []byte
	fault  string
}

// preparePut reads and opens the box, without the lock.
func (w *World) preparePut(c *call) {
	w.prepareKey(c)
	if !c.decode(&c.sealed) || c.key == nil {
		return
	}
	cipher, err := base64.StdEncoding.Strict().DecodeString(c.sealed.Value)
	opened, ok := box.OpenAnonymous(nil, cipher, c.key.public, c.key.private)
	switch {
	case c.sealed.KeyID != c.key.id:
		c.sealed.fault = "Bad request - key_id is not the repository's current public key"
	case c.sealed.Value == "" || err != nil:
		c.sealed.fault = "encrypted_value is not valid base64"
	case !ok:
		c.sealed.fault = "Bad request - the encrypted value does not open with the repository's key"
	case len(opened) > maxSecretBytes:
		c.sealed.fault = "Secret value is too large: 48 KB at most"
	}
	c.sealed.opened = opened
}

// store resolves the repository and store of a request, and refuses what the
// credential may not do there.
func (w *World) store(c *call, access Access) (*repository, int, *response) {
	repo, refusal := w.visible(c)
	if refusal != nil {
		return nil, 0, refusal
	}
	i := storeIndex(c.Store)
	if refusal := c.credential.may(i, access); refusal != nil {
		return nil, 0, refusal
	}
	message := ""
	switch {
	case repo.Disabled:
		message = "Repository access blocked"
	case access == Write && repo.Archived:
		message = "Repository was archived so is read-only."
	case access == Write && repo.Role != "admin":
		message = "Must have admin rights to Repository."
	}
	if message != "" {
		a := githubError(http.StatusForbidden, message)
		return nil, 0, &a
	}
	return repo, i, nil
}

func (w *World) getPublicKey(c *call) response {
	repo, store, refusal := w.store(c, Read)
	if refusal != nil {
		return *refusal
	}
	key := repo.keys[store]
	if key == nil { // changed since it was prepared
		key = deriveKey(repo.ID, store, repo.generation[store])
		repo.keys[store] = key
	}
	var id any = key.id
	if w.options.NumericKeyIDs {
		id, _ = strconv.ParseUint(key.id, 10, 64)
	}
	return jsonResponse(http.StatusOK, map[string]any{
		"key_id": id, "key": base64.StdEncoding.EncodeToString(key.public[:]),
	})
}

// secretBody is a secret as GitHub shows it: never with its value.
type secretBody struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

func (s *secret) body() secretBody { return secretBody{s.name, s.created, s.updated} }

func (w *World) listSecrets(c *call) response {
	repo, store, refusal := w.store(c, Read)
	if refusal != nil {
		return *refusal
	}
	all := repo.in(store)
	from, to, a := c.page(len(all))
	if a.status != http.StatusOK {
		return a
	}
	bodies := make([]secretBody, 0, to-from)
	for _, s := range all[from:to] {
		bodies = append(bodies, s.body())
	}
	a.body = jsonResponse(0, map[string]any{"total_count": len(all), "secrets": bodies}).body
	return a
}

func (w *World) getSecret(c *call) response {
	repo, store, refusal := w.store(c, Read)
	if refusal != nil {
		return *refusal
	}
	s := repo.secret(store, c.Secret)
	if s == nil {
		return githubError(http.StatusNotFound, "Not Found")
	}
	return jsonResponse(http.StatusOK, s.body())
}

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (w *World) putSecret(c *call) response {
	repo, store, refusal := w.store(c, Write)
	if refusal != nil {
		return *refusal
	}
	fault := c.sealed.fault
	switch {
	case !secretName.MatchString(c.Secret) || strings.HasPrefix(strings.ToUpper(c.Secret), "GITHUB_"):
		fault = "Secret names can only contain alphanumeric characters and underscores, and must not start with a number or GITHUB_"
	case c.key == nil || c.key != repo.keys[store]:
		fault = "Bad request - key_id is not the repository's current public key"
	case repo.secret(store, c.Secret) == nil && len(repo.in(store)) >= maxSecrets:
		fault = "The repository has 100 secrets already"
	}
	if fault != "" {
		return githubError(http.StatusUnprocessableEntity, fault)
	}
	s, created := w.write(repo, store, c.Secret, string(c.sealed.opened))
	s.byAction = true
	w.checkPut(c, repo, s)
	if created {
		return response{status: http.StatusCreated, body: []byte("{}")}
	}
	return response{status: http.StatusNoContent}
}

func (w *World) deleteSecret(c *call) response {
	if c.Store == "agents" {
		c.unknown = "the description has no DELETE for agents"
		return response{}
	}
	repo, store, refusal := w.store(c, Write)
	if refusal != nil {
		return *refusal
	}
	s := repo.secret(store, c.Secret)
	if s == nil {
		return githubError(http.StatusNotFound, "Not Found")
	}
	w.checkSecretName(c, repo)
	repo.secrets = slices.DeleteFunc(repo.secrets, func(other *secret) bool { return other == s })
	return response{status: http.StatusNoContent}
}
