// Package report tells what a run did: a line for each repository as it ends,
// annotations, the summary, the outputs and the report file. Text of servers and
// users is neutralised here, in one place for each form (see text.go), and
// nothing is printed around it.
package report

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/provision"
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// annotationsOfAKind is what GitHub keeps of a step's errors, and of its
	// warnings; the last says how many more there are.
	annotationsOfAKind = 10
	// Soon is how near the expiry of a deferred repository's token may come
	// before the run fails.
	Soon = 7 * 24 * time.Hour
)

// Options say where a Report goes.
type Options struct {
	// Runner: workflow commands are printed. Anywhere else they would only
	// print what they are to hide.
	Runner bool
	// Stdout takes the log, Stderr errors and warnings by hand.
	Stdout, Stderr io.Writer
	// Getenv tells the files for outputs and summary.
	Getenv func(string) string
	// Organization, SecretName and DryRun are told in the summary.
	Organization, SecretName string
	DryRun                   bool
	// Web is GitHub's web address, for links, such as https://github.com.
	Web string
	// File is the path of the report file; empty for none.
	File string
	// Version of the program.
	Version string
	// Now is Codacy's time, by which expiries are judged.
	Now func() time.Time
	// Net replaces credentials and tokens in every text that comes in, and in all
	// that goes into files. It lies below Stdout and Stderr, too.
	Net *redact.Net
	// Masks takes the one command that holds a value: Stdout around the Net.
	Masks io.Writer
}

// Report collects results and tells them. It is safe for concurrent use.
type Report struct {
	o      Options
	action *githubactions.Action
	masks  *githubactions.Action

	mu       sync.Mutex
	results  []provision.Result
	counts   map[provision.Outcome]int
	selected int
	left     match.Counts
	errors   []note // that concern the whole run
	warnings []note
	errs     int // annotations made
	warns    int

	told   provision.Progress // last
	toldAt time.Time
}

// New returns a Report.
func New(o Options) *Report {
	o.Net = cmp.Or(o.Net, &redact.Net{})
	r := &Report{o: o, counts: map[provision.Outcome]int{}}
	r.masks = githubactions.New(githubactions.WithWriter(o.Masks), githubactions.WithGetenv(o.Getenv))
	r.action = githubactions.New(githubactions.WithWriter(o.Stdout), githubactions.WithGetenv(o.Getenv))
	return r
}

// Selected tells how many repositories were selected and how many were not.
func (r *Report) Selected(n int, left match.Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.selected, r.left = n, left
}

// Info prints one line to the log. A line that can't be written is lost: there
// is nowhere to say so.
func (r *Report) Info(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintln(r.o.Stdout, line(r.o.Net.String(fmt.Sprintf(format, args...))))
}

// Error tells an error that concerns the whole run.
func (r *Report) Error(message string) { r.Problem(message, "") }

// Problem tells an error that concerns the whole run, and in a second line what
// to do about it.
func (r *Report) Problem(what, do string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, do = r.o.Net.String(what), r.o.Net.String(do)
	r.errors = append(r.errors, note{what, do})
	r.annotate(&r.errs, "error", what, do)
}

// Warning tells a warning that concerns the whole run.
func (r *Report) Warning(message string) { r.Caution(message, "") }

// Caution tells a warning that concerns the whole run, and in a second line what
// to do about it.
func (r *Report) Caution(what, do string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, do = r.o.Net.String(what), r.o.Net.String(do)
	r.warnings = append(r.warnings, note{what, do})
	r.annotate(&r.warns, "warning", what, do)
}

// note is what is told about the whole run; do may be empty.
type note struct{ what, do string }

// annotate makes an annotation on a runner, up to the ninth of its kind: the
// tenth is Finish's. By hand it is a line or two on stderr.
func (r *Report) annotate(count *int, kind, what, do string) {
	*count++
	lines := line(what)
	if do != "" {
		lines += "\n  " + line(do)
	}
	switch {
	case !r.o.Runner:
		_, _ = fmt.Fprintf(r.o.Stderr, "%s: %s\n", kind, lines)
	case *count >= annotationsOfAKind:
		_, _ = fmt.Fprintf(r.o.Stdout, "%s: %s\n", kind, lines)
	default:
		r.command(kind, lines)
	}
}

// command prints an annotation, in go-githubactions' escaping.
func (r *Report) command(kind, lines string) {
	_ = attempt(func() { // stdout is gone: there is nowhere to say so
		if kind == "error" {
			r.action.Errorf("%s", lines)
		} else {
			r.action.Warningf("%s", lines)
		}
	})
}

