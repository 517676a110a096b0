package config

import (
	"path"
	"slices"
	"strings"
)

// Patterns select repositories: globs on a name without its owner, topic:GLOB and
// visibility:LEVEL, all in lower case.
type Patterns []string

const (
	topicPrefix      = "topic:"
	visibilityPrefix = "visibility:"
)

// visibilities lists the levels of a repository's visibility on GitHub.
func visibilities() []string { return []string{"public", "private", "internal"} }

// Selectable is what patterns can match.
type Selectable struct {
	Name       string
	Topics     []string
	Visibility string
}

// Match reports whether one of the patterns matches, case-insensitively. An empty
// list matches nothing.
func (p Patterns) Match(r Selectable) bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		if glob, ok := strings.CutPrefix(pattern, topicPrefix); ok {
			return slices.ContainsFunc(r.Topics, func(topic string) bool { return matchGlob(glob, topic) })
		}
		if level, ok := strings.CutPrefix(pattern, visibilityPrefix); ok {
			return strings.EqualFold(level, r.Visibility)
		}
		return matchGlob(pattern, r.Name)
	})
}

// NeedTraits reports whether a pattern matches more than names.
func (p Patterns) NeedTraits() bool {
	return slices.ContainsFunc(p, func(pattern string) bool {
		return strings.HasPrefix(pattern, topicPrefix) || strings.HasPrefix(pattern, visibilityPrefix)
	})
}

// matchGlob matches a glob that was checked when it was parsed.
func matchGlob(glob, name string) bool {
	ok, _ := path.Match(glob, strings.ToLower(name))
	return ok
}

// globChars are the characters of a repository's name on GitHub, and those of a
// glob. Others would match nothing, without an error: "a b" for two repositories,
// "!a" for an exclusion, "{a,b}" for a choice.
const globChars = "abcdefghijklmnopqrstuvwxyz0123456789._-" + `*?[]^\`

func patterns(set func(*Config, Patterns)) setter {
	return func(c *Config, text string) []invalid {
		var all Patterns
		var wrong []invalid
		for _, element := range splitList(text) {
			pattern := strings.ToLower(element)
			if e := checkPattern(pattern); e != (invalid{}) {
				e.part = element
				wrong = append(wrong, e)
				continue
			}
			all = append(all, pattern)
		}
		set(c, all)
		return wrong
	}
}

// checkPattern returns what is wrong with a pattern in lower case; the zero value if
// nothing is.
func checkPattern(pattern string) invalid {
	if level, ok := strings.CutPrefix(pattern, visibilityPrefix); ok {
		if !slices.Contains(visibilities(), level) {
			return invalid{requirement: "visibility:public, visibility:private or visibility:internal", hint: suggestion(level, visibilities())}
		}
		return invalid{}
	}
	glob := strings.TrimPrefix(pattern, topicPrefix)
	_, err := path.Match(glob, "")
	switch {
	case strings.Contains(glob, "/"):
		return invalid{requirement: "a pattern for the repository's name without its owner"}
	case glob == "", err != nil, strings.Trim(glob, globChars) != "":
		return invalid{requirement: "globs such as api-*, web-?, [a-f]*, topic:backend-*, separated by commas or newlines"}
	}
	return invalid{}
}

// splitList splits at commas and newlines, and drops empty elements and surrounding
// white space, the CR of a CRLF included.
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
