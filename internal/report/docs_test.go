package report

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// The samples in docs/report-format.md are what a run writes.
func TestReportFormat(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../docs/report-format.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile("(?s)```(?:json)?\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		want = append(want, m[1])
	}
	if len(want) != 3 {
		t.Fatalf("docs/report-format.md has %d samples, want JSON, CSV and the log", len(want))
	}

	expires := time.Date(2027, 9, 16, 12, 0, 0, 0, time.UTC)
	stores := []rotation.Store{rotation.StoreActions}
	for i, name := range []string{"report.json", "report.csv"} {
		path := filepath.Join(t.TempDir(), name)
		f := newFixture(t, func(o *Options) { o.Runner, o.File, o.Version = false, path, "v1.0.0" })
		f.Selected(3, 3, 3, match.Counts{})
		f.Add(outcome.Result{
			Owner: "acme", Name: "api", Outcome: outcome.Created, Reason: "no token from this action", Stores: stores,
			Writes:  []outcome.Write{{Store: rotation.StoreActions, Effect: outcome.Overwrite}},
			TokenID: 4711, TokenName: "codacy-project-token-1", ExpiresAt: now.AddDate(1, 0, 0),
		})
		f.Add(outcome.Result{Owner: "acme", Name: "legacy", Outcome: outcome.Skipped, Reason: "archived on GitHub"})
		f.Add(outcome.Result{
			Owner: "acme", Name: "web", Outcome: outcome.Current, Stores: stores,
			TokenID: 4242, TokenName: "codacy-project-token-3", ExpiresAt: expires,
		})
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], string(got)); diff != "" {
			t.Errorf("%s: -docs +written:\n%s", name, diff)
		}
		if diff := cmp.Diff(want[2], f.stdout.String()); diff != "" {
			t.Errorf("the log: -docs +written:\n%s", diff)
		}
	}
	for _, o := range outcome.All() {
		if !strings.Contains(string(text), "`"+string(o)+"`") {
			t.Errorf("docs/report-format.md does not name the outcome %s", o)
		}
	}
}

// The plan in README is what the program shows.
func TestReadmePlan(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```\n(\\d+ repositories selected.*?)\n```").FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("README has no plan")
	}
	f := newFixture(t, func(o *Options) { o.Runner = false })
	f.Selected(6, 6, 6, match.Counts{})
	f.Add(current(1, 300))
	f.Add(current(2, 300))
	f.Add(outcome.Result{Owner: "acme", Name: "legacy", Outcome: outcome.Skipped})
	f.Plan([]*outcome.Result{
		planned("web", outcome.Renewed, outcome.Renew, "68 days left"),
		planned("billing", outcome.Created, outcome.Add, "no token from this action"),
		planned("api", outcome.Created, outcome.Overwrite, "no token from this action"),
	}, 3*time.Second, true)
	if diff := cmp.Diff(m[1], strings.TrimSpace(f.stdout.String())); diff != "" {
		t.Errorf("-README +shown:\n%s", diff)
	}
}
