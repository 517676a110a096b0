package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const (
	secretName = "CODACY_PROJECT_TOKEN"
	store      = "actions"
	// logLines is how many lines of a run's log are shown, of twice as many as
	// there are repositories.
	logLines = 6
	// opened is how many of the secrets are shown one by one; all are looked at.
	opened = 5
)

// demo is one showing.
type demo struct {
	out          io.Writer
	shown        bytes.Buffer // all that went to out
	dir          string       // for the files that a runner would give
	organization string
	repositories []string
	world        *sandbox.World
	latency      time.Duration // of each request
	codacy       string        // URL of its API, as is github
	github       string
	first        result // of the first run
	log          bytes.Buffer
	written      string   // the runs' files
	failed       []string // what was claimed and is not so
}

// newDemo makes the world of a showing on out.
func newDemo(out io.Writer, dir string, latency time.Duration) *demo {
	d := &demo{dir: dir, latency: latency}
	d.out = io.MultiWriter(out, &d.shown)
	d.organization, d.repositories = sandbox.CodacyOrganization()
	d.world = sandbox.New(sandbox.Options{Organization: d.organization, SecretName: secretName, Latency: latency})
	for _, name := range d.repositories {
		d.world.Add(sandbox.Repository{Name: name})
	}
	return d
}

// run shows the main job and returns the exit code.
func (d *demo) run(ctx context.Context) int {
	var shut func()
	d.codacy, d.github, shut = d.world.Serve()
	defer shut()
	d.say(`Codacy and GitHub run inside this program, on the loopback: nothing leaves this
machine. They know the organization %q and its %d public repositories by
their real names; no repository has a project token yet. A request takes %d ms;
the limit of writes is off (writes-per-minute: 0), so that this takes seconds.`,
		d.organization, len(d.repositories), d.latency.Milliseconds())
	for i, step := range []struct {
		title string
		show  func(context.Context)
	}{
		{"A dry run: what would be done?", d.dryRun},
		{"The first run", d.firstRun},
		{"A week later, the second run", d.secondRun},
		{"Does Codacy accept what stands in the secrets? Opened with the private keys:", d.openSecrets},
		{"The first run's summary, as the job's page on GitHub shows it:", d.summary},
	} {
		d.say("\n%d. %s", i+1, step.title)
		step.show(ctx)
		if ctx.Err() != nil {
			d.say("\nInterrupted.")
			return 1
		}
	}
	if len(d.failed) > 0 {
		d.say("\nFAILED, %d of what the demo claims is not so:\n%s", len(d.failed), indent(strings.Join(d.failed, "\n")))
		return 1
	}
	d.say(`
In earnest, as an action: copy the workflow in README.md, with credentials of your own.
By hand, with CODACY_API_TOKEN and GH_TOKEN set: go run . --organization ORG --dry-run`)
	return 0
}

func (d *demo) dryRun(ctx context.Context) {
	r := d.action(ctx, "true")
	d.check(r.code == cli.ExitOK && r.outputs["created"] == d.all(),
		"exit code %d in %s: %s would be created", r.code, r.took, r.outputs["created"])
	d.check(d.world.Writes() == 0, "%d requests to both services, %d writes among them", d.world.Total(), d.world.Writes())
}

func (d *demo) firstRun(ctx context.Context) {
	r := d.action(ctx, "")
	d.first = r
	d.check(r.code == cli.ExitOK && r.outputs["created"] == d.all(),
		"exit code %d in %s: %s created; the first one expires at %s", r.code, r.took, r.outputs["created"], r.outputs["next-expiry"])
	made, put := d.world.Count(sandbox.KindCreateToken), d.world.Count(sandbox.KindPutSecret)
	d.check(made == len(d.repositories) && put == made, "%d tokens made, %d secrets written", made, put)
}

