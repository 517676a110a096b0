package wire

import (
	"net/url"
	"strings"
)

// Path joins the elements of a path, each of them escaped: whatever an element
// holds, it stays one. So does one of dots alone, which a URL would resolve and
// net/url does not escape.
func Path(elements ...string) string {
	escaped := make([]string, 0, len(elements))
	for _, e := range elements {
		if e == "." || e == ".." {
			e = strings.ReplaceAll(e, ".", "%2E")
		} else {
			e = url.PathEscape(e)
		}
		escaped = append(escaped, e)
	}
	return strings.Join(escaped, "/")
}

// Clip cuts s after so many bytes, with a mark, and keeps the rest out of memory.
func Truncate(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
