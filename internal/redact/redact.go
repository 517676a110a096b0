// Package redact is the last net below everything that is printed or written. A
// Net knows each credential and each token of the run, and replaces it wherever
// it turns up: as it is, in base64 (of any alphabet, also in the middle of a
// longer text), URL-encoded, JSON-escaped, escaped for HTML or in hex, in any
// case of letters, and also where blanks, line ends, control characters or the
// backslashes of an escape stand in between.
//
// It is needed where all else has failed: a service that echoes the request's
// headers in an error, or a mistake in this program. No library does it: tokens
// come one by one, thousands of them, and an Aho-Corasick automaton would have to
// be built anew for each.
package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// Shortest is how many bytes a value must have at least to be looked for: what
	// is shorter would be found everywhere, and protects nothing.
	MinLength = 4
	// window is how many bytes of a form are looked up at once; short is that of
	// the forms that are not so long.
	suffixLength      = 8
	shortSuffixLength = 4
	// shortestLine is that of the lines of a value with several.
	minLineLength = 16
)

// Net replaces the values that were added. It is safe for concurrent use; the
// zero Net knows none.
//
// Text and forms are compared folded: letters in lower case, the two alphabets of
// base64 as one, and what the fold passes over left out. A form is found by its
// last bytes, which are random in a token where the first often are not; it is
// made again from its value to be compared, so that only the values are kept.
type Redactor struct {
	mu      sync.RWMutex
	entries []entry          // the first is none
	ends    map[uint64]int32 // by the last bytes of a form, as many as a window has
	shorts  map[uint64]int32 // the same of the short forms
	starts  map[uint64]int32 // by the first bytes of a form: the longest with them
	longest int              // of the forms, in folded bytes
}

// entry is a form of a value.
type entry struct {
	value secret.Value
	form  int32
	next  int32 // the next one with the same last bytes; 0 for none
}

// fold is what a byte is compared as; 0: it is passed over.
var foldTable = func() (table [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		switch {
		case 'A' <= c && c <= 'Z':
			table[c] = c - 'A' + 'a'
		case c == '-': // base64 for URLs
			table[c] = '+'
		case c == '_':
			table[c] = '/'
		case c != '\\':
			table[c] = c
		}
	}
	return table
}()

const (
	// inBase64 is the first of the three forms that are, one for each place in
	// which a value may begin.
	firstBase64 = 8
	encodings   = firstBase64 + 3
)

// form is one of the folded forms of a value; the first is the value itself.
func encoding(v string, i int32) string {
	switch i {
	case 1:
		v = url.QueryEscape(v)
	case 2:
		v = url.PathEscape(v)
	case 3: // every byte
		v = "%" + strings.TrimSuffix(pairs.ReplaceAllString(hex.EncodeToString([]byte(v)), "$0%"), "%")
	case 4:
		quoted, _ := json.Marshal(v) // a string always can
		v = string(quoted[1 : len(quoted)-1])
	case 5:
		v = strconv.Quote(v)
		v = v[1 : len(v)-1]
	case 6:
		v = html.EscapeString(v)
	case 7:
		v = hex.EncodeToString([]byte(v))
	case firstBase64, firstBase64 + 1, firstBase64 + 2:
		// Those characters that do not depend on what stands before and after.
		before := int(i - firstBase64)
		encoded := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:before] + v))
		v = encoded[(before*8+5)/6 : (before+len(v))*8/6]
	}
	return string(foldText([]byte(v)))
}

var pairs = regexp.MustCompile("..")

// folded folds a text.
func foldText(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		if c = foldTable[c]; c != 0 {
			out = append(out, c)
		}
	}
	return out
}

// Add has a value replaced from now on; of one with several lines, such as a
// private key, also each long line by itself.
func (n *Redactor) Add(v secret.Value) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(v)
	if text := v.Reveal(); strings.Contains(text, "\n") {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); len(line) >= minLineLength && !strings.HasPrefix(line, "-----") {
				n.add(secret.New(line))
			}
		}
	}
}

func (n *Redactor) add(v secret.Value) {
	value := v.Reveal()
	if len(encoding(value, 0)) < MinLength {
		return
	}
	if n.ends == nil {
		n.entries = make([]entry, 1)
		n.ends, n.shorts, n.starts = map[uint64]int32{}, map[uint64]int32{}, map[uint64]int32{}
	}
	var all [encodings]string
	for i := range all {
		f := encoding(value, int32(i))
		if slices.Contains(all[:i], f) {
			continue
		}
		all[i] = f
		index, width := n.ends, suffixLength
		if len(f) < suffixLength {
			index, width = n.shorts, shortSuffixLength
		}
		end := key(f[len(f)-width:])
		first := index[end]
		if i == 0 {
			for at := first; at != 0; at = n.entries[at].next {
				if n.entries[at].value.Equal(v) {
					return // it is there already
				}
			}
		}
		n.entries = append(n.entries, entry{v, int32(i), first})
		index[end] = int32(len(n.entries) - 1)
		n.longest = max(n.longest, len(f))
		if width == suffixLength {
			start := key(f[:suffixLength])
			n.starts[start] = max(n.starts[start], int32(len(f)))
		}
	}
}

// key is at most eight bytes as a number, as the rolling windows have them.
func key(s string) uint64 {
	var k uint64
	for _, c := range []byte(s) {
		k = k<<8 | uint64(c)
	}
	return k
}

// span is a part of a text, from and to.
type span struct{ from, to int }

