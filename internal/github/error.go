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
	var e *wire.Error
	return errors.As(err, &e) && e.Service == Name && e.Status == http.StatusForbidden &&
		strings.Contains(e.Message, "archived")
}

// LacksPermission tells a refusal for want of a permission.
func LacksPermission(err error) bool {
	return wire.StatusOf(err) == http.StatusForbidden && wire.FateOf(err) == wire.Refused && !IsArchived(err)
}
