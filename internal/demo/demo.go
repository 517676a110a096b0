package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const (
	secretName = "CODACY_PROJECT_TOKEN"
	store      = "actions"
	// logLines is how many lines of a run's log are shown. The log has about two
	// lines per repository.
	logLines = 6
	// opened is how many of the secrets are shown; all of them are checked.
	opened = 5
	// revokeAfter is shorter than the action's default, so that the demo shows a
	// revocation two days after a renewal.
	revokeAfter = 24 * time.Hour
)

// demo is one run of the demo.
type demo struct {
	out          io.Writer
	shown        bytes.Buffer // everything that was written to out
	dir          string       // for the files that a runner would create
	organization string
	repositories []string
	world        *sandbox.World
	faults       func(sandbox.Request) sandbox.Effect // nil for none
	latency      time.Duration                        // of each request
	codacy       string                               // URL of Codacy's API
	github       string                               // URL of GitHub's API
	started      time.Time                            // in the world's time
	last         result                               // of the last run that renewed something
	log          bytes.Buffer
	written      string   // the runs' files
	failed       []string // claims that are not true
}

// newDemo creates a demo that writes to out, with its world.
func newDemo(out io.Writer, dir string, latency time.Duration) *demo {
	d := &demo{dir: dir, latency: latency}
	d.out = io.MultiWriter(out, &d.shown)
	d.organization, d.repositories = sandbox.CodacyOrganization()
	d.world = sandbox.New(sandbox.Options{
		Organization: d.organization, SecretName: secretName, Latency: latency, RevokeAfter: revokeAfter,
	})
	for _, name := range d.repositories {
		d.world.Add(sandbox.Repository{Name: name})
	}
	return d
}

// run simulates a year and returns the exit code.
func (d *demo) run(ctx context.Context) int {
	var shut func()
	d.codacy, d.github, shut = d.world.Serve()
	defer shut()
	d.world.Hook(d.faults)
	d.started = d.world.Time()
	d.say(`A simulated year. Codacy and GitHub run inside this program, on the loopback:
nothing leaves this machine. They have the organization %q and its %d public
repositories under their real names; no repository has a project token yet. Their
clocks are moved forward, and each run is a separate process of the action. A
request takes %d ms, the limit of writes is disabled (writes-per-minute: 0), and a
replaced token stays valid for a day (revoke-after-hours: %d).`,
		d.organization, len(d.repositories), d.latency.Milliseconds(), int(revokeAfter.Hours()))
	for i, step := range []struct {
		title string
		show  func(context.Context)
	}{
		{"A dry run shows what would happen:", d.dryRun},
		{"The first run is killed after a third of the repositories:", d.crash},
		{"An hour later, the next run continues:", d.repair},
		{"Two days later, orphaned tokens of the killed run are revoked:", d.tidy},
		{"A week later, everything is up to date:", d.nothing},
		{"A person overwrites one secret and deletes another:", d.manual},
		{"A year passes, with a run every four weeks:", d.year},
		{"The secrets, decrypted with the private keys: does Codacy accept them?", d.openSecrets},
		{"The summary of the last renewal, as the job's page on GitHub shows it:", d.summary},
	} {
		d.say("\n%d. %s", i+1, step.title)
		step.show(ctx)
		if ctx.Err() != nil {
			d.say("\nInterrupted.")
			return 1
		}
	}
	if len(d.failed) > 0 {
		d.say("\nFAILED, %d claims of the demo are not true:\n%s", len(d.failed), indent(strings.Join(d.failed, "\n")))
		return 1
	}
	d.say(`
To use the action, copy the workflow in README.md and add your own credentials.
On the command line, with CODACY_API_TOKEN and GH_TOKEN set:
go run . --organization ORG --dry-run`)
	return 0
}

func (d *demo) dryRun(ctx context.Context) {
	r := d.action(ctx, "true", logLines)
	d.ended(r, outcome.ExitOK, "created", "would be created", len(d.repositories))
	d.check(d.world.Writes() == 0, "%d requests to both services, %d writes among them", d.world.Total(), d.world.Writes())
}

// crash kills the process after a third of the secrets were written.
func (d *demo) crash(ctx context.Context) {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	at := len(d.repositories) / 3
	d.world.Hook(func(r sandbox.Request) sandbox.Effect {
		if d.faults != nil {
			if fault := d.faults(r); fault.Skip {
				return fault
			}
		}
		if r.Kind == sandbox.KindPutSecret && d.world.Count(sandbox.KindPutSecret) >= at {
			return sandbox.Effect{After: kill, End: sandbox.Reset}
		}
		return sandbox.Effect{}
	})
	r := d.action(ctx, "", logLines)
	d.world.Hook(d.faults)
	// Requests that the killed process sent take effect before the clock moves on.
	for last := -1; last != d.world.Total(); time.Sleep(300 * time.Millisecond) {
		last = d.world.Total()
	}
	good, orphans := d.count()
	d.check(r.code == -1, "killed after %s: %d of %d secrets written, each with a valid token; %d orphaned tokens",
		r.took, good, len(d.repositories), orphans)
}

