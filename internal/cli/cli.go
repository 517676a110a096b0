// Package cli is the program: from inputs to exit code, on a runner and by hand.
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
	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/report"
)

// GiveUp is how long after an interrupt the process ends, whatever still hangs: a
// pipe that nobody reads, a disk. What was begun is finished or undone by then, in
// at most six seconds; the runner kills after ten.
const ShutdownTimeout = 6700 * time.Millisecond

// Command is the program with all that it takes from outside.
type Command struct {
	Version        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Terminal tells whether somebody can be asked.
	Terminal bool
	// Screen tells whether both Stdout and Stderr are shown on a terminal.
	Screen bool
	// Transport carries requests out; nil for the network.
	Transport http.RoundTripper
	// Rand shuffles and spreads; nil for a random seed.
	Rand *rand.Rand

	redactor *redact.Redactor // below all that is written
	masks    io.Writer        // around it: for the values that the runner is to mask
}

// Run runs the program with the arguments and returns its exit code. An end of
// ctx is an interrupt.
func (c *Command) Run(ctx context.Context, args []string) int {
	net := &redact.Redactor{}
	for _, v := range config.Credentials(c.Getenv) {
		net.Add(v)
	}
	out, errs := net.Writer(c.Stdout), net.Writer(c.Stderr)
	caught := *c
	caught.redactor, caught.masks, caught.Stdout, caught.Stderr = net, c.Stdout, out, errs
	code := caught.run(ctx, args)
	_, _ = out.Close(), errs.Close() // to whom to say that it failed?
	return code
}

func (c *Command) run(ctx context.Context, args []string) int {
	cfg, err := config.Parse(args, c.Getenv)
	switch {
	case errors.Is(err, config.ErrHelp):
		c.usage()
		return ExitOK
	case errors.Is(err, config.ErrVersion):
		_, _ = fmt.Fprintln(c.Stdout, "codacy-project-tokens "+c.Version) // to whom to say that it failed?
		return ExitOK
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if err != nil {
		rep := report.New(report.Options{
			Runner: c.Getenv("GITHUB_ACTIONS") == "true", Stdout: c.Stdout, Stderr: c.Stderr, Getenv: c.Getenv,
			Redactor: c.redactor, MaskWriter: c.masks,
		})
		var faults config.InputErrors
		if !errors.As(err, &faults) {
			rep.Error(err.Error(), "")
		}
		for _, f := range faults {
			c.reportInputErrors(rep, f)
		}
		rep.Abort()
		return ExitUsage
	}
	s := c.session(cfg)
	code := s.run(ctx)
	if !s.started {
		s.rep.Abort()
		return code
	}
	if s.rep.Finish() != nil {
		code = max(code, ExitFailed)
	}
	return code
}

// usage prints the text of --help, for a screen of 24 lines. Who asks for it can do
// nothing about an error.
func (c *Command) usage() {
	var codes []string
	for _, e := range Exits() {
		codes = append(codes, fmt.Sprintf("%d %s", e.Code, e.Short))
	}
	_, _ = fmt.Fprintf(c.Stdout, "%sExit codes: %s\n", config.Usage(), strings.Join(codes, "; "))
}

// fault tells what is wrong with an input.
func (c *Command) reportInputErrors(rep *report.Report, f config.InputError) {
	if f.Kind == "" {
		rep.Error(f.Error(), "")
		return
	}
	server := cmp.Or(c.Getenv("GITHUB_SERVER_URL"), "https://github.com")
	rep.Error(diagnosis.Render(f.Kind, nil, diagnosis.Values{
		"fault": f.Error(), "web": server, "repository": cmp.Or(c.Getenv("GITHUB_REPOSITORY"), "OWNER/REPOSITORY"),
	}))
}
