package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
)

// ErrHelp and ErrVersion are returned by Parse where --help or --version was
// asked for, whatever else stands there.
var (
	ErrHelp    = errors.New("help was asked for")
	ErrVersion = errors.New("the version was asked for")
)

// Fault is one thing that is wrong with what the action was told. It holds no
// credential, and all of it may be printed.
type InputError struct {
	Input       string       // the input, or by hand the flag or the environment variable
	Got         string       // what stands there: quoted and bounded, or described
	Requirement string       // what would be right
	Kind        diagnosis.ID // empty if there is no more to say than that
}

func (f InputError) Error() string {
	return fmt.Sprintf("%s: found %s; want %s", f.Input, f.Got, f.Requirement)
}

// Faults are all that is wrong, at least one.
type InputErrors []InputError

func (f InputErrors) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// maxEcho is how many characters of a value a fault repeats.
const maxEcho = 60

// quote returns the text as one bounded line without control characters.
func quote(text string) string {
	if utf8.RuneCountInString(text) <= maxEcho {
		return strconv.Quote(text)
	}
	// By bytes at first: the text may be huge, and not be UTF-8 either.
	runes := []rune(text[:min(len(text), maxEcho*utf8.UTFMax)])
	return strconv.Quote(string(runes[:min(len(runes), maxEcho)])) + "…"
}
