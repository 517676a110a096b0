// Package provision brings each repository to one living token, stored
// everywhere: it observes, decides, queues by urgency and applies. Decide is
// pure, apply is the only place that writes, and what is due is written before
// the rest is looked at. docs/how-it-works.md tells the protocol and its reasons.
package provision

import (
	"context"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"math/rand/v2"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/seal"
	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Codacy is what is asked of Codacy. The errors are *wire.Error.
type Codacy interface {
	Tokens(ctx context.Context, repository string) ([]codacy.Token, error)
	CreateToken(ctx context.Context, repository, name string, expires time.Time) (codacy.Token, secret.Value, error)
	DeleteToken(ctx context.Context, repository string, id int64) error
}

// GitHub is what is asked of GitHub. The errors are *wire.Error.
type GitHub interface {
	PublicKey(ctx context.Context, r github.Repository, store string) (id string, key seal.Key, err error)
	SecretUpdated(ctx context.Context, r github.Repository, store, name string) (time.Time, error)
	PutSecret(ctx context.Context, r github.Repository, store, name, keyID, sealed string) (created bool, err error)
}

// Options are what a Run works with.
type Options struct {
	Codacy Codacy
	GitHub GitHub
	Policy rotation.Policy
	// CodacyPace and GitHubPace say when something may be made and written.
	CodacyLimiter, GitHubLimiter *pace.Limiter
	// CodacyClock and GitHubClock know the services' clocks.
	CodacyClock, GitHubClock *wire.Clock
	// WritesPerMinute is the most that GitHubPace lets through; 0: no such limit.
	WritesPerMinute int
	// Retry bounds how long a write is tried.
	Retry pace.Retry
	// Concurrency is how many repositories are worked on at once.
	Concurrency int
	// Until is when no further repository is begun.
	StartBefore time.Time
	// Mask hides a new token's value from the log, written through at once. An
	// error undoes the token.
	Mask func(secret.Value) error
	// Rand shuffles and spreads; it is used by one goroutine at a time.
	Rand *rand.Rand
	// Done is told each result as it comes, by one goroutine at a time.
	OnResult func(outcome.Result)
	// Progress is told how far the run has come, every ProgressEvery and by the
	// goroutine that Done is told by; nil for nobody.
	OnProgress    func(outcome.Progress)
	ProgressEvery time.Duration
}
