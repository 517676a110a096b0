package e2e

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestDryRun: a dry run shows the plan for each repository, and sends GET requests
// only.
func TestDryRun(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Record: true})
	for _, name := range []string{"new", "overwritten", "due", "current", "archived", "changed"} {
		f.Add(sandbox.Repository{Name: name, Archived: name == "archived"})
	}
	f.SetSecret("overwritten", "actions", harness.SecretName, "manual")
	f.Provision("due", harness.Aged(f.World, 3, 300, 65), "actions")
	f.Provision("current", harness.Aged(f.World, 1, 10, 355), "actions")
	f.Provision("changed", harness.Aged(f.World, 1, 10, 355), "actions")
	f.SetSecret("changed", "actions", harness.SecretName, "manual")

	r := f.Run(harness.Inputs{"dry-run": "true"})
	f.Want(r, 0, "created=2 renewed=2 current=1 skipped=1")
	for _, req := range f.Requests() {
		if req.Method != http.MethodGet {
			t.Errorf("a dry run sent %s %s", req.Method, req.Path)
		}
	}
	for name, want := range map[string]string{
		"new": "no token from this action", "overwritten": "will overwrite",
		"due": "days", "changed": "was changed after", "archived": "archived",
	} {
		if e := f.Entries(r)[name]; !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %q, want %q", name, e.Reason, want)
		}
	}
	if !strings.Contains(r.Summary, "Dry run") {
		t.Errorf("the summary does not say that it was a dry run:\n%s", r.Summary)
	}
	due := f.Tokens("due")[0].Expires.UTC().Truncate(time.Second).Format(time.RFC3339)
	if r.Outputs["next-expiry"] != due {
		t.Errorf("next-expiry is %q, want %q", r.Outputs["next-expiry"], due)
	}
}

// TestExistingSecrets: a secret that this action did not create is replaced, kept, or
// the only one that is written. This applies per store.
func TestExistingSecrets(t *testing.T) {
	t.Parallel()

	for existing, want := range map[string]struct{ counts, actions, dependabot string }{
		"replace": {"created=2", "token token", "token token"},
		"keep":    {"created=2", "hand token", "token token"},
		"only":    {"created=1 kept=1", "token none", "none none"},
	} {
		t.Run(existing, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "there"}, sandbox.Repository{Name: "nothing"})
			f.SetSecret("there", "actions", harness.SecretName, "manual")
			in := harness.Inputs{"existing-secrets": existing, "secret-stores": "actions, dependabot"}
			f.Want(f.Run(in), 0, want.counts)
			state := func(store string) string {
				var states []string
				for _, repo := range []string{"there", "nothing"} {
					value, ok := f.Secret(repo, store, harness.SecretName)
					switch {
					case !ok:
						states = append(states, "none")
					case f.TokenValid(repo, value):
						states = append(states, "token")
					default:
						states = append(states, "hand")
					}
				}
				return strings.Join(states, " ")
			}
			check := func(when string) {
				if got := state("actions"); got != want.actions {
					t.Errorf("%s, actions: %s, want %s", when, got, want.actions)
				}
				if got := state("dependabot"); got != want.dependabot {
					t.Errorf("%s, dependabot: %s, want %s", when, got, want.dependabot)
				}
			}
			check("first run")
			f.Advance(24 * time.Hour)
			writes := f.Writes()
			if r := f.Run(in); r.Code != 0 || f.Writes() != writes {
				t.Errorf("the second run exits with %d and sends %d writes", r.Code, f.Writes()-writes)
			}
			check("second run")
		})
	}
}

// TestLegacyCodacy: on legacy Codacy a token is created once, and no other while its
// secret exists.
func TestLegacyCodacy(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Legacy: true}, sandbox.Repository{Name: "new"}, sandbox.Repository{Name: "old"}, sandbox.Repository{Name: "lost"})
	old := f.AddToken("old", sandbox.Token{Value: "0123456789abcdef0123"})
	f.SetSecret("old", "actions", harness.SecretName, old.Value)
	f.AddToken("lost", sandbox.Token{Value: "fedcba98765432100123"})

	first := f.Run(nil)
	f.Want(first, 0, "created=2 current=1")
	if e := f.Entries(first)["new"]; e.ExpiresAt != nil || e.TokenName != "" {
		t.Errorf("a token of the first generation has the name %q and expires %v", e.TokenName, e.ExpiresAt)
	}
	for range 2 {
		f.Advance(400 * 24 * time.Hour)
		writes := f.Writes()
		f.Want(f.Run(harness.Inputs{"rotate": "always"}), 0, "current=3")
		if f.Writes() != writes {
			t.Errorf("a later run sent %d writes", f.Writes()-writes)
		}
	}
	for _, name := range []string{"new", "old", "lost"} {
		if value, _ := f.Secret(name, "actions", harness.SecretName); !f.TokenValid(name, value) {
			t.Errorf("%s: the secret holds no valid token", name)
		}
	}
	if n := len(f.ValidTokens("lost")); n != 2 {
		t.Errorf("%d valid tokens, want 2: nothing is revoked on legacy Codacy", n)
	}
}

