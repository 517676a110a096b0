// Package redact redacts all output. A Redactor knows the run's credentials and
// tokens and replaces them wherever they occur: as they are, in base64 (of either
// alphabet, also inside a longer text), URL-encoded, JSON-escaped, HTML-escaped or
// in hex, case-insensitively, and also if blanks, line ends, control characters or
// the backslashes of an escape separate their bytes.
//
// It is the last protection: against a service that echoes a request's header in an
// error, or a mistake in this program. It doesn't use an Aho-Corasick automaton,
// because thousands of tokens are added one by one, and each would rebuild it.
package redact

import (
	"slices"
	"strings"
	"sync"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const (
	// MinLength is the minimum length of a value, in bytes. A shorter one would be
	// found everywhere, and protects nothing.
	MinLength = 4
	// suffixLength is how many bytes at the end of an encoding are looked up;
	// shortSuffixLength is the same for encodings shorter than that.
	suffixLength      = 8
	shortSuffixLength = 4
	// minLineLength is the minimum length of a line of a value that has several.
	minLineLength = 16
)

// Redactor replaces the values that were added. It is safe for concurrent use. The
// zero Redactor knows no secrets.
//
// Text and encodings are compared folded: in lower case, with the two alphabets of
// base64 as one, and without the bytes that are ignored. An encoding is found by
// its last bytes, which are random in a token, while many tokens start alike. It
// is computed again for the comparison, so only the values are kept in memory.
type Redactor struct {
	mu      sync.RWMutex
	entries []entry          // the first one is unused
	ends    map[uint64]int32 // entry by an encoding's last suffixLength bytes
	shorts  map[uint64]int32 // the same for shorter encodings
	starts  map[uint64]int32 // length of the longest encoding by its first bytes
	longest int              // length of the longest encoding, in folded bytes
}

// entry is one encoding of a value.
type entry struct {
	value    secret.Value
	encoding int32
	next     int32 // next entry with the same last bytes; 0 for none
}

// Add adds a value to replace. Of a value with several lines, such as a private
// key, it also adds each long line.
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
		encoded := encoding(value, int32(i))
		if slices.Contains(all[:i], encoded) {
			continue
		}
		all[i] = encoded
		index, width := n.ends, suffixLength
		if len(encoded) < suffixLength {
			index, width = n.shorts, shortSuffixLength
		}
		end := key(encoded[len(encoded)-width:])
		first := index[end]
		if i == 0 {
			for at := first; at != 0; at = n.entries[at].next {
				if n.entries[at].value.Equal(v) {
					return // already added
				}
			}
		}
		n.entries = append(n.entries, entry{v, int32(i), first})
		index[end] = int32(len(n.entries) - 1)
		n.longest = max(n.longest, len(encoded))
		if width == suffixLength {
			start := key(encoded[:suffixLength])
			n.starts[start] = max(n.starts[start], int32(len(encoded)))
		}
	}
}

// key returns up to eight bytes as a number, for the maps.
func key(s string) uint64 {
	var k uint64
	for _, c := range []byte(s) {
		k = k<<8 | uint64(c)
	}
	return k
}

// span is a part of a text: from is its first byte, to the first one after it.
type span struct{ from, to int }

// find returns the parts of a text that are an encoding of a value and don't end
// before from. They are in order and don't overlap.
func (n *Redactor) find(text []byte, from int) []span {
	if n.ends == nil {
		return nil
	}
	var spans []span
	var last uint64
	computed := map[int32]string{} // encodings by entry
	for i := back(text, from, suffixLength-1); i < len(text); i++ {
		c := foldTable[text[i]]
		if c == 0 {
			continue
		}
		last = last<<8 | uint64(c)
		if at, ok := n.ends[last]; ok {
			spans = n.match(text, i, at, spans, computed)
		}
		if len(n.shorts) > 0 {
			if at, ok := n.shorts[last&(1<<(8*shortSuffixLength)-1)]; ok {
				spans = n.match(text, i, at, spans, computed)
			}
		}
	}
	return spans
}

// back returns the start of the last count bytes before from that are not ignored.
func back(text []byte, from, count int) int {
	for ; from > 0 && count > 0; from-- {
		if foldTable[text[from-1]] != 0 {
			count--
		}
	}
	return from
}

// match adds to spans the encodings that end with the byte at end. Their last bytes
// are the same; the first of their entries is at.
func (n *Redactor) match(text []byte, end int, at int32, spans []span, computed map[int32]string) []span {
	for ; at != 0; at = n.entries[at].next {
		e := n.entries[at]
		encoded, ok := computed[at]
		if !ok {
			encoded = encoding(e.value.Reveal(), e.encoding)
			computed[at] = encoded
		}
		from, left := end+1, len(encoded)
		for left > 0 && from > 0 {
			c := foldTable[text[from-1]]
			if c != 0 && c != encoded[left-1] {
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
		if e.encoding >= firstBase64 { // also the characters that encode a part of the value
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

// Redact returns s with a mask in place of each value.
func (n *Redactor) Redact(s string) string {
	if s == "" {
		return s
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	text := []byte(s)
	spans := n.find(text, 0)
	if len(spans) == 0 {
		return s
	}
	return string(masked(nil, text, 0, len(text), spans))
}

// masked appends the text between from and to to out, with the spans masked.
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
