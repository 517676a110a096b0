// Package report writes everything that a run prints or leaves behind: the log,
// annotations, the summary, the outputs and the report file. It escapes the text
// of servers and users, with one function for each format (text.go), so nothing
// may be printed around it.
package report

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/sethvargo/go-githubactions"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/redact"
)

// Options configure a Report.
type Options struct {
	// Runner reports whether the program runs on a GitHub Actions runner. Only
	// there are workflow commands printed: elsewhere they would show the values
	// that they are to hide.
	Runner bool
	// Stdout takes the log. On the command line Stderr takes errors and warnings.
	Stdout, Stderr io.Writer
	// Getenv names the files for outputs and summary.
	Getenv func(string) string
	// Organization, SecretName and DryRun are shown in the summary.
	Organization, SecretName string
	DryRun                   bool
	// Web is GitHub's web address, for links, such as https://github.com.
	Web string
	// File is the path of the report file; empty for none.
	File string
	// Tally takes the results; nil for a new one.
	Tally *outcome.Tally
	// Version of the program.
	Version string
	// Debug logs a line for every repository, also where nothing changed.
	Debug bool
	// ProgressBar reports whether Stderr is a terminal that shows a progress bar.
	ProgressBar bool
	// Colour reports whether the log may be coloured.
	Colour bool
	// Now returns the time on Codacy's clock, which expiries are compared with; nil
	// for this machine's.
	Now func() time.Time
	// Redactor removes secrets from every text that comes in, and from all that is
	// written to files. It also lies below Stdout and Stderr.
	Redactor *redact.Redactor
	// MaskWriter takes the one command that contains a value. It bypasses Redactor.
	MaskWriter io.Writer
}

// Report collects results and reports them. It is safe for concurrent use.
type Report struct {
	o      Options
	action *githubactions.Action
	masks  *githubactions.Action

	mu       sync.Mutex // guards everything below, Options.Tally included
	tally    *outcome.Tally
	selected int
	skipped  match.Counts
	declined int // repositories of a plan that the user declined

	// Errors and warnings that concern the whole run.
	errors, warnings []message

	errorAnnotations   annotations
	warningAnnotations annotations
	group              string // the open group of the log; empty if none is

	bar            *progressbar.ProgressBar // nil if none is shown
	lastProgress   outcome.Progress
	lastProgressAt time.Time
}

// New returns a Report.
func New(o Options) *Report {
	o.Redactor = cmp.Or(o.Redactor, &redact.Redactor{})
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Report{
		o:                o,
		action:           githubactions.New(githubactions.WithWriter(o.Stdout), githubactions.WithGetenv(o.Getenv)),
		masks:            githubactions.New(githubactions.WithWriter(o.MaskWriter), githubactions.WithGetenv(o.Getenv)),
		tally:            cmp.Or(o.Tally, &outcome.Tally{}),
		errorAnnotations: annotations{kind: "error"}, warningAnnotations: annotations{kind: "warning"},
	}
}

// Selected records how many repositories were selected and how many were not.
func (r *Report) Selected(n int, skipped match.Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.selected, r.skipped = n, skipped
}

// Declined records that the user declined a plan for n repositories.
func (r *Report) Declined(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declined = n
}

// Add records the result of one repository. It is logged immediately if something
// changed or failed.
func (r *Report) Add(res outcome.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range []*string{&res.Owner, &res.Name, &res.Reason, &res.Warning, &res.TokenName} {
		*text = r.o.Redactor.Redact(*text) // before anything cuts it
	}
	r.tally.Add(res)
	r.logResult(res)
}

// Finish writes the closing line, the report file, the outputs and the summary. It
// returns an error if the file or the outputs could not be written, and has
// reported it. A summary that could not be written is only a warning.
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
		m := message{text: failed.Error()}
		r.errors = append(r.errors, m)
		r.annotate(&r.errorAnnotations, m.lines())
	}
	r.logUnchanged()
	r.startGroup("")
	r.print(r.closingLine())
	r.finalize()
	return failed
}

// Abort ends a run that did not start. The summary says why.
func (r *Report) Abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finalize()
}

// finalize writes the summary and the last annotations.
func (r *Report) finalize() {
	if !r.o.Runner {
		return
	}
	r.startGroup("")
	r.releasePending()
	r.writeSummary()
	r.annotateOverflow()
}

func joinErrors(a, b error) error {
	if a == nil {
		return b
	}
	return fmt.Errorf("%w; %w", a, b)
}

// catchPanic returns the panic of f as an error: go-githubactions panics if it
// can't write.
func catchPanic(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	f()
	return nil
}

func date(t time.Time) string  { return t.UTC().Format(time.DateOnly) }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
