package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ViolationKind is what sort of promise was broken.
type ViolationKind string

// The kinds of violations.
const (
	InvalidToken   ViolationKind = "dead token"      // a secret that the program wrote holds a token that it deleted
	BadPut         ViolationKind = "bad put"         // what was put is no living token of that repository
	ExpiredToken   ViolationKind = "expired token"   // a secret that the program wrote holds an expired token; see Expired
	UnmanagedToken ViolationKind = "not ours"        // a token was deleted that is not named by the scheme
	OtherSecret    ViolationKind = "other secret"    // another secret than the one asked for was written
	UnknownRequest ViolationKind = "unknown request" // a request that no service knows, or that no careful client sends
	RateExceeded   ViolationKind = "rate exceeded"
)

// Violation is something that the action has promised never to do.
type Violation struct {
	Kind       ViolationKind
	Time       time.Time // the true one
	Repository string
	Store      string
	Text       string  // without any value of a token
	Request    Request // what did it; zero where time did
}

// String tells the violation in one line.
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

// violate records a violation; of a request or not, about a secret or not.
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

// checkSecretName sees that it is the one secret that may be written.
func (w *World) checkSecretName(c *call, repo *repository) {
	if !strings.EqualFold(c.Secret, w.options.SecretName) {
		w.violate(OtherSecret, c, nil, "%s of %s was written", c.Secret, repo.Name)
	}
}

// checkPut sees that what was put is a living token of that repository.
func (w *World) checkPut(c *call, repo *repository, s *secret) {
	w.checkSecretName(c, repo)
	switch t := s.token; {
	case t == nil:
		w.violate(BadPut, c, s, "a value that no token has")
	case t.repo != repo:
		w.violate(BadPut, c, s, "the token %d is of %s", t.ID, t.repo.Name)
	case t.Deleted && !t.manual:
		w.violate(BadPut, c, s, "the token %d (%s) is deleted", t.ID, t.Name)
	case !t.Deleted && !t.valid(w.now(Codacy)):
		w.violate(BadPut, c, s, "the token %d (%s) has expired", t.ID, t.Name)
	}
}

// checkDeleted sees that a token was ours to delete, and that no secret of the
// program's holds it.
func (w *World) checkDeleted(c *call, t *token) {
	// Of the first generation, what was made by a request may be undone.
	if ours := w.options.IsManaged(t.Name) || w.options.Legacy && t.viaAPI; !ours {
		w.violate(UnmanagedToken, c, nil, "the token %d (%q) was deleted", t.ID, t.Name)
	}
	for _, s := range t.repo.secrets {
		if s.token == t && s.byAction {
			w.violate(InvalidToken, c, s, "the secret %s holds the deleted token %d (%s)", s.name, t.ID, t.Name)
		}
	}
}

// sweep sees which secrets of the program's hold an expired token.
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

// Violations are the promises that were broken until now; none is good.
func (w *World) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Expired are the secrets that the program wrote and whose token was found to
// have expired: at Advance, or now.
func (w *World) Expired() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweep()
	return slices.Clone(w.expired)
}

// TB is what Check needs of a testing.TB.
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

// stranger records a request to a host that the sandbox doesn't know.
func (w *World) unknownHost(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violate(UnknownRequest, nil, nil, "%s %s: a host that is neither service's", r.Method, r.URL)
}
