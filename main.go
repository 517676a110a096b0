// Command codacy-project-tokens creates a Codacy project token for every repository
// of an organization, stores it as a GitHub secret, and renews it before it
// expires. See README.md.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// version is set when a release is built.
var version = "dev"

func main() {
	// The first statement, because net/http logs stray bytes that a server sends: they
	// would get to the log without being redacted or escaped.
	log.SetOutput(io.Discard)
	protectMemory()

	signaled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// Even after stop, a closed terminal must not end the process: repositories in
	// progress are finished.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	// A server that hangs up sends SIGPIPE too, and must not end the run: only output
	// whose reader is gone does.
	signal.Ignore(syscall.SIGPIPE)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	context.AfterFunc(signaled, func() {
		if !config.OnRunner(os.Getenv) {
			stop() // before the program says so: a second Ctrl-C ends the process
		}
		interrupt()
		time.Sleep(cli.ShutdownTimeout)
		os.Exit(outcome.ExitInterrupted)
	})
	command := cli.Command{
		Version: version,
		Stdin:   os.Stdin, Stdout: output{os.Stdout, interrupt}, Stderr: output{os.Stderr, interrupt},
		Getenv:   os.Getenv,
		Terminal: term.IsTerminal(int(os.Stdin.Fd())),
		Screen:   term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
	}
	code := command.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// output is stdout or stderr. Once its reader is gone, the run is interrupted.
type output struct {
	*os.File
	interrupt func()
}

func (o output) Write(p []byte) (int, error) {
	n, err := o.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.interrupt()
	}
	return n, err
}
