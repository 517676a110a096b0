// Package report tells what a run did: a line for each repository as it ends,
// annotations, the summary, the outputs and the report file. Text of servers and
// users is neutralised here, in one place for each form (see text.go), and
// nothing is printed around it.
package report

import (
	"cmp"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/sethvargo/go-githubactions"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// annotationsOfAKind is what GitHub keeps of a step's errors, and of its
	// warnings; the last says how many more there are.
	maxAnnotations = 10
	// kept of them are for what concerns the whole run, which is told last.
	reservedAnnotations = 3
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
	// Tally takes the results; nil for one of the Report's own.
	Tally *outcome.Tally
	// Version of the program.
	Version string
	// Debug: a line for every repository, also where there was nothing to do.
	Debug bool
	// Bar: Stderr is a terminal that shows how far the run has come.
	ProgressBar bool
	// Colour: the log may have some.
	Colour bool
	// Now returns the time on Codacy's clock, which expiries are compared with; nil
	// for this machine's.
	Now func() time.Time
	// Net replaces credentials and tokens in every text that comes in, and in all
	// that goes into files. It lies below Stdout and Stderr, too.
	Redactor *redact.Redactor
	// Masks takes the one command that holds a value: Stdout around the Net.
	MaskWriter io.Writer
}

// Report collects results and tells them. It is safe for concurrent use.
type Report struct {
	o      Options
	tally  *outcome.Tally
	action *githubactions.Action
	masks  *githubactions.Action

	mu                 sync.Mutex
	results            []outcome.Result
	counts             map[outcome.Outcome]int
	selected           int
	left               match.Counts
	errors             []message // that concern the whole run
	warnings           []message
	errorAnnotations   annotations
	warningAnnotations annotations
	group              string // the one that is open in the log

	declined int // repositories of a plan that was not answered with yes

	bar            *progressbar.ProgressBar // that is shown; nil if none is
	lastProgress   outcome.Progress         // last
	lastProgressAt time.Time
}

// annotations are those of one kind.
type annotations struct {
	kind       string
	emitted    int      // at most nine until Finish
	overflowed int      // that became plain lines
	last       string   // of these
	pending    []string // of repositories, until it is known whether there is room
}

// New returns a Report.
func New(o Options) *Report {
	o.Redactor = cmp.Or(o.Redactor, &redact.Redactor{})
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Report{
		o: o, tally: cmp.Or(o.Tally, &outcome.Tally{}),
		errorAnnotations: annotations{kind: "error"}, warningAnnotations: annotations{kind: "warning"},
	}
	r.masks = githubactions.New(githubactions.WithWriter(o.MaskWriter), githubactions.WithGetenv(o.Getenv))
	r.action = githubactions.New(githubactions.WithWriter(o.Stdout), githubactions.WithGetenv(o.Getenv))
	return r
}

// Selected tells how many repositories were selected and how many were not.
func (r *Report) Selected(n int, left match.Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.selected, r.left = n, left
}

// Info prints one line to the log.
func (r *Report) Info(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.print(r.o.Redactor.Redact(fmt.Sprintf(format, args...)))
}

// Error tells an error that concerns the whole run.
func (r *Report) Error(message string) { r.Problem(message, "") }

// Problem tells an error that concerns the whole run, and in a second line what
// to do about it.
func (r *Report) Problem(what, do string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, do = r.o.Redactor.Redact(what), r.o.Redactor.Redact(do)
	r.errors = append(r.errors, message{what, do})
	r.annotate(&r.errorAnnotations, formatMessage(what, do))
}

// Warning tells a warning that concerns the whole run.
func (r *Report) Warning(message string) { r.Caution(message, "") }

// Caution tells a warning that concerns the whole run, and in a second line what
// to do about it.
func (r *Report) Caution(what, do string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	what, do = r.o.Redactor.Redact(what), r.o.Redactor.Redact(do)
	r.warnings = append(r.warnings, message{what, do})
	r.annotate(&r.warningAnnotations, formatMessage(what, do))
}