func (d *demo) repair(ctx context.Context) {
	d.world.Advance(time.Hour)
	before, _ := d.count()
	r := d.action(ctx, "", logLines)
	good, _ := d.count()
	d.check(r.code == outcome.ExitOK && good == len(d.repositories), "exit code %d in %s: %s created, %s renewed, %s current",
		r.code, r.took, r.outputs["created"], r.outputs["renewed"], r.outputs["current"])
	d.check(good > before, "%d of %d secrets hold a valid token", good, len(d.repositories))
}

func (d *demo) tidy(ctx context.Context) {
	d.world.Advance(2 * day)
	_, before := d.count()
	r := d.action(ctx, "", 1)
	_, after := d.count()
	d.ended(r, outcome.ExitOK, "current", "current", len(d.repositories))
	d.check(after == 0, "%d orphaned tokens, %d before", after, before)
}

func (d *demo) nothing(ctx context.Context) {
	d.world.Advance(7 * day)
	before := d.world.Writes()
	r := d.action(ctx, "", 1)
	d.ended(r, outcome.ExitOK, "current", "current", len(d.repositories))
	d.check(d.world.Writes() == before, "%d writes: nothing changed", d.world.Writes()-before)
}

func (d *demo) manual(ctx context.Context) {
	d.world.SetSecret(d.repositories[1], store, secretName, "a manual value")
	d.world.DeleteSecret(d.repositories[2], store, secretName)
	d.world.Advance(7 * day)
	r := d.action(ctx, "", logLines)
	d.ended(r, outcome.ExitOK, "renewed", "renewed", 2)
	good, _ := d.count()
	d.check(good == len(d.repositories), "%d of %d secrets hold a valid token again", good, len(d.repositories))
}

// year runs the action every four weeks until each token was renewed. It checks
// the secrets before each run: no build used an invalid token.
func (d *demo) year(ctx context.Context) {
	renewed, worst := 0, len(d.repositories)
	for range 13 {
		d.world.Advance(28 * day)
		good, _ := d.count()
		worst = min(worst, good)
		r := d.action(ctx, "", 0)
		if r.code != outcome.ExitOK {
			d.check(false, "exit code %d", r.code)
			return
		}
		n, _ := strconv.Atoi(r.outputs["renewed"]) // of this program: a number
		renewed += n
		if n > 0 {
			d.last = r
			d.say("   day %d: %d renewed, the next expiry is %.10s", int(d.world.Time().Sub(d.started)/day), n, r.outputs["next-expiry"])
		}
	}
	d.check(renewed >= len(d.repositories), "%d renewals in 13 runs", renewed)
	d.check(worst == len(d.repositories), "%d secrets held a valid token at all times", worst)
}

const day = 24 * time.Hour

// ended prints how a run ended, and checks it.
func (d *demo) ended(r result, code int, output, words string, want int) {
	d.check(r.code == code && r.outputs[output] == fmt.Sprint(want), "exit code %d in %s: %s %s", r.code, r.took, r.outputs[output], words)
}

// count checks every secret. It returns how many hold a valid token of their own
// repository, and the number of orphaned tokens.
func (d *demo) count() (good, orphans int) {
	for _, name := range d.repositories {
		if value, ok := d.world.Secret(name, store, secretName); ok && d.world.TokenValid(name, value) {
			good++
		}
		orphans += len(d.world.Orphans(name))
	}
	return good, orphans
}

// openSecrets checks for each secret that its value is a valid token of its own
// repository, and of no other.
func (d *demo) openSecrets(context.Context) {
	good, orphans := 0, 0
	every := max(1, len(d.repositories)/opened)
	for i, name := range d.repositories {
		value, ok := d.world.Secret(name, store, secretName)
		other := d.repositories[(i+1)%len(d.repositories)]
		verdict := "rejected"
		if ok && d.world.TokenValid(name, value) && !d.world.TokenValid(other, value) {
			good++
			verdict = "accepted for this repository and for no other"
		}
		if i%every == 0 && i/every < opened {
			d.say("   %-36s %s", name, verdict)
		}
		orphans += len(d.world.Orphans(name))
	}
	d.check(good == len(d.repositories), "%d of %d secrets hold a valid token of their own repository", good, len(d.repositories))
	d.check(orphans == 0, "%d orphaned tokens", orphans)
	for _, v := range d.world.Violations() {
		d.check(false, "violation: %s", v)
	}

	leaks := len(sandbox.Leaks(true, map[string]string{
		"stdout": d.log.String(), "files": d.written, "screen": d.shown.String(),
	}, d.world.Secrets()))
	d.check(leaks == 0, "%d tokens or credentials, in any encoding, in logs, outputs, summaries and on this screen", leaks)
}

