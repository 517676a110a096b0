// Package diagnosis is the one list of what can be set up wrongly: each case with
// two lines, what is wrong, in the words of the pages where it is set right, and
// what to do about it, with the page's address. docs/troubleshooting.md is
// generated from it. Which case it is, internal/cli finds out.
package diagnosis

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// ID names a case; it is its heading's anchor in docs/troubleshooting.md.
type ID string

// Case is one thing that is set up wrongly. What and Do hold {placeholders}, and
// {:inputs}, for which stands the name by which whoever set it knows it.
type Case struct {
	ID ID
	// Input is the one at fault; empty where none is, or it can't be known.
	Input         string
	Message, Hint string
	// Shown tells, for the docs, by what it is recognised, and what else there is
	// to know; Markdown.
	Details string
	// Exit is the code that the run ends with.
	Exit int
	// Example is what {fault} is in the docs, where that is all of the first line.
	Example string
}

// Values are what the placeholders of a case stand for, without their braces.
type Values map[string]string

// Tell returns the two lines of a case. Label names an input as whoever set it
// knows it.
func Render(id ID, label func(input string) string, values Values) (what, do string) {
	c := Lookup(id)
	if c.Input != "" {
		what = label(c.Input) + ": "
	}
	fill := func(text string) string {
		text = input.ReplaceAllStringFunc(text, func(name string) string { return label(strings.Trim(name, "{:}")) })
		pairs := make([]string, 0, 2*len(values))
		for name, value := range values {
			pairs = append(pairs, "{"+name+"}", value)
		}
		return strings.NewReplacer(pairs...).Replace(text)
	}
	return what + fill(c.Message), fill(c.Hint)
}

// input is a placeholder for the label of one.
var input = regexp.MustCompile(`\{:[a-z-]+\}`)

// Find returns a case. All of the constants are there, which a test sees to.
func Lookup(id ID) Case {
	for _, c := range Cases() {
		if c.ID == id {
			return c
		}
	}
	panic("diagnosis: there is no case " + string(id))
}

// example are the values in the docs.
func example() Values {
	return Values{
		"organization": "acme", "spelled": "Acme", "repository": "acme/infra", "first": "acme/web", "name": "web",
		"web": "https://github.com", "codacy": "https://app.codacy.com", "settings": "https://github.com/settings/apps",
		"installation": "https://github.com/organizations/acme/settings/installations/42", "page": "https://github.com/settings/personal-access-tokens",
		"app": "1234567", "permission": "Dependabot secrets", "store": "dependabot",
		"provider": "gh", "other": "ghe", "service": "GitHub", "host": "github.example.com", "address": "https://github.example.com",
		"hidden": "12", "selected": "48", "date": "2026-12-01", "left": "7 days", "interval": "92 days", "renew": "90",
		"cron": "17 4 1 */3 *", "found": "public_repo",
		"proxy": "proxy.example.com:3128",
	}
}

// title is the heading, whose anchor is the ID.
func (c Case) title() string {
	spelled := map[string]string{
		"github": "GitHub", "codacy": "Codacy", "app": "App", "api": "API", "url": "URL", "ip": "IP", "tls": "TLS", "cant": "can't",
	}
	words := strings.Split(string(c.ID), "-")
	for i, w := range words {
		words[i] = cmp.Or(spelled[w], w)
	}
	title := strings.Join(words, " ")
	return strings.ToUpper(title[:1]) + title[1:]
}

// Markdown returns the cases as sections for the docs.
func Markdown() string {
	var b strings.Builder
	for _, c := range Cases() {
		values := example()
		values["fault"] = c.Example
		what, do := Render(c.ID, func(input string) string { return input }, values)
		fmt.Fprintf(&b, "## %s\n\n```\n%s\n%s\n```\n\n", c.title(), what, do)
		ends := map[int]string{0: "A warning; the run goes on.", 1: "The run ends with exit code 1.", 2: "The run ends with exit code 2."}[c.Exit]
		fmt.Fprintf(&b, "%s %s\n\n", c.Details, ends)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
