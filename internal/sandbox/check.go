package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ViolationKind is the kind of promise that was broken.
type ViolationKind string

// The kinds of violations.
const (
	InvalidToken    ViolationKind = "invalid token"    // the action deleted a token that a secret it wrote holds
	EarlyRevocation ViolationKind = "early revocation" // a token was deleted that was replaced less than Options.RevokeAfter ago
	UnmanagedToken  ViolationKind = "unmanaged token"  // a token was deleted that is not named by the scheme
	BadPut          ViolationKind = "bad put"          // the value in a PUT is not a valid token
	ForeignToken    ViolationKind = "foreign token"    // the value in a PUT is a token of another repository
	OtherSecret     ViolationKind = "other secret"     // a secret was written that is not Options.SecretName
	UnknownRequest  ViolationKind = "unknown request"  // no service knows the request, or no careful client sends it
	RateExceeded    ViolationKind = "rate exceeded"
	ExpiredToken    ViolationKind = "expired token" // a secret that the action wrote holds an expired token; see Expired
	NotStored       ViolationKind = "not stored"    // a store has no valid token of its repository, or not the newest; see Settled
	Orphan          ViolationKind = "orphan"        // a valid managed token is in no store; see Settled
)

// revokeTolerance is how much earlier than RevokeAfter a token may be deleted: the
// services give whole seconds, and two clocks agree no better than this.
const revokeTolerance = time.Minute

// createRejections is after how many rejections in a row the action may suppose
// that hidden tokens count towards the 100, and delete a replaced one early.
const createRejections = 4

// denialMemory is how long a run may remember that a store was denied: longer than
// a run of the tests lasts.
const denialMemory = 2 * time.Hour

// Violation is a promise that the action broke.
type Violation struct {
	Kind       ViolationKind
	Time       time.Time // the true one
	Repository string
	Store      string
	Text       string  // without any token's value
	Request    Request // the one that broke it; zero if none did
}

// String describes the violation in one line.
func (v Violation) String() string {
	s := fmt.Sprintf("%s: %s", v.Kind, v.Text)
	if v.Repository != "" {
		s += fmt.Sprintf(" [%s %s]", v.Repository, v.Store)
	}
	if v.Request.Sequence > 0 {
		s += fmt.Sprintf(" by request %d: %s %s", v.Request.Sequence, v.Request.Method, v.Request.Path)
	}
	return s + " at " + v.Time.Format(time.RFC3339Nano)
}

// violate records a violation, with its request and secret unless they are nil.
func (w *World) violate(kind ViolationKind, c *call, s *secret, format string, args ...any) {
	v := Violation{Kind: kind, Time: w.time(), Text: fmt.Sprintf(format, args...)}
	if c != nil {
		v.Request, v.Repository, v.Store = c.Request, c.Repository, c.Store
	}
	if s != nil {
		v.Store = storeNames[s.store]
	}
	w.violations = append(w.violations, v)
}

// checkSecretName checks that a request is about the secret that may be written.
func (w *World) checkSecretName(c *call, repo *repository) {
	if !strings.EqualFold(c.Secret, w.options.SecretName) {
		w.violate(OtherSecret, c, nil, "%s of %s was written", c.Secret, repo.Name)
	}
}

// checkPut checks that the value in a PUT is a valid token of that repository.
func (w *World) checkPut(c *call, repo *repository, s *secret) {
	w.checkSecretName(c, repo)
	switch t := s.token; {
	case t == nil:
		w.violate(BadPut, c, s, "the value of no token")
	case t.repo != repo:
		w.violate(ForeignToken, c, s, "the token %d belongs to %s", t.ID, t.repo.Name)
	case t.Deleted && !t.manual:
		w.violate(BadPut, c, s, "the token %d (%s) is deleted", t.ID, t.Name)
	case !t.Deleted && !t.valid(w.now(Codacy)):
		w.violate(BadPut, c, s, "the token %d (%s) is expired", t.ID, t.Name)
	}
}