// TestHundredTokens: only a managed token is deleted to make space. Without one, the
// repository fails.
func TestHundredTokens(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "managed"}, sandbox.Repository{Name: "unmanaged"}, sandbox.Repository{Name: "calm"})
	expiry := f.Time().AddDate(0, 0, 65)
	for n := range 99 {
		f.AddToken("unmanaged", sandbox.Token{Name: fmt.Sprintf("someone-%d", n), Expires: expiry})
		f.AddToken("managed", harness.Aged(f.World, n+1, 300-n, 65))
	}
	// No token is revoked in its grace period, so a deleted one was deleted to make
	// space.
	f.Provision("managed", sandbox.Token{Name: "codacy-project-token-100", Created: f.Time().Add(-2 * time.Hour), Expires: expiry}, "actions")
	f.Provision("unmanaged", harness.Aged(f.World, 1, 100, 65), "actions")
	r := f.Run(harness.Inputs{"rotate": "always"})
	f.Want(r, 1, "created=1 renewed=1 failed=1")
	if e := f.Entries(r)["unmanaged"]; !strings.Contains(e.Reason, "100 tokens") || !strings.Contains(e.Reason, "delete some") {
		t.Errorf("unmanaged: %q", e.Reason)
	}
	if n := f.Count(sandbox.KindDeleteToken); n != 1 {
		t.Errorf("%d tokens were deleted to make space, want 1", n)
	}
	if first := f.Tokens("managed")[0]; !first.Deleted {
		t.Error("the deleted token was not the lowest")
	}
	for _, n := range []string{"managed", "unmanaged", "calm"} {
		if value, _ := f.Secret(n, "actions", harness.SecretName); !f.TokenValid(n, value) {
			t.Errorf("%s: the secret holds no valid token", n)
		}
	}
}

// TestNotVisibleWithValidToken: a repository that GitHub does not show can't be
// renewed. If it has a valid token, a warning names the expiry.
func TestNotVisibleWithValidToken(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "seen"}, sandbox.Repository{Name: "hidden", Hidden: true})
	f.AddToken("hidden", harness.Aged(f.World, 4, 300, 20))
	r := f.Run(nil)
	f.Want(r, 0, "created=1 skipped=1")
	expires := f.Tokens("hidden")[0].Expires.UTC().Format(time.DateOnly)
	for where, text := range map[string]string{"annotation": r.Annotations("warning"), "summary": r.Summary} {
		if !strings.Contains(text, "hidden") || !strings.Contains(text, "valid token") || !strings.Contains(text, expires) {
			t.Errorf("the %s does not warn of it and of %s:\n%s", where, expires, text)
		}
	}
}

// TestInterrupt: repositories in progress are finished, the rest is deferred, and all
// are reported. The exit code is 3, within seven seconds.
func TestInterrupt(t *testing.T) {
	t.Parallel()

	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, sandbox.Options{Latency: 30 * time.Millisecond})
			for _, n := range harness.Names(200) {
				f.Add(sandbox.Repository{Name: n})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd, finish := f.Start(ctx, nil)
			puts := make(chan struct{}, 1000)
			f.Hook(func(r sandbox.Request) sandbox.Effect {
				if r.Kind == sandbox.KindPutSecret {
					puts <- struct{}{}
				}
				return sandbox.Effect{}
			})
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				<-puts
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := cmd.Wait(); err == nil {
				t.Error("exit code 0, want 3")
			}
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			r := finish()
			f.Check(t)
			created := f.Count(sandbox.KindPutSecret)
			f.Want(r, 3, fmt.Sprintf("created=%d deferred=%d", created, 200-created))
			for _, n := range harness.Names(200) {
				if orphans := f.Orphans(n); len(orphans) > 0 {
					t.Errorf("%s: an orphan is left", n)
				}
			}
			if !strings.Contains(r.Summary, "interrupted") {
				t.Errorf("the summary does not say so:\n%s", r.Summary[:300])
			}
		})
	}
}

