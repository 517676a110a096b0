package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// fixture is a Report with all that it writes.
type fixture struct {
	*Report
	t              *testing.T
	stdout, stderr bytes.Buffer
	env            map[string]string
}

// newFixture is a Report on a runner, unless change says otherwise.
func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{t: t, env: map[string]string{
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}}
	o := Options{
		Runner: true, Stdout: &f.stdout, Stderr: &f.stderr, Getenv: func(k string) string { return f.env[k] },
		Organization: "acme", SecretName: "CODACY_PROJECT_TOKEN", Web: "https://github.com", Version: "v1",
		Now: func() time.Time { return now },
	}
	if change != nil {
		change(&o)
	}
	o.MaskWriter = o.Stdout
	f.Report = New(o)
	return f
}

func (f *fixture) read(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(f.env[name])
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// lines are the lines of the log that begin with prefix.
func (f *fixture) lines(prefix string) []string {
	var found []string
	for l := range strings.Lines(f.stdout.String()) {
		if strings.HasPrefix(l, prefix) {
			found = append(found, strings.TrimSuffix(l, "\n"))
		}
	}
	return found
}

func failed(i int, reason string) outcome.Result {
	return outcome.Result{Owner: "acme", Name: fmt.Sprintf("r%03d", i), Outcome: outcome.Failed, Reason: reason}
}

// current is a result with a token that expires in so many days.
func current(i, days int) outcome.Result {
	return outcome.Result{
		Owner: "acme", Name: fmt.Sprintf("r%03d", i), Outcome: outcome.Current, TokenID: int64(i + 1), TokenName: "codacy-project-token-1",
		ExpiresAt: now.AddDate(0, 0, days), Stores: []rotation.Store{rotation.StoreActions},
	}
}

func TestLog(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Info("%d repositories: %s", 3, "::error::x\n##[error]y")
	f.Info("::%s", "error::z")
	f.Add(current(1, 30))
	f.Add(outcome.Result{Owner: "acme", Name: "x\n::error::y", Outcome: outcome.Skipped, Reason: "archived ##[x"})
	f.Add(outcome.Result{Owner: "acme", Name: "new", Outcome: outcome.Created, Reason: "##[x"})
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	want := "3 repositories: ::error::x ##\\[error]y\n" +
		"\\::error::z\n" +
		"::group::Repositories, as they come\n" +
		"created  acme/new: ##\\[x\n" +
		"::endgroup::\n" +
		"::group::Kept, skipped and deferred (1)\n" +
		"skipped  acme/x ::error::y: archived ##\\[x\n" +
		"::endgroup::\n" +
		"All is well until 2026-12-20: 1 created, 1 current, 1 skipped\n"
	if diff := cmp.Diff(want, f.stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for l := range strings.Lines(f.stdout.String()) {
		if isCommand(l) && !strings.HasPrefix(l, "::group::") && l != "::endgroup::\n" {
			t.Errorf("a command: %s", l)
		}
	}
	if f.stderr.Len() > 0 {
		t.Errorf("stderr: %s", f.stderr.String())
	}
}

// GitHub keeps ten annotations of a kind: the tenth tells how many more there are.
// With debug logging each repository has its line, as it comes.
func TestDebugLog(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Debug = true })
	f.Add(current(1, 30))
	f.Add(outcome.Result{Owner: "acme", Name: "x", Outcome: outcome.Skipped, Reason: "archived"})
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	want := "::group::Repositories, as they come\n" +
		"current  acme/r001 (codacy-project-token-1, expires 2026-12-20)\n" +
		"skipped  acme/x: archived\n" +
		"::endgroup::\n" +
		"All is well until 2026-12-20: 1 current, 1 skipped\n"
	if diff := cmp.Diff(want, f.stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What concerns the whole run is told last, and has an annotation all the same,
// however many repositories failed before.
func TestLastAnnotations(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.File = filepath.Join(t.TempDir(), "no", "such", "folder.json") })
	for i := range 50 {
		f.Add(failed(i, "no"))
	}
	f.Problem("github-token: it is dead", "make another one")
	if f.Finish() == nil {
		t.Error("the report file was written")
	}
	got := f.lines("::error")
	if len(got) != 10 || !strings.Contains(strings.Join(got, "\n"), "::error::github-token: it is dead%0A  make another one\n") ||
		!strings.Contains(strings.Join(got, "\n"), "::error::the report could not be written") || !strings.Contains(got[9], "43 more of these") {
		t.Errorf("%d annotations:\n%s", len(got), strings.Join(got, "\n"))
	}
	if s := f.Summary(); !strings.Contains(s, "the report could not be written") || !strings.Contains(s, "**make another one**") {
		t.Errorf("the summary does not tell it:\n%.300s", s)
	}
}

