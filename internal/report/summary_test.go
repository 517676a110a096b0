package report

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

func TestHeadline(t *testing.T) {
	t.Parallel()

	deferred := outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Deferred}
	soon := outcome.Result{Owner: "acme", Name: "s", Outcome: outcome.Deferred, ExpiresAt: now.Add(time.Hour)}
	expired := outcome.Result{Owner: "acme", Name: "e", Outcome: outcome.Deferred, ExpiresAt: now}
	created := outcome.Result{Owner: "acme", Name: "c", Outcome: outcome.Created, ExpiresAt: now.AddDate(1, 0, 0), Writes: []outcome.Write{{Store: rotation.StoreActions, Effect: outcome.Add}}}
	overwritten := created
	overwritten.Writes = []outcome.Write{{Store: rotation.StoreActions, Effect: outcome.Overwrite}}
	notVisible := current(3, 10)
	notVisible.Outcome, notVisible.Warning = outcome.Skipped, "its token can't be renewed"
	add := func(results ...outcome.Result) func(*fixture) {
		return func(f *fixture) {
			for _, res := range results {
				f.Add(res)
			}
		}
	}
	for _, tt := range []struct {
		name string
		dry  bool
		fill func(*fixture)
		want string
	}{
		{"nothing", false, add(), "✅ Nothing to do"},
		{"up to date", false, add(current(1, 300), current(2, 200), created), "✅ 3 repositories up to date; next token expires 2027-06-08 (renewed by 2027-03-10)"},
		{"one", false, add(current(1, 300)), "✅ 1 repository up to date; next token expires 2027-09-16 (renewed by 2027-06-18)"},
		{"due", false, add(current(1, 30)), "✅ 1 repository up to date; next token expires 2026-12-20"},
		{"never expires", false, add(outcome.Result{Owner: "acme", Name: "l", Outcome: outcome.Current}), "✅ 1 repository up to date"},
		{"skipped", false, add(outcome.Result{Owner: "acme", Name: "a", Outcome: outcome.Skipped}), "✅ Nothing to do"},
		{"one failed", false, add(current(1, 300), failed(2, "no")), "❌ 1 of 2 repositories failed; 1 up to date; next token expires 2027-09-16 (renewed by 2027-06-18)"},
		{"the only one failed", false, add(failed(2, "no")), "❌ 1 of 1 repository failed"},
		{"expires soon", false, add(current(1, 300), soon, deferred), "❌ 1 deferred repository has a token that expires within 7 days; 1 deferred to the next run; 1 up to date; next token expires 2026-11-20"},
		{"has expired", false, add(failed(2, "no"), expired), "❌ 1 of 2 repositories failed; 1 deferred repository has a token that expires within 7 days; a token expired on 2026-11-20"},
		{"can't be renewed", false, add(current(1, 300), notVisible), "⚠️ 1 warning; 1 repository up to date; next token expires 2026-11-30"},
		{"stopped early", false, func(f *fixture) { add(created, deferred, failed(1, "no"))(f); f.Error("the token is invalid", "") }, "❌ Stopped early: 1 failed, 1 deferred, 1 created"},
		{"an error", false, func(f *fixture) { f.Add(current(1, 300)); f.Error("no tokens were listed", "") }, "❌ Run failed; nothing changed"},
		{"an error explains a failure", false, func(f *fixture) { f.Add(failed(1, "no")); f.Error("not an admin", "") }, "❌ 1 of 1 repository failed"},
		{"not started", false, func(f *fixture) { f.Error("the token is invalid", "") }, "❌ Not started; nothing changed"},
		{"interrupted", false, func(f *fixture) { add(created, deferred, deferred)(f); f.Interrupted() }, "⚠️ Interrupted: 1 created, 2 deferred"},
		{"interrupted at once", false, func(f *fixture) { f.Interrupted() }, "⚠️ Interrupted; nothing changed"},
		{"interrupted, about to expire", false, func(f *fixture) { add(created, soon)(f); f.Interrupted() }, "❌ Interrupted: 1 created, 1 deferred; 1 deferred repository has a token that expires within 7 days"},
		{"declined", false, func(f *fixture) { add(current(1, 300), deferred)(f); f.Declined() }, "⏳ Plan not applied; nothing changed"},
		{"one deferred", false, add(current(1, 300), deferred), "⏳ 1 repository deferred to the next run; 1 up to date; next token expires 2027-09-16 (renewed by 2027-06-18)"},
		{"two deferred", false, add(deferred, deferred), "⏳ 2 repositories deferred to the next run"},
		{"a warning", false, func(f *fixture) { f.Add(current(1, 30)); f.Warning("w", "") }, "⚠️ 1 warning; 1 repository up to date; next token expires 2026-12-20"},
		{"dry run", true, add(created, overwritten, overwritten), "🔎 Dry run: 2 existing secrets will be overwritten, 1 new secret created; nothing changed"},
		{"dry run, up to date", true, add(current(1, 300)), "🔎 Dry run: nothing to change"},
		{"dry run, one failed", true, add(failed(1, "no")), "❌ 1 of 1 repository failed; dry run: nothing to change"},
	} {
		f := newFixture(t, func(o *Options) { o.DryRun = tt.dry })
		tt.fill(f)
		if got, _, _ := strings.Cut(f.Summary(), "\n"); got != "## "+tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A report that could not be written is said first, and doesn't hide how the run
// ended.
func TestHeadlineUnwritten(t *testing.T) {
	t.Parallel()

	f := newFixture(t, func(o *Options) { o.File = filepath.Join(t.TempDir(), "no", "such", "folder.json") })
	f.Add(current(1, 300))
	if f.Finish() == nil {
		t.Error("the report file was written")
	}
	const want = "The report could not be written; 1 repository up to date; next token expires 2027-09-16 (renewed by 2027-06-18)\n1 current\n"
	if got := f.stdout.String(); !strings.HasSuffix(got, want) {
		t.Errorf("the log ends with %q, want %q", got, want)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Selected(10, 9, 4, match.Counts{NotAdded: 1, Excluded: 2, OtherShards: 3})
	f.Error("<b>bad</b>\n| x", "")
	f.Warning("a|b", "")
	f.Add(outcome.Result{Owner: "acme", Name: "new", Outcome: outcome.Created, ExpiresAt: now, Reason: "no token"})
	f.Add(outcome.Result{Owner: "acme", Name: "web", Outcome: outcome.Renewed, ExpiresAt: now, Reason: "68 days left", Revoked: []string{"t-1"}})
	f.Add(outcome.Result{Owner: "acme", Name: "late", Outcome: outcome.Deferred, ExpiresAt: now.Add(time.Hour), Reason: "not reached"})
	f.Add(outcome.Result{Owner: "acme", Name: "lost", Outcome: outcome.Skipped, Reason: "not on GitHub", Warning: "it has a valid token"})
	f.Add(outcome.Result{Owner: "acme", Name: "a|b<i>", Outcome: outcome.Failed, Reason: "x|y\n<script>"})
	f.Add(current(9, 300))
	revoked := current(8, 300)
	revoked.Revoked = []string{"t-2"}
	f.Add(revoked)
	s := f.Summary()
	for _, want := range []string{
		"> [!CAUTION]\n> &lt;b&gt;bad&lt;/b&gt; \\| x\n",
		"> [!WARNING]\n> a\\|b\n",
		"\n1 created · 1 renewed · 2 current · 1 skipped · 1 deferred · 1 failed\n",
		"  title \"5 tokens by month of expiry\"\n  x-axis [\"2026-11: 3\", \"2027-09: 2\"]\n  y-axis 0 --> 10\n  bar [3, 2]\n",
		"Secret `CODACY_PROJECT_TOKEN` in 4 selected repositories. 1 not added to Codacy. 2 excluded by the patterns. 3 in other shards.",
		"### Failed (1)\n\n| repository | note |\n| --- | --- |\n" +
			"| [a\\|b&lt;i&gt;](https://github.com/acme/a%7Cb%3Ci%3E/settings/secrets/actions) | x\\|y &lt;script&gt; |\n",
		"### Deferred, and the token expires within 7 days (1)\n\n| repository | expires | note |\n",
		"### Warnings (1 skipped)\n\n| repository | note |\n| --- | --- |\n" +
			"| [lost](https://github.com/acme/lost/settings/secrets/actions) | not on GitHub; it has a valid token |\n",
		"### Changed (1 created)\n\n| repository | expires | note |\n| --- | --- | --- |\n" +
			"| [new](https://github.com/acme/new) | 2026\u201111\u201120 | no token |\n",
		"### Changed (1 renewed)\n\n| repository | expires | note |\n| --- | --- | --- |\n" +
			"| [web](https://github.com/acme/web) | 2026\u201111\u201120 | 68 days left; revoked t-1 |\n",
		"<details><summary>Replaced tokens revoked (1)</summary>\n\n| repository | expires | note |\n| --- | --- | --- |\n" +
			"| [r008](https://github.com/acme/r008) | 2027\u201109\u201116 | revoked t-2 |\n\n</details>\n",
		"<details><summary>Others (1 current)</summary>\n\n| repository | expires |\n| --- | --- |\n" +
			"| [r009](https://github.com/acme/r009) | 2027\u201109\u201116 |\n",
		"</details>\n",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in:\n%s", want, s)
		}
	}
}

// TestSummaryFitsPhone: no table has more than three columns, in a run and in a dry run.
func TestSummaryFitsPhone(t *testing.T) {
	t.Parallel()

	for _, dryRun := range []bool{false, true} {
		f := newFixture(t, func(o *Options) { o.DryRun = dryRun })
		for i, o := range outcome.All() {
			for j := range 2 {
				res := current(2*i+j, 300)
				res.Outcome, res.Reason = o, fmt.Sprint("reason ", j)
				if res.Changed() {
					res.Writes = []outcome.Write{{Store: rotation.StoreActions, Effect: outcome.Add}}
				}
				f.Add(res)
			}
		}
		s := f.Summary()
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, "|") && strings.Count(line, "|") > 4 {
				t.Errorf("dry run %v: more than three columns: %s", dryRun, line)
			}
		}
		if strings.Count(s, "| repository |") < 3 {
			t.Errorf("dry run %v: fewer than three tables:\n%s", dryRun, s)
		}
	}
}

