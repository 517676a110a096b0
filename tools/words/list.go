package main

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// scope is where a word is banned. Each scope includes the ones before it.
type scope int

const (
	docs  scope = iota // Markdown and YAML
	text               // comments and strings of code
	names              // identifiers of Go
)

var scopes = map[string]scope{"docs": docs, "text": text, "all": names}

// list is the content of .ci/words.txt.
type list struct {
	rules   []rule
	allowed []*regexp.Regexp
}

// rule bans the words that match.
type rule struct {
	scope   scope
	pattern *regexp.Regexp
	instead string
}

// finding is a banned word or a long sentence.
type finding struct {
	line int
	text string
}

// parse reads the list. A pattern that doesn't find its own example is an error,
// because it would find nothing else either.
func parse(content string) (*list, error) {
	l := &list{}
	for _, line := range lines(content) {
		where, rest, _ := strings.Cut(line, ": ")
		if where == "allow" {
			pattern, err := regexp.Compile("(?i)" + rest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			l.allowed = append(l.allowed, pattern)
			continue
		}
		parts := strings.Split(rest, " → ")
		s, known := scopes[where]
		if !known || len(parts) != 3 {
			return nil, fmt.Errorf("%s: must be SCOPE: PATTERN → INSTEAD → EXAMPLE", line)
		}
		// Words may be on two lines, each of which may start a comment.
		pattern, err := regexp.Compile(`(?i)\b(?:` + strings.ReplaceAll(parts[0], " ", `[\s/#>*]+`) + `)\b`)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if !pattern.MatchString(parts[2]) {
			return nil, fmt.Errorf("%s: the pattern doesn't match the example", line)
		}
		l.rules = append(l.rules, rule{s, pattern, parts[1]})
	}
	if len(l.rules) == 0 {
		return nil, fmt.Errorf("it has no rules")
	}
	return l, nil
}

// check returns what is wrong in a file.
func (l *list) check(file, content string) []finding {
	var found []finding
	switch path.Ext(file) {
	case ".go":
		prose, identifiers := split(content)
		found = l.search(text, prose)
		for _, id := range identifiers {
			for _, f := range l.search(names, id.text) {
				found = append(found, finding{id.line, f.text})
			}
		}
	case ".md":
		found = append(l.search(docs, content), longSentences(content)...)
	case ".yml", ".yaml":
		found = l.search(docs, content)
	default:
		found = l.search(text, content)
	}
	return found
}

// search returns the banned words in a text of one kind. Text of any kind is
// searched for the words of scope text, except for identifiers: they are
// searched for the words of scope names alone.
func (l *list) search(kind scope, content string) []finding {
	for _, pattern := range l.allowed {
		content = pattern.ReplaceAllStringFunc(content, func(s string) string { return strings.Repeat(" ", len(s)) })
	}
	var found []finding
	for _, r := range l.rules {
		if r.scope < kind {
			continue
		}
		for _, at := range r.pattern.FindAllStringIndex(content, -1) {
			word := strings.Join(strings.Fields(content[at[0]:at[1]]), " ")
			found = append(found, finding{1 + strings.Count(content[:at[0]], "\n"), fmt.Sprintf("%q: write %s", word, r.instead)})
		}
	}
	return found
}
