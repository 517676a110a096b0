package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds a text from elsewhere, in bytes, wherever it is shown.
const maxText = 1000

// plain makes a text one line of printable characters: control, format and
// bidirectional characters become visible, and what is too long is cut with a
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

// line neutralises a text for the log: the runner takes a line that begins with
// "::", and "##[" anywhere in a line, for a command.
func line(s string) string {
	s = plain(s)
	s = strings.ReplaceAll(s, "##[", "##\\[")
	if strings.HasPrefix(strings.TrimLeft(s, " "), "::") {
		s = "\\" + strings.TrimLeft(s, " ")
	}
	return s
}

// markdown neutralises a text for a cell or a paragraph of the summary.
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
		case '@': // no mention
			b.WriteString("@\u200b")
		default:
			b.WriteRune(r)
		}
	}
	// A bare address would become a link.
	return strings.ReplaceAll(b.String(), "www.", "www\u200b.")
}

// breakable lets a text of markdown's break behind slashes and underscores of its
// long words: a path would make a table wider than a phone.
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

// cell neutralises a text for CSV: a spreadsheet takes what begins with one of
// these for a formula, some after blanks, some in their wide forms too.
func cell(s string) string {
	s = plain(s)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if strings.ContainsRune("=+-@|%＝＋－＠", first) {
		return "'" + s
	}
	return s
}