// A note that most repositories share is said once. Overwritten secrets come first.
func TestSummaryCommonNote(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	for i := range 43 {
		res := current(i, 365)
		res.Outcome, res.Reason = outcome.Created, "no token from this action"
		res.Writes = []outcome.Write{{Store: rotation.StoreActions, Effect: outcome.Add}}
		if i == 42 {
			res.Writes[0].Effect = outcome.Overwrite
		}
		f.Add(res)
	}
	s := f.Summary()
	if n := strings.Count(s, "no token from this action"); n != 1 {
		t.Errorf("the note is said %d times, want once:\n%s", n, s)
	}
	const want = "Unless noted: no token from this action\n\n| repository | expires | note |\n| --- | --- | --- |\n" +
		"| [r042](https://github.com/acme/r042) | 2027\u201111\u201120 | overwrote an existing secret |\n" +
		"| [r000](https://github.com/acme/r000) | 2027\u201111\u201120 |  |\n"
	if !strings.Contains(s, want) {
		t.Errorf("no %q in:\n%s", want, s)
	}
}

// Only addresses below GitHub's and Codacy's own become links: a server may name any.
func TestSummaryLinks(t *testing.T) {
	t.Parallel()

	for address, linked := range map[string]bool{
		"https://github.com/settings/tokens":                    true,
		"https://github.com":                                    true,
		"https://codacy.example.com/account":                    true,
		"https://docs.github.com/rest":                          true,
		"https://github.com.evil.test/settings":                 false,
		"https://github.com@evil.test/settings":                 false,
		"https://evil.test/github.com/":                         false,
		"https://evil.test/?https://github.com/settings/tokens": false,
	} {
		f := newFixture(t, func(o *Options) { o.CodacyWeb = "https://codacy.example.com" })
		f.Error("no", "Change it at "+address)
		if got := strings.Contains(f.Summary(), "<"+address+">"); got != linked {
			t.Errorf("%s: linked %v, want %v\n%s", address, got, linked, f.Summary())
		}
	}
}

