package report

import (
	"fmt"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// maxAnnotations is the number of errors, and of warnings, that GitHub keeps for
	// a step. The last one says how many more there are.
	maxAnnotations = 10
	// reservedAnnotations of them are reserved for messages about the whole run,
	// which come last.
	reservedAnnotations = 3
)

// message is an error or a warning about the whole run. The hint, which may be
// empty, says what to do about it.
type message struct{ text, hint string }

// lines returns the message escaped for the log, in one line or two.
func (m message) lines() string {
	if m.hint == "" {
		return line(m.text)
	}
	return line(m.text) + "\n  " + line(m.hint)
}

// annotations are the errors or the warnings of a step.
type annotations struct {
	kind       string
	emitted    int      // at most nine until Finish
	overflowed int      // printed as plain lines instead
	last       string   // the last of these
	pending    []string // of repositories, emitted by Finish if there is capacity
}

// Info prints one line to the log.
func (r *Report) Info(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.print(r.o.Redactor.Redact(fmt.Sprintf(format, args...)))
}

// Error reports an error that concerns the whole run. The hint says what to do
// about it; it may be empty.
func (r *Report) Error(text, hint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.redacted(text, hint)
	r.errors = append(r.errors, m)
	r.annotate(&r.errorAnnotations, m.lines())
}

// Warning reports a warning that concerns the whole run. The hint says what to do
// about it; it may be empty.
func (r *Report) Warning(text, hint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.redacted(text, hint)
	r.warnings = append(r.warnings, m)
	r.annotate(&r.warningAnnotations, m.lines())
}

func (r *Report) redacted(text, hint string) message {
	return message{r.o.Redactor.Redact(text), r.o.Redactor.Redact(hint)}
}

// Mask hides a value in the log from now on. The command contains the value, so
// it is only printed on a runner.
func (r *Report) Mask(v secret.Value) error {
	if !r.o.Runner || v.IsZero() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return catchPanic(func() { r.masks.AddMask(v.Reveal()) })
}

// annotate emits an annotation on a runner, up to the ninth of its kind: Finish
// emits the tenth. On the command line it prints the lines to stderr.
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

// annotateRepository annotates a repository. It leaves the reserved annotations
// until Finish: a failed repository is in the log anyway.
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

// overflow prints a plain line instead of an annotation that GitHub would drop.
func (r *Report) overflow(a *annotations, lines string) {
	a.overflowed++
	a.last = lines
	_, _ = fmt.Fprintf(r.o.Stdout, "%s: %s\n", a.kind, lines)
}

// releasePending emits the annotations of repositories that waited for capacity.
func (r *Report) releasePending() {
	for _, a := range []*annotations{&r.errorAnnotations, &r.warningAnnotations} {
		for _, text := range a.pending {
			r.annotate(a, text)
		}
		a.pending = nil
	}
}

// annotateOverflow emits the tenth annotation of each kind, if there are more than
// nine: the one that is left, or how many there are.
func (r *Report) annotateOverflow() {
	for _, a := range []annotations{r.errorAnnotations, r.warningAnnotations} {
		switch {
		case a.overflowed == 1:
			r.workflowCommand(a.kind, a.last)
		case a.overflowed > 1:
			r.workflowCommand(a.kind, fmt.Sprintf("%d more; see the job summary", a.overflowed))
		}
	}
}

// workflowCommand prints an annotation; go-githubactions escapes it. An error is
// ignored: there is nowhere left to report it.
func (r *Report) workflowCommand(kind, lines string) {
	_ = catchPanic(func() {
		if kind == "error" {
			r.action.Errorf("%s", lines)
		} else {
			r.action.Warningf("%s", lines)
		}
	})
}

// logResult logs a result that changed or failed, or any with debug logging, and
// annotates it if it needs attention.
func (r *Report) logResult(res *outcome.Result) {
	if res.Changed() || len(res.Revoked) > 0 || res.Outcome == outcome.Failed || r.o.Debug {
		r.startGroup("Results")
		r.print(r.resultLine(res))
	}
	switch {
	case res.Reported:
	case res.Outcome == outcome.Failed:
		r.annotateRepository(&r.errorAnnotations, res.Repository()+": "+r.explain(res)+r.expiryText(res))
	case res.ExpiringSoon(r.o.Now()):
		r.annotateRepository(&r.errorAnnotations, res.Repository()+": deferred, and its token expires "+date(res.ExpiresAt)+": "+res.Reason)
	}
	if res.Warning != "" {
		r.annotateRepository(&r.warningAnnotations, res.Repository()+": "+res.Warning+r.expiryText(res))
	}
}

// logUnchanged logs, in a folded group, the repositories that were neither changed
// nor failed and are not up to date either.
func (r *Report) logUnchanged() {
	if r.o.Debug || !r.o.Runner {
		return
	}
	var unchanged []*outcome.Result
	for res := range r.tally.Results() {
		if !res.Changed() && res.Outcome != outcome.Failed && res.Outcome != outcome.Current {
			unchanged = append(unchanged, res)
		}
	}
	if len(unchanged) == 0 {
		return
	}
	outcome.ByName(unchanged)
	r.startGroup(fmt.Sprintf("Other repositories (%d)", len(unchanged)))
	for _, res := range unchanged {
		r.print(r.resultLine(res))
	}
}

// resultLine returns the log line of a result. In a dry run it starts with the
// action that will be taken.
func (r *Report) resultLine(res *outcome.Result) string {
	text := fmt.Sprintf("%-8s %s", r.label(res), res.Repository())
	if why := r.why(res); why != "" {
		return text + ": " + why + r.expiryText(res)
	}
	return text + r.expiryText(res)
}

// expiryText returns the expiry of the current token. That of a new token is news;
// any other is only an addition to a reason.
func (r *Report) expiryText(res *outcome.Result) string {
	switch {
	case res.ExpiresAt.IsZero():
		return ""
	case res.Changed() && !r.o.DryRun:
		return ", expires " + date(res.ExpiresAt)
	}
	return " (token expires " + date(res.ExpiresAt) + ")"
}

// closingLines describe the whole run: the headline and the counts.
func (r *Report) closingLines() []string {
	headline := r.headline()
	if counts := r.countsLine(", "); counts != "" && !strings.Contains(headline, counts) {
		return []string{headline, counts}
	}
	return []string{headline}
}

// print prints a line to the log. An error is ignored: there is nowhere left to
// report it.
func (r *Report) print(text string) {
	r.clearBar()
	_, _ = fmt.Fprintln(r.o.Stdout, r.colour(line(text)))
}

// startGroup opens a group of the log, which GitHub shows folded, and closes the
// open one. An empty title only closes that.
func (r *Report) startGroup(title string) {
	if !r.o.Runner || title == r.group {
		return
	}
	_ = catchPanic(func() { // ignored, as in print
		if r.group != "" {
			r.action.EndGroup()
		}
		if title != "" {
			r.action.Group(title)
		}
	})
	r.group = title
}
