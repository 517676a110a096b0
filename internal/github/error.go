package github

import (
	"errors"
	"net/http"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// IsArchived reports whether GitHub rejected a write to an archived repository. It
// has no code of its own, only the message "Repository was archived so is
// read-only."
func IsArchived(err error) bool { return isForbidden(err, "archived") }

// IsTokenKindForbidden reports whether the organization doesn't allow this kind of
// token: "`acme` forbids access via a personal access token (classic). …"
func IsTokenKindForbidden(err error) bool { return isForbidden(err, "forbids access") }

// IsIPBlocked reports whether the organization doesn't allow this address: "…, the
// `acme` organization has an IP allow list enabled, …"
func IsIPBlocked(err error) bool { return isForbidden(err, "IP allow list") }

// IsSingleSignOn reports whether the organization requires single sign-on that the
// token is not authorized for: "Resource protected by organization SAML
// enforcement. …"
func IsSingleSignOn(err error) bool { return isForbidden(err, "SAML") }

// IsOAuthRestricted reports whether the organization doesn't allow the OAuth App
// that the token belongs to: "…, the `acme` organization has enabled OAuth App
// access restrictions, …"
func IsOAuthRestricted(err error) bool { return isForbidden(err, "OAuth App access restrictions") }

// IsNotAdmin reports whether the role on the repository is too low: "Must have admin
// rights to Repository."
func IsNotAdmin(err error) bool { return isForbidden(err, "admin rights") }

// IsClockSkew reports whether GitHub rejected a JWT because of its times: "'Issued
// at' claim ('iat') …" or "'Expiration time' claim ('exp') …".
func IsClockSkew(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name && e.Status == http.StatusUnauthorized &&
		(strings.Contains(e.Message, "('iat')") || strings.Contains(e.Message, "('exp')"))
}

// isForbidden reports whether err is a 403 whose message contains the words: GitHub
// has no codes for them.
func isForbidden(err error, words string) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name && e.Status == http.StatusForbidden && e.Disposition == wire.Rejected &&
		strings.Contains(e.Message, words)
}

// LacksPermission reports whether the credential may have been denied: a permission
// is missing, or an owner forbids it. A reason that names the repository (archived,
// locked, blocked, too low a role) doesn't count.
func LacksPermission(err error) bool {
	return IsForbidden(err) && !IsArchived(err) && !IsNotAdmin(err) &&
		!isForbidden(err, "Repository has been locked") && !isForbidden(err, "Repository access blocked")
}

// IsForbidden reports whether err is a 403 that isn't a rate limit.
func IsForbidden(err error) bool { return isForbidden(err, "") }

// IsUnavailable reports whether GitHub gives no access to a store: reading its
// secret failed with status 403 or 451, or its public key with 403, 404 or 451.
func IsUnavailable(err error) bool {
	var e *wire.Error
	if !errors.As(err, &e) || e.Service != Name || e.Disposition != wire.Rejected {
		return false
	}
	switch e.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnavailableForLegalReasons:
		return true
	}
	return false
}
