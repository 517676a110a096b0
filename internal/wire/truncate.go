package wire

import (
	"strings"
	"unicode/utf8"
)

// maxMessage bounds the text of a service in an Error, in bytes.
const maxMessage = 300

// truncateMessage cuts s to 300 bytes of valid UTF-8 and marks the cut.
func truncateMessage(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "�")
	if len(s) <= maxMessage {
		return s
	}
	s = s[:maxMessage]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// Truncate cuts s after n bytes and marks the cut, so that a huge string is not
// kept in memory.
func Truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
