package diagnosis

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// maxSecrets is GitHub's limit of secrets in one store.
// https://docs.github.com/actions/reference/security/secrets
const maxSecrets = 100

// Findings collects the cases that the results of repositories show.
type Findings struct {
	setup *Setup
	cases map[ID]*finding
	// served is true if a repository was written, or is up to date.
	served bool
}

// finding is one case: the first repository by name, and the number of them.
type finding struct {
	first  outcome.Result
	values Values
	count  int
}

// Findings returns a collection without cases.
func (s *Setup) Findings() *Findings { return &Findings{setup: s, cases: map[ID]*finding{}} }

// Add adds the case that a result shows, if it shows one.
func (f *Findings) Add(res outcome.Result) {
	e := asWire(res.Err)
	var id ID
	var values Values
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
	}
	switch res.Outcome {
	case outcome.Created, outcome.Renewed, outcome.Current:
		f.served = true
	}
	if id == "" {
		return
	}
	found := f.cases[id]
	if found == nil {
		found = &finding{first: res, values: values}
		f.cases[id] = found
	}
	found.count++
	if namedFirst(id, res, found.first) {
		found.first = res
	}
}

// mayBeRepository holds the cases of a denial whose text does not tell a credential
// from a repository that it gives no access to. Where another repository was served,
// the credential is not blamed.
var mayBeRepository = map[ID]bool{
	TokenPermission: true, TokenStore: true, TokenOtherOwner: true, AppPermission: true, WorkflowToken: true, OtherPermission: true,
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
		switch {
		case f.served && mayBeRepository[id]:
		case id == ended, id == CannotRenew && found.count == 1: // its own warning says it
		case id == SecretsFull && !f.secretLimitReached(ctx, found, values, countSecrets):
		default:
			problems = append(problems, &Problem{id, values, nil})
		}
	}
	return problems
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