// A run that did not begin tells why in its summary, and writes nothing else.
func TestAbort(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Problem("github-token: wrong", "Look at https://github.com/settings/tokens (or ask), and <i>again</i>")
	f.Abort()
	want := "## ❌ The run did not begin, and nothing was changed\n\n> [!CAUTION]\n> github-token\\: wrong<br>\n" +
		"> **Look at <https://github.com/settings/tokens> \\(or ask\\), and &lt;i&gt;again&lt;/i&gt;**\n\n"
	if diff := cmp.Diff(want, strings.TrimSuffix(f.read("GITHUB_STEP_SUMMARY"), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := os.Stat(f.env["GITHUB_OUTPUT"]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("outputs were written: %v", err)
	}
}

func TestAnnotationCap(t *testing.T) {
	t.Parallel()

	for _, n := range []int{0, 1, 9, 10, 11, 200} {
		f := newFixture(t, nil)
		for i := range n {
			switch i % 3 { // all that makes an error
			case 0:
				f.Add(failed(i, "no"))
			case 1:
				f.Error(fmt.Sprint("error ", i))
			default:
				f.Add(outcome.Result{Owner: "acme", Name: fmt.Sprint("d", i), Outcome: outcome.Deferred, ExpiresAt: now.Add(time.Hour), TokenName: "n"})
			}
			if i%2 == 0 {
				f.Warning(fmt.Sprint("warning ", i))
			} else {
				res := current(1000+i, 300)
				res.Warning = "it has a living token"
				f.Add(res)
			}
		}
		if err := f.Finish(); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"error", "warning"} {
			got := f.lines("::" + kind)
			if want := min(n, 10); len(got) != want {
				t.Errorf("of %d: %d annotations ::%s, want %d", n, len(got), kind, want)
			}
			plainLines := len(f.lines(kind + ": "))
			if want := max(0, n-9); plainLines != want {
				t.Errorf("of %d: %d plain lines %q, want %d", n, plainLines, kind, want)
			}
			if n > 10 && !strings.Contains(got[9], fmt.Sprintf("%d more of these", n-9)) || n == 10 && strings.Contains(got[9], "more of these") {
				t.Errorf("of %d: the tenth is %q", n, got[9])
			}
		}
	}
}

// Annotations carry text of servers: it must not give commands, nor end them.
func TestAnnotationIsEscaped(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Error("a\n::add-mask::b 100%25 ##[x")
	f.Add(failed(1, "first\r\nsecond ::warning::x"))
	f.Add(outcome.Result{Owner: "acme", Name: "a", Outcome: outcome.Skipped, Warning: "line\n::error::x", ExpiresAt: now, TokenName: "n"})
	want := []string{
		`::error::a ::add-mask::b 100%2525 ##\[x`,
		`::group::Repositories, as they come`,
		`::error::acme/r001: first  second ::warning::x`,
		`::warning::acme/a: line ::error::x (n, expires 2026-11-20)`,
	}
	if got := f.lines("::"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Runner = false })
	for i := range 20 {
		f.Error(fmt.Sprint("e", i, "\n::x"))
		f.Warning("w")
	}
	if err := f.Mask(secret.New("token-value")); err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	if out := f.stdout.String(); out != "The run did not begin, and nothing was changed\n" {
		t.Errorf("stdout: %q", out)
	}
	if n := strings.Count(f.stderr.String(), "\n"); n != 40 {
		t.Errorf("%d lines on stderr, want 40", n)
	}
	if !strings.HasPrefix(f.stderr.String(), "error: e0 ::x\nwarning: w\n") {
		t.Errorf("stderr: %q", f.stderr.String())
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if _, err := os.Stat(f.env[name]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was written: %v", name, err)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	if err := f.Mask(secret.New("token%value")); err != nil {
		t.Fatal(err)
	}
	if got := f.stdout.String(); got != "::add-mask::token%25value\n" { // written through at once
		t.Errorf("got %q", got)
	}
	f.stdout.Reset()
	if err := f.Mask(secret.Value{}); err != nil || f.stdout.Len() > 0 {
		t.Errorf("an empty value: %v, %q", err, f.stdout.String())
	}
}

// brokenWriter takes nothing.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// A value that could not be masked is an error; a line that could not be
// written is none, and nothing panics.
func TestBrokenLog(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Stdout, o.Stderr = brokenWriter{}, brokenWriter{} })
	err := f.Mask(secret.New("token-value"))
	if err == nil || !strings.Contains(err.Error(), "disk full") || strings.Contains(err.Error(), "token-value") {
		t.Errorf("masking: %v", err)
	}
	f.Info("x")
	f.Error("x")
	f.Warning("x")
	f.Add(failed(1, "x"))
	if err := f.Finish(); err != nil {
		t.Errorf("finish: %v", err)
	}
}

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
		t.Errorf("next-expiry is %q where there is none", got)
	}
}

