package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// foldTable maps each byte to what it is compared as; 0 means that it is ignored.
var foldTable = func() (table [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		switch {
		case 'A' <= c && c <= 'Z':
			table[c] = c - 'A' + 'a'
		case c == '-': // base64 for URLs
			table[c] = '+'
		case c == '_':
			table[c] = '/'
		case c != '\\':
			table[c] = c
		}
	}
	return table
}()

const (
	// firstBase64 is the first of three encodings in base64: one for each offset
	// modulo 3 at which a value may start in a longer text.
	firstBase64 = 8
	encodings   = firstBase64 + 3
)

// encoding returns the i-th folded encoding of a value; the first is the value
// itself.
func encoding(v string, i int32) string {
	switch i {
	case 1:
		v = url.QueryEscape(v)
	case 2:
		v = url.PathEscape(v)
	case 3: // every byte
		v = "%" + strings.TrimSuffix(pairs.ReplaceAllString(hex.EncodeToString([]byte(v)), "$0%"), "%")
	case 4:
		quoted, _ := json.Marshal(v) // a string never fails
		v = string(quoted[1 : len(quoted)-1])
	case 5:
		v = strconv.Quote(v)
		v = v[1 : len(v)-1]
	case 6:
		v = html.EscapeString(v)
	case 7:
		v = hex.EncodeToString([]byte(v))
	case firstBase64, firstBase64 + 1, firstBase64 + 2:
		// Only the characters that don't depend on the bytes before and after.
		before := int(i - firstBase64)
		encoded := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:before] + v))
		v = encoded[(before*8+5)/6 : (before+len(v))*8/6]
	}
	return string(foldText([]byte(v)))
}

var pairs = regexp.MustCompile("..")

// foldText returns a text as it is compared.
func foldText(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		if c = foldTable[c]; c != 0 {
			out = append(out, c)
		}
	}
	return out
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/-_=", c) >= 0
}
