package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// maxPages bounds the pages of a list.
	maxPages = 10_000
	// maxEmptyPages bounds the pages in a row that are empty and have a next one.
	maxEmptyPages = 3
	// maxValues and valuesPerItem bound the values on a page, whatever they are. 100
	// repositories of GitHub have about 14,000.
	maxValues     = 1 << 16
	valuesPerItem = 8
	// maxKept bounds a buffer that is kept for the next page, in bytes.
	maxKept = 2 << 20
)

// PageGuard bounds the pages of a list, and recognizes one that never ends.
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
	buffers             sync.Pool // of *bytes.Buffer: a page of GitHub is half a megabyte
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

// errTooManyValues is the error of a page with too many values.
var errTooManyValues = errors.New("the list has too many items")

// Decode decodes one page into v; the list is the page itself or one of its fields. Its
// bytes count towards MaxBytes. The number of its values is bounded as well, because each
// may become an item, and an empty one takes three bytes in the response but a hundred in
// memory. It is safe for concurrent use.
func (g *PageGuard) Decode(r io.Reader, v any) error {
	page, ok := g.buffers.Get().(*bytes.Buffer)
	if !ok {
		page = new(bytes.Buffer)
	}
	defer func() {
		if page.Cap() <= maxKept {
			g.buffers.Put(page)
		}
	}()
	page.Reset()
	if _, err := page.ReadFrom(&countingReader{r, g}); err != nil {
		return err
	}
	if bytes.Count(page.Bytes(), []byte(",")) >= min(maxValues, valuesPerItem*g.MaxItems) {
		return errTooManyValues
	}
	return unmarshal(page.Bytes(), v)
}

// countingReader counts the bytes of all pages.
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
