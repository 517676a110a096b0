package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// farOff is how far another server's clock is off: beyond a token's window.
var farOff = []time.Duration{20 * time.Minute, -20 * time.Minute, 72 * time.Hour, -72 * time.Hour}

// besideAnotherServer runs a test for each value of existing-secrets, with another
// server of Codacy: created is the effect of a request that it creates a token for.
func besideAnotherServer(t *testing.T, test func(t *testing.T, in harness.Inputs, off time.Duration, created sandbox.Effect)) {
	for _, existing := range []string{"replace", "keep", "only"} {
		for _, off := range farOff {
			t.Run(fmt.Sprint(existing, " ", off), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					test(t, harness.Inputs{"existing-secrets": existing}, off, sandbox.Effect{
						Date: off, Token: func(token *sandbox.Token) { token.Created = token.Created.Add(off) },
					})
				})
			})
		}
	}
}

// refused runs the program, and asserts that it deleted the only token it created, and
// wrote no secret.
func (v *virtual) refused(repository string, in harness.Inputs) {
	v.t.Helper()
	if _, out := v.run(in); v.Count(sandbox.KindCreateToken) != 1 || v.Count(sandbox.KindPutSecret) != 0 || len(v.ValidTokens(repository)) != 1 {
		v.t.Errorf("%d created, %d secrets written, %d valid tokens\n%s", v.Count(sandbox.KindCreateToken), v.Count(sandbox.KindPutSecret), len(v.ValidTokens(repository)), out)
	}
}

// later runs the program after each number of days. It asserts that nothing fails, and
// at the end that the repository is provisioned.
func (v *virtual) later(repository string, in harness.Inputs, days ...int) {
	v.t.Helper()
	for _, d := range days {
		time.Sleep(time.Duration(d) * 24 * time.Hour)
		if code, out := v.run(in); code != 0 {
			v.t.Errorf("a later run: exit code %d\n%s", code, out)
		}
	}
	v.provisioned(repository, "actions")
}

// TestCreatedByAnotherServer: the server of Codacy that creates a token has another
// clock than the one that sent the other responses. Secrets written then would lie
// outside of the token's window, so the token is deleted, and the next run creates one.
// Under keep the secret stays recognized, and is renewed when it is due.
func TestCreatedByAnotherServer(t *testing.T) {
	t.Parallel()

	besideAnotherServer(t, func(t *testing.T, in harness.Inputs, _ time.Duration, created sandbox.Effect) {
		v := bubble(t, sandbox.Options{}, "api")
		v.Provision("api", harness.Aged(v.World, 1, 300, 65), "actions")
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindCreateToken {
				return sandbox.Effect{}
			}
			return created
		})
		v.refused("api", in)
		v.Hook(nil)
		v.later("api", in, 1, 1, 290, 60)
	})
}

// TestCreatedByKnownServer: the server that creates a token is one that sent the run's
// first responses, before others contradicted them. With both in the estimate, it is too
// uncertain to show anything: the token is deleted all the same.
func TestCreatedByKnownServer(t *testing.T) {
	t.Parallel()

	besideAnotherServer(t, func(t *testing.T, in harness.Inputs, off time.Duration, created sandbox.Effect) {
		names := harness.Names(8)
		v := bubble(t, sandbox.Options{Latency: 5 * time.Second}, append(names, "due")...)
		for _, name := range names {
			v.Provision(name, harness.Aged(v.World, 1, 10, 355), "actions")
		}
		v.Provision("due", harness.Aged(v.World, 1, 300, 65), "actions")
		first := 3
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			switch {
			case r.Kind == sandbox.KindCreateToken:
				return created
			case r.Service == sandbox.Codacy && first > 0:
				first--
				return sandbox.Effect{Date: off}
			}
			return sandbox.Effect{}
		})
		in["concurrency"] = "1"
		v.refused("due", in)
		v.Hook(nil)
		v.later("due", in, 1, 1, 1) // the last run revokes
	})
}