// checkDeleted checks that the action was allowed to delete a token.
func (w *World) checkDeleted(c *call, t *token) {
	if !w.managed(t) {
		w.violate(UnmanagedToken, c, nil, "the token %d (%q) was deleted", t.ID, t.Name)
	}
	held := false
	for _, s := range t.repo.secrets {
		if s.token == t && s.byAction {
			held = true
			if w.mayDeleteExpired(t, s) {
				continue
			}
			w.violate(InvalidToken, c, s, "the secret %s holds the deleted token %d (%s)", s.name, t.ID, t.Name)
		}
	}
	if !held {
		w.checkRevokedEarly(c, t)
	}
}

// mayDeleteExpired reports whether a token may be deleted although a secret holds
// it: it has expired, so that the secret is of no use already, and the action could
// not read the secret because the store denied a request a short time ago.
func (w *World) mayDeleteExpired(t *token, s *secret) bool {
	at := t.repo.deniedAt[s.store]
	expired := !t.Expires.IsZero() && !w.now(Codacy).Before(t.Expires)
	denied := !at.IsZero() && w.time().Sub(at) < denialMemory
	// Without addresses by ID, a run whose first repository is hidden can't read others.
	return expired && (denied || w.options.NoIDAddresses)
}

// checkRevokedEarly checks that a deleted token was replaced long enough ago. A
// workflow run that was queued before that may still use it.
func (w *World) checkRevokedEarly(c *call, t *token) {
	hours := w.options.RevokeAfter
	expired := !t.Expires.IsZero() && !w.now(Codacy).Before(t.Expires)
	recent := func(at time.Time) bool { return w.time().Sub(at) < hours-revokeTolerance }
	if hours == 0 || expired || w.mayEvict(t.repo) || !recent(t.released) {
		return
	}
	for _, s := range t.repo.secrets {
		if strings.EqualFold(s.name, w.options.SecretName) && recent(s.changed) {
			w.violate(EarlyRevocation, c, s, "the token %d (%s) was deleted %s after it was replaced, and less than %s after a change of the secret",
				t.ID, t.Name, w.time().Sub(t.released).Round(time.Second), hours)
			return
		}
	}
}

// mayEvict reports whether a replaced token of a repository may be deleted early,
// because there are 100 tokens or Codacy keeps rejecting new ones. The token that
// is being deleted counts.
func (w *World) mayEvict(repo *repository) bool {
	count := 1
	for _, t := range repo.tokens {
		if !t.Deleted {
			count++
		}
	}
	return count >= maxTokens || repo.rejections >= createRejections
}

// countRejection counts the rejections in a row of new tokens for a repository.
func (w *World) countRejection(c *call, status int) {
	if c.Kind != KindCreateToken {
		return
	}
	repo := w.target(c)
	switch {
	case repo == nil:
	case status == http.StatusConflict, status == http.StatusUnprocessableEntity, status == http.StatusBadRequest:
		repo.rejections++
	case status == http.StatusCreated:
		repo.rejections = 0
	}
}

// managed reports whether the action may delete a token: by its name, or by the name
// that was requested, where the server chose another one. On legacy Codacy, where
// tokens have no names, the action may undo what a request created.
func (w *World) managed(t *token) bool {
	return w.options.IsManaged(t.Name) || w.options.IsManaged(t.asked) || w.options.Legacy && t.viaAPI
}

// sweep records the secrets written by the action that hold an expired token.
func (w *World) sweep() {
	now := w.now(Codacy)
	for _, repo := range w.repos {
		for _, s := range repo.secrets {
			if t := s.token; t == nil || !s.byAction || t.Deleted || t.valid(now) || s.reported == t {
				continue
			}
			s.reported = s.token
			w.expired = append(w.expired, Violation{
				Kind: ExpiredToken, Time: w.time(), Repository: repo.Name, Store: storeNames[s.store],
				Text: fmt.Sprintf("the secret %s holds the token %d (%s), expired at %s", s.name, s.token.ID, s.token.Name, s.token.Expires),
			})
		}
	}
}

// Violations returns the promises that were broken so far.
func (w *World) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Expired returns the secrets that the action wrote and whose token is expired
// now, or was at an Advance. They are no violations of their own: a run that never
// comes can't renew them.
func (w *World) Expired() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweep()
	return slices.Clone(w.expired)
}

