package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// planned returns a planned result that writes one secret.
func planned(name string, o outcome.Outcome, effect outcome.Effect, reason string) *outcome.Result {
	return &outcome.Result{
		Owner: "acme", Name: name, Outcome: o, Reason: reason,
		Writes: []outcome.Write{{Store: rotation.StoreActions, Effect: effect}},
	}
}

// A plan shows its destructive effects first, and says which secrets are not this
// action's.
func TestPlan(t *testing.T) {
	t.Parallel()

	plan := []*outcome.Result{
		planned("site", outcome.Created, outcome.Add, "no token from this action"),
		planned("web", outcome.Renewed, outcome.Renew, "68 days left"),
		planned("api", outcome.Created, outcome.Overwrite, "no token from this action"),
		{Owner: "acme", Name: "docs", Outcome: outcome.Current, Revoked: []string{"codacy-project-token-1"}},
		{
			Owner: "acme", Name: "billing", Outcome: outcome.Renewed, Reason: "2 days left", Revoked: []string{"codacy-project-token-3"},
			Writes: []outcome.Write{{Store: rotation.StoreDependabot, Effect: outcome.Overwrite}, {Store: rotation.StoreActions, Effect: outcome.Renew}},
		},
	}
	const head = "\nPlan for the secret CODACY_PROJECT_TOKEN in acme:\n\n" +
		"overwrite  acme/api      secret not created by this action\n" +
		"overwrite  acme/billing  secret in dependabot not created by this action; revoke codacy-project-token-3\n" +
		"revoke     acme/docs     codacy-project-token-1\n" +
		"create     acme/site     no token from this action\n" +
		"renew      acme/web      68 days left\n" +
		"\nNo change: 1 current, 2 skipped.\n" +
		"\n2 existing secrets will be overwritten, 2 replaced tokens revoked, 1 new secret created, 2 renewed (about 13 min)."
	for ask, want := range map[bool]string{true: head + " Continue? [y/N] ", false: head + "\n"} {
		f := newFixture(t, func(o *Options) { o.Runner = false })
		f.Add(current(1, 300))
		f.Add(outcome.Result{Owner: "acme", Name: "a", Outcome: outcome.Skipped})
		f.Add(outcome.Result{Owner: "acme", Name: "b", Outcome: outcome.Skipped})
		f.Plan(plan, 13*time.Minute, ask)
		if diff := cmp.Diff(want, f.stdout.String()); diff != "" {
			t.Errorf("ask %v: -want +got:\n%s", ask, diff)
		}
	}
}

// A plan names up to 20 repositories, and its last line counts all of them.
func TestPlanIsShort(t *testing.T) {
	t.Parallel()

	for n, want := range map[int]struct {
		more, last string
	}{
		1:    {"", "1 new secret will be created."},
		20:   {"", "20 new secrets will be created."},
		21:   {"… and 1 more", "21 new secrets will be created."},
		4000: {"… and 3,980 more", "4,000 new secrets will be created."},
	} {
		var plan []*outcome.Result
		for i := range n {
			plan = append(plan, planned(fmt.Sprintf("r%04d", i), outcome.Created, outcome.Add, ""))
		}
		f := newFixture(t, func(o *Options) { o.Runner = false })
		f.Plan(plan, 0, false)
		if got := len(f.lines("create ")); got != min(n, 20) {
			t.Errorf("%d: %d repositories are named", n, got)
		}
		out := f.stdout.String()
		if !strings.HasSuffix(out, "\n"+want.last+"\n") || want.more != "" && !strings.Contains(out, "\n"+want.more+"\n") || want.more == "" && strings.Contains(out, "…") {
			t.Errorf("%d:\n%s", n, out)
		}
	}
}

// A plan only shows numbers that are not zero, with the right noun.
func TestPlanText(t *testing.T) {
	t.Parallel()

	overwrite := planned("a", outcome.Created, outcome.Overwrite, "")
	add := planned("a", outcome.Created, outcome.Add, "")
	renew := planned("a", outcome.Renewed, outcome.Renew, "")
	revoke := &outcome.Result{Outcome: outcome.Current, Revoked: []string{"t-1"}}
	for want, plan := range map[string][]*outcome.Result{
		"1 existing secret will be overwritten.":                              {overwrite},
		"1 existing secret will be overwritten, 1 new secret created.":        {add, overwrite},
		"2 existing secrets will be overwritten, 1 renewed.":                  {overwrite, renew, overwrite},
		"1 new secret will be created, 1 renewed.":                            {renew, add},
		"1 secret will be renewed.":                                           {renew},
		"2 secrets will be renewed.":                                          {renew, renew},
		"1 replaced token will be revoked.":                                   {revoke},
		"2 replaced tokens will be revoked, 1 new secret created, 1 renewed.": {revoke, revoke, add, renew},
	} {
		if got := planText(plan, 0); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for estimate, want := range map[time.Duration]string{
		time.Second: "1 secret will be renewed (less than a minute).", time.Minute: "1 secret will be renewed (about 1 min).",
		125 * time.Minute: "1 secret will be renewed (about 2 h 5 min).",
	} {
		if got := planText([]*outcome.Result{renew}, estimate); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Text of servers can't issue a command from a plan, nor break its lines.
func TestPlanIsEscaped(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Plan([]*outcome.Result{planned("x\n::error::y", outcome.Created, outcome.Add, "##[error]z\n::warning::")}, 0, false)
	for l := range strings.Lines(f.stdout.String()) {
		if isCommand(l) {
			t.Errorf("a command: %s", l)
		}
	}
	if !regexp.MustCompile(`(?m)^create     acme/x ::error::y  ##\\\[error\]z ::warning::$`).MatchString(f.stdout.String()) {
		t.Errorf("got %s", f.stdout.String())
	}
}
