package redact

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// Writer redacts what is written through it. It also finds a value that is split
// over several calls of Write: a line that ends with the first bytes of a value is
// delayed until the rest is known. All other text is written immediately. If the
// first part of a split value has fewer than eight bytes, these are written, too.
// Close flushes delayed text. It is safe for concurrent use.
type Writer struct {
	redactor *Redactor
	to       io.Writer

	mu      sync.Mutex
	context []byte // end of the text that was written, folded
	pending []byte
}

// Writer returns a Writer to w.
func (n *Redactor) Writer(w io.Writer) *Writer { return &Writer{redactor: n, to: w} }

// Write writes p, redacted.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pass(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes the delayed text. It does not close the underlying writer.
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

// ready returns the text that can be written now.
func (w *Writer) ready(p []byte, all bool) []byte {
	w.redactor.mu.RLock()
	defer w.redactor.mu.RUnlock()
	text := slices.Concat(w.context, w.pending, p)
	start, end := len(w.context), len(text)
	spans := w.redactor.find(text, start)
	if !all {
		end = max(start, w.redactor.safeLength(text, spans))
	}
	out := masked(nil, text, start, end, spans)
	w.pending = text[end:]
	w.context = append(w.context, foldText(text[start:end])...)
	w.context = w.context[max(0, len(w.context)-w.redactor.longest):]
	return out
}

// safeLength returns how much of a text can be written: everything up to the line
// in which a value may start that is not complete yet.
func (n *Redactor) safeLength(text []byte, spans []span) int {
	var at [suffixLength]int // positions of the last bytes that are not ignored
	var last uint64
	left := 0 // bytes to come that are not ignored
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
		start := at[count%suffixLength]
		longest, ok := n.starts[last]
		if !ok || left+suffixLength >= int(longest) {
			continue
		}
		if !slices.ContainsFunc(spans, func(s span) bool { return s.from <= start && start < s.to }) {
			return bytes.LastIndexByte(text[:start], '\n') + 1
		}
	}
	return len(text)
}
