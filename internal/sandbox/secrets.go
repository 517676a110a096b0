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
	"sync"
	"time"

	"golang.org/x/crypto/nacl/box"
)

// GitHub's limits.
const (
	maxSecrets     = 100 // in one store of a repository
	maxSecretBytes = 48 << 10
)

var storeNames = [...]string{"actions", "dependabot", "codespaces", "agents"}

// Stores returns the names of the four secret stores.
func Stores() []string { return storeNames[:] }

// storeIndex returns the index of a store.
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
	created, updated time.Time // by GitHub's clock
	changed          time.Time // true time of the last change
	token            *token    // the one whose value it holds, of any repository
	byAction         bool      // last written by a PUT of the action
	reported         *token    // the one whose expiry was recorded
}

// secret returns a secret of a repository, or nil.
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

// write sets a secret and reports whether it is new. It is dated by a clock of
// GitHub's, and changed is the true time.
func (w *World) write(repo *repository, store int, name, value string, dated, changed time.Time) (s *secret, created bool) {
	dated = dated.Truncate(time.Second)
	if s = repo.secret(store, name); s == nil {
		s, created = &secret{store: store, name: strings.ToUpper(name), created: dated}, true
		repo.secrets = append(repo.secrets, s)
	}
	if s.token != w.values[value] {
		w.release(s, changed)
	}
	s.value, s.updated, s.changed, s.token = value, dated, changed, w.values[value]
	return s, created
}

// release records that a secret no longer holds its token.
func (w *World) release(s *secret, at time.Time) {
	if s.token != nil && strings.EqualFold(s.name, w.options.SecretName) && at.After(s.token.released) {
		s.token.released = at
	}
}

// remove deletes a secret.
func (w *World) remove(repo *repository, s *secret) {
	w.release(s, w.time())
	repo.secrets = slices.DeleteFunc(repo.secrets, func(other *secret) bool { return other == s })
}

// keyPair is the key of one store of one repository.
type keyPair struct {
	id              string
	public, private *[32]byte
}

// keyName identifies a key: of which repository and store, and which of them over time.
type keyName struct {
	repository        int64
	store, generation int
}

// derivedKeys holds the key pairs of all Worlds of a process, whose first repositories
// have the same IDs.
var derivedKeys sync.Map // of *keyPair by keyName

// deriveKey derives a key pair. The same name gives the same one.
func deriveKey(name keyName) *keyPair {
	if known, ok := derivedKeys.Load(name); ok {
		return known.(*keyPair)
	}
	seed := sha256.Sum256(fmt.Appendf(nil, "key/%d/%d/%d", name.repository, name.store, name.generation))
	public, private, err := box.GenerateKey(bytes.NewReader(seed[:]))
	must(err)
	id := binary.BigEndian.Uint64(seed[:])>>2 | 1<<60 // above 2^53, and odd digits count
	pair, _ := derivedKeys.LoadOrStore(name, &keyPair{id: strconv.FormatUint(id, 10), public: public, private: private})
	return pair.(*keyPair)
}

// prepareKey derives the key of the store without holding the lock.
func (w *World) prepareKey(c *call) {
	store := storeIndex(c.Store)
	w.mu.Lock()
	repo := w.target(c)
	var id int64
	var generation int
	if repo != nil {
		c.key, id, generation = repo.keys[store], repo.ID, repo.generation[store]
	}
	w.mu.Unlock()
	if repo == nil || c.key != nil {
		return
	}
	key := deriveKey(keyName{id, store, generation})
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

// sealed is the body of a PUT, and what it contains if it could be opened.
type sealed struct {
	Value  string `json:"encrypted_value"`
	KeyID  string `json:"key_id"`
	opened []byte
	fault  string
}

// preparePut reads and opens the box without holding the lock.
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

// store returns the repository and store of a request, or a denial if the
// credential has no access.
func (w *World) store(c *call, access Access) (*repository, int, *response) {
	repo, rejection := w.visible(c)
	if rejection != nil {
		return nil, 0, rejection
	}
	i := storeIndex(c.Store)
	if rejection := w.denied(c.credential, repo.Owner); rejection != nil {
		return nil, 0, rejection
	}
	if rejection := c.credential.may(i, access); rejection != nil {
		repo.deniedAt[i] = w.time()
		return nil, 0, rejection
	}
	var denial Denial
	switch {
	case repo.denials[i][c.Kind.operation()] != nil:
		denial = *repo.denials[i][c.Kind.operation()]
	case c.credential.selected != nil && !c.credential.selected[lower(repo.Owner, repo.Name)]:
		denial = DenyPermission
	case repo.Disabled:
		denial = DenyBlocked
	case access == Write && repo.Archived:
		denial = DenyArchived
	case access == Write && repo.Role != "admin" && repo.Role != w.options.SecretRole:
		denial = DenyAdminRights
	default:
		return repo, i, nil
	}
	repo.deniedAt[i] = w.time()
	a := denial.response(c.credential, i, access)
	return nil, 0, &a
}

func (w *World) getPublicKey(c *call) response {
	repo, store, rejection := w.store(c, Read)
	if rejection != nil {
		return *rejection
	}
	key := repo.keys[store]
	if key == nil { // rotated since it was derived
		key = deriveKey(keyName{repo.ID, store, repo.generation[store]})
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

// secretBody is a secret as GitHub shows it, never with its value.
type secretBody struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

func (s *secret) body() secretBody { return secretBody{s.name, s.created, s.updated} }

func (w *World) listSecrets(c *call) response {
	repo, store, rejection := w.store(c, Read)
	if rejection != nil {
		return *rejection
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
	repo, store, rejection := w.store(c, Read)
	if rejection != nil {
		return *rejection
	}
	s := repo.secret(store, c.Secret)
	if s == nil {
		return githubError(http.StatusNotFound, "Not Found")
	}
	return jsonResponse(http.StatusOK, s.body())
}

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (w *World) putSecret(c *call) response {
	repo, store, rejection := w.store(c, Write)
	if rejection != nil {
		return *rejection
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
	s, created := w.write(repo, store, c.Secret, string(c.sealed.opened), w.written(c), w.time())
	s.byAction = !c.credential.Manual
	if s.byAction {
		w.checkPut(c, repo, s)
	}
	if created && !w.options.PutNoContent {
		return response{status: http.StatusCreated, body: []byte("{}")}
	}
	return response{status: http.StatusNoContent}
}

func (w *World) deleteSecret(c *call) response {
	repo, store, rejection := w.store(c, Write)
	if rejection != nil {
		return *rejection
	}
	s := repo.secret(store, c.Secret)
	if s == nil {
		return githubError(http.StatusNotFound, "Not Found")
	}
	if !c.credential.Manual {
		w.checkSecretName(c, repo)
	}
	w.remove(repo, s)
	return response{status: http.StatusNoContent}
}
