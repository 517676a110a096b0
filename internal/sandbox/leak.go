package sandbox

import (
	"encoding/base64"
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
	var found []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		if runner && name == "stdout" {
			text = withoutMasks(text, secrets)
		}
		// As it is, and as one line, because the log joins the lines of a text.
		joined := strings.NewReplacer("\n", "", "\r", "", " ", "", `\`, "").Replace(text)
		whole, line := newSearchable(text), newSearchable(joined)
		for i, secret := range secrets {
			forms := secretForms(secret)
			for _, form := range slices.Sorted(maps.Keys(forms)) {
				if whole.contains(forms[form]) || line.contains(forms[form]) {
					found = append(found, fmt.Sprintf("%s holds secret %d in the form %q", name, i, form))
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

// secretForms returns the encodings in which a value could be written.
func secretForms(v string) map[string]string {
	if len(v) < 8 {
		return nil
	}
	quoted, err := json.Marshal(v)
	must(err)
	forms := map[string]string{
		"plain": v, "JSON": string(quoted[1 : len(quoted)-1]), "query": url.QueryEscape(v), "path": url.PathEscape(v),
		"hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for before, prefix := range []string{"", "x", "xx"} { // at each offset in the encoded text
			encoded := encoding.EncodeToString([]byte(prefix + v))
			forms[fmt.Sprint(name, before)] = encoded[min(4, 4*before) : len(encoded)-1]
		}
	}
	// A value of several lines, such as a key, could be written one line at a time.
	for i, line := range strings.Split(strings.TrimSpace(v), "\n") {
		if len(line) >= 40 && line != v {
			forms[fmt.Sprint("line ", i)] = line
		}
	}
	return forms
}

// searchable is a text with an index of its parts of eight bytes.
type searchable struct {
	text  string
	parts map[string]struct{}
}

func newSearchable(text string) searchable {
	s := searchable{text, make(map[string]struct{}, len(text))}
	for i := range max(0, len(text)-7) {
		s.parts[text[i:i+8]] = struct{}{}
	}
	return s
}

func (s searchable) contains(form string) bool {
	_, ok := s.parts[form[:8]]
	return ok && strings.Contains(s.text, form)
}