// TestRenewalBesideAnotherClock: the clocks of Codacy's servers differ for weeks. What
// is due is renewed all the same. Which server creates a token is chance, as behind a
// balancer: where the servers take turns regularly, a creation and the deletion after
// it can go to the same two for ever.
func TestRenewalBesideAnotherClock(t *testing.T) {
	t.Parallel()

	for _, off := range []time.Duration{40 * time.Second, 20 * time.Minute, -20 * time.Minute} {
		for _, data := range []bool{false, true} {
			t.Run(fmt.Sprint(off, " with their data ", data), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					names := harness.Names(6)
					v := bubble(t, sandbox.Options{}, names...)
					for _, name := range names {
						v.Provision(name, harness.Aged(v.World, 1, 300, 65), "actions")
					}
					random, offsets := rand.New(rand.NewPCG(1, 1)), make([]time.Duration, 1009)
					for i := range offsets {
						offsets[i] = off * time.Duration(random.IntN(2))
					}
					v.SetServers(sandbox.Codacy, data, offsets...)
					for range 40 {
						v.run(nil)
						time.Sleep(24 * time.Hour)
					}
					for _, name := range names {
						if newest := v.ValidTokens(name); newest[len(newest)-1].Name == "codacy-project-token-1" {
							t.Errorf("%s was not renewed in forty days", name)
						}
					}
				})
			})
		}
	}
}

// TestWrittenByAnotherServer: the server of GitHub that stores a secret has another
// clock than the one that sent the other responses. A secret with its date would lie
// outside of the token's window, so the secret is written again, by another server.
// Where only the response is dated wrongly, the secret is fine.
func TestWrittenByAnotherServer(t *testing.T) {
	t.Parallel()

	for _, existing := range []string{"replace", "keep"} {
		for _, off := range farOff {
			for _, tt := range []struct {
				data bool // the secret is dated like the response
				bad  int  // the number of writes that this server gets
				puts int  // wanted
				code int  // wanted
			}{{true, 1, 2, 0}, {true, 2, 3, 0}, {true, 9, 3, 1}, {false, 9, 1, 0}} {
				t.Run(fmt.Sprint(existing, " ", off, " ", tt), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						v := bubble(t, sandbox.Options{}, "api")
						v.Provision("api", harness.Aged(v.World, 1, 300, 65), "actions")
						puts := 0
						v.Hook(func(r sandbox.Request) sandbox.Effect {
							if r.Kind != sandbox.KindPutSecret {
								return sandbox.Effect{}
							}
							if puts++; puts > tt.bad {
								return sandbox.Effect{}
							}
							return sandbox.Effect{Date: off, After: func() {
								if tt.data {
									v.SetUpdatedAt("api", "actions", harness.SecretName, v.Time().Add(off))
								}
							}}
						})
						in := harness.Inputs{"existing-secrets": existing}
						code, out := v.run(in)
						if code != tt.code || puts != tt.puts || strings.Contains(out, "clocks differ so much") != (tt.code == 1) {
							t.Errorf("exit code %d, %d writes, want %d, %d\n%s", code, puts, tt.code, tt.puts, out)
						}
						if value, _ := v.Secret("api", "actions", harness.SecretName); len(v.ValidTokens("api")) != 2 || value != v.ValidTokens("api")[1].Value {
							t.Error("the newest of two valid tokens is not stored")
						}
						v.Hook(nil)
						if tt.code != 0 && existing == "keep" {
							return // the message says what to do
						}
						v.later("api", in, 40, 40)
					})
				})
			}
		}
	}
}

// TestRejectedSecondWrite: the secret was stored by a server with another clock, and the
// second write is rejected once. The store is reported once.
func TestRejectedSecondWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := bubble(t, sandbox.Options{}, "api")
		puts := 0
		v.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindPutSecret {
				return sandbox.Effect{}
			}
			switch puts++; puts {
			case 1:
				return sandbox.Effect{Date: time.Hour, After: func() {
					v.SetUpdatedAt("api", "actions", harness.SecretName, v.Time().Add(time.Hour))
				}}
			case 2:
				return sandbox.Effect{Skip: true, Status: http.StatusUnprocessableEntity}
			}
			return sandbox.Effect{}
		})
		code, out := v.run(nil)
		var report struct{ Repositories []harness.Entry }
		if err := json.Unmarshal([]byte(harness.Read(t, filepath.Join(v.dir, "report.json"))), &report); err != nil {
			t.Fatal(err)
		}
		if stores := report.Repositories[0].Stores; code != 0 || puts != 3 || len(stores) != 1 {
			t.Errorf("exit code %d, %d writes, stores %v\n%s", code, puts, stores, out)
		}
		v.provisioned("api", "actions")
	})
}
