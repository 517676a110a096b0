// Package report writes everything that a run prints or leaves behind: the log,
// annotations, the summary, the outputs and the report file. It escapes the text
// of servers and users, with one function for each format (text.go), so nothing
// may be printed around it.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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
	// Web is GitHub's web address, such as https://github.com, and CodacyWeb is
	// Codacy's. Only addresses below them and the vendors' docs become links: a
	// server may name any.
	Web, CodacyWeb string
	// RenewBefore is how long before its expiry a token is renewed.
	RenewBefore time.Duration
	// File is the path of the report file; empty for none. With "-" the report goes to
	// Stdout as JSON, and the log to Stderr.
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
	stdout io.Writer // for a report on standard output
	action *githubactions.Action
	masks  *githubactions.Action

	mu          sync.Mutex // guards everything below, Options.Tally included
	tally       *outcome.Tally
	selected    int
	skipped     match.Counts
	interrupted bool
	declined    bool // the plan was not confirmed

	// Errors and warnings that concern the whole run, and the errors of writing the
	// report file and the outputs.
	errors, warnings, unwritten []message

	errorAnnotations   annotations
	warningAnnotations annotations
	group              string // the open group of the log; empty if none is

	waits          waits
	activity       string                   // what the run does while there is no bar
	bar            *progressbar.ProgressBar // nil if none is shown
	statusShown    bool                     // a status line is on the terminal
	lastProgress   outcome.Progress
	lastProgressAt time.Time
}

// New returns a Report.
func New(o Options) *Report {
	o.Redactor = cmp.Or(o.Redactor, &redact.Redactor{})
	if o.Now == nil {
		o.Now = time.Now
	}
	stdout := o.Stdout
	if o.File == stdoutFile {
		o.Stdout = o.Stderr
	}
	return &Report{
		o:                o,
		stdout:           stdout,
		action:           githubactions.New(githubactions.WithWriter(o.Stdout), githubactions.WithGetenv(o.Getenv)),
		masks:            githubactions.New(githubactions.WithWriter(o.MaskWriter), githubactions.WithGetenv(o.Getenv)),
		tally:            cmp.Or(o.Tally, &outcome.Tally{}),
		errorAnnotations: annotations{kind: "error"}, warningAnnotations: annotations{kind: "warning"},
	}
}

// Selected records and logs how many repositories were selected, of those on Codacy
// and on GitHub, and how many were not.
func (r *Report) Selected(onCodacy, onGitHub, selected int, skipped match.Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.selected, r.skipped = selected, skipped
	texts := append([]string{fmt.Sprintf("%s on Codacy, %s on GitHub", number(onCodacy), number(onGitHub))}, skippedTexts(skipped)...)
	r.print(count(selected, "repository", "repositories") + " selected (" + strings.Join(texts, "; ") + ")")
}

// Declined records that the plan was not confirmed. Its repositories are to be added
// as deferred.
func (r *Report) Declined() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.declined = true
}

// Interrupted records and reports that the run was interrupted.
func (r *Report) Interrupted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = true
	r.annotate(&r.warningAnnotations, "interrupted; the next run continues with the remaining repositories")
}

// Add records the result of one repository. It is logged immediately if something
// changed or failed.
func (r *Report) Add(res outcome.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range []*string{&res.Owner, &res.Name, &res.Reason, &res.Warning, &res.TokenName} {
		*text = r.o.Redactor.Redact(*text) // before anything cuts it
	}
	res.Revoked = slices.Clone(res.Revoked)
	for i := range res.Revoked {
		res.Revoked[i] = r.o.Redactor.Redact(res.Revoked[i])
	}
	r.tally.Add(res)
	r.logResult(&res)
}

// Finish writes the report file, the outputs, the closing lines and the summary. It
// returns an error if the file or the outputs could not be written, and has
// reported it. A summary that could not be written is only a warning.
func (r *Report) Finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var failed error
	if r.o.File != "" {
		failed = r.reportUnwritten("report", r.writeFile())
	}
	if r.o.Runner {
		failed = errors.Join(failed, r.reportUnwritten("outputs", r.writeOutputs()))
	}
	r.logUnchanged()
	r.startGroup("")
	for _, text := range r.closingLines() {
		r.print(text)
	}
	r.finalize()
	return failed
}

// reportUnwritten reports that a thing could not be written, if err says so.
func (r *Report) reportUnwritten(thing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the %s could not be written: %w", thing, err)
	m := r.redacted(err.Error(), "")
	r.unwritten = append(r.unwritten, m)
	r.annotate(&r.errorAnnotations, m.lines())
	return err
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
