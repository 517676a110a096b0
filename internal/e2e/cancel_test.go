package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestInterruptWhilePaused: a rate limit delays the PUT of a new token for longer than
// a runner waits. The token is deleted and the repository deferred within seconds.
func TestInterruptWhilePaused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{}, crashRepo)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var interrupted time.Time
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindPutSecret {
				return sandbox.Effect{}
			}
			time.AfterFunc(time.Second, func() { interrupted = time.Now(); cancel() })
			return sandbox.Effect{Skip: true, Status: 429, Header: http.Header{"Retry-After": {"120"}}}
		})
		code, out := v.start(ctx, nil, rand.New(rand.NewPCG(1, 1)), v.RoundTripper())
		v.Check(t)
		if took := time.Since(interrupted); code != 3 || took > 7*time.Second {
			t.Errorf("exit code %d after %v\n%s", code, took, out)
		}
		if !strings.Contains(out, "\ndeferred acme/service: interrupted") {
			t.Errorf("it is not deferred\n%s", out)
		}
		if valid := v.ValidTokens(crashRepo); len(valid) > 0 {
			t.Errorf("an orphaned token is left: %s\n%s", valid[0].Name, out)
		}
	})
}

// TestInterruptWhateverHangs: each kind of request hangs in turn, for 16 workers at
// once. An interrupt ends the run with exit code 3 within seconds.
func TestInterruptWhateverHangs(t *testing.T) {
	t.Parallel()
	harness.AppKeys()

	for _, kind := range []sandbox.Kind{
		sandbox.KindUser, sandbox.KindListRepositories, sandbox.KindGitHubOwner, sandbox.KindGitHubRepositories,
		sandbox.KindListTokens, sandbox.KindPublicKey, sandbox.KindGetSecret, sandbox.KindCreateToken, sandbox.KindPutSecret,
		sandbox.KindDeleteToken, sandbox.KindInstallation, sandbox.KindAccessToken, sandbox.KindInstallationRepositories,
	} {
		for name, effect := range map[string]sandbox.Effect{
			"hangs": {Skip: true, End: sandbox.Hang}, "is done and hangs": {End: sandbox.Hang},
			"is limited": {Skip: true, Status: 429, Header: http.Header{"Retry-After": {"3600"}}}, "fails": {Skip: true, Status: 503},
		} {
			t.Run(kind.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o, in := sandbox.Options{Latency: 200 * time.Millisecond}, harness.Inputs{"revoke-after-hours": "0"}
					if kind == sandbox.KindInstallation || kind == sandbox.KindAccessToken || kind == sandbox.KindInstallationRepositories {
						app := harness.AppOptions()
						o.App, o.Credentials, in = app.App, app.Credentials, appInputs(in)
					}
					v := bubble(t, o, harness.Names(60)...)
					for i, name := range harness.Names(60) {
						if i%3 > 0 { // one third has no token, one a token that is due, one needs its secret checked
							v.Provision(name, sandbox.Token{
								Name: "codacy-project-token-1", Created: v.Time().AddDate(0, 0, -100*(i%3)), Expires: v.Time().AddDate(0, 0, 40+150*(i%3-1)),
							}, "actions")
						}
					}
					var met atomic.Bool
					v.Hook(func(r sandbox.Request) sandbox.Effect {
						if r.Kind != kind {
							return sandbox.Effect{}
						}
						met.Store(true)
						return effect
					})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var interrupted time.Time
					time.AfterFunc(5*time.Second, func() { interrupted = time.Now(); cancel() })
					code, out := v.start(ctx, in, rand.New(rand.NewPCG(1, 1)), v.RoundTripper())
					switch took := time.Since(interrupted); {
					case !met.Load():
						t.Fatalf("no such request was sent\n%s", tail(out))
					case interrupted.IsZero(): // it failed before the interrupt
						if code != 1 && code != 2 {
							t.Errorf("exit code %d\n%s", code, tail(out))
						}
					case code != 3 || took > 7*time.Second:
						t.Errorf("exit code %d after %v\n%s", code, took, tail(out))
					}
					v.Check(t)
				})
			})
		}
	}
}

// TestInterruptWithBlockedOutput: the log goes into a pipe that no process reads, so
// that every worker waits to report its result. The process still ends.
func TestInterruptWithBlockedOutput(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{})
	for i := range 1500 {
		f.Add(sandbox.Repository{Name: fmt.Sprintf("service-%04d", i), Archived: true})
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _ := f.Start(ctx, nil)
	cmd.Stdout = writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close() // the program has it
	var all strings.Builder
	log := bufio.NewReader(io.TeeReader(reader, &all))
	for line := ""; !strings.Contains(line, "skipped"); {
		if line, err = log.ReadString('\n'); err != nil {
			t.Fatalf("it ended early: %v", err)
		}
	}
	time.Sleep(2 * time.Second) // the rest fills the pipe
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatalf("it ended early: %v", err)
	}
	interrupted := time.Now()
	_ = cmd.Wait() // the test compares the exit code
	took := time.Since(interrupted)
	if code := cmd.ProcessState.ExitCode(); code != 3 || took > 10*time.Second || took < time.Second { // a runner kills it after 10 s
		t.Errorf("exit code %d after %v", code, took)
	}
	rest, err := io.ReadAll(log)
	if err != nil || len(rest) < 60<<10 {
		t.Errorf("%d bytes were in the pipe, %v", len(rest), err)
	}
	harness.NoLeak(t, f.World, true, map[string]string{"stdout": all.String()})
}