// TestCredentialRejectedDuringRun: no other repository is started, and there is one
// error.
func TestCredentialRejectedDuringRun(t *testing.T) {
	t.Parallel()

	for name, rejects := range map[string]sandbox.Kind{"GitHub": sandbox.KindPutSecret, "Codacy": sandbox.KindCreateToken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := harness.Serve(t, sandbox.Options{})
			for _, n := range harness.Names(100) {
				f.Add(sandbox.Repository{Name: n})
			}
			seen := 0
			f.Hook(func(r sandbox.Request) sandbox.Effect {
				if r.Kind == rejects {
					if seen++; seen == 30 {
						f.Revoke(map[string]string{"GitHub": sandbox.GitHubToken, "Codacy": sandbox.CodacyToken}[name])
					}
				}
				return sandbox.Effect{}
			})
			r := f.Run(harness.Inputs{"concurrency": "1"})
			f.Want(r, 1, "created=29 failed=1 deferred=70")
			if got := strings.Count(r.Stdout, "::error::"); got != 1 {
				t.Errorf("%d errors, want 1\n%s", got, r.Annotations("error"))
			}
		})
	}
}

// TestOutage: ten repositories in a row without a clear response from one service end
// the run.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{}, harness.Names(100)...)
		creates := 0
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind == sandbox.KindPublicKey {
				if creates++; creates > 20 {
					return sandbox.Effect{Skip: true, Status: 502}
				}
			}
			return sandbox.Effect{}
		})
		code, out := v.run(harness.Inputs{"concurrency": "1"})
		if code != 1 || strings.Count(out, "\ncreated ") != 20 || strings.Count(out, "\nfailed ") != 10 || strings.Count(out, "\ndeferred ") != 70 {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if !strings.Contains(out, "GitHub is down") {
			t.Errorf("the outage is not named\n%s", out)
		}
	})
}

// TestMaxDuration: no repository is started after it, and the most urgent ones are
// first. The run fails if a deferred repository has a token that is about to expire.
func TestMaxDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(60)...)
		for i, n := range harness.Names(60) {
			v.Provision(n, sandbox.Token{Name: "codacy-project-token-1", Created: v.Time().AddDate(0, 0, -300), Expires: v.Time().AddDate(0, 0, 1+i)}, "actions")
		}
		in := harness.Inputs{"writes-per-minute": "10", "max-duration": "2m10s"}
		code, out := v.run(in)
		if code != 0 && !strings.Contains(out, "deferred") {
			t.Errorf("exit code %d\n%s", code, out)
		}
		// 30 writes are allowed in that time. The first ten are sent while the others
		// are still being listed, so they can be any.
		total, urgent := 0, 0
		for i, n := range harness.Names(60) {
			value, _ := v.Secret(n, "actions", harness.SecretName)
			renewed := v.Tokens(n)[0].Value != value
			if renewed {
				total++
			}
			if renewed && i < 30 {
				urgent++
			}
			if orphans := v.Orphans(n); !renewed && len(orphans) > 0 {
				t.Errorf("%s: a token was created that could not be stored", n)
			}
		}
		if total < 28 || total > 30 || total-urgent > 14 {
			t.Errorf("%d renewed, %d of the 30 most urgent\n%s", total, urgent, out)
		}
		in["writes-per-minute"], in["max-duration"] = "1", "1m"
		time.Sleep(29 * 24 * time.Hour)
		if code, out := v.run(in); code != 1 || !strings.Contains(out, "deferred, and its token expires") {
			t.Errorf("a deferred token that is about to expire: exit code %d\n%s", code, out)
		}
	})
}

