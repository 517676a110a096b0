package report

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

func TestOutputs(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Add(outcome.Result{Owner: "acme", Name: "a", Outcome: outcome.Created, ExpiresAt: now.AddDate(1, 0, 0)})
	f.Add(outcome.Result{Owner: "acme", Name: "b", Outcome: outcome.Created, ExpiresAt: now.AddDate(0, 6, 0)})
	f.Add(outcome.Result{Owner: "acme", Name: "c", Outcome: outcome.Renewed, ExpiresAt: now.AddDate(0, 9, 0)})
	f.Add(outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Kept})
	f.Add(outcome.Result{Owner: "acme", Name: "e", Outcome: outcome.Skipped})
	f.Add(outcome.Result{Owner: "acme", Name: "f", Outcome: outcome.Deferred})
	f.Add(failed(1, "no"))
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"created": "2", "renewed": "1", "current": "0", "kept": "1", "skipped": "1", "deferred": "1", "failed": "1",
		"next-expiry": "2027-05-20T12:00:00Z",
	}
	if diff := cmp.Diff(want, outputs(t, f.read("GITHUB_OUTPUT"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	none := newFixture(t, nil)
	if err := none.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := outputs(t, none.read("GITHUB_OUTPUT"))["next-expiry"]; got != "" {
		t.Errorf("next-expiry is %q without a token", got)
	}
}

// outputs parses an output file as the runner does.
func outputs(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+)<<(\S+)\n(.*)\n(\S+)$`).FindAllStringSubmatch(text, -1) {
		if m[2] != m[4] {
			t.Errorf("an output ends with %q, not with %q", m[4], m[2])
		}
		all[m[1]] = m[3]
	}
	return all
}
