package main

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// tableRows is how many rows of a table are shown.
const tableRows = 4

// terminal formats a job's summary for a terminal: headings, quotes, the first rows
// of tables, and text without markup. It supports the Markdown that the action
// writes.
func terminal(markdown string) string {
	var b strings.Builder
	var table [][]string
	endTable := func() {
		writeTable(&b, table)
		table = nil
	}
	fenced, blank := false, true
	alert := "" // the kind of an alert, such as WARNING; the next line is its text
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "|") {
			table = append(table, cells(line))
			blank = false
			continue
		}
		endTable()
		text := inline(strings.TrimLeft(line, "#> "))
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			continue
		case fenced: // a diagram
			continue
		case text == "":
			if !blank {
				b.WriteString("\n")
			}
			blank = true
			continue
		case strings.HasPrefix(line, "## "):
			text += "\n" + strings.Repeat("=", utf8.RuneCountInString(text))
		case strings.HasPrefix(line, "<details"):
			text = "▸ " + text
		case strings.HasPrefix(line, "> [!"):
			alert = strings.Trim(line, "> [!]") + ": "
			continue
		case strings.HasPrefix(line, ">"):
			text, alert = alert+text, ""
		}
		b.WriteString(text + "\n")
		blank = false
	}
	endTable()
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// writeTable writes the header and the first rows in columns. The second row of
// the table holds the alignment.
func writeTable(b *strings.Builder, table [][]string) {
	if len(table) < 2 {
		return
	}
	right := table[1]
	rows := append([][]string{table[0]}, table[2:]...)
	more := len(rows) - 1 - tableRows
	if more > 0 {
		rows = rows[:1+tableRows]
	}
	width := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i < len(right) && strings.HasSuffix(right[i], ":") {
				line += pad + cell + "  "
			} else {
				line += cell + pad + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if more > 0 {
		fmt.Fprintf(b, "… %d more\n", more)
	}
}

// cells splits a row at the bars that are not escaped.
func cells(row string) []string {
	row = strings.TrimSuffix(strings.TrimPrefix(row, "|"), "|")
	var all []string
	start := 0
	for i := 0; i < len(row); i++ {
		switch row[i] {
		case '\\':
			i++
		case '|':
			all = append(all, inline(row[start:i]))
			start = i + 1
		}
	}
	return append(all, inline(row[start:]))
}

// inline removes the markup from a line. Only the text of a link remains.
func inline(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '`' || c == '*' || c == '[':
		case c == ']':
			if i+1 < len(text) && text[i+1] == '(' {
				if end := strings.IndexByte(text[i:], ')'); end > 0 {
					i += end
				}
			}
		case c == '<':
			if end := strings.IndexByte(text[i:], '>'); end > 0 {
				i += end
			}
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(html.UnescapeString(b.String()), "\u200b", ""))
}
