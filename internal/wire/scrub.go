package wire

import (
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// clean prepares text from the service for an Error: it hides secrets and
// truncates. req is the request that the text responds to, nil without a request.
func (t *Transport) clean(s string, req *http.Request) string {
	if t.Redact != nil {
		s = t.Redact(s)
	}
	if req != nil && req.Method == http.MethodPost {
		s = scrub(s, sentBody(req))
	}
	return truncateMessage(s)
}

// secretWord matches every word that is long enough to be a secret.
var secretWord = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{8,}`)

// scrub hides what could be the token that a POST was to create, which no redactor
// knows yet: every long word that is neither an ordinary one nor part of the
// request.
func scrub(s, sent string) string {
	ordinary := func(part string) bool {
		return !strings.ContainsFunc(part[min(1, len(part)):], func(r rune) bool { return r < 'a' || r > 'z' })
	}
	return secretWord.ReplaceAllStringFunc(s, func(w string) string {
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("./-", r) }) {
			if !ordinary(part) && !strings.Contains(sent, strings.TrimRight(w, ".")) {
				return secret.Mask
			}
		}
		return w
	})
}

// sentBody returns a request's path and body.
func sentBody(req *http.Request) string {
	sent := req.URL.Path
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody)) // an unreadable body is ignored
			sent += " " + string(raw)
		}
	}
	return sent
}