// outputs reads an output file as the runner does.
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

func TestUnwritable(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	missing := filepath.Join(dir, "no", "such", "folder", "file")
	t.Run("outputs", func(t *testing.T) {
		t.Parallel()

		f := newFixture(t, nil)
		f.env["GITHUB_OUTPUT"] = ""
		if err := f.Finish(); err != nil || len(f.lines("::warning")) != 1 {
			t.Errorf("where no file is named: %v, %q", err, f.stdout.String())
		}
		for _, path := range []string{missing, dir} {
			f := newFixture(t, nil)
			f.env["GITHUB_OUTPUT"] = path
			if err := f.Finish(); err == nil || !strings.Contains(err.Error(), "outputs could not be written") ||
				path == "" && !strings.Contains(err.Error(), "GITHUB_OUTPUT is not set") {
				t.Errorf("%q: %v", path, err)
			}
			if !strings.Contains(f.read("GITHUB_STEP_SUMMARY"), "## ") {
				t.Errorf("%q: the summary was not written either", path)
			}
		}
	})
	t.Run("summary", func(t *testing.T) {
		t.Parallel()

		for _, path := range []string{missing, dir} {
			f := newFixture(t, nil)
			f.env["GITHUB_STEP_SUMMARY"] = path
			if err := f.Finish(); err != nil {
				t.Errorf("%q: %v", path, err)
			}
			if got := f.lines("::warning"); len(got) != 1 || !strings.Contains(got[0], "summary could not be written") {
				t.Errorf("%q: warnings %q", path, got)
			}
		}
		f := newFixture(t, nil)
		f.env["GITHUB_STEP_SUMMARY"] = ""
		if err := f.Finish(); err != nil || len(f.lines("::")) > 0 {
			t.Errorf("where no summary is wanted: %v, %q", err, f.stdout.String())
		}
	})
	t.Run("report", func(t *testing.T) {
		t.Parallel()

		for _, path := range []string{missing + ".json", missing + ".csv", dir} {
			f := newFixture(t, func(o *Options) { o.File = path })
			f.env["GITHUB_OUTPUT"] = missing
			err := f.Finish()
			if err == nil || !strings.Contains(err.Error(), "report could not be written") || !strings.Contains(err.Error(), "outputs could not be written") {
				t.Errorf("%q: %v", path, err)
			}
		}
		// Nothing half done is left behind.
		files, err := os.ReadDir(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasPrefix(file.Name(), ".report-") {
				t.Errorf("%s is left", file.Name())
			}
		}
	})
}

// results are one of each kind, with everything odd.
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
	f.Selected(3, match.Counts{NotAdded: 4, Excluded: 5, OtherShards: 6})
	f.Error("an error\n::x")
	f.Warning("a warning")
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
			"organization": "acme", "secret": "CODACY_PROJECT_TOKEN", "dry_run": true, "version": "v1", "selected": 3.0,
			"not_added": 4.0, "left_out": 5.0, "other_shards": 6.0,
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

