package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// values are of all the sorts that there are.
var values = []string{
	"0123456789abcdef0123456789ABCDEF", "ghp_aB3xYz90", "sandbox-account-token", "a1b2c3d4", "a1b2", "xYz12",
	`odd"'<&>%+/=?#\chars` + "`|", "ghs_1234567_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl", strings.Repeat("long", 1000) + "!",
}

const key1 = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234567890abcdefghij\nklmnopqrstuvwxyz0987654321ABCDEFGHIJ\nshort==\n-----END RSA PRIVATE KEY-----\n"

func net(vs ...string) *Redactor {
	n := &Redactor{}
	for _, v := range vs {
		n.Add(secret.New(v))
	}
	return n
}

// written are the ways in which v may turn up, made by other means than the Net's.
func written(v string) map[string]string {
	quoted, _ := json.Marshal(v)
	h := hex.EncodeToString([]byte(v))
	all := map[string]string{
		"plain": v, "JSON": string(quoted[1 : len(quoted)-1]), "Go": strings.Trim(fmt.Sprintf("%q", v), `"`),
		"JSON in JSON": strings.ReplaceAll(string(quoted[1:len(quoted)-1]), `"`, `\"`),
		"query":        url.QueryEscape(v), "path": url.PathEscape(v), "percent": "%" + strings.Join(split(h, 2), "%"),
		"Percent": "%" + strings.ToUpper(strings.Join(split(h, 2), "%")), "HTML": html.EscapeString(v),
		"hex": h, "HEX": strings.ToUpper(h), "MIXED": strings.ToUpper(h[:len(h)/2]) + h[len(h)/2:], "reversed case": swapCase(v),
		"base64": base64.StdEncoding.EncodeToString([]byte(v)), "raw base64": base64.RawStdEncoding.EncodeToString([]byte(v)),
		"base64url": base64.URLEncoding.EncodeToString([]byte(v)), "raw base64url": base64.RawURLEncoding.EncodeToString([]byte(v)),
		"lines": strings.Join(split(v, 3), "\n"), "CRLF": strings.Join(split(v, 5), "\r\n"), "blanks": strings.Join(split(v, 1), " "),
		"escape sequence": v[:2] + "\x1b\u202e\x00" + v[2:], "markdown": strings.NewReplacer("_", `\_`, "*", `\*`, "|", `\|`).Replace(v),
		"MIME": strings.Join(split(base64.StdEncoding.EncodeToString([]byte(v)), 76), "\r\n"),
	}
	for _, before := range []string{"Bearer ", "x:", "user: "} {
		all["base64 after "+before] = base64.StdEncoding.EncodeToString([]byte(before + v + "\r\nHost: x"))
	}
	return all
}

