// Package provision brings each repository to one valid token, stored everywhere:
// it observes, has rotation decide, queues by priority, and applies. A Run is the
// loop that owns the queues; a worker does the requests for one repository; a
// breaker decides when denials and outages end the run.
// docs/protocol.md gives the reasons.
package provision

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Codacy is the part of Codacy's API that a Run uses. The errors are *wire.Error.
type Codacy interface {
	User(ctx context.Context) error
	Tokens(ctx context.Context, repository string) ([]codacy.Token, error)
	CreateToken(ctx context.Context, repository, name string, expires time.Time) (codacy.Token, secret.Value, error)
	DeleteToken(ctx context.Context, repository string, id int64) error
}

// GitHub is the part of GitHub's API that a Run uses. The errors are *wire.Error.
type GitHub interface {
	PublicKey(ctx context.Context, r github.Repository, store string) (github.Key, error)
	SecretUpdated(ctx context.Context, r github.Repository, store, name string) (time.Time, error)
	PutSecret(ctx context.Context, r github.Repository, store, name string, key github.Key, value secret.Value) (github.Write, error)
}

// Options configure a Run.
type Options struct {
	Codacy Codacy
	GitHub GitHub
	Policy rotation.Policy
	// CodacyLimiter and GitHubLimiter admit the requests.
	CodacyLimiter, GitHubLimiter *pace.Limiter
	// WaitingFor returns what the requests wait for; zero if only for responses.
	WaitingFor func() outcome.Wait
	// CodacyClock and GitHubClock estimate the services' clocks.
	CodacyClock, GitHubClock *wire.Clock
	// ClockSources are the same clocks, with a request for one more response.
	ClockSources []ClockSource
	// WritesPerMinute is GitHubLimiter's limit; zero if it has none.
	WritesPerMinute int
	// Retry bounds the time in which a write is repeated.
	Retry pace.Retry
	// Concurrency is the maximum number of repositories at a time.
	Concurrency int
	// StartBefore is the time after which no repository is started.
	StartBefore time.Time
	// DryRun has the public keys read where a run would write, so that missing
	// access is found.
	DryRun bool
	// Mask hides a new token's value in the log before it returns. After an error
	// the token is deleted.
	Mask func(secret.Value) error
	// Rand shuffles the repositories and shortens lifetimes. Only one goroutine uses
	// it at a time.
	Rand *rand.Rand
	// OnResult is called with each result, by one goroutine at a time.
	OnResult func(outcome.Result)
	// OnProgress is called every ProgressEvery by the goroutine that calls OnResult;
	// nil if the progress is not needed.
	OnProgress    func(outcome.Progress)
	ProgressEvery time.Duration
}
