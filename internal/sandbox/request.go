package sandbox

import (
	"slices"
	"time"
)

// Kind is an operation of one of the services.
type Kind uint8

// The operations.
const (
	KindUnknown          Kind = iota // nothing that the services know
	KindUser                         // Codacy: GET /user
	KindUserTokens                   // Codacy: GET /user/tokens
	KindVersion                      // Codacy: GET /version
	KindOrganization                 // Codacy: GET /organizations/{provider}/{organization}
	KindListRepositories             // Codacy: GET …/repositories
	KindGetRepository                // Codacy: GET …/repositories/{repository}
	KindListTokens                   // Codacy: GET …/tokens
	KindCreateToken                  // Codacy: POST …/tokens
	KindDeleteToken                  // Codacy: DELETE …/tokens/{id}
	KindDeleteTokens                 // Codacy: POST …/tokens/delete

	KindGitHubUser               // GET /user
	KindGitHubOwner              // GET /users/{name}
	KindGitHubRepositories       // GET /orgs/{name}/repos, /users/{name}/repos, /user/repos
	KindInstallationRepositories // GET /installation/repositories
	KindGitHubRepository         // GET /repos/{owner}/{name}, /repositories/{id}
	KindRateLimit                // GET /rate_limit
	KindInstallation             // GET /orgs/{name}/installation, /users/{name}/installation
	KindAccessToken              // POST /app/installations/{id}/access_tokens
	KindListSecrets              // GET …/{store}/secrets
	KindPublicKey                // GET …/{store}/secrets/public-key
	KindGetSecret                // GET …/{store}/secrets/{name}
	KindPutSecret                // PUT …/{store}/secrets/{name}
	KindDeleteSecret             // DELETE …/{store}/secrets/{name}
	kinds
)

var kindNames = [kinds]string{
	"unknown", "user", "user tokens", "version", "organization", "list repositories", "get repository",
	"list tokens", "create token", "delete token", "delete tokens",
	"GitHub user", "GitHub owner", "GitHub repositories", "installation repositories", "GitHub repository",
	"rate limit", "installation", "access token",
	"list secrets", "public key", "get secret", "put secret", "delete secret",
}

// String names the operation in words.
func (k Kind) String() string { return kindNames[k] }

// Writes tells whether the operation changes a service's state. (An access token
// of a GitHub App is not counted as a change.)
func (k Kind) Writes() bool {
	switch k {
	case KindCreateToken, KindDeleteToken, KindDeleteTokens, KindPutSecret, KindDeleteSecret:
		return true
	}
	return false
}

// Request is one request, as hooks see it and the log keeps it.
type Request struct {
	Sequence   int // from 1, over both services
	Time       time.Time
	Service    Service
	Kind       Kind
	Method     string
	Path       string // with the query
	Repository string // its name on GitHub; as it was asked for, where it is unknown
	Store      string
	Secret     string
	Attempt    int // how often this kind was asked for this repository and store, from 1; counted while hooked or recorded
	Status     int // in the log only: what was answered; 0 where no answer went out
}

// attempt is what Request.Attempt counts.
type attempt struct {
	kind              Kind
	repository, store string
}

// Count tells how many requests of a kind came in.
func (w *World) Count(k Kind) int { return int(w.counts[k].Load()) }

// Total tells how many requests came in.
func (w *World) Total() int { return int(w.sequence.Load()) }

// Writes tells how many requests came in that would change a service's state.
func (w *World) Writes() int {
	n := 0
	for k := range kinds {
		if k.Writes() {
			n += w.Count(k)
		}
	}
	return n
}

// Record turns the log of requests on, from an empty one, or off.
func (w *World) Record(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recording, w.log = on, nil
}

// Requests returns the log, in the order of arrival.
func (w *World) Requests() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}