func (d *demo) secondRun(ctx context.Context) {
	d.world.Advance(7 * 24 * time.Hour)
	before := d.world.Writes()
	r := d.action(ctx, "")
	d.check(r.code == cli.ExitOK && r.outputs["current"] == d.all(),
		"exit code %d in %s: %s current", r.code, r.took, r.outputs["current"])
	d.check(d.world.Writes() == before, "%d writes: nothing was changed", d.world.Writes()-before)
}

// openSecrets looks into every secret, and asks for each value whether it is a
// living token of that very repository, and of no other.
func (d *demo) openSecrets(context.Context) {
	good, orphans := 0, 0
	every := max(1, len(d.repositories)/opened)
	for i, name := range d.repositories {
		value, ok := d.world.Secret(name, store, secretName)
		other := d.repositories[(i+1)%len(d.repositories)]
		verdict := "refused"
		if ok && d.world.TokenAlive(name, value) && !d.world.TokenAlive(other, value) {
			good++
			verdict = "accepted for this repository, and for no other"
		}
		if i%every == 0 && i/every < opened {
			d.say("   %-36s %s", name, verdict)
		}
		orphans += len(d.world.Orphans(name))
	}
	d.check(good == len(d.repositories), "%d of %d secrets hold a living token of their own repository", good, len(d.repositories))
	d.check(orphans == 0, "%d tokens that no secret holds", orphans)
	for _, v := range d.world.Violations() {
		d.check(false, "a promise was broken: %s", v)
	}

	leaks := len(sandbox.Leaks(true, map[string]string{
		"stdout": d.log.String(), "files": d.written, "screen": d.shown.String(),
	}, d.world.Secrets()))
	d.check(leaks == 0, "%d tokens or credentials, in any form, in logs, outputs, summaries and on this screen", leaks)
}

func (d *demo) summary(context.Context) {
	named := 0
	plain := inline(d.first.summary)
	for _, name := range d.repositories {
		if strings.Contains(plain, name) {
			named++
		}
	}
	if named != len(d.repositories) {
		d.check(false, "the summary names %d of %d repositories", named, len(d.repositories))
	}
	d.say("\n%s", indent(terminal(d.first.summary)))
}

// result is what a run of the action left behind.
type result struct {
	code    int
	took    time.Duration
	outputs map[string]string
	summary string
}

// action runs the action as main does, with the environment that a runner gives.
func (d *demo) action(ctx context.Context, dryRun string) result {
	var r result
	dir, err := os.MkdirTemp(d.dir, "run-")
	if err != nil {
		d.check(false, "%v", err)
		return r
	}
	outputs, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary.md")
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": outputs, "GITHUB_STEP_SUMMARY": summary,
		"INPUT_CODACY-API-TOKEN": sandbox.CodacyToken, "INPUT_CODACY-API-URL": d.codacy,
		"INPUT_GITHUB-TOKEN": sandbox.GitHubToken, "INPUT_GITHUB-API-URL": d.github,
		"INPUT_ORGANIZATION": d.organization, "INPUT_SECRET-NAME": secretName, "INPUT_SECRET-STORES": store,
		"INPUT_WRITES-PER-MINUTE": "0", "INPUT_DRY-RUN": dryRun,
	}
	screen := &screen{out: d.out, most: logLines}
	command := cli.Command{
		Version: "demo",
		Stdin:   strings.NewReader(""),
		Stdout:  io.MultiWriter(&d.log, screen), Stderr: io.MultiWriter(&d.log, screen),
		Getenv: func(name string) string { return env[name] },
	}
	began := time.Now()
	r.code = command.Run(ctx, nil)
	r.took = time.Since(began).Round(10 * time.Millisecond)
	screen.end()
	file := d.read(outputs)
	r.outputs, r.summary = parseOutputs(file), d.read(summary)
	d.written += file + r.summary
	return r
}

// all is the number of the repositories, as outputs have it.
func (d *demo) all() string { return fmt.Sprint(len(d.repositories)) }

// say prints to the screen. What can't be printed can't be told either.
func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// check prints a claim, and whether it is so.
func (d *demo) check(so bool, format string, args ...any) {
	claim, mark := fmt.Sprintf(format, args...), "✓"
	if !so {
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
