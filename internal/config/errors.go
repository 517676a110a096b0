package config

import (
	"errors"
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
	// Got is the value, quoted and truncated, or a description of it; empty if there
	// isn't one.
	Got string
	// Requirement completes "must be", unless Problem says what is wrong.
	Requirement string
	Problem     string
	// Hint says how to fix it; empty if Requirement says it.
	Hint string
	Kind Kind
}

func (e InputError) Error() string {
	switch {
	case e.Problem != "":
		return e.Input + ": " + e.Problem
	case e.Got == "":
		return e.Input + ": must be " + e.Requirement
	}
	return e.Input + ": must be " + e.Requirement + ", not " + e.Got
}

// InputErrors lists everything that is wrong, at least one error.
type InputErrors []InputError

func (e InputErrors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// The number of characters of a value, or of a path, that an error repeats.
const (
	maxEcho     = 60
	maxPathEcho = 200
)

// quote returns the text on one line, truncated after the number of characters and
// without control characters.
func quote(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return strconv.Quote(text)
	}
	// Cut the bytes first: the text may be huge, and may not be UTF-8.
	runes := []rune(text[:min(len(text), most*utf8.UTFMax)])
	return strconv.Quote(string(runes[:min(len(runes), most)])) + "…"
}
