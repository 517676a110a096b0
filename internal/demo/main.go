// Command demo simulates a year of the action on the sandbox: `go run
// ./internal/demo`. It needs no credential and no network. It exits with 0 if all
// of its claims are true, otherwise with 1.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// latency is the duration of a request without its transport, about as long as
// over the internet.
const latency = 20 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, is := isAction(ctx)
	if !is {
		code = realMain(ctx)
	}
	stop()
	os.Exit(code)
}

func realMain(ctx context.Context) int {
	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	d := newDemo(os.Stdout, dir, latency)
	code := d.run(ctx)
	if len(os.Args) == 3 && os.Args[1] == "-summary" { // for the picture in README
		if err := os.WriteFile(os.Args[2], []byte(d.last.summary), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
