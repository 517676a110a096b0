// Command server serves the sandbox over HTTPS, for the action in a container and
// for GitHub's own client: both services at one address (see
// sandbox.World.ServeHTTP), and GitHub alone at another. GET /state returns what
// became of the secrets, POST /clock?forward=24h moves the time. The server prints
// the certificate of its private authority once it listens, and stops on a signal.
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
		fmt.Fprintf(os.Stderr, "sandbox: %v (-help lists the flags)\n", err)
		os.Exit(1)
	}
}

// State is the JSON response of /state.
type State struct {
	// Repositories are the sorted names; Provisioned the ones whose secret holds a
	// valid token of their own in each of the stores, and that have no orphan.
	Repositories, Provisioned []string
	// Orphans is the number of valid managed tokens that no secret holds.
	Orphans int
	// Writes is the number of requests so far that change something.
	Writes int
	// Violations are promises that the action broke.
	Violations []string
	// Values are the values of all tokens that were ever created, so that a test
	// can search the action's output for them.
	Values []string
	// Unsettled is what sandbox.World.Settled finds in the stores.
	Unsettled []string
	// Time is the time of the world.
	Time time.Time
}

// topics lists the topics of the repositories, of which each has one.
func topics() []string { return []string{"backend", "frontend"} }

// server is a World with its repositories and the stores that count.
type server struct {
	world  *sandbox.World
	names  []string
	stores []string
}

func serve(ctx context.Context, args []string, stdout io.Writer) error {
	c, err := parse(args, stdout)
	if err != nil {
		return err
	}
	s := server{world: sandbox.New(c.options), stores: c.stores}
	for i := range c.repositories {
		s.names = append(s.names, fmt.Sprintf("service-%03d", i))
		s.world.Add(sandbox.Repository{Name: s.names[i], Topics: []string{topics()[i%2]}, Private: i%3 == 0})
	}
	config, authority := sandbox.TLS(c.addresses...)
	lines := string(authority)
	failed := make(chan error, 2)
	for _, at := range []struct {
		address, word string
		handler       http.Handler
	}{{c.listen, "listening on", s.handler()}, {c.github, "GitHub on", s.world.GitHub()}} {
		if at.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", at.address)
		if err != nil {
			return err
		}
		lines += fmt.Sprintf("%s %s\n", at.word, listener.Addr())
		server := &http.Server{
			Handler: at.handler, TLSConfig: config.Clone(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		}
		go func() { failed <- server.ServeTLS(listener, "", "") }()
		defer func() { _ = server.Close() }() // ends the requests in progress
	}
	if _, err := io.WriteString(stdout, lines); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// handler serves both services, the state and the clock.
func (s server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.world)
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.state()) })
	mux.HandleFunc("POST /clock", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("forward"))
		if err != nil || d < 0 {
			http.Error(w, "forward must be a duration such as 960h", http.StatusBadRequest)
			return
		}
		s.world.Advance(d)
		reply(w, map[string]time.Time{"Time": s.world.Time()})
	})
	return mux
}

// reply sends JSON. It ignores an error, because the client closed the connection.
func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (s server) state() State {
	state := State{
		Repositories: s.names, Provisioned: []string{}, Writes: s.world.Writes(),
		Violations: []string{}, Values: s.world.AllTokenValues(), Unsettled: []string{}, Time: s.world.Time(),
	}
	for _, name := range s.names {
		orphans := len(s.world.Orphans(name))
		state.Orphans += orphans
		provisioned := orphans == 0
		for _, store := range s.stores {
			value, ok := s.world.Secret(name, store, secretName)
			provisioned = provisioned && ok && s.world.TokenValid(name, value)
		}
		if provisioned {
			state.Provisioned = append(state.Provisioned, name)
		}
	}
	for _, v := range s.world.Violations() {
		state.Violations = append(state.Violations, v.String())
	}
	for _, v := range s.world.Settled(s.stores...) {
		state.Unsettled = append(state.Unsettled, v.String())
	}
	return state
}
