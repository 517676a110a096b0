package diagnosis

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// The cases of single repositories.
const (
	GitHubRole   ID = "not-an-admin-on-github"
	CodacyRole   ID = "not-an-admin-on-codacy"
	DeniedInSome ID = "access-denied-to-some-repositories"
	SecretsFull  ID = "100-secrets-reached"
)

var repositoriesCases = []Case{
	{
		ID: GitHubRole, Exit: 1,
		Message: "the token's owner has no admin rights on {first}, which GitHub requires for secrets (affected: {hidden})",
		Hint:    "Give the owner the role Admin at {web}/{first}/settings/access, or use a token from an admin",
		Details: "GitHub's message is `Must have admin rights to Repository`. Tokens that were created for such a repository are deleted immediately.",
	},
	{
		ID: CodacyRole, Input: "codacy-api-token", Exit: 1,
		Message: "Codacy doesn't show the tokens of {first}, because the account has no admin rights on it (affected: {hidden})",
		Hint:    "Give the token's account admin rights: https://docs.codacy.com/organizations/roles-and-permissions-for-organizations",
		Details: "Codacy listed the repository, but its response for the tokens had the status 404 or 403. Codacy takes the role from GitHub, so the account needs admin rights there.",
	},
	{
		ID: DeniedInSome, Exit: 1,
		Message: "GitHub denies access to the secrets of {first} in the store {store}, but not to those of other repositories (affected: {hidden})",
		Hint:    "Give the credential access to them at {page}, or exclude them with {:exclude-repositories}",
		Details: "A fine-grained token for selected repositories also lists public repositories that were not selected. " +
			"The other repositories are served.",
	},
	{
		ID: SecretsFull, Exit: 1,
		Message: "{first} has 100 secrets in the store {store}, GitHub's limit (affected: {hidden})",
		Hint:    "Delete an unused secret at {web}/{first}/settings/secrets/{store}",
		Details: "GitHub rejected the secret, and the store has 100. The token that was created for it is deleted immediately. Environments and organizations have limits of their own.",
	},
}

// maxSecrets is GitHub's limit of secrets in one store.
// https://docs.github.com/actions/reference/security/secrets
const maxSecrets = 100

// Findings collects the cases that the results of repositories show.
type Findings struct {
	setup *Setup
	cases map[ID]*finding
	// read and written are the stores that the credential could read or write in some
	// repository.
	read, written map[rotation.Store]bool
}

// finding is one case: the first repository by name, and the number of them.
type finding struct {
	first  outcome.Result
	values Values
	count  int
	denied denied
}

// denied is what GitHub denied in a store.
type denied struct {
	store rotation.Store // empty if it was something else
	read  bool           // as opposed to writing
}

// Findings returns a collection without cases.
func (s *Setup) Findings() *Findings {
	return &Findings{
		setup: s, cases: map[ID]*finding{}, read: map[rotation.Store]bool{}, written: map[rotation.Store]bool{},
	}
}

// Add adds the case that a result shows, if it shows one.
func (f *Findings) Add(res outcome.Result) {
	for _, store := range res.Stores {
		f.read[store] = true
	}
	for _, w := range res.Writes {
		f.read[w.Store], f.written[w.Store] = true, true
	}
	e := asWire(res.Err)
	var id ID
	var values Values
	var what denied
	switch {
	case res.Outcome == outcome.Skipped && res.Warning != "":
		id = CannotRenew
	case res.Err == nil:
	case e.Service == codacy.Name && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden):
		id = CodacyRole
	case e.Service == github.Name && e.Status == http.StatusUnprocessableEntity:
		id = SecretsFull
	case github.LacksPermission(res.Err), github.IsNotAdmin(res.Err):
		p := f.setup.Denial(res.Err)
		id, values = p.ID, p.Values
		what = denied{rotation.Store(p.Values["store"]), strings.HasSuffix(e.Permission, "=read")}
	}
	if id == "" {
		return
	}
	found := f.cases[id]
	if found == nil {
		found = &finding{first: res, values: values, denied: what}
		f.cases[id] = found
	}
	found.count++
	if namedFirst(id, res, found.first) {
		found.first = res
	}
}

// namedFirst reports which of two repositories a case names.
func namedFirst(id ID, a, b outcome.Result) bool {
	if id == CannotRenew {
		return a.ExpiresAt.Before(b.ExpiresAt)
	}
	return a.Repository() < b.Repository()
}

// Problems returns the cases that were found, except the one that ended the run.
// CountSecrets returns the number of secrets in a store of a repository.
func (f *Findings) Problems(ctx context.Context, ended ID, countSecrets func(ctx context.Context, owner, name string, s rotation.Store) (int, error)) []*Problem {
	var problems []*Problem
	for _, id := range slices.Sorted(maps.Keys(f.cases)) {
		found := f.cases[id]
		values := Values{
			"first": found.first.Repository(), "hidden": fmt.Sprint(found.count), "store": string(rotation.StoreActions),
			"date": found.first.ExpiresAt.UTC().Format(time.DateOnly),
		}
		maps.Copy(values, found.values)
		if id != ended && f.deniedInSome(id, found.denied) {
			id = DeniedInSome
		}
		switch {
		case id == ended, id == CannotRenew && found.count == 1: // its own warning says it
		case id == SecretsFull && !f.secretLimitReached(ctx, found, values, countSecrets):
		default:
			problems = append(problems, &Problem{id, values, nil})
		}
	}
	return problems
}

// deniedInSome reports whether the credential has the access that a repository denies
// to it, because another repository granted it. Then the credential is not to blame.
func (f *Findings) deniedInSome(id ID, d denied) bool {
	switch id {
	case TokenPermission, TokenStore, TokenOtherOwner, WorkflowToken, AppPermission:
		return f.written[d.store] || d.read && f.read[d.store]
	}
	return false
}

// secretLimitReached reports whether a store of the repository holds GitHub's
// maximum number of secrets, and sets the store.
func (f *Findings) secretLimitReached(ctx context.Context, found *finding, values Values, countSecrets func(ctx context.Context, owner, name string, s rotation.Store) (int, error)) bool {
	for _, store := range f.setup.Stores {
		n, err := countSecrets(ctx, found.first.Owner, found.first.Name, store)
		if err == nil && n >= maxSecrets {
			values["store"] = string(store)
			return true
		}
	}
	return false
}
