// Package rotation holds the rules: which token and which stores an observation
// of one repository calls for, and which tokens may be revoked. It is pure, so it
// imports the standard library only: no I/O, no clock, no randomness.
// docs/protocol.md gives the reasons.
package rotation

import (
	"strings"
	"time"
)

// The protocol's times.
const (
	// settlePeriod is the time after a token's creation in which no other token is
	// created, because another run may still be storing it.
	settlePeriod = 15 * time.Minute
	// A write inside a token's attribution window is attributed to that token. The
	// window is from windowBefore its creation to windowAfter.
	windowBefore = 30 * time.Second
	windowAfter  = 14 * time.Minute
	// MaxPutDelay is how long after the creation started a token may be stored.
	MaxPutDelay = 8 * time.Minute
	// MaxStaleness is the maximum age of an observation that a token is created on.
	MaxStaleness = time.Minute
	// LifetimeJitter is the maximum random part by which a lifetime is shortened,
	// and so the uncertainty of a creation time that is derived from the expiry.
	LifetimeJitter = time.Hour
	// dateJitter is the same where the expiry has no time of day, and dateEarly is
	// how much earlier the token may have been created.
	dateJitter = 48 * time.Hour
	dateEarly  = 24 * time.Hour
	// MaxUncertainty is the uncertainty of both clocks above which nothing is created
	// or revoked.
	MaxUncertainty = 30 * time.Second
	// nearCreation is the distance within which a secret that no managed token
	// explains may after all contain a token, so that the token stays.
	nearCreation = time.Hour
	// critical is the time before the expiry in which a token comes first.
	critical = 7 * 24 * time.Hour
	// maxRenewalJitter is the maximum time by which a renewal is moved forward.
	maxRenewalJitter = 14 * 24 * time.Hour
	// maxFutureCreation bounds a derived creation time. One that is further in the
	// future shows that the lifetime was shortened since; it is discarded.
	maxFutureCreation = time.Minute
	// MaxTokens is Codacy's limit of tokens in one repository.
	MaxTokens = 100
	// maxNumber is the highest number that a token's name may have.
	maxNumber = 999_999_999
)

// Existing says what to do with a secret that this action did not create.
type Existing string

// Values of existing-secrets.
const (
	ExistingReplace Existing = "replace"
	ExistingKeep    Existing = "keep"
	ExistingOnly    Existing = "only" // replace, but never add a missing secret
)

// Rotate says when a token is renewed.
type Rotate string

// Values of rotate.
const (
	RotateExpiring Rotate = "expiring"
	RotateAlways   Rotate = "always"
)

// Policy holds the inputs that the rules read.
type Policy struct {
	SecretName string
	// Stores lists the configured stores in the order of writing, at least one.
	Stores   []Store
	Existing Existing
	Rotate   Rotate
	// Lifetime of a new token and RenewBefore its expiry, in whole days.
	Lifetime, RenewBefore time.Duration
	// RevokeAfter is the minimum time that a replaced token stays valid, in whole
	// hours; zero revokes it as soon as the new one is stored.
	RevokeAfter time.Duration
	// SelfHosted reports whether Codacy may be a legacy server, which it never is on
	// Codacy Cloud.
	SelfHosted bool
	// CheckAllSecrets has the secrets checked even where the decision does not
	// need them, so that a plan can say what would be overwritten.
	CheckAllSecrets bool
}

// renewalJitter returns the time by which a repository is due earlier, at most 14
// days and at most half the time between lifetime and renewal, so that tokens
// created on one day are not all renewed on one day. Jitter is in [0, 1).
func (p Policy) renewalJitter(jitter float64) time.Duration {
	return time.Duration(jitter * float64(min(maxRenewalJitter, (p.Lifetime-p.RenewBefore)/2)))
}

// TokenPrefix returns the prefix of the managed tokens' names for a secret. A
// number follows it.
func TokenPrefix(secretName string) string {
	return strings.ReplaceAll(strings.ToLower(secretName), "_", "-") + "-"
}
