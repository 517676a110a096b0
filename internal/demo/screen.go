package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// maskCommand begins the line that tells a runner to hide a value, which stands
// behind it. No runner reads along here, so the value must not be shown.
const maskCommand = "::add-mask::"

// screen shows the first lines of a log, and of the rest the annotations. It is
// safe for concurrent use.
type screen struct {
	out  io.Writer
	most int // lines

	mu     sync.Mutex
	line   bytes.Buffer // that has not ended yet
	lines  int
	hidden int
}

// Write takes in a part of the log.
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
	if s.lines++; s.lines > s.most && !annotation {
		s.hidden++
		return nil
	}
	_, err := fmt.Fprintln(s.out, "   | "+line)
	return err
}

// end tells how many lines were not shown.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line.Len() > 0 {
		_ = s.show(s.line.String()) // nowhere to say that it failed
		s.line.Reset()
	}
	if s.hidden > 0 && s.most > 0 {
		_, _ = fmt.Fprintf(s.out, "   | … %d more lines\n", s.hidden) // as above
	}
}
