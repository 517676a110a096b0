package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// results returns results with unusual contents.
func results() []outcome.Result {
	return []outcome.Result{
		{
			Owner: "acme", Name: "api", Outcome: outcome.Created, Reason: "new secret", TokenID: 3_000_000_001, TokenName: "codacy-project-token-1",
			ExpiresAt: now.AddDate(1, 0, 0), Stores: []rotation.Store{rotation.StoreDependabot, rotation.StoreActions},
		},
		{Owner: "acme", Name: "=cmd|' /C calc'!A0", Outcome: outcome.Skipped, Reason: "@SUM(1)\nsecond line, \"quoted\""},
		{Owner: "acme", Name: "x", Outcome: outcome.Failed, Reason: "=1+1"},
	}
}

func TestJSONFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "report.json")
	f := newFixture(t, func(o *Options) { o.File, o.DryRun = path, true })
	f.Selected(9, 9, 3, match.Counts{NotAdded: 4, Excluded: 5, OtherShards: 6})
	f.Error("an error\n::x", "")
	f.Warning("a warning", "")
	for _, res := range results() {
		f.Add(res)
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"summary": map[string]any{
			"organization": "acme", "secret": "CODACY_PROJECT_TOKEN", "dry_run": true, "version": "v1", "interrupted": false, "selected": 3.0,
			"not_added": 4.0, "excluded": 5.0, "other_shards": 6.0,
			"created": 1.0, "renewed": 0.0, "current": 0.0, "kept": 0.0, "skipped": 1.0, "deferred": 0.0, "failed": 1.0,
			"next_expiry": "2027-11-20T12:00:00Z", "errors": []any{"an error ::x"}, "warnings": []any{"a warning"},
		},
		"repositories": []any{
			map[string]any{
				"repository": "acme/api", "outcome": "created", "reason": "new secret", "stores": []any{"dependabot", "actions"},
				"token_id": 3000000001.0, "token_name": "codacy-project-token-1", "expires_at": "2027-11-20T12:00:00Z",
			},
			map[string]any{
				"repository": "acme/=cmd|' /C calc'!A0", "outcome": "skipped", "reason": `@SUM(1) second line, "quoted"`,
				"stores": []any{}, "token_id": nil, "token_name": nil, "expires_at": nil,
			},
			map[string]any{
				"repository": "acme/x", "outcome": "failed", "reason": "=1+1",
				"stores": []any{}, "token_id": nil, "token_name": nil, "expires_at": nil,
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	checkMode(t, path)
}

// A later step may run as another user, so every user may read the report.
func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o644 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

func TestCSVFile(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "report.CSV")
	if err := os.WriteFile(path, []byte(strings.Repeat("of an earlier run\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *Options) { o.File = path })
	for _, res := range results() {
		f.Add(res)
	}
	f.Add(outcome.Result{Owner: "=1+1", Name: "-2", Outcome: outcome.Kept})
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"repository", "outcome", "reason", "stores", "token_id", "token_name", "expires_at"},
		{"acme/api", "created", "new secret", "dependabot actions", "3000000001", "codacy-project-token-1", "2027-11-20T12:00:00Z"},
		{"acme/=cmd|' /C calc'!A0", "skipped", `'@SUM(1) second line, "quoted"`, "", "", "", ""},
		{"acme/x", "failed", "'=1+1", "", "", "", ""},
		{"'=1+1/-2", "kept", "", "", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	checkMode(t, path)
}

func TestEmptyFiles(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	for _, name := range []string{"r.json", "r.csv"} {
		f := newFixture(t, func(o *Options) { o.File = filepath.Join(dir, name) })
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "r.json"))
	if err != nil || !strings.Contains(string(b), `"repositories": []`) || !strings.Contains(string(b), `"errors": []`) {
		t.Errorf("%v: %s", err, b)
	}
}

// With "-" the report goes to standard output, which has nothing else.
func TestStdoutFile(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Runner, o.File = false, "-" })
	f.Selected(3, 3, 3, match.Counts{})
	for _, res := range results() {
		f.Add(res)
	}
	f.Warning("a warning", "")
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	var got struct{ Repositories []any }
	if err := json.Unmarshal(f.stdout.Bytes(), &got); err != nil || len(got.Repositories) != 3 {
		t.Errorf("%v: %s", err, f.stdout.String())
	}
	for _, want := range []string{"3 repositories selected", "created  acme/api", "warning: a warning", "1 of 3 repositories failed"} {
		if !strings.Contains(f.stderr.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, f.stderr.String())
		}
	}
	broken := newFixture(t, func(o *Options) { o.Runner, o.File, o.Stdout = false, "-", brokenWriter{} })
	if err := broken.Finish(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("standard output can't be written: %v", err)
	}
}