// The report is for everybody: a later step may run as another user.
func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o644 {
		t.Errorf("its mode is %v", info.Mode())
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

func TestHeadline(t *testing.T) {
	t.Parallel()

	deferred := outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Deferred}
	for _, tt := range []struct {
		name string
		dry  bool
		fill func(*fixture)
		want string
	}{
		{"nothing", false, func(*fixture) {}, "✅ All is well"},
		{"well", false, func(f *fixture) { f.Add(current(1, 30)); f.Add(current(2, 20)) }, "✅ All is well until 2026-12-10"},
		{"one failed", false, func(f *fixture) { f.Add(current(1, 30)); f.Add(failed(2, "no")) }, "❌ 1 of 2 repositories needs care; the next token expires 2026-12-20"},
		{"the only one failed", false, func(f *fixture) { f.Add(failed(2, "no")) }, "❌ 1 of 1 repository needs care"},
		{"due soon", false, func(f *fixture) {
			f.Add(failed(2, "no"))
			f.Add(outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Deferred, ExpiresAt: now})
		}, "❌ 2 of 2 repositories need care; a token expired on 2026-11-20"},
		{"ended early", false, func(f *fixture) { f.Add(deferred); f.Error("the token is dead") }, "❌ The run did not come to its end"},
		{"not begun", false, func(f *fixture) { f.Error("the token is dead") }, "❌ The run did not begin, and nothing was changed"},
		{"deferred", false, func(f *fixture) { f.Add(current(1, 30)); f.Add(deferred) }, "⏳ Nothing failed; 1 of 2 repositories is left to the next run"},
		{"two deferred", false, func(f *fixture) { f.Add(deferred); f.Add(deferred) }, "⏳ Nothing failed; 2 of 2 repositories are left to the next run"},
		{"warned", false, func(f *fixture) { f.Add(current(1, 30)); f.Warning("w") }, "⚠️ All is well until 2026-12-20, with 1 warning"},
		{"dry", true, func(f *fixture) { f.Add(outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Created}) }, "🔎 Dry run: 1 repository would change, nothing was changed"},
	} {
		f := newFixture(t, func(o *Options) { o.DryRun = tt.dry })
		tt.fill(f)
		if got, _, _ := strings.Cut(f.Summary(), "\n"); got != "## "+tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Selected(4, match.Counts{NotAdded: 1, Excluded: 2, OtherShards: 3})
	f.Error("<b>bad</b>\n| x")
	f.Warning("a|b")
	f.Add(outcome.Result{Owner: "acme", Name: "new", Outcome: outcome.Created, ExpiresAt: now, Reason: "new secret"})
	f.Add(outcome.Result{Owner: "acme", Name: "lost", Outcome: outcome.Skipped, Reason: "not on GitHub", Warning: "it has a living token"})
	f.Add(outcome.Result{Owner: "acme", Name: "a|b<i>", Outcome: outcome.Failed, Reason: "x|y\n<script>"})
	f.Add(current(9, 300))
	s := f.Summary()
	for _, want := range []string{
		"> [!CAUTION]\n> &lt;b&gt;bad&lt;/b&gt; \\| x\n",
		"> [!WARNING]\n> a\\|b\n",
		"\n**1** created · **1** current · **1** skipped · **1** failed\n",
		"  x-axis [\"Nov 26: 1\", \"Sep 27: 1\"]\n  y-axis 0 --> 10\n  bar [1, 1]\n",
		"Secret `CODACY_PROJECT_TOKEN` of 4 selected repositories. 1 not added to Codacy. 2 left out by the patterns. 3 in other shards.",
		"### Needs care (1), and warnings (1)\n",
		"| [a\\|b&lt;i&gt;](https://github.com/acme/a%7Cb%3Ci%3E) ([secrets](https://github.com/acme/a%7Cb%3Ci%3E/settings/secrets/actions)) | **failed**\\: x\\|y &lt;script&gt; |\n",
		"| **skipped**\\: not on GitHub; it has a living token |\n",
		"### Changed (1)\n",
		"([secrets](https://github.com/acme/new/settings/secrets/actions)) | **created**, expires 2026-11-20\\: new secret |",
		"<details><summary>All others (1)</summary>",
		"</details>\n",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in:\n%s", want, s)
		}
	}
	care := strings.Index(s, "Needs care")
	if first := strings.Index(s[care:], "[a"); first < 0 || first > strings.Index(s[care:], "[lost]") {
		t.Error("the rows are not sorted")
	}
}

