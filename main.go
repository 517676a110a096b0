// Command codacy-project-tokens creates a Codacy project token for every repository
// of an organization, stores it as a GitHub secret, and renews it before it
// expires. See README.md.
package main

import (
	"context"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		if !config.OnRunner(os.Getenv) {
			stop() // by hand a second Ctrl-C ends it at once
		}
		time.Sleep(cli.ShutdownTimeout)
		os.Exit(outcome.ExitInterrupted)
	})
	command := cli.Command{
		Version: version,
		Stdin:   os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv:   os.Getenv,
		Terminal: term.IsTerminal(int(os.Stdin.Fd())),
		Screen:   term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
	}
	code := command.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
