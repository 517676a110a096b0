package sandbox

import (
	"slices"
	"time"
)

// Kind is an operation of one of the services.
type Kind uint8

// The operations.
const (
	KindUnknown          Kind = iota // no operation of the services
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
	KindRevokeAccessToken        // DELETE /installation/token
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
	"rate limit", "installation", "access token", "revoke access token",
	"list secrets", "public key", "get secret", "put secret", "delete secret",
}

// String returns the operation's name.
func (k Kind) String() string { return kindNames[k] }

// Writes reports whether the operation changes a service's state. An access token
// of a GitHub App does not count as a change.
func (k Kind) Writes() bool {
	switch k {
	case KindCreateToken, KindDeleteToken, KindDeleteTokens, KindPutSecret, KindDeleteSecret:
		return true
	}
	return false
}

// Request is one request, in hooks and in the log.
type Request struct {
	Sequence   int // from 1, over both services
	Time       time.Time
	Service    Service
	Kind       Kind
	Method     string
	Path       string // with the query
	Repository string // its name on GitHub; the one in the request if it is unknown
	Store      string
	Secret     string
	Attempt    int // number of this kind's requests for this repository and store so far, from 1; counted while hooked or recorded
	Status     int // of the response, in the log only; 0 if none was sent
}

// attempt is the key by which Request.Attempt counts.
type attempt struct {
	kind              Kind
	repository, store string
}

// Count returns the number of requests of a kind.
func (w *World) Count(k Kind) int { return int(w.counts[k].Load()) }

// Total returns the number of all requests.
func (w *World) Total() int { return int(w.sequence.Load()) }

// Writes returns the number of requests that would change a service's state.
func (w *World) Writes() int {
	n := 0
	for k := range kinds {
		if k.Writes() {
			n += w.Count(k)
		}
	}
	return n
}

// Record starts an empty log of requests, or ends the log.
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
