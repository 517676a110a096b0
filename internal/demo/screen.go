package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// maskCommand starts the line that makes a runner hide the value after it. No
// runner reads this output, so the screen must not show the value.
const maskCommand = "::add-mask::"

// screen shows the first lines of a log, and the annotations among the others. It
// is safe for concurrent use.
type screen struct {
	out io.Writer
	max int // lines

	mu     sync.Mutex
	line   bytes.Buffer // incomplete
	lines  int
	hidden int
}

// Write adds a part of the log.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range p {
		if b != '\n' {
			s.line.WriteByte(b)
			continue
		}
		if err := s.show(s.line.String()); err != nil {
			return 0, err
		}
		s.line.Reset()
	}
	return len(p), nil
}

func (s *screen) show(line string) error {
	if strings.HasPrefix(line, maskCommand) {
		line = maskCommand + "***"
	}
	annotation := strings.HasPrefix(line, "::error") || strings.HasPrefix(line, "::warning")
	if s.lines++; s.lines > s.max && !annotation {
		s.hidden++
		return nil
	}
	_, err := fmt.Fprintln(s.out, "   | "+line)
	return err
}

// end shows the number of hidden lines.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line.Len() > 0 {
		_ = s.show(s.line.String()) // an error could not be shown either
		s.line.Reset()
	}
	if s.hidden > 0 && s.max > 0 {
		_, _ = fmt.Fprintf(s.out, "   | … %d more lines\n", s.hidden) // as above
	}
}
