package cli

import (
	"context"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/github"
)

// findings are the cases that the repositories' results show: of each the first
// repository, by name, and how many there are.
type findings struct {
	s     *session
	cases map[diagnosis.ID]*finding
}

type finding struct {
	first  outcome.Result
	values diagnosis.Values
	count  int
}

// note sees what case a result shows, if any.
func (f *findings) add(res outcome.Result) {
	e := asWire(res.Err)
	var id diagnosis.ID
	var values diagnosis.Values
	switch {
	case res.Outcome == outcome.Skipped && res.Warning != "":
		id = diagnosis.CannotRenew
	case res.Err == nil:
	case e.Service == codacy.Name && (e.Status == http.StatusNotFound || e.Status == http.StatusForbidden):
		id = diagnosis.CodacyRole
	case e.Service == github.Name && e.Status == http.StatusUnprocessableEntity:
		id = diagnosis.SecretsFull
	case github.IsForbidden(res.Err):
		id, values = f.s.Denial(res.Err)
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

// earlier tells which of two repositories a case names.
func namedFirst(id diagnosis.ID, a, b outcome.Result) bool {
	if id == diagnosis.CannotRenew {
		return a.ExpiresAt.Before(b.ExpiresAt)
	}
	return a.Repository() < b.Repository()
}

// tell tells the cases that were found, but for that which ended the run.
func (f *findings) report(ctx context.Context, ended diagnosis.ID) {
	for _, id := range slices.Sorted(maps.Keys(f.cases)) {
		found := f.cases[id]
		values := diagnosis.Values{
			"first": found.first.Repository(), "hidden": fmt.Sprint(found.count), "store": string(rotation.StoreActions),
			"date": found.first.ExpiresAt.UTC().Format(time.DateOnly), "page": f.s.accessPage(),
		}
		maps.Copy(values, found.values)
		p := &Problem{id, values, nil}
		switch {
		case id == ended, id == diagnosis.CannotRenew && found.count == 1: // told by its own warning
		case id == diagnosis.CannotRenew:
			f.s.rep.Warning(f.s.render(p))
		case id != diagnosis.SecretsFull || f.secretLimitReached(ctx, found, values):
			f.s.rep.Error(f.s.render(p))
		}
	}
}

// full tells whether a store of the repository holds as many secrets as GitHub
// allows, and which.
func (f *findings) secretLimitReached(ctx context.Context, found *finding, values diagnosis.Values) bool {
	for _, store := range f.s.SecretStores {
		n, err := f.s.github.Secrets(ctx, github.Repository{Owner: found.first.Owner, Name: found.first.Name}, string(store))
		if err == nil && n >= maxSecrets {
			values["store"] = string(store)
			return true
		}
	}
	return false
}

// maxSecrets of a store. https://docs.github.com/actions/reference/security/secrets
const maxSecrets = 100

// accessPage is where a credential's repositories are chosen.
func (s *session) accessPage() string {
	if s.app != nil && s.app.Installation().Page != "" {
		return s.app.Installation().Page
	}
	return GitHubWeb(s.GitHubAPIURL) + "/settings/personal-access-tokens"
}