func split(s string, n int) []string {
	var parts []string
	for ; len(s) > n; s = s[n:] {
		parts = append(parts, s[:n])
	}
	return append(parts, s)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// TestForms: in whatever form a value stands, nothing of it is left, and nothing
// around it is lost.
func TestForms(t *testing.T) {
	t.Parallel()

	n := net(values...)
	for _, v := range values {
		for form, w := range written(v) {
			got := n.Redact("start [" + w + "] end")
			if strings.HasPrefix(form, "base64 after") {
				// The rest of the same base64 text is kept.
				if enc := base64.StdEncoding.EncodeToString([]byte(v))[4 : len(v)*8/6]; strings.Contains(got, enc) || !strings.Contains(got, "***") {
					t.Errorf("%.40q, %s: %.200q", v, form, got)
				}
				continue
			}
			if got != "start [***] end" {
				t.Errorf("%.40q, %s %.200q: got %.200q", v, form, w, got)
			}
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()

	n := net(key1)
	for _, text := range []string{
		key1, strings.ReplaceAll(key1, "\n", `\n`), strings.ReplaceAll(key1, "\n", " "),
		"MIIEpAIBAAKCAQEA1234567890abcdefghij", "x klmnopqrstuvwxyz0987654321ABCDEFGHIJ\n",
		base64.StdEncoding.EncodeToString([]byte(key1)), hex.EncodeToString([]byte(key1)),
		base64.StdEncoding.EncodeToString([]byte("klmnopqrstuvwxyz0987654321ABCDEFGHIJ")),
	} {
		got := n.Redact(text)
		for _, part := range []string{"MIIEpAIB", "klmnopq", "bG1ub3Bx", "6b6c6d6e"} {
			if strings.Contains(got, part) {
				t.Errorf("%.60q became %.200q", text, got)
			}
		}
	}
	if text := "-----BEGIN RSA PRIVATE KEY-----"; n.Redact(text) != text {
		t.Error("the first line, which is in every key, is replaced")
	}
}

// TestKeeps: what holds no value stays as it is.
func TestKeeps(t *testing.T) {
	t.Parallel()

	for _, n := range []*Redactor{{}, net(""), net("abc"), net(values...)} {
		for _, text := range []string{
			"", "a", "failed   acme/api: GitHub: status 403: Resource not accessible", "0123456789abcdef0123456789ABCDE", "ghp_aB3xYz9",
			"ghp_aB3xYz9\n1", "日本語 ***", strings.Repeat("\n", 100), "ab c", "a1b 3",
		} {
			if got := n.Redact(text); got != text {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
}

// TestMany: values next to and inside each other, twice added, and with ends that are
// the same.
func TestMany(t *testing.T) {
	t.Parallel()

	n := net("aaaa-same-ending", "bbbb-same-ending", "same-ending", "aaaa-same-ending", "ending-and-more")
	if got := len(n.entries); got > 5*encodings {
		t.Errorf("%d entries: a value is there twice", got)
	}
	for text, want := range map[string]string{
		"aaaa-same-ending bbbb-same-ending cccc-same-ending": "*** *** cccc-***",
		"x aaaa-same-ending-and-more y":                      "x *** y",
		"aaaa-same-endingbbbb-same-ending":                   "***",
		"same-ending,same-ending":                            "***,***",
	} {
		if got := n.Redact(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestWriter writes every form cut into pieces: a value is found across them.
func TestWriter(t *testing.T) {
	t.Parallel()

	for _, v := range append(values, key1) {
		for form, w := range written(v) {
			if len(v) > 1000 && form != "plain" || len(v) < 16 && len(w) < 16 {
				continue
			}
			text := "first line\nbegin [" + w + "] end\nlast line\n"
			n := net(v)
			for _, size := range []int{1, 7, 8, 13, 40, len(text)} {
				if size < 8 && form == "blanks" || len(v) > 1000 && size < 8 {
					continue
				}
				var out bytes.Buffer
				writer := n.Writer(&out)
				for _, piece := range split(text, size) {
					if k, err := writer.Write([]byte(piece)); k != len(piece) || err != nil {
						t.Fatal(k, err)
					}
				}
				if err := writer.Close(); err != nil {
					t.Fatal(err)
				}
				got := out.String()
				if !strings.HasPrefix(got, "first line\nbegin [") || !strings.HasSuffix(got, "] end\nlast line\n") && !strings.HasSuffix(got, " end\nlast line\n") {
					t.Errorf("%.40q, %s, by %d: got %.300q", v, form, size, got)
				}
				// At most what came before it could be known, and a rest of base64.
				inner := strings.TrimSuffix(strings.TrimPrefix(got, "first line\nbegin ["), "] end\nlast line\n")
				if rest := string(foldText([]byte(strings.ReplaceAll(inner, "***", "")))); len(rest) >= suffixLength+4 && !strings.HasPrefix(form, "base64 after") {
					t.Errorf("%.40q, %s, by %d: %d bytes are left in %.300q", v, form, size, len(rest), got)
				}
			}
		}
	}
}

// TestWriterWaitsForNothing: text that starts no value is passed on immediately, and what
// may start one comes when it can no longer be.
func TestWriterWaitsForNothing(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	w := net("0123456789abcdef0123456789ABCDEF").Writer(&out)
	step := func(write, want string) {
		t.Helper()
		if _, err := w.Write([]byte(write)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("after %q: %q, want %q", write, got, want)
		}
		out.Reset()
	}
	step("Apply this? [y/N] ", "Apply this? [y/N] ")
	step("\nline\nheld 01234567\n", "\nline\n")
	step("89abcdef\n0123456789abcde", "")
	step("f\nnext\n", "held ***\nnext\n")
	step("held 0123456789\n", "")
	step("something else\n", "")
	step("and much more\n", "held 0123456789\nsomething else\nand much more\n")
	step("held 012345678", "")
	if err := w.Close(); err != nil || out.String() != "held 012345678" {
		t.Errorf("%v, %q", err, out.String())
	}
	if _, err := net().Writer(broken{}).Write([]byte("x")); err == nil {
		t.Error("an error is lost")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }

func TestConcurrent(t *testing.T) {
	t.Parallel()

	n := &Redactor{}
	var out bytes.Buffer
	w := n.Writer(&out)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				v := fmt.Sprintf("value-%d-%d-%016x", i, j, i*1000+j)
				n.Add(secret.New(v))
				fmt.Fprintf(w, "a line with %s in it\n", v)
				if got := n.Redact(v); got != secret.Mask {
					t.Errorf("%q became %q", v, got)
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil || strings.Count(out.String(), "a line with *** in it\n") != 800 {
		t.Errorf("%v, %.300s", err, out.String())
	}
}

// FuzzRedactor puts a value into any text in any form: it is gone, and what stands
// before and after it stays; through a Writer, in any pieces, no whole value gets.
func FuzzRedactor(f *testing.F) {
	for i, v := range values {
		f.Add(v, "before ", " after\n", i, i*7)
	}
	f.Add("ghp_aB3xYz90", "ghp_aB3x", "z90", 2, 3)
	f.Fuzz(func(t *testing.T, v, before, after string, form, size int) {
		// One long period after the other takes its time; and with a star in it the
		// mask could be the start of another one.
		if len(form0(v)) < MinLength || len(v) > 300 || strings.Contains(v, "*") {
			return
		}
		n := net(v)
		all := map[string]string{}
		if len(v) > 1 && strings.ToValidUTF8(v, "") == v && !strings.ContainsRune(v, '\\') {
			all = written(v)
		} else {
			all["plain"] = v
		}
		names := slices.Sorted(maps.Keys(all))
		w := all[names[(form%len(names)+len(names))%len(names)]]
		text := before + w + after
		got := n.Redact(text)
		if strings.Contains(form0(got), form0(v)) {
			t.Errorf("%q became %q", text, got)
		}
		if again := n.Redact(got); again != got {
			t.Errorf("%q became %q, and that %q", text, got, again)
		}
		var out bytes.Buffer
		writer := n.Writer(&out)
		for _, piece := range split(text, max(1, size%64)) {
			_, _ = writer.Write([]byte(piece))
		}
		_ = writer.Close()
		if strings.Contains(form0(out.String()), form0(v)) {
			t.Errorf("%q was written as %q", text, out.String())
		}
	})
}

func form0(s string) string { return string(foldText([]byte(s))) }

// BenchmarkNet is a log line of 100 bytes through a Writer that knows the tokens
// of 20,000 repositories.
func BenchmarkNet(b *testing.B) {
	n := &Redactor{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		n.Add(secret.New(fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())))
	}
	line := []byte(strings.Repeat("created  acme/service-00001: new ", 3) + "\n")
	w := n.Writer(&bytes.Buffer{})
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = w.Write(line)
		w.to.(*bytes.Buffer).Reset()
	}
}

// BenchmarkHostile is a response of 64 KiB that repeats what a hostile service made
// the value of: at each byte one may end.
func BenchmarkHostile(b *testing.B) {
	n := net(strings.Repeat("long", 1024))
	text := strings.Repeat("long", 16<<10)
	for b.Loop() {
		n.Redact(text)
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	n := &Redactor{}
	b.ReportAllocs()
	for b.Loop() {
		n.Add(secret.New(fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())))
	}
}
