package main

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	gtext "github.com/yuin/goldmark/text"
)

// maxWords is the number of words that a sentence may have.
const maxWords = 25

// identifier is a name in Go, cut into its words.
type identifier struct {
	line int
	text string
}

var hump = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// split returns the comments and strings of a Go file, with blanks in place of
// everything else, and its identifiers.
func split(source string) (prose string, identifiers []identifier) {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, []byte(source), func(token.Position, string) {}, scanner.ScanComments)
	blank := bytes.Repeat([]byte{' '}, len(source))
	for i := range source {
		if source[i] == '\n' {
			blank[i] = '\n'
		}
	}
	for {
		pos, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return string(blank), identifiers
		case token.COMMENT, token.STRING:
			at := file.Offset(pos)
			copy(blank[at:], source[at:at+len(lit)])
		case token.IDENT:
			identifiers = append(identifiers, identifier{file.Line(pos), hump.ReplaceAllString(lit, "$1 $2")})
		}
	}
}

var sentenceEnd = regexp.MustCompile(`[.!?]["')*_]*\s+`)

// longSentences returns the sentences of Markdown with more than maxWords words.
// A piece of code counts as one word, and code blocks don't count.
func longSentences(content string) []finding {
	source := []byte(content)
	var found []finding
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(gtext.NewReader(source))
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading, east.KindTableCell:
		default:
			return ast.WalkContinue, nil
		}
		words, offset := inline(n, source)
		for _, sentence := range sentenceEnd.Split(words, -1) {
			if n := countWords(sentence); n > maxWords {
				found = append(found, finding{
					1 + strings.Count(content[:offset], "\n"),
					fmt.Sprintf("%d words in a sentence, at most %d: %.60s…", n, maxWords, strings.TrimSpace(sentence)),
				})
			}
		}
		return ast.WalkSkipChildren, nil
	})
	return found
}

// inline returns the text of a block, and where its first word is.
func inline(block ast.Node, source []byte) (string, int) {
	var out strings.Builder
	offset := -1
	_ = ast.Walk(block, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan, *ast.AutoLink:
			out.WriteString("code")
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if offset < 0 {
				offset = n.Segment.Start
			}
			out.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				out.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return out.String(), max(offset, 0)
}

func countWords(sentence string) int {
	count := 0
	for _, field := range strings.Fields(sentence) {
		if strings.ContainsFunc(field, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			count++
		}
	}
	return count
}
