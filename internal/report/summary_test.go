package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

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
		{"one failed", false, func(f *fixture) { f.Add(current(1, 30)); f.Add(failed(2, "no")) }, "❌ 1 of 2 repositories needs attention; the next token expires 2026-12-20"},
		{"the only one failed", false, func(f *fixture) { f.Add(failed(2, "no")) }, "❌ 1 of 1 repository needs attention"},
		{"due soon", false, func(f *fixture) {
			f.Add(failed(2, "no"))
			f.Add(outcome.Result{Owner: "acme", Name: "d", Outcome: outcome.Deferred, ExpiresAt: now})
		}, "❌ 2 of 2 repositories need attention; a token expired on 2026-11-20"},
		{"ended early", false, func(f *fixture) { f.Add(deferred); f.Error("the token is invalid", "") }, "❌ Run failed"},
		{"not started", false, func(f *fixture) { f.Error("the token is invalid", "") }, "❌ Not started; nothing changed"},
		{"deferred", false, func(f *fixture) { f.Add(current(1, 30)); f.Add(deferred) }, "⏳ Nothing failed; 1 of 2 repositories is left to the next run"},
		{"two deferred", false, func(f *fixture) { f.Add(deferred); f.Add(deferred) }, "⏳ Nothing failed; 2 of 2 repositories are left to the next run"},
		{"warned", false, func(f *fixture) { f.Add(current(1, 30)); f.Warning("w", "") }, "⚠️ All is well until 2026-12-20, with 1 warning"},
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
	f.Error("<b>bad</b>\n| x", "")
	f.Warning("a|b", "")
	f.Add(outcome.Result{Owner: "acme", Name: "new", Outcome: outcome.Created, ExpiresAt: now, Reason: "new secret"})
	f.Add(outcome.Result{Owner: "acme", Name: "lost", Outcome: outcome.Skipped, Reason: "not on GitHub", Warning: "it has a valid token"})
	f.Add(outcome.Result{Owner: "acme", Name: "a|b<i>", Outcome: outcome.Failed, Reason: "x|y\n<script>"})
	f.Add(current(9, 300))
	s := f.Summary()
	for _, want := range []string{
		"> [!CAUTION]\n> &lt;b&gt;bad&lt;/b&gt; \\| x\n",
		"> [!WARNING]\n> a\\|b\n",
		"\n**1** created · **1** current · **1** skipped · **1** failed\n",
		"  x-axis [\"Nov 26: 1\", \"Sep 27: 1\"]\n  y-axis 0 --> 10\n  bar [1, 1]\n",
		"Secret `CODACY_PROJECT_TOKEN` of 4 selected repositories. 1 not added to Codacy. 2 excluded by the patterns. 3 in other shards.",
		"### Needs attention (1), and warnings (1)\n",
		"| [a\\|b&lt;i&gt;](https://github.com/acme/a%7Cb%3Ci%3E) ([secrets](https://github.com/acme/a%7Cb%3Ci%3E/settings/secrets/actions)) | **failed**\\: x\\|y &lt;script&gt; |\n",
		"| **skipped**\\: not on GitHub; it has a valid token |\n",
		"### Changed (1)\n",
		"([secrets](https://github.com/acme/new/settings/secrets/actions)) | **created**, expires 2026-11-20\\: new secret |",
		"<details><summary>All others (1)</summary>",
		"</details>\n",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in:\n%s", want, s)
		}
	}
	care := strings.Index(s, "Needs attention")
	if first := strings.Index(s[care:], "[a"); first < 0 || first > strings.Index(s[care:], "[lost]") {
		t.Error("the rows are not sorted")
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
		t.Error("a <details> is not closed")
	}
}
