package wire

import (
	"net/url"
	"strings"
)

// Path joins the elements of a path and escapes each of them, so that an element
// stays one element whatever it contains. It also escapes "." and "..", which
// net/url leaves as they are and a server would resolve.
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
