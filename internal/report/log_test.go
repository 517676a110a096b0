package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

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
		"::group::Results\n" +
		"created  acme/new: ##\\[x\n" +
		"::endgroup::\n" +
		"::group::Other repositories (1)\n" +
		"skipped  acme/x ::error::y: archived ##\\[x\n" +
		"::endgroup::\n" +
		"2 repositories up to date; next token expires 2026-12-20\n1 created, 1 current, 1 skipped\n"
	if diff := cmp.Diff(want, f.stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for l := range strings.Lines(f.stdout.String()) {
		if isCommand(l) && !strings.HasPrefix(l, "::group::") && l != "::endgroup::\n" {
			t.Errorf("an unexpected command: %s", l)
		}
	}
	if f.stderr.Len() > 0 {
		t.Errorf("stderr: %s", f.stderr.String())
	}
}

// With debug logging each repository has its line.
func TestDebugLog(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Debug = true })
	f.Add(current(1, 30))
	f.Add(outcome.Result{Owner: "acme", Name: "x", Outcome: outcome.Skipped, Reason: "archived"})
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	want := "::group::Results\n" +
		"current  acme/r001 (token expires 2026-12-20)\n" +
		"skipped  acme/x: archived\n" +
		"::endgroup::\n" +
		"1 repository up to date; next token expires 2026-12-20\n1 current, 1 skipped\n"
	if diff := cmp.Diff(want, f.stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Messages about the whole run come last. They have an annotation although many
// repositories failed before.
func TestLastAnnotations(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.File = filepath.Join(t.TempDir(), "no", "such", "folder.json") })
	for i := range 50 {
		f.Add(failed(i, "no"))
	}
	f.Error("github-token: it has expired", "create another one")
	if f.Finish() == nil {
		t.Error("the report file was written")
	}
	got := f.lines("::error")
	if len(got) != 10 || !strings.Contains(strings.Join(got, "\n"), "::error::github-token: it has expired%0A  create another one\n") ||
		!strings.Contains(strings.Join(got, "\n"), "::error::the report could not be written") || !strings.Contains(got[9], "43 more; see the job summary") {
		t.Errorf("%d annotations:\n%s", len(got), strings.Join(got, "\n"))
	}
	if s := f.Summary(); !strings.Contains(s, "the report could not be written") || !strings.Contains(s, "**create another one**") {
		t.Errorf("the summary does not say it:\n%.300s", s)
	}
}

func TestAnnotationCap(t *testing.T) {
	t.Parallel()

	for _, n := range []int{0, 1, 9, 10, 11, 200} {
		f := newFixture(t, nil)
		for i := range n {
			switch i % 3 { // everything that becomes an error
			case 0:
				f.Add(failed(i, "no"))
			case 1:
				f.Error(fmt.Sprint("error ", i), "")
			default:
				f.Add(outcome.Result{Owner: "acme", Name: fmt.Sprint("d", i), Outcome: outcome.Deferred, ExpiresAt: now.Add(time.Hour), TokenName: "n"})
			}
			if i%2 == 0 {
				f.Warning(fmt.Sprint("warning ", i), "")
			} else {
				res := current(1000+i, 300)
				res.Warning = "it has a valid token"
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
			if n > 10 && !strings.Contains(got[9], fmt.Sprintf("%d more; see", n-9)) || n == 10 && strings.Contains(got[9], " more; see") {
				t.Errorf("of %d: the tenth is %q", n, got[9])
			}
		}
	}
}

// Annotations contain text of servers, which must not issue or end commands.
func TestAnnotationIsEscaped(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Error("a\n::add-mask::b 100%25 ##[x", "")
	f.Add(failed(1, "first\r\nsecond ::warning::x"))
	f.Add(outcome.Result{Owner: "acme", Name: "a", Outcome: outcome.Skipped, Warning: "line\n::error::x", ExpiresAt: now, TokenName: "n"})
	want := []string{
		`::error::a ::add-mask::b 100%2525 ##\[x`,
		`::group::Results`,
		`::error::acme/r001: first  second ::warning::x`,
		`::warning::acme/a: line ::error::x (token expires 2026-11-20)`,
	}
	if got := f.lines("::"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Runner = false })
	for i := range 20 {
		f.Error(fmt.Sprint("e", i, "\n::x"), "")
		f.Warning("w", "")
	}
	if err := f.Mask(secret.New("token-value")); err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	if out := f.stdout.String(); out != "Not started; nothing changed\n" {
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

// brokenWriter can't be written to.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// A value that could not be masked is an error. A line that could not be written
// isn't, and nothing panics.
func TestBrokenLog(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.Stdout, o.Stderr = brokenWriter{}, brokenWriter{} })
	err := f.Mask(secret.New("token-value"))
	if err == nil || !strings.Contains(err.Error(), "disk full") || strings.Contains(err.Error(), "token-value") {
		t.Errorf("masking: %v", err)
	}
	f.Info("x")
	f.Error("x", "")
	f.Warning("x", "")
	f.Add(failed(1, "x"))
	if err := f.Finish(); err != nil {
		t.Errorf("finish: %v", err)
	}
}

