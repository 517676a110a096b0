package config

import (
	"path"
	"strings"
)

// Patterns are globs on a repository's name without its owner, in lower case.
type Patterns []string

// Match tells whether one of the patterns matches the name, in any case of
// letters. No pattern matches nothing.
func (p Patterns) Match(name string) bool {
	name = strings.ToLower(name)
	for _, glob := range p {
		// The pattern was checked when it was read.
		if ok, _ := path.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// globChars are those that GitHub allows in a repository's name, and those
// that make a glob. Others would match nothing, silently: "a b" for two
// repositories, "!a" for one that is left out, "{a,b}" for a choice.
const globChars = "abcdefghijklmnopqrstuvwxyz0123456789._-" + `*?[]^\`

func patterns(set func(*Config, Patterns)) setter {
	return func(c *Config, text string) []invalid {
		var all Patterns
		var wrong []invalid
		for _, element := range splitList(text) {
			glob := strings.ToLower(element)
			_, err := path.Match(glob, "")
			switch {
			case strings.Contains(glob, "/"):
				wrong = append(wrong, invalid{part: element, requirement: "a pattern for the repository's name alone, without its owner"})
			case err != nil || strings.Trim(glob, globChars) != "":
				wrong = append(wrong, invalid{
					part:        element,
					requirement: "globs such as api-*, web-?, [a-f]*, by comma or line",
				})
			default:
				all = append(all, glob)
			}
		}
		set(c, all)
		return wrong
	}
}

// splitList splits at commas and line ends, and drops empty elements and the
// white space around, the CR of a CRLF included.
func splitList(text string) []string {
	var elements []string
	for _, e := range strings.FieldsFunc(text, isSeparator) {
		if e = strings.TrimSpace(e); e != "" {
			elements = append(elements, e)
		}
	}
	return elements
}

func isSeparator(r rune) bool { return r == ',' || r == '\n' }
