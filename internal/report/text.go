package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText is the maximum length of a text from elsewhere, in bytes, wherever it is
// shown.
const maxText = 1000

// plain makes a text one line of printable characters. Control, format and
// bidirectional characters become visible, and a long text is truncated with a
// mark.
func plain(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) > maxText {
		cut := maxText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…[cut]"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, s)
}

// line escapes a text for the log: the runner takes a line that starts with "::",
// and "##[" anywhere in a line, as a command.
func line(s string) string {
	s = plain(s)
	s = strings.ReplaceAll(s, "##[", "##\\[")
	if strings.HasPrefix(strings.TrimLeft(s, " "), "::") {
		s = "\\" + strings.TrimLeft(s, " ")
	}
	return s
}

// markdown escapes a text for a cell or a paragraph of the summary.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range plain(s) {
		switch r {
		case '\\', '`', '*', '_', '{', '}', '[', ']', '(', ')', '#', '+', '!', '|', '~', '$', ':':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@': // must not mention a user
			b.WriteString("@\u200b")
		default:
			b.WriteRune(r)
		}
	}
	// A bare address would become a link.
	return strings.ReplaceAll(b.String(), "www.", "www\u200b.")
}

// breakable lets long words of a Markdown text wrap after slashes and underscores:
// a path would make a table wider than a phone.
func breakable(text string) string {
	breaks := strings.NewReplacer("/", "/<wbr>", `\_`, `\_<wbr>`)
	words := strings.Split(text, " ")
	for i, w := range words {
		if len(w) > 24 {
			words[i] = breaks.Replace(w)
		}
	}
	return strings.Join(words, " ")
}

// cell escapes a text for CSV: a spreadsheet takes a text that starts with one of
// these characters as a formula, some also after blanks or in their wide forms.
func cell(s string) string {
	s = plain(s)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if strings.ContainsRune("=+-@|%＝＋－＠", first) {
		return "'" + s
	}
	return s
}

// truncate shortens an escaped line to a width, in characters.
func truncate(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}

// count returns a number with its noun.
func count(n int, one, many string) string { return number(n) + " " + plural(n, one, many) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// number returns a number with commas: "12,500".
func number(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func date(t time.Time) string  { return t.UTC().Format(time.DateOnly) }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
