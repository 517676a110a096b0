package sandbox

import (
	"net/http"
	"time"
)

// Credentials that are valid unless Options says otherwise.
const (
	CodacyToken = "sandbox-account-token"
	GitHubToken = "ghp_sandbox"
)

// Options describes a World. The zero value is an organization on Codacy Cloud
// and github.com, without limits. A field whose comment says "undocumented"
// stands for a fact that the services do not document: tests use each value.
type Options struct {
	Organization string           // owner of the repositories; "acme" by default
	OwnerType    string           // "Organization" (default) or "User"
	Provider     string           // as Codacy calls it: "gh" (default) or "ghe"
	Now          func() time.Time // time.Now by default

	// Codacy.

	Legacy             bool           // Codacy before 2026: unnamed tokens without expiry, values in the list
	CaseSensitive      bool           // Codacy compares the organization's name case-sensitively
	NameTaken          int            // undocumented: status if a token's name is taken; 409 (default), 422 or 400
	TooManyTokens      int            // undocumented: status if a repository has 100 tokens; 422 (default), 409 or 400
	MaxLifetime        time.Duration  // longest lifetime of a token; 365 days by default
	CapLifetime        bool           // undocumented: a longer lifetime is shortened instead of rejected
	NoCreationDates    bool           // undocumented: the list has no createdAt
	CreationField      string         // undocumented: the name of that field; createdAt by default
	CreationDay        *time.Location // undocumented: createdAt is cut to midnight in this zone, with its offset; nil: the exact time
	ExpiryDay          *time.Location // undocumented: expiresAt is cut to midnight in this zone, with its offset; nil: the exact time
	HideExpired        bool           // undocumented: the list omits expired tokens; they count towards the 100, and their names stay taken
	ListValues         bool           // undocumented: the list shows the tokens' values
	TokenPageSize      int            // undocumented: the list has pages of this size, with a cursor; 0: one page
	AccountTokenValues AccountValues  // undocumented: how the list of account tokens shows the values

	CodacyTokens        []string             // valid account tokens; CodacyToken by default
	CodacyTokenExpires  time.Time            // their expiry; zero if never
	CodacyTokenExpiries map[string]time.Time // expiries that differ from CodacyTokenExpires, by token
	InvalidTokenStatus  int                  // for an invalid account token: 401 (default), or 404 with {"error":"not found"}

	// GitHub.

	NumericKeyIDs  bool         // GHES: key_id is a JSON number, above 2^53
	NoIDAddresses  bool         // undocumented for GHES: /repositories/{id}/… returns 404, and an old name redirects to the new name
	RateHeaders    RateHeaders  // when rate-limit headers are sent
	PutNoContent   bool         // a PUT of a new secret gets 204 instead of 201, as it did in 2020
	SecretRole     string       // lowest role that may write secrets: "admin" (default) or "write"
	Credentials    []Credential // one of kind Classic by default: GitHubToken
	App            *App         // a GitHub App that is installed for the owner; World.UpdateApp changes it
	OAuthForbidden bool         // the organization restricts OAuth Apps: its private data is denied to credentials of kind OAuth

	// Both.

	WebPages    bool                              // paths outside /api/v3 show a web page: Codacy with status 200, GitHub with 404
	Latency     time.Duration                     // waited before each request takes effect
	LatencyFunc func(*http.Request) time.Duration // added to Latency
	Limits      Limits
	Record      bool // each request is kept for Requests

	// The promises that the World checks.

	SecretName  string                 // the only secret that may be written; CODACY_PROJECT_TOKEN by default
	IsManaged   func(name string) bool // tokens that may be deleted; by default the ones that are named after SecretName
	Existing    Existing               // existing-secrets, which Settled respects; ReplaceExisting by default
	RevokeAfter time.Duration          // minimum time that a replaced token stays valid (revoke-after-hours); 0: not checked
}

// setDefaults fills in what a caller left out.
func (o *Options) setDefaults() {
	o.Organization = or(o.Organization, "acme")
	o.OwnerType = or(o.OwnerType, "Organization")
	o.Provider = or(o.Provider, "gh")
	o.SecretName = or(o.SecretName, "CODACY_PROJECT_TOKEN")
	o.InvalidTokenStatus = or(o.InvalidTokenStatus, http.StatusUnauthorized)
	o.NameTaken = or(o.NameTaken, http.StatusConflict)
	o.TooManyTokens = or(o.TooManyTokens, http.StatusUnprocessableEntity)
	o.MaxLifetime = or(o.MaxLifetime, 365*24*time.Hour)
	o.SecretRole = or(o.SecretRole, "admin")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CodacyTokens == nil {
		o.CodacyTokens = []string{CodacyToken}
	}
	if o.Credentials == nil {
		o.Credentials = []Credential{{Value: GitHubToken, Kind: Classic}}
	}
	if o.IsManaged == nil {
		o.IsManaged = numberedAfter(o.SecretName)
	}
	if o.RateHeaders == RateAlways {
		o.Limits.Primary = or(o.Limits.Primary, 5000)
	}
}

// Existing is what the action does with secrets that it did not write.
type Existing string

// The values of existing-secrets.
const (
	ReplaceExisting Existing = "replace"
	KeepExisting    Existing = "keep" // a store with a manual secret is left alone
	OnlyExisting    Existing = "only" // a store without a secret is left alone
)

// AccountValues is how Codacy's list of account tokens shows their values.
type AccountValues int

// The ways to show the value of an account token.
const (
	ShowValues AccountValues = iota // in full
	MaskValues                      // its last four characters, behind asterisks
	OmitValues                      // the field is missing
)

// show returns what the list shows in place of a value.
func (a AccountValues) show(value string) string {
	switch a {
	case MaskValues:
		return "********" + value[max(0, len(value)-4):]
	case OmitValues:
		return ""
	}
	return value
}

// RateHeaders is when GitHub sends the x-ratelimit-* headers. Without them,
// GET /rate_limit returns 404, as GitHub Enterprise Server does.
type RateHeaders int

// The servers' habits.
const (
	RateIfLimited RateHeaders = iota // if Limits.Primary is set
	RateAlways                       // github.com: always; Limits.Primary is 5,000 by default
	RateNever                        // also if Limits.Primary is set
)

// or returns value, or fallback if value is zero.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