// The chart has a bar for each week or month in which tokens expire, and none
// that says nothing; what comes too late for it is in the last.
func TestChart(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		days []int // from now, a Friday
		want string
	}{
		"none":   {nil, ""},
		"a week": {[]int{0, 1, 2}, `week"|"16 Nov: 3"|10|3`},
		"weeks":  {[]int{2, 3, 3, 80}, `week"|"16 Nov: 1", "23 Nov: 2", "8 Feb: 1"|10|1, 2, 1`},
		"months": {[]int{0, 10, 11, 200, 364}, `month"|"Nov 26: 2", "Dec 26: 1", "Jun 27: 1", "Nov 27: 1"|10|2, 1, 1, 1`},
		"years":  {[]int{0, 400, 800, 4000}, `month"|"Nov 26: 1", "Dec 27: 1", "Jan 29: 1", "Nov 37: 1"|10|1, 1, 1, 1`},
		"ages": {
			[]int{0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750},
			`month"|"Nov 26: 1", "Jan 27: 1", "Feb 27: 1", "Apr 27: 1", "Jun 27: 1", "Jul 27: 1", "Sep 27: 1", "Nov 27: 1", "Dec 27: 1", "Feb 28: 1", "Apr 28: 1", "May 28: 1", "Jul 28: 1", "Aug 28 on: 3"|10|` +
				`1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3`,
		},
		"many": {slices.Repeat([]int{30}, 25), `week"|"14 Dec: 25"|25|25`},
	} {
		f := newFixture(t, nil)
		for i, days := range c.days {
			f.Add(current(i, days))
		}
		s, got := f.Summary(), ""
		if m := regexp.MustCompile("(?s)```mermaid\n.*by (.*?)\n.*x-axis \\[(.*?)\\]\n.*--> (\\d+)\n  bar \\[(.*?)\\]\n```\n").FindStringSubmatch(s); m != nil {
			got = strings.Join(m[1:], "|")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s\n%s", name, got, c.want, s)
		}
	}
}

// A summary of any size is shown: below GitHub's bound, cut between rows, and it
// tells how many rows there were.
func TestSummaryIsBounded(t *testing.T) {
	t.Parallel()

	const each = 900
	f := newFixture(t, nil)
	f.Error(strings.Repeat("|", 5000))
	for i := range each {
		f.Add(failed(i, strings.Repeat("x|<", 400)))
		f.Add(outcome.Result{Owner: "acme", Name: fmt.Sprint("c", i), Outcome: outcome.Created, Reason: strings.Repeat("y", 500)})
		f.Add(current(100_000+i, 300))
	}
	s := f.Summary()
	if len(s) > 1<<20 || len(s) < 1<<19 {
		t.Errorf("it has %d bytes", len(s))
	}
	rows, cut := 0, 0
	for l := range strings.Lines(s) {
		if !strings.HasPrefix(l, "|") {
			continue
		}
		if more := regexp.MustCompile(`^\| … \| (\d+) more`).FindStringSubmatch(l); more != nil {
			var n int
			if _, err := fmt.Sscan(more[1], &n); err != nil {
				t.Fatal(err)
			}
			cut += n
		} else if strings.HasPrefix(l, "| [") {
			rows++
		}
		if !strings.HasSuffix(l, "|\n") {
			t.Errorf("a row is cut: %q", l)
		}
	}
	if rows+cut != 3*each || cut == 0 {
		t.Errorf("%d rows, and %d more; want %d in all", rows, cut, 3*each)
	}
	if strings.Count(s, "<details>") != strings.Count(s, "</details>") {
		t.Error("what was folded does not end")
	}
}

// Everybody reports at once.
func TestConcurrent(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			f.Info("line %d", i)
			f.Add(failed(i, "no"))
			f.Warning("w")
			_ = f.Summary()
			if err := f.Mask(secret.New(fmt.Sprint("value-", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`^(::group::.*|::endgroup::|50 of 50 repositories need care: 50 failed|line \d+|failed   acme/r\d+: no|::(error|warning|add-mask)::.*|(error|warning): .*)\n$`)
	for l := range strings.Lines(f.stdout.String()) {
		if !known.MatchString(l) {
			t.Errorf("two lines in one: %q", l)
		}
	}
}
