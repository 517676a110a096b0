// Package sandbox is Codacy and GitHub in memory, behind http.Handlers: the
// parts of both that the action needs. It behaves as the services do, injects
// faults on demand, and lets a test read and change its state. Tests, the demo
// and the benchmarks run against it; the action's binary does not contain it.
//
// A World holds both services. Serve and ServeTLS reach it over a network,
// RoundTripper without one, also in a testing/synctest bubble. The World checks
// the action's promises at every change of state: see Violations, Settled and
// Check.
package sandbox

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// World is both services. Its methods may be called at any time, from hooks and
// from many goroutines at once. A repository is named by its name on GitHub, or on
// Codacy, or an earlier one on GitHub, whichever is found first; "owner/name" for
// another owner; "#1234" by its ID. An unknown name or store is a mistake in the
// test: it panics.
type World struct {
	options  Options
	template []string
	hook     atomic.Pointer[func(Request) Effect]
	hooking  sync.Mutex // held while hook is called
	sequence atomic.Int64
	pending  atomic.Int64
	counts   [kinds]atomic.Int64

	mu          sync.Mutex // held briefly; never while waiting
	advanced    time.Duration
	skew        [2]time.Duration
	servers     [2]servers
	repos       []*repository          // in the order in which they were added
	names       map[string]*repository // current names on GitHub: "owner/name" in lower case
	oldNames    map[string]*repository
	ids         map[int64]*repository
	codacyNames map[string]*repository
	listed      map[string][]*repository // GitHub's sorted lists, until something changes
	lastID      int64
	lastToken   int64
	values      map[string]*token
	accounts    map[string]bool // account tokens of Codacy; false if revoked
	credentials map[string]*credential
	app         appState
	limits      limitState

	everCredentials []string // including revoked ones
	recording       bool
	log             []Request
	attempts        map[attempt]int
	violations      []Violation
	expired         []Violation
}

// New creates a World without repositories.
func New(options Options) *World {
	options.setDefaults()
	w := &World{
		options:     options,
		template:    splitTemplate(),
		names:       map[string]*repository{},
		oldNames:    map[string]*repository{},
		ids:         map[int64]*repository{},
		codacyNames: map[string]*repository{},
		listed:      map[string][]*repository{},
		lastID:      500_000_000,
		lastToken:   3_000_000_000, // more than 32 bits can hold
		values:      map[string]*token{},
		accounts:    map[string]bool{},
		credentials: map[string]*credential{},
		recording:   options.Record,
		attempts:    map[attempt]int{},
	}
	for _, value := range options.CodacyTokens {
		w.accounts[value] = true
	}
	for _, c := range options.Credentials {
		w.AddCredential(c)
	}
	return w
}

// numberedAfter is the action's naming scheme: the secret's name in lower case
// with dashes, and a number of at most nine digits without a leading zero.
func numberedAfter(secret string) func(string) bool {
	prefix := strings.ReplaceAll(strings.ToLower(secret), "_", "-") + "-"
	return func(name string) bool {
		digits, ok := strings.CutPrefix(name, prefix)
		number, err := strconv.Atoi(digits)
		return ok && err == nil && number > 0 && len(digits) <= 9 && strconv.Itoa(number) == digits
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
