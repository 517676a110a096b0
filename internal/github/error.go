package github

import (
	"errors"
	"net/http"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// IsArchived tells the refusal to write to an archived repository. GitHub gives
// it no code of its own, only the message "Repository was archived so is
// read-only."
func IsArchived(err error) bool {
	return isForbidden(err, "archived")
}

// IsForbiddenKind tells that the organization does not allow this kind of token:
// "`acme` forbids access via a personal access token (classic). …"
func IsTokenKindForbidden(err error) bool { return isForbidden(err, "forbids access") }

// IsOffAllowList tells that the organization does not allow this address: "…,
// the `acme` organization has an IP allow list enabled, …"
func IsIPBlocked(err error) bool { return isForbidden(err, "IP allow list") }

// IsNotAdmin tells that the role on the repository is too low: "Must have admin
// rights to Repository."
func IsNotAdmin(err error) bool { return isForbidden(err, "admin rights") }

// IsWrongTime tells the refusal of a JWT for its times: "'Issued at' claim
// ('iat') …" and "'Expiration time' claim ('exp') …".
func IsClockSkew(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name && e.Status == http.StatusUnauthorized &&
		(strings.Contains(e.Message, "('iat')") || strings.Contains(e.Message, "('exp')"))
}

// isForbidden tells a 403 by its message: GitHub gives them no codes.
func isForbidden(err error, words string) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name && e.Status == http.StatusForbidden && e.Disposition == wire.Rejected &&
		strings.Contains(e.Message, words)
}

// LacksPermission tells that the credential may not do it: for want of a permission,
// or as an owner forbids it. A role that is too low concerns one repository alone,
// and is none of these.
func LacksPermission(err error) bool {
	return IsForbidden(err) && !IsArchived(err) && !IsNotAdmin(err)
}

// IsForbidden tells any refusal with a 403.
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
