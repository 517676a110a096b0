package wire

import (
	"fmt"
	"io"
	"sync/atomic"
)

const (
	// maxPages bounds the pages of a list.
	maxPages = 10_000
	// maxEmptyPages bounds the pages in a row that are empty and have a next one.
	maxEmptyPages = 3
)

// PageGuard recognizes a list that never ends.
type PageGuard struct {
	// MaxItems is the largest number of items that the list can have.
	MaxItems int
	// PageSize is the largest number of items on one page.
	PageSize int
	// MaxBytes bounds all pages together, in bytes.
	MaxBytes int64

	bytes               atomic.Int64
	pages, items, empty int
	seen                map[string]bool
}

// Next reports why the list does not end, empty if it may: after a page with that
// number of items, which points to the page next and states a total. Next is empty
// on the last page; the total is 0 if the page does not state it.
func (g *PageGuard) Next(items int, next string, total int) (problem string) {
	g.pages++
	g.items += items
	if g.empty++; items > 0 {
		g.empty = 0
	}
	switch {
	case g.items > g.MaxItems:
		return fmt.Sprintf("it has more than %d items", g.MaxItems)
	case next == "":
		return ""
	case g.seen[next]:
		return "a page points back"
	case total > 0 && g.items > total+g.PageSize: // some may be added meanwhile
		return fmt.Sprintf("it continues after %d items, but states %d", g.items, total)
	case g.empty == maxEmptyPages:
		return fmt.Sprintf("%d pages in a row are empty and have a next page", maxEmptyPages)
	case g.pages == maxPages:
		return fmt.Sprintf("it has more than %d pages", maxPages)
	}
	if g.seen == nil { // most lists have one page
		g.seen = map[string]bool{}
	}
	g.seen[next] = true
	return ""
}

// Reader returns a reader for the body of one page. It counts towards MaxBytes, also
// if several pages are read concurrently.
func (g *PageGuard) Reader(r io.Reader) io.Reader {
	return &countingReader{r, g}
}

type countingReader struct {
	r     io.Reader
	guard *PageGuard
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.guard.bytes.Add(int64(n)) > c.guard.MaxBytes {
		return n, &sizeError{"the list", c.guard.MaxBytes}
	}
	return n, err
}
