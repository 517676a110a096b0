// Package cli is the program, from inputs to exit code, on a runner and on the command
// line.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/report"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// ShutdownTimeout is the time after an interrupt at which the process ends, whatever
// still hangs: a pipe without a reader, a disk. Repositories in progress are finished
// or undone within six seconds; the runner kills after ten.
const ShutdownTimeout = 6700 * time.Millisecond

// Command is the program with everything that it takes from outside.
type Command struct {
	Version        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal reports whether the user can be asked.
	Terminal bool
	// Screen reports whether Stdout and Stderr are a terminal.
	Screen bool
	// Transport sends the requests; nil for the network.
	Transport http.RoundTripper
	// Rand shuffles the repositories and spreads waits; nil for a random seed.
	Rand *rand.Rand

	redactor *redact.Redactor // of everything that is written
	masks    io.Writer        // past the redactor, for the values to mask
}

// Run runs the program with the arguments and returns its exit code. An end of
// ctx is an interrupt.
func (c *Command) Run(ctx context.Context, args []string) int {
	redactor := &redact.Redactor{}
	for _, v := range append(config.Credentials(c.Getenv), wire.ProxySecrets(c.Getenv)...) {
		redactor.Add(v)
	}
	out, errs := redactor.Writer(c.Stdout), redactor.Writer(c.Stderr)
	redacted := *c
	redacted.redactor, redacted.masks, redacted.Stdout, redacted.Stderr = redactor, c.Stdout, out, errs
	code := redacted.run(ctx, args)
	_, _ = out.Close(), errs.Close() // ignore the error: there is nowhere left to report it
	return code
}

func (c *Command) run(ctx context.Context, args []string) int {
	cfg, err := config.Parse(args, c.Getenv)
	if err == nil {
		err = wire.CheckProxies(c.Getenv)
	}
	switch {
	case errors.Is(err, config.ErrHelp):
		c.usage()
		return outcome.ExitOK
	case errors.Is(err, config.ErrVersion):
		_, _ = fmt.Fprintln(c.Stdout, "codacy-project-tokens "+c.Version) // ignore the error: there is nowhere left to report it
		return outcome.ExitOK
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if err != nil {
		rep := report.New(report.Options{
			Runner: config.OnRunner(c.Getenv), Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv,
			Redactor: c.redactor, MaskWriter: c.masks,
		})
		var inputErrors config.InputErrors
		if !errors.As(err, &inputErrors) {
			rep.Error(err.Error(), "")
		}
		for _, e := range inputErrors {
			c.reportInputError(rep, e)
		}
		rep.Abort()
		return outcome.ExitUsage
	}
	s := c.session(cfg)
	code := s.run(ctx)
	if s.app != nil {
		s.app.Revoke(ctx)
	}
	if !s.started {
		s.rep.Abort()
		return code
	}
	if s.rep.Finish() != nil {
		code = max(code, outcome.ExitFailed)
	}
	return code
}

// usage prints the text of --help, for a screen of 24 lines.
func (c *Command) usage() {
	var codes []string
	for _, e := range outcome.Exits() {
		codes = append(codes, fmt.Sprintf("%d %s", e.Code, e.Short))
	}
	_, _ = fmt.Fprintf(c.Stdout, "%sExit codes: %s\n", config.Usage(), strings.Join(codes, "; "))
}

// reportInputError reports what is wrong with an input.
func (c *Command) reportInputError(rep *report.Report, e config.InputError) {
	id, ok := diagnosis.InputCase(e.Kind)
	if !ok {
		rep.Error(e.Error(), e.Hint)
		return
	}
	rep.Error(diagnosis.Render(id, config.OnRunner(c.Getenv), nil, diagnosis.Values{
		"fault": e.Error(), "web": cmp.Or(c.Getenv("GITHUB_SERVER_URL"), "https://github.com"),
		"repository": cmp.Or(c.Getenv("GITHUB_REPOSITORY"), "OWNER/REPOSITORY"),
	}))
}