// Settled returns what is wrong after runs that ended normally: a store without the
// newest managed token of its repository, an invalid or foreign token in a secret,
// and orphans. It checks the given stores (actions by default) of every repository
// that the action can provision. It skips stores that are denied, and ones that the
// action leaves alone because of Options.Existing, then with the orphans.
func (w *World) Settled(stores ...string) []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(stores) == 0 {
		stores = []string{"actions"}
	}
	var found []Violation
	for _, repo := range w.repos {
		if !repo.canBeProvisioned() {
			continue
		}
		excluded := false
		for _, store := range stores {
			switch i := storeIndex(store); {
			case w.leftAlone(repo, i):
				excluded = true
			case repo.denials[i] == [operations]*Denial{}:
				found = append(found, w.settledStore(repo, i)...)
			}
		}
		if excluded { // what a person replaced or removed stays valid
			continue
		}
		for _, t := range w.orphans(repo) {
			found = append(found, Violation{
				Kind: Orphan, Time: w.time(), Repository: repo.Name,
				Text: fmt.Sprintf("no secret holds the token %d (%s), created at %s", t.ID, t.Name, t.Created),
			})
		}
	}
	return found
}

// canBeProvisioned reports whether the action can create tokens for a repository
// and write its secrets.
func (r *repository) canBeProvisioned() bool {
	onCodacy := !r.NotOnCodacy && r.State != NotAdded && r.CodacyRole == "admin"
	onGitHub := !r.NotOnGitHub && !r.Hidden && !r.Archived && !r.Disabled
	return onCodacy && onGitHub
}

// leftAlone reports whether the action leaves a store alone because of
// existing-secrets.
func (w *World) leftAlone(repo *repository, store int) bool {
	s := repo.secret(store, w.options.SecretName)
	switch w.options.Existing {
	case KeepExisting:
		return s != nil && !s.byAction
	case OnlyExisting:
		return s == nil
	}
	return false
}

// settledStore checks the secret in one store of a repository.
func (w *World) settledStore(repo *repository, store int) []Violation {
	v := Violation{Kind: NotStored, Time: w.time(), Repository: repo.Name, Store: storeNames[store]}
	s, now := repo.secret(store, w.options.SecretName), w.now(Codacy)
	var newest *token
	for _, t := range repo.tokens {
		if t.valid(now) && w.managed(t) && (newest == nil || t.ID > newest.ID) {
			newest = t
		}
	}
	switch {
	case s == nil:
		v.Text = "there is no secret"
	case s.token == nil:
		v.Text = "the secret holds the value of no token"
	case s.token.repo != repo:
		v.Kind, v.Text = ForeignToken, fmt.Sprintf("the token %d belongs to %s", s.token.ID, s.token.repo.Name)
	case s.token.Deleted:
		v.Kind, v.Text = InvalidToken, fmt.Sprintf("the token %d (%s) is deleted", s.token.ID, s.token.Name)
	case !s.token.valid(now):
		v.Kind, v.Text = ExpiredToken, fmt.Sprintf("the token %d (%s) expired at %s", s.token.ID, s.token.Name, s.token.Expires)
	case s.token != newest && !w.options.Legacy:
		v.Text = fmt.Sprintf("the token %d (%s) is not the newest", s.token.ID, s.token.Name)
	default:
		return nil
	}
	return []Violation{v}
}

// TB is the part of a testing.TB that Check needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails the test for each violation.
func (w *World) Check(t TB) {
	t.Helper()
	for _, v := range w.Violations() {
		t.Errorf("%s", v)
	}
}

// CheckSettled fails the test for each violation, and for what Settled finds in
// the given stores.
func (w *World) CheckSettled(t TB, stores ...string) {
	t.Helper()
	w.Check(t)
	for _, v := range w.Settled(stores...) {
		t.Errorf("%s", v)
	}
}

// unknownHost records a request to a host that is neither service's.
func (w *World) unknownHost(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violate(UnknownRequest, nil, nil, "%s %s: the host belongs to neither service", r.Method, r.URL)
}
