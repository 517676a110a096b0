package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrHelp and ErrVersion are returned by Parse for --help and --version, whatever
// the other arguments are.
var (
	ErrHelp    = errors.New("help requested")
	ErrVersion = errors.New("version requested")
)

// Kind says what is wrong with an input, where there is more to say about it.
type Kind int

const (
	// Invalid is any other error.
	Invalid Kind = iota
	// Blank means that a required credential is empty.
	Blank
	// Reserved means that GitHub reserves the name.
	Reserved
)

// InputError is one thing that is wrong with an input. It holds no credential, and
// may be printed.
type InputError struct {
	// Input is the input, or on the command line the flag or environment variable.
	Input string
	// Got is the value, quoted and truncated, or a description of it.
	Got string
	// Requirement is what the value must be.
	Requirement string
	Kind        Kind
}

func (f InputError) Error() string {
	return fmt.Sprintf("%s: found %s; want %s", f.Input, f.Got, f.Requirement)
}

// InputErrors lists everything that is wrong, at least one error.
type InputErrors []InputError

func (f InputErrors) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// maxEcho is the number of characters of a value that an error repeats.
const maxEcho = 60

// quote returns the text on one line, truncated and without control characters.
func quote(text string) string {
	if utf8.RuneCountInString(text) <= maxEcho {
		return strconv.Quote(text)
	}
	// Cut the bytes first: the text may be huge, and may not be UTF-8.
	runes := []rune(text[:min(len(text), maxEcho*utf8.UTFMax)])
	return strconv.Quote(string(runes[:min(len(runes), maxEcho)])) + "…"
}