// A summary with every table, each too long, and with many long messages stays below
// GitHub's limit as well.
func TestSummaryIsBoundedAround(t *testing.T) {
	t.Parallel()

	nasty := strings.Repeat("&<a/_", 300)
	f := newFixture(t, nil)
	for range 300 {
		f.Error(nasty, nasty)
		f.Warning(nasty, nasty)
	}
	for i := range 5_000 {
		note := nasty[:1000]
		if i%3 == 0 { // the other rows share their note
			note = fmt.Sprint(i, nasty)[:1000]
		}
		r := func(o outcome.Outcome) outcome.Result {
			return outcome.Result{Owner: "acme", Name: fmt.Sprint(o, i), Outcome: o, Reason: note}
		}
		soon, warned, revoked := r(outcome.Deferred), r(outcome.Skipped), r(outcome.Current)
		soon.ExpiresAt, warned.Warning, revoked.Revoked = now, note, []string{note}
		for _, res := range []outcome.Result{r(outcome.Failed), soon, warned, r(outcome.Created), revoked, r(outcome.Kept)} {
			f.Add(res)
		}
	}
	s := f.Summary()
	if len(s) > 1<<20 || strings.Count(s, "\n| repository |") != 6 || strings.Count(s, "<details>") != strings.Count(s, "</details>") {
		t.Errorf("it has %d bytes and %d tables", len(s), strings.Count(s, "\n| repository |"))
	}
	if got := strings.Count(s, "> [!CAUTION]"); got != maxAlerts+1 || !strings.Contains(s, "280 more; see the log") {
		t.Errorf("%d errors are shown", got)
	}
}

// A large summary stays below GitHub's limit. It is cut between rows, and says how
// many are missing.
func TestSummaryIsBounded(t *testing.T) {
	t.Parallel()

	const each = 900
	f := newFixture(t, nil)
	f.Error(strings.Repeat("|", 5000), "")
	for i := range each {
		f.Add(failed(i, fmt.Sprint(i, strings.Repeat("x|<", 400))))
		f.Add(outcome.Result{Owner: "acme", Name: fmt.Sprint("c", i), Outcome: outcome.Created, Reason: fmt.Sprint(i, strings.Repeat("y", 500))})
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
		if more := regexp.MustCompile(`^\| … ([\d,]+) more`).FindStringSubmatch(l); more != nil {
			var n int
			if _, err := fmt.Sscan(strings.ReplaceAll(more[1], ",", ""), &n); err != nil {
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
		t.Error("a <details> is not closed")
	}
}
