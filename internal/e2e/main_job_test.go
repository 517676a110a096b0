package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestMainJob is the main job: an organization on three pages with all the odd
// repositories that organizations have, then the same run once more, which changes
// nothing.
func TestMainJob(t *testing.T) {
	t.Parallel()

	var repositories []sandbox.Repository
	for i, name := range harness.Names(242) {
		repositories = append(repositories, sandbox.Repository{Name: name, Private: i%2 == 0})
	}
	repositories = append(
		repositories,
		sandbox.Repository{Name: "old-archive", Archived: true},
		sandbox.Repository{Name: "switched-off", Disabled: true},
		sandbox.Repository{Name: "new-name", CodacyName: "old-name", OldNames: []string{"acme/old-name"}},
		// Codacy means another repository by this name than GitHub has now.
		sandbox.Repository{Name: "impostor", RemoteID: "77"},
		sandbox.Repository{Name: "only-on-codacy", NotOnGitHub: true},
		sandbox.Repository{Name: "not-added", State: sandbox.NotAdded},
		sandbox.Repository{Name: ".Odd_name-1.0", NoRemoteID: true, CodacyName: ".odd_NAME-1.0"},
		sandbox.Repository{Name: "only-on-github", NotOnCodacy: true},
	)
	f := harness.Serve(t, sandbox.Options{}, repositories...)

	first := f.Run(nil)
	f.Want(first, 0, "created=244 skipped=4")
	want := append(harness.Names(242), "new-name", ".Odd_name-1.0")
	harness.Each(want, func(name string) { f.Provisioned(name) })
	if got := f.Count(sandbox.KindPutSecret); got != len(want) {
		t.Errorf("%d secrets were written, want %d", got, len(want))
	}
	for name, reason := range map[string]string{
		"old-archive": "archived", "switched-off": "disabled", "impostor": "a different repository",
		"only-on-codacy": "not on GitHub",
	} {
		e := f.Entries(first)[name]
		if e.Outcome != "skipped" || !strings.Contains(e.Reason, reason) {
			t.Errorf("%s: %s, %q, want skipped, %q", name, e.Outcome, e.Reason, reason)
		}
		if n := len(f.Tokens(name)); n != 0 {
			t.Errorf("%s: %d tokens were created", name, n)
		}
	}
	if e, ok := f.Entries(first)["not-added"]; ok {
		t.Errorf("a repository that Codacy has not added is reported as %s", e.Outcome)
	}
	next, err := time.Parse(time.RFC3339, first.Outputs["next-expiry"])
	if left := next.Sub(f.Time()); err != nil || left < 363*24*time.Hour || left > 365*24*time.Hour {
		t.Errorf("next-expiry is %q (%v)", first.Outputs["next-expiry"], err)
	}
	if !strings.Contains(first.Summary, "service-007") || !strings.Contains(first.Summary, "244") {
		t.Errorf("the summary does not show what was done:\n%s", first.Summary)
	}

	f.Advance(time.Hour)
	writes := f.Writes()
	second := f.Run(nil)
	f.Want(second, 0, "current=244 skipped=4")
	if got := f.Writes(); got != writes {
		t.Errorf("the second run sent %d writes", got-writes)
	}
	if second.Outputs["next-expiry"] != first.Outputs["next-expiry"] {
		t.Errorf("next-expiry went from %s to %s", first.Outputs["next-expiry"], second.Outputs["next-expiry"])
	}
}

// TestCost counts requests: no more than the contract allows.
func TestCost(t *testing.T) {
	t.Parallel()

	for _, stores := range [][]string{{"actions"}, {"actions", "dependabot"}, {"actions", "agents", "codespaces", "dependabot"}} {
		t.Run(fmt.Sprint(len(stores), " stores"), func(t *testing.T) {
			t.Parallel()

			const n = 120
			f := harness.Serve(t, sandbox.Options{})
			for _, name := range harness.Names(n) {
				f.Add(sandbox.Repository{Name: name})
			}
			in := harness.Inputs{"secret-stores": strings.Join(stores, ",")}
			f.Want(f.Run(in), 0, fmt.Sprintf("created=%d", n))
			counted(f, "first run", map[sandbox.Kind]int{
				sandbox.KindListTokens: n, sandbox.KindCreateToken: n,
				sandbox.KindPublicKey: n * len(stores), sandbox.KindPutSecret: n * len(stores),
			})
			f.Advance(time.Hour)
			f.Want(f.Run(in), 0, fmt.Sprintf("current=%d", n))
			counted(f, "second run", map[sandbox.Kind]int{
				sandbox.KindListTokens: 2 * n, sandbox.KindCreateToken: n, sandbox.KindGetSecret: n * len(stores),
				sandbox.KindPublicKey: n * len(stores), sandbox.KindPutSecret: n * len(stores),
			})
			harness.Each(harness.Names(n), func(name string) { f.Provisioned(name, stores...) })
		})
	}
}

// counted asserts the number of requests of each kind. The other requests concern the
// organization: pages, and at most eight more per run.
func counted(f *harness.Fixture, when string, want map[sandbox.Kind]int) {
	f.T.Helper()
	sum := 0
	for kind, n := range want {
		sum += n
		if got := f.Count(kind); got != n {
			f.T.Errorf("%s: %d requests of kind %v, want %d", when, got, kind, n)
		}
	}
	pages := f.Count(sandbox.KindListRepositories) + f.Count(sandbox.KindGitHubRepositories)
	runs := f.Count(sandbox.KindUser)
	// Two pages on each side. GitHub's first page is read again with the second one, and
	// the repositories are counted before and after that: three of the eight.
	if pages != (4+3)*runs {
		f.T.Errorf("%s: %d pages in %d runs, want 7 in each", when, pages, runs)
	}
	if rest := f.Total() - sum - pages; rest > (8-3)*runs {
		f.T.Errorf("%s: %d further requests in %d runs", when, rest, runs)
	}
}
