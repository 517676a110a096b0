// Package diagnosis finds out which misconfiguration an error shows, and says what
// to do about it. A case is two lines: what is wrong, in the words of the page on
// which it is changed, and the fix with the page's address. docs/troubleshooting.md
// is generated from the cases.
package diagnosis

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// ID names a case. It is the anchor of its heading in docs/troubleshooting.md.
type ID string

// Case is one misconfiguration. Its texts contain {placeholders}, and {:inputs} that
// stand for the name by which the user knows the input.
type Case struct {
	ID ID
	// Input is the wrong input; empty if there isn't one, or it can't be known.
	Input         string
	Message, Hint string
	// CommandLine replaces Hint on the command line; empty if Hint applies there, too.
	CommandLine string
	// Details says in the docs how the case is recognized, and what else there is to
	// know, in Markdown.
	Details string
	// Exit is the exit code of the run.
	Exit int
	// Example is the value of {fault} in the docs, where that is the whole message.
	Example string
}

// Values maps the placeholders of a case, without braces, to their values.
type Values map[string]string

// Render returns the two lines of a case, on a runner or on the command line. Label
// returns the name by which the user knows an input.
func Render(id ID, runner bool, label func(input string) string, values Values) (message, hint string) {
	c := Lookup(id)
	hint = c.Hint
	if !runner {
		hint = cmp.Or(c.CommandLine, c.Hint)
	}
	if c.Input != "" {
		message = label(c.Input) + ": "
	}
	fill := func(text string) string {
		text = inputPlaceholder.ReplaceAllStringFunc(text, func(name string) string { return label(strings.Trim(name, "{:}")) })
		pairs := make([]string, 0, 2*len(values))
		for name, value := range values {
			pairs = append(pairs, "{"+name+"}", value)
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	return message + fill(c.Message), fill(hint)
}

var inputPlaceholder = regexp.MustCompile(`\{:[a-z-]+\}`)

// Cases lists all cases, in the order of the docs.
func Cases() []Case {
	return slices.Concat(githubCases, appCases, codacyCases, networkCases, inputsCases, selectionCases, repositoriesCases, aheadCases)
}

// Lookup returns a case. It panics if there isn't one; a test looks up all constants.
func Lookup(id ID) Case {
	for _, c := range Cases() {
		if c.ID == id {
			return c
		}
	}
	panic("diagnosis: there is no case " + string(id))
}