// All methods may be called concurrently.
func TestConcurrent(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			f.Info("line %d", i)
			f.Add(failed(i, "no"))
			f.Warning("w", "")
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
	known := regexp.MustCompile(`^(::group::.*|::endgroup::|50 of 50 repositories failed; 50 warnings|50 failed|line \d+|failed   acme/r\d+: no|::(error|warning|add-mask)::.*|(error|warning): .*)\n$`)
	for l := range strings.Lines(f.stdout.String()) {
		if !known.MatchString(l) {
			t.Errorf("two lines in one: %q", l)
		}
	}
}

// The log line of a result names destructive effects first. A renewal is not
// reported as an overwrite.
func TestResultLine(t *testing.T) {
	t.Parallel()

	write := func(effects ...outcome.Effect) []outcome.Write {
		var writes []outcome.Write
		for i, e := range effects {
			writes = append(writes, outcome.Write{Store: rotation.Stores()[i], Effect: e})
		}
		return writes
	}
	expires := now.AddDate(1, 0, 0)
	for _, tt := range []struct {
		res       outcome.Result
		want, dry string
	}{
		{
			outcome.Result{Outcome: outcome.Created, Reason: "no token from this action", Writes: write(outcome.Add), ExpiresAt: expires},
			"created  acme/r: no token from this action, expires 2027-11-20",
			"create   acme/r: no token from this action (token expires 2027-11-20)",
		},
		{
			outcome.Result{Outcome: outcome.Created, Reason: "no token from this action", Writes: write(outcome.Overwrite), ExpiresAt: expires},
			"created  acme/r: overwrote an existing secret, expires 2027-11-20",
			"overwrite acme/r: secret not created by this action (token expires 2027-11-20)",
		},
		{
			outcome.Result{Outcome: outcome.Renewed, Reason: "68 days left", Writes: write(outcome.Renew), ExpiresAt: expires},
			"renewed  acme/r: 68 days left, expires 2027-11-20",
			"renew    acme/r: 68 days left (token expires 2027-11-20)",
		},
		{
			outcome.Result{Outcome: outcome.Renewed, Reason: "68 days left", Writes: write(outcome.Renew, outcome.Overwrite), Revoked: []string{"t-1"}},
			"renewed  acme/r: overwrote an existing secret in codespaces; 68 days left; revoked t-1",
			"overwrite acme/r: secret in codespaces not created by this action; revoke t-1",
		},
		{
			outcome.Result{Outcome: outcome.Current, Revoked: []string{"t-1", "t-2", "t-3", "t-4", "t-5"}, ExpiresAt: expires},
			"current  acme/r: revoked t-1, t-2, t-3 and 2 more (token expires 2027-11-20)",
			"revoke   acme/r: t-1, t-2, t-3 and 2 more (token expires 2027-11-20)",
		},
		{
			outcome.Result{Outcome: outcome.Failed, Reason: "GitHub: 403 to PUT of acme/r (actions)", ExpiresAt: expires},
			"failed   acme/r: GitHub: 403 to PUT (actions) (token expires 2027-11-20)",
			"failed   acme/r: GitHub: 403 to PUT (actions) (token expires 2027-11-20)",
		},
	} {
		tt.res.Owner, tt.res.Name = "acme", "r"
		for dry, want := range map[bool]string{false: tt.want, true: tt.dry} {
			f := newFixture(t, func(o *Options) { o.DryRun = dry })
			f.Add(tt.res)
			if got := f.lines(want[:4]); len(got) != 1 || got[0] != want {
				t.Errorf("dry run %v: %q, want %q", dry, got, want)
			}
		}
	}
}