func (d *demo) summary(context.Context) {
	named := 0
	plain := inline(d.last.summary)
	for _, name := range d.repositories {
		if strings.Contains(plain, name) {
			named++
		}
	}
	if named != len(d.repositories) {
		d.check(false, "the summary names %d of %d repositories", named, len(d.repositories))
	}
	d.say("\n%s", indent(terminal(d.last.summary)))
}

// result is the outcome of a run of the action.
type result struct {
	code    int
	took    time.Duration
	outputs map[string]string
	summary string
}

// marker is the environment variable that turns this program into the action. The
// demo starts itself for each run, so that it can kill one.
const marker = "DEMO_IS_THE_ACTION"

// isAction reports whether this process was started as the action. If so, it runs
// the action and returns its exit code.
func isAction(ctx context.Context) (code int, is bool) {
	if os.Getenv(marker) == "" {
		return 0, false
	}
	command := cli.Command{
		Version: "demo", Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
	}
	return command.Run(ctx, nil), true
}

// action runs the action with the environment that a runner sets. The end of ctx
// kills it. The first lines of its log are shown.
func (d *demo) action(ctx context.Context, dryRun string, lines int) result {
	r := result{code: -1, outputs: map[string]string{}}
	dir, err := os.MkdirTemp(d.dir, "run-")
	if err != nil {
		d.check(false, "%v", err)
		return r
	}
	self, err := os.Executable()
	if err != nil {
		d.check(false, "%v", err)
		return r
	}
	outputs, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary.md")
	cmd := exec.CommandContext(ctx, self)
	cmd.Dir = dir
	cmd.Env = []string{
		marker + "=1", "GITHUB_ACTIONS=true", "GITHUB_OUTPUT=" + outputs, "GITHUB_STEP_SUMMARY=" + summary,
		"INPUT_CODACY-API-TOKEN=" + sandbox.CodacyToken, "INPUT_CODACY-API-URL=" + d.codacy,
		"INPUT_GITHUB-TOKEN=" + sandbox.GitHubToken, "INPUT_GITHUB-API-URL=" + d.github,
		"INPUT_ORGANIZATION=" + d.organization, "INPUT_SECRET-NAME=" + secretName, "INPUT_SECRET-STORES=" + store,
		"INPUT_WRITES-PER-MINUTE=0", fmt.Sprint("INPUT_REVOKE-AFTER-HOURS=", int(revokeAfter.Hours())), "INPUT_DRY-RUN=" + dryRun,
	}
	screen := &screen{out: d.out, max: lines}
	cmd.Stdout = io.MultiWriter(&d.log, screen)
	cmd.Stderr = cmd.Stdout
	start := time.Now()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil && ctx.Err() == nil {
		d.check(false, "%v", err)
	}
	r.took = time.Since(start).Round(10 * time.Millisecond)
	screen.end()
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		return r
	}
	r.code = cmd.ProcessState.ExitCode()
	file := d.read(outputs)
	r.outputs, r.summary = parseOutputs(file), d.read(summary)
	d.written += file + r.summary
	return r
}

// say prints to the screen. It ignores an error, which could not be printed either.
func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// check prints a claim and whether it is true.
func (d *demo) check(ok bool, format string, args ...any) {
	claim, mark := fmt.Sprintf(format, args...), "✓"
	if !ok {
		mark = "✗"
		d.failed = append(d.failed, claim)
	}
	d.say("   %s %s", mark, claim)
}

// read reads a file that the action wrote.
func (d *demo) read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		d.check(false, "%v", err)
	}
	return string(b)
}

// parseOutputs reads an output file as the runner does: name=value, or
// name<<DELIMITER and lines up to that delimiter.
func parseOutputs(text string) map[string]string {
	outputs := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, long := strings.Cut(lines[i], "<<")
		if !long {
			if name, value, ok := strings.Cut(lines[i], "="); ok {
				outputs[name] = value
			}
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		outputs[name] = strings.Join(value, "\n")
	}
	return outputs
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		if line != "\n" {
			line = "   " + line
		}
		b.WriteString(line)
	}
	return b.String()
}
