// Command server serves the sandbox over HTTPS, for the action in a container
// beside it: both services at one address (see sandbox.World.ServeHTTP), and
// under /truth what became of the secrets. It prints the certificate of its
// private authority once it listens, and ends with a signal.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := serve(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Truth is what /truth answers, in JSON.
type Truth struct {
	// Repositories are the names, sorted; Provisioned those whose secret holds
	// a living token of their own, and that have no other one of ours.
	Repositories, Provisioned []string
	// Orphans are living tokens of ours that no secret holds.
	Orphans int
	// Writes are the requests that change something, so far.
	Writes int
	// Violations are promises that the action broke.
	Violations []string
	// Values are those of all tokens that were ever made: for a search in what
	// the action wrote.
	Values []string
}

func serve(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	repositories := flags.Int("repositories", 5, "how many repositories there are, service-000 and so on")
	latency := flags.Duration("latency", 0, "what each request takes")
	var addresses []net.IP
	flags.Func("address", "IP address that the certificate is good for, beside the loopback", func(s string) error {
		ip := net.ParseIP(s)
		if ip == nil {
			return errors.New("no IP address")
		}
		addresses = append(addresses, ip)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}

	world := sandbox.New(sandbox.Options{Latency: *latency})
	var names []string
	for i := range *repositories {
		names = append(names, fmt.Sprintf("service-%03d", i))
		world.Add(sandbox.Repository{Name: names[i]})
	}
	mux := http.NewServeMux()
	mux.Handle("/", world)
	mux.HandleFunc("GET /truth", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(truth(world, names)) // who asked is gone
	})

	config, authority := sandbox.TLS(addresses...)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: mux, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
	}
	if _, err := fmt.Fprintf(stdout, "%slistening on %s\n", authority, listener.Addr()); err != nil {
		return err
	}
	unbind := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is under way ends with it
	defer unbind()
	if err := server.ServeTLS(listener, "", ""); ctx.Err() == nil {
		return err
	}
	return nil
}

func truth(world *sandbox.World, names []string) Truth {
	t := Truth{
		Repositories: names, Provisioned: []string{}, Writes: world.Writes(),
		Violations: []string{}, Values: world.AllTokenValues(),
	}
	for _, name := range names {
		value, ok := world.Secret(name, "actions", "CODACY_PROJECT_TOKEN")
		orphans := len(world.Orphans(name))
		t.Orphans += orphans
		if ok && world.TokenValid(name, value) && orphans == 0 {
			t.Provisioned = append(t.Provisioned, name)
		}
	}
	for _, v := range world.Violations() {
		t.Violations = append(t.Violations, v.String())
	}
	return t
}