// TestCommandLine: the program without a runner.
func TestCommandLine(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"}, sandbox.Repository{Name: "beta"})
	hand := func(env []string, args ...string) (int, string, string) {
		t.Helper()
		return f.CommandLine(append(env, "GITHUB_API_URL="+f.GitHub), args...)
	}
	credentials := []string{"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken}
	flags := []string{"--organization", "acme", "--codacy-api-url", f.Codacy}

	if code, out, _ := hand(nil, "--version"); code != 0 || !strings.HasPrefix(out, "codacy-project-tokens ") {
		t.Errorf("--version: %d, %q", code, out)
	}
	if code, out, _ := hand(nil, "--help"); code != 0 || !strings.Contains(out, "--organization") || strings.Count(out, "\n") > 50 {
		t.Errorf("--help: %d, %q", code, out)
	}
	if code, _, errs := hand(credentials, "--no-such-flag"); code != 2 || !strings.Contains(errs, "no-such-flag") {
		t.Errorf("an unknown flag: %d, %q", code, errs)
	}
	if code, _, errs := hand(nil, flags...); code != 2 || !strings.Contains(errs, "CODACY_API_TOKEN") || !strings.Contains(errs, "GH_TOKEN") {
		t.Errorf("no credentials: %d, %q", code, errs)
	}
	if code, out, _ := hand(credentials, append(flags, "--dry-run")...); code != 0 || !strings.Contains(out, "create   acme/alpha: ") || f.Writes() != 0 {
		t.Errorf("--dry-run: %d, %d writes\n%s", code, f.Writes(), out)
	}
	code, out, errs := hand(credentials, flags...)
	if code != 2 || f.Writes() != 0 || !strings.Contains(out, "acme/alpha") || !strings.Contains(errs, "--yes") ||
		!strings.Contains(out, "Plan not applied; nothing changed\n2 deferred\n") {
		t.Errorf("without a terminal: %d, %d writes\n%s%s", code, f.Writes(), out, errs)
	}
	code, out, _ = hand(credentials, append(flags, "--yes", "--report-file", "report.csv")...)
	if code != 0 || !strings.Contains(out, "created  acme/alpha") || strings.Contains(out, "::add-mask::") {
		t.Errorf("--yes: %d\n%s", code, out)
	}
	f.Provisioned("alpha")
	f.Provisioned("beta")
}

// TestReport: the report file in both formats. If it can't be written, the exit code
// is 1.
func TestReport(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"}, sandbox.Repository{Name: "gone", Archived: true})
	r := f.Run(harness.Inputs{"secret-stores": "actions,dependabot"})
	f.Want(r, 0, "created=1 skipped=1")
	alpha, created := f.Entries(r)["alpha"], f.Tokens("alpha")[0]
	if alpha.Repository != "acme/alpha" || alpha.Outcome != "created" || fmt.Sprint(alpha.Stores) != "[dependabot actions]" ||
		alpha.TokenID != created.ID || alpha.TokenName != created.Name || alpha.ExpiresAt == nil || !alpha.ExpiresAt.Equal(created.Expires) {
		t.Errorf("reported %+v, created %s, %d, until %v", alpha, created.Name, created.ID, created.Expires)
	}

	f.Advance(time.Hour)
	file := filepath.Join(t.TempDir(), "report.CSV")
	rows, err := csv.NewReader(strings.NewReader(f.Run(harness.Inputs{"report-file": file}).Report)).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], ",") != "repository,outcome,reason,stores,token_id,token_name,expires_at" {
		t.Errorf("the CSV: %v, %v", err, rows)
	}
}

// TestRevokeEverything is the procedure of docs/permissions.md for leaked tokens:
// after one run, every older token is invalid.
func TestRevokeEverything(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{})
	var lost []sandbox.Token
	for i, name := range harness.Names(5) {
		f.Add(sandbox.Repository{Name: name})
		lost = append(lost, f.Provision(name, harness.Aged(f.World, 1, 100, 265)), f.Provision(name, harness.Aged(f.World, 2, 10+i, 355), "actions", "dependabot"))
	}
	foreign := f.AddToken(harness.Names(1)[0], sandbox.Token{Name: "from-another-client"})
	r := f.Run(harness.Inputs{
		"rotate": "always", "revoke-after-hours": "0", "existing-secrets": "replace", "secret-stores": "actions,dependabot",
	})
	f.Want(r, 0, "renewed=5")
	for i, old := range lost {
		if f.TokenValid(harness.Names(5)[i/2], old.Value) {
			t.Errorf("%s of %s is still accepted", old.Name, harness.Names(5)[i/2])
		}
	}
	for _, name := range harness.Names(5) {
		f.Provisioned(name, "actions", "dependabot")
	}
	if !f.TokenValid(harness.Names(1)[0], foreign.Value) {
		t.Error("an unmanaged token was deleted")
	}
}
