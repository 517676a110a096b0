package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Secrets returns all values that must not appear in the action's output: of every
// token that was ever created, and of every credential that was ever valid.
func (w *World) Secrets() []string {
	values := w.AllTokenValues()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Concat(values, slices.Collect(maps.Keys(w.accounts)), w.everCredentials)
}

// Leaks searches texts, by their names, for secret values in any encoding: plain,
// base64, URL-encoded, JSON-escaped or hex, also across line ends and blanks. On a
// runner, the lines of stdout that mask a value may contain it. Leaks returns one
// line for each secret in each text, without the value. It ignores values of less
// than eight bytes.
func Leaks(runner bool, texts map[string]string, secrets []string) []string {
	forms := make([][]form, len(secrets))
	for i, secret := range secrets {
		forms[i] = secretForms(secret)
	}
	joiner := strings.NewReplacer("\n", "", "\r", "", " ", "", `\`, "")
	var found []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		if runner && name == "stdout" {
			text = withoutMasks(text, secrets)
		}
		// As it is, and as one line, because the log joins the lines of a text.
		whole, line := newSearchable(text), newSearchable(joiner.Replace(text))
		for i := range secrets {
			for _, f := range forms[i] {
				if whole.contains(f.text) || line.contains(f.text) {
					found = append(found, fmt.Sprintf("%s holds secret %d in the form %q", name, i, f.name))
					break
				}
			}
		}
	}
	return found
}

// withoutMasks removes the lines that mask a secret and contain nothing else.
func withoutMasks(stdout string, secrets []string) string {
	masks := map[string]bool{}
	for _, s := range secrets {
		masks["::add-mask::"+s+"\n"] = true
	}
	var rest strings.Builder
	for line := range strings.Lines(stdout) {
		if !masks[line] {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// form is one encoding of a value.
type form struct{ name, text string }

// secretForms returns the encodings in which a value could be written.
func secretForms(v string) []form {
	if len(v) < 8 {
		return nil
	}
	quoted, err := json.Marshal(v)
	must(err)
	lower := hex.EncodeToString([]byte(v))
	forms := []form{
		{"plain", v},
		{"JSON", string(quoted[1 : len(quoted)-1])},
		{"query", url.QueryEscape(v)},
		{"path", url.PathEscape(v)},
		{"hex", lower},
		{"HEX", strings.ToUpper(lower)},
	}
	for before, prefix := range []string{"", "x", "xx"} { // at each offset in the encoded text
		part := func(e *base64.Encoding) string {
			encoded := e.EncodeToString([]byte(prefix + v))
			return encoded[min(4, 4*before) : len(encoded)-1]
		}
		forms = append(forms, form{"base64", part(base64.RawStdEncoding)}, form{"base64url", part(base64.RawURLEncoding)})
	}
	// A value of several lines, such as a key, could be written one line at a time.
	for line := range strings.Lines(strings.TrimSpace(v)) {
		if line = strings.TrimSpace(line); len(line) >= 40 && line != v {
			forms = append(forms, form{"line", line})
		}
	}
	return forms
}

// searchable is a text with an index of its parts of eight bytes: a bit for each hash,
// so that most forms are ruled out at once.
type searchable struct {
	text  string
	index []uint64
}

func newSearchable(text string) searchable {
	words := 1
	for words*8 < len(text) { // eight bits or more for each byte
		words *= 2
	}
	s := searchable{text, make([]uint64, words)}
	for i := range max(0, len(text)-7) {
		word, bit := s.place(text[i:])
		s.index[word] |= bit
	}
	return s
}

// place returns the bit of the first eight bytes of a text.
func (s searchable) place(text string) (word int, bit uint64) {
	hash := binary.LittleEndian.Uint64([]byte(text[:8])) * 0x9e3779b97f4a7c15
	return int(hash >> 32 % uint64(len(s.index))), 1 << (hash >> 26 & 63)
}

func (s searchable) contains(form string) bool {
	word, bit := s.place(form)
	return s.index[word]&bit != 0 && strings.Contains(s.text, form)
}