// note is what is told about the whole run; do may be empty.
type message struct{ text, hint string }

// lines neutralises one line or two.
func formatMessage(what, do string) string {
	if do == "" {
		return line(what)
	}
	return line(what) + "\n  " + line(do)
}

// annotate makes an annotation on a runner, up to the ninth of its kind: the
// tenth is Finish's. By hand it is a line or two on stderr.
func (r *Report) annotate(a *annotations, lines string) {
	switch {
	case !r.o.Runner:
		r.clearBar()
		_, _ = fmt.Fprintln(r.o.Stderr, r.colour(a.kind+": "+lines))
	case a.emitted == maxAnnotations-1:
		r.overflow(a, lines)
	default:
		a.emitted++
		r.workflowCommand(a.kind, lines)
	}
}

// about annotates a repository. The last places are kept for what concerns the
// whole run, until Finish; that the repository failed stands in the log already.
func (r *Report) annotateRepository(a *annotations, text string) {
	switch {
	case !r.o.Runner || a.emitted < maxAnnotations-reservedAnnotations:
		r.annotate(a, line(text))
	case len(a.pending) < reservedAnnotations-1:
		a.pending = append(a.pending, line(text))
	default:
		r.overflow(a, line(text))
	}
}

// overflow makes a plain line of what finds no place among the annotations.
func (r *Report) overflow(a *annotations, lines string) {
	a.overflowed++
	a.last = lines
	_, _ = fmt.Fprintf(r.o.Stdout, "%s: %s\n", a.kind, lines)
}

// command prints an annotation, in go-githubactions' escaping.
func (r *Report) workflowCommand(kind, lines string) {
	_ = catchPanic(func() { // stdout is gone: there is nowhere to say so
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
	return catchPanic(func() { r.masks.AddMask(v.Reveal()) })
}

// attempt turns go-githubactions' panics, for what it can't write, into errors.
func catchPanic(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	f()
	return nil
}

// Add takes a result, and tells it at once if something changed or failed.
func (r *Report) Add(res outcome.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range []*string{&res.Owner, &res.Name, &res.Reason, &res.Warning, &res.TokenName} {
		*text = r.o.Redactor.Redact(*text) // before any cut
	}
	r.tally.Add(res)
	if res.Changed() || res.Outcome == outcome.Failed || r.o.Debug {
		r.startGroup("Repositories, as they come")
		r.print(resultLine(res))
	}
	switch {
	case res.Reported:
	case res.Outcome == outcome.Failed:
		r.annotateRepository(&r.errorAnnotations, res.Repository()+": "+shortReason(res)+expiryText(res))
	case outcome.ExpiringSoon(res, r.o.Now()):
		r.annotateRepository(&r.errorAnnotations, res.Repository()+": deferred, and its token expires "+date(res.ExpiresAt)+": "+res.Reason)
	}
	if res.Warning != "" {
		r.annotateRepository(&r.warningAnnotations, res.Repository()+": "+res.Warning+expiryText(res))
	}
}

// told is the line of a result.
func resultLine(res outcome.Result) string {
	text := fmt.Sprintf("%-8s %s", res.Outcome, res.Repository())
	if res.Reason != "" {
		text += ": " + shortReason(res)
	}
	return text + expiryText(res)
}

// briefly is the reason without the repository's name, where that stands beside it.
func shortReason(res outcome.Result) string {
	return strings.NewReplacer(" of "+res.Repository()+" (", " (", " of "+res.Name+": ", ": ").Replace(res.Reason)
}

// expiry names the token in place and its end.
func expiryText(res outcome.Result) string {
	if res.ExpiresAt.IsZero() {
		return ""
	}
	return " (" + res.TokenName + ", expires " + date(res.ExpiresAt) + ")"
}

// print prints a line to the log. One that can't be written is lost: there is
// nowhere to say so.
func (r *Report) print(text string) {
	r.clearBar()
	_, _ = fmt.Fprintln(r.o.Stdout, r.colour(line(text)))
}

// fold opens a group of the log, which GitHub shows folded, in place of the one
// that is open; an empty title only closes that.
func (r *Report) startGroup(title string) {
	if !r.o.Runner || title == r.group {
		return
	}
	_ = catchPanic(func() { // as print
		if r.group != "" {
			r.action.EndGroup()
		}
		if title != "" {
			r.action.Group(title)
		}
	})
	r.group = title
}

// Finish tells how the run ended, and writes the report file, the outputs and the
// summary. What could not be written is told, and is the error; a summary that
// could not is a warning only.
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
	}
	if failed != nil {
		r.errors = append(r.errors, message{text: failed.Error()})
		r.annotate(&r.errorAnnotations, formatMessage(failed.Error(), ""))
	}
	r.logUnchanged()
	r.startGroup("")
	r.print(r.closingLine())
	r.finalize()
	return failed
}