// Mask hides a value from the log from now on. It prints the value, so it does
// nothing but on a runner.
func (r *Report) Mask(v secret.Value) error {
	if !r.o.Runner || v.IsZero() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return attempt(func() { r.masks.AddMask(v.Reveal()) })
}

// attempt turns go-githubactions' panics, for what it can't write, into errors.
func attempt(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	f()
	return nil
}

// Add takes a result and tells it at once.
func (r *Report) Add(res provision.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range []*string{&res.Repository, &res.Reason, &res.Warning, &res.TokenName} {
		*text = r.o.Net.String(*text) // before any cut
	}
	r.results = append(r.results, res)
	r.counts[res.Outcome]++
	text := fmt.Sprintf("%-8s %s", res.Outcome, res.Repository)
	if res.Reason != "" {
		text += ": " + res.Reason
	}
	if !res.ExpiresAt.IsZero() {
		text += " (" + res.TokenName + ", expires " + date(res.ExpiresAt) + ")"
	}
	_, _ = fmt.Fprintln(r.o.Stdout, line(text))
	switch {
	case res.Told:
	case res.Outcome == provision.FailedHere:
		r.annotate(&r.errs, "error", res.Repository+": "+res.Reason, "")
	case r.dueSoon(res):
		r.annotate(&r.errs, "error", res.Repository+": deferred, and its token expires "+date(res.ExpiresAt)+": "+res.Reason, "")
	}
	if res.Warning != "" {
		text := res.Repository + ": " + res.Warning
		if !res.ExpiresAt.IsZero() {
			text += " (" + res.TokenName + ", expires " + date(res.ExpiresAt) + ")"
		}
		r.annotate(&r.warns, "warning", text, "")
	}
}

// dueSoon tells a deferred repository whose builds are about to break.
func (r *Report) dueSoon(res provision.Result) bool {
	return res.Outcome == provision.Deferred && !res.ExpiresAt.IsZero() && res.ExpiresAt.Sub(r.o.Now()) < Soon
}

// Healthy tells whether all is well: nothing failed, and nothing is about to.
func (r *Report) Healthy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range r.results {
		if res.Outcome == provision.FailedHere || r.dueSoon(res) {
			return false
		}
	}
	return true
}

// nextExpiry is the soonest expiry among the tokens in place; zero if none.
func (r *Report) nextExpiry() time.Time {
	var next time.Time
	for _, res := range r.results {
		if !res.ExpiresAt.IsZero() && (next.IsZero() || res.ExpiresAt.Before(next)) {
			next = res.ExpiresAt
		}
	}
	return next
}

// Finish writes the annotations' rest, the report file, the outputs and the
// summary. Its error names what could not be written; a summary that could not
// is a warning only.
func (r *Report) Finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var failed error
	if r.o.File != "" {
		if err := r.writeFile(); err != nil {
			failed = fmt.Errorf("the report could not be written: %w", err)
		}
	}
	if r.o.Runner {
		if err := r.writeOutputs(); err != nil {
			failed = joinErrors(failed, fmt.Errorf("the outputs could not be written: %w", err))
		}
		if r.o.Getenv("GITHUB_STEP_SUMMARY") != "" {
			if err := attempt(func() { r.action.AddStepSummary(r.o.Net.String(r.summary())) }); err != nil {
				r.annotate(&r.warns, "warning", "the summary could not be written: "+err.Error(), "")
			}
		}
		r.more(r.errs, "error")
		r.more(r.warns, "warning")
	}
	return failed
}

// more makes the tenth annotation of a kind.
func (r *Report) more(count int, kind string) {
	if n := count - (annotationsOfAKind - 1); n > 0 {
		r.command(kind, fmt.Sprintf("%d more of these stand in the log and in the summary", n))
	}
}

func (r *Report) writeOutputs() error {
	if r.o.Getenv("GITHUB_OUTPUT") == "" {
		r.annotate(&r.warns, "warning", "no outputs: GITHUB_OUTPUT is not set, which a runner always does", "")
		return nil
	}
	return attempt(func() {
		for _, o := range provision.Outcomes() {
			r.action.SetOutput(string(o), r.o.Net.String(fmt.Sprint(r.counts[o])))
		}
		next := ""
		if t := r.nextExpiry(); !t.IsZero() {
			next = stamp(t)
		}
		r.action.SetOutput("next-expiry", r.o.Net.String(next))
	})
}

func date(t time.Time) string  { return t.UTC().Format(time.DateOnly) }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func joinErrors(a, b error) error {
	if a == nil {
		return b
	}
	return fmt.Errorf("%w; %w", a, b)
}