// find returns the parts of a text that are a form of a value and do not end
// before from, in order and apart from each other.
func (n *Redactor) find(text []byte, from int) []span {
	if n.ends == nil {
		return nil
	}
	var spans []span
	var last uint64
	made := map[int32]string{} // forms that were needed
	for i := back(text, from, suffixLength-1); i < len(text); i++ {
		c := foldTable[text[i]]
		if c == 0 {
			continue
		}
		last = last<<8 | uint64(c)
		if at, ok := n.ends[last]; ok {
			spans = n.match(text, i, at, spans, made)
		}
		if len(n.shorts) > 0 {
			if at, ok := n.shorts[last&(1<<(8*shortSuffixLength)-1)]; ok {
				spans = n.match(text, i, at, spans, made)
			}
		}
	}
	return spans
}

// back is where the last count bytes before from begin that are not passed over.
func back(text []byte, from, count int) int {
	for ; from > 0 && count > 0; from-- {
		if foldTable[text[from-1]] != 0 {
			count--
		}
	}
	return from
}

// compare adds those forms to the spans that end with the byte at end; the first
// of those with the same last bytes is at.
func (n *Redactor) match(text []byte, end int, at int32, spans []span, made map[int32]string) []span {
	for ; at != 0; at = n.entries[at].next {
		e := n.entries[at]
		f, ok := made[at]
		if !ok {
			f = encoding(e.value.Reveal(), e.form)
			made[at] = f
		}
		from, left := end+1, len(f)
		for left > 0 && from > 0 {
			c := foldTable[text[from-1]]
			if c != 0 && c != f[left-1] {
				break
			}
			if from--; c != 0 {
				left--
			}
		}
		if left > 0 {
			continue
		}
		found := span{from, end + 1}
		if e.form >= firstBase64 { // and what is partly the value's
			if found.from > 0 && isBase64(text[found.from-1]) {
				found.from--
			}
			for found.to < len(text) && found.to < end+4 && isBase64(text[found.to]) {
				found.to++
			}
		}
		for len(spans) > 0 && spans[len(spans)-1].to >= found.from {
			found.from = min(found.from, spans[len(spans)-1].from)
			found.to = max(found.to, spans[len(spans)-1].to)
			spans = spans[:len(spans)-1]
		}
		spans = append(spans, found)
	}
	return spans
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/-_=", c) >= 0
}

// String returns s with a mask in place of each value.
func (n *Redactor) Redact(s string) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	text := []byte(s)
	spans := n.find(text, 0)
	if len(spans) == 0 {
		return s
	}
	return string(masked(nil, text, 0, len(text), spans))
}

// masked appends the text from and to, the spans in it masked, to out.
func masked(out, text []byte, from, to int, spans []span) []byte {
	for _, s := range spans {
		if s.to <= from {
			continue
		}
		if s.from >= to {
			break
		}
		out = append(out, text[from:max(from, s.from)]...)
		out = append(out, secret.Mask...)
		from = min(s.to, to)
	}
	return append(out, text[from:to]...)
}

// Writer writes through a Net. It finds a value also where several calls of Write
// brought it: a line that holds the first bytes of one, and not the last, waits
// until the rest can no longer come. All other text is passed on at once. Of a
// value that is split within its first seven bytes these are passed on, too.
// Close flushes what waits. It is safe for concurrent use.
type Writer struct {
	redactor *Redactor
	to       io.Writer

	mu      sync.Mutex
	context []byte // the end of what was passed on, without what is passed over
	pending []byte
}

// Writer returns a Writer to w.
func (n *Redactor) Writer(w io.Writer) *Writer { return &Writer{redactor: n, to: w} }

// Write passes p on.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pass(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what waits. The writer below stays open.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pass(nil, true)
}

func (w *Writer) pass(p []byte, all bool) error {
	out := w.ready(p, all)
	if len(out) == 0 {
		return nil
	}
	_, err := w.to.Write(out)
	return err
}

// ready is what can be passed on.
func (w *Writer) ready(p []byte, all bool) []byte {
	w.redactor.mu.RLock()
	defer w.redactor.mu.RUnlock()
	text := slices.Concat(w.context, w.pending, p)
	begin, end := len(w.context), len(text)
	spans := w.redactor.find(text, begin)
	if !all {
		end = max(begin, w.redactor.safeLength(text, spans))
	}
	out := masked(nil, text, begin, end, spans)
	w.pending = text[end:]
	w.context = append(w.context, foldText(text[begin:end])...)
	w.context = w.context[max(0, len(w.context)-w.redactor.longest):]
	return out
}

// complete is how much of a text can be passed on: up to the line in which, too
// near the end to be whole, a value may begin.
func (n *Redactor) safeLength(text []byte, spans []span) int {
	var at [suffixLength]int // where the bytes of the window stand
	var last uint64
	left := 0 // bytes that are not passed over
	from := back(text, len(text), n.longest-1)
	for _, c := range text[from:] {
		if foldTable[c] != 0 {
			left++
		}
	}
	for i, count := from, 0; i < len(text); i++ {
		c := foldTable[text[i]]
		if c == 0 {
			continue
		}
		last = last<<8 | uint64(c)
		at[count%suffixLength] = i
		count++
		left--
		begin := at[count%suffixLength]
		longest, ok := n.starts[last]
		if !ok || left+suffixLength >= int(longest) {
			continue
		}
		if !slices.ContainsFunc(spans, func(s span) bool { return s.from <= begin && begin < s.to }) {
			return bytes.LastIndexByte(text[:begin], '\n') + 1
		}
	}
	return len(text)
}