// Abort ends a run that did not begin: the summary tells why.
func (r *Report) Abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finalize()
}

// rest lists, folded, what was neither changed nor failed, but for what is
// current.
func (r *Report) logUnchanged() {
	var rest []outcome.Result
	for _, res := range r.tally.Results() {
		if res.Outcome == outcome.Kept || res.Outcome == outcome.Skipped || res.Outcome == outcome.Deferred {
			rest = append(rest, res)
		}
	}
	if len(rest) == 0 || r.o.Debug || !r.o.Runner {
		return
	}
	outcome.ByName(rest)
	r.startGroup(fmt.Sprintf("Kept, skipped and deferred (%d)", len(rest)))
	for _, res := range rest {
		r.print(resultLine(res))
	}
}

// verdict is the whole run in a line: the headline and the counts.
func (r *Report) closingLine() string {
	text := r.headline()
	for i, o := range r.outcomes() {
		text += fmt.Sprintf("%s%d %s", map[bool]string{true: ": ", false: ", "}[i == 0], r.tally.Count(o), o)
	}
	return text
}

// outcomes are those that there were.
func (r *Report) outcomes() []outcome.Outcome {
	return slices.DeleteFunc(outcome.All(), func(o outcome.Outcome) bool { return r.tally.Count(o) == 0 })
}

// end writes the summary and the last annotations.
func (r *Report) finalize() {
	if !r.o.Runner {
		return
	}
	r.startGroup("")
	for _, a := range []*annotations{&r.errorAnnotations, &r.warningAnnotations} {
		for _, text := range a.pending {
			r.annotate(a, text)
		}
		a.pending = nil
	}
	if r.o.Getenv("GITHUB_STEP_SUMMARY") != "" {
		if err := catchPanic(func() { r.action.AddStepSummary(r.o.Redactor.Redact(r.summary())) }); err != nil {
			r.annotate(&r.warningAnnotations, line(r.o.Redactor.Redact("the summary could not be written: "+err.Error())))
		}
	}
	for _, a := range []annotations{r.errorAnnotations, r.warningAnnotations} { // the tenth of each kind
		switch {
		case a.overflowed == 1:
			r.workflowCommand(a.kind, a.last)
		case a.overflowed > 1:
			r.workflowCommand(a.kind, fmt.Sprintf("%d more of these stand in the log and in the summary", a.overflowed))
		}
	}
}

func (r *Report) writeOutputs() error {
	if r.o.Getenv("GITHUB_OUTPUT") == "" {
		r.annotate(&r.warningAnnotations, "no outputs: GITHUB_OUTPUT is not set, which a runner always does")
		return nil
	}
	return catchPanic(func() {
		for _, o := range outcome.All() {
			r.action.SetOutput(string(o), r.o.Redactor.Redact(fmt.Sprint(r.tally.Count(o))))
		}
		next := ""
		if t := r.tally.NextExpiry(); !t.IsZero() {
			next = stamp(t)
		}
		r.action.SetOutput("next-expiry", r.o.Redactor.Redact(next))
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
