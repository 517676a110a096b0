package report

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// texts are samples of what servers and users may send.
var texts = []string{
	"", " ", "api", "a\nb", "a\r\nb", "a\rb", "::error::x", "  ::set-output name=a::b", "\t::x", "\u00a0::x", "\u3000::x", "a ::b",
	"##[error]x", "###[x", "####[[x", "##\n[x", "##\u200b[x", "##\\[x", "#[#[##[##[", "a##[group]b", "\\::x", ":: ::", ":",
	"\x00\x01\x1b[31mred", "\u202eevil\u202c", "\u2066x\u2069", "\u200e", "\ufeff::x", "\u2028::x", "\u0085::x", "\v::x", "\f##[x",
	"<script>alert(1)</script>", "a|b", `a\|b`, `\\|`, "`code`", "[link](https://evil.test)", "![img](x)", "https://evil.test", "www.evil.test",
	"@everyone", "#12", "acme/api#12", "*bold* _it_ ~~gone~~", "$x$", "&lt;b&gt;", "&#x3c;", "# head", "> quote", "<!-- -->", "a\\", "{a}",
	"=1+1", "+1", "-1", "@SUM(A1)", "|x", "%x", "\t=1", "  =1", "'=1", "＝1", "＋1", "－1", "＠1", "\n=1", "\r=1",
	"\xff\xfe", "a\xc3", strings.Repeat("ä", 600), strings.Repeat("x", 2000), strings.Repeat("x", 999) + "ä", strings.Repeat("##[", 400),
	"日本語", "emoji 👍🏽", "a\u0301",
}

func fuzz(f *testing.F, check func(t *testing.T, s string)) {
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(check)
}

// checkPlain asserts what is true of all escaped text.
func checkPlain(t *testing.T, s, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("%q became bad UTF-8: %q", s, out)
	}
	for _, r := range out {
		if !unicode.IsPrint(r) {
			t.Errorf("%q became %q, with %U", s, out, r)
		}
	}
}

func FuzzPlain(f *testing.F) {
	fuzz(f, func(t *testing.T, s string) {
		out := plain(s)
		checkPlain(t, s, out)
		if utf8.RuneCountInString(out) > maxText+10 {
			t.Errorf("%d bytes became %d characters", len(s), utf8.RuneCountInString(out))
		}
		if len(s) > maxText != strings.HasSuffix(out, "…[cut]") && !strings.HasSuffix(s, "…[cut]") {
			// Invalid UTF-8 becomes longer.
			if utf8.ValidString(s) {
				t.Errorf("%d bytes became %q", len(s), out)
			}
		}
		if again := plain(out); len(out) <= maxText && again != out {
			t.Errorf("%q became %q, and that %q", s, out, again)
		}
	})
}

// isCommand reports whether the runner takes a line as a command: "::" after
// blanks, or "##[" anywhere.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func isCommand(line string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || strings.Contains(line, "##[")
}

func FuzzLine(f *testing.F) {
	fuzz(f, func(t *testing.T, s string) {
		out := line(s)
		checkPlain(t, s, out)
		if isCommand(out) {
			t.Errorf("%q became the command %q", s, out)
		}
		// Within a line it isn't a command either.
		if isCommand("failed   acme/api: " + out) {
			t.Errorf("%q gives a command within a line: %q", s, out)
		}
	})
}

// Harmless text is unchanged.
func TestLineKeeps(t *testing.T) {
	t.Parallel()

	for _, s := range []string{"", "api", "acme/api: not found", "a::b", "#12", "日本語", "100 %", `C:\path`, "e: 50% [x] ## y"} {
		if got := line(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for s, want := range map[string]string{
		"a\nb": "a b", "::error::x": `\::error::x`, "  ::x": `\::x`, "##[error]x": `##\[error]x`,
		"\u202etxt": "�txt", "a\tb": "a b", "\x1b[31m": "�[31m", "a\u00a0b\u2028c": "a b c", "a\xffb": "a�b",
		strings.Repeat("x", 999) + "ä": strings.Repeat("x", 999) + "…[cut]",
	} {
		if got := line(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}

// entity matches the entities that markdown writes.
var entity = regexp.MustCompile(`&(lt|gt|amp);`)

// read parses markdown's output as GitHub would. Only letters, entities and escaped
// characters are allowed: any markup is an error.
func read(t *testing.T, out string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(out); {
		switch c := out[i]; {
		case c == '\\':
			if i++; i == len(out) || !strings.ContainsRune("\\`*_{}[]()#+!|~$:", rune(out[i])) {
				t.Errorf("%q: a backslash that escapes nothing", out)
				return ""
			}
			b.WriteByte(out[i])
			i++
		case c == '&':
			at := entity.FindStringIndex(out[i:])
			if at == nil || at[0] != 0 {
				t.Errorf("%q: a bare &", out)
				return ""
			}
			b.WriteString(map[string]string{"&lt;": "<", "&gt;": ">", "&amp;": "&"}[out[i:i+at[1]]])
			i += at[1]
		case strings.IndexByte("`*_{}[]()#+!|~$:<>\n\r", c) >= 0:
			t.Errorf("%q: a bare %q", out, c)
			return ""
		default:
			b.WriteByte(c)
			i++
		}
	}
	return strings.ReplaceAll(b.String(), "\u200b", "")
}

func FuzzMarkdown(f *testing.F) {
	fuzz(f, func(t *testing.T, s string) {
		out := markdown(s)
		if strings.Contains(out, "www.") || regexp.MustCompile(`@[^\x{200b}]|@$`).MatchString(out) {
			t.Errorf("%q became %q: an address or a mention", s, out)
		}
		if got, want := read(t, out), plain(s); got != want {
			t.Errorf("%q became %q, which reads %q, want %q", s, out, got, want)
		}
		// It must not end its cell: a row with one cell has two bare pipes.
		row := "| " + out + " |"
		bare := 0
		for i := 0; i < len(row); i++ {
			switch row[i] {
			case '\\':
				i++
			case '|':
				bare++
			}
		}
		if bare != 2 {
			t.Errorf("%q leaves its cell: %s", s, row)
		}
	})
}

func FuzzCell(f *testing.F) {
	fuzz(f, func(t *testing.T, s string) {
		out := cell(s)
		checkPlain(t, s, out)
		first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(out, unicode.IsSpace))
		if strings.ContainsRune("=+-@|%＝＋－＠", first) {
			t.Errorf("%q became the formula %q", s, out)
		}
		if strings.TrimPrefix(out, "'") != strings.TrimPrefix(plain(s), "'") {
			t.Errorf("%q became %q", s, out)
		}
	})
}

func TestCellKeeps(t *testing.T) {
	t.Parallel()

	for _, s := range []string{"", "api", ".github", "a=b", "x-1", "'quoted'", "_x"} {
		if got := cell(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// A long path may wrap in a table, and nothing else changes.
func TestBreakable(t *testing.T) {
	t.Parallel()

	f := newFixture(t, nil)
	f.Add(failed(1, "403 to PUT /repos/acme/x/actions/secrets/A_B: and/or a_b <wbr>"))
	const want = `403 to PUT /<wbr>repos/<wbr>acme/<wbr>x/<wbr>actions/<wbr>secrets/<wbr>A\_<wbr>B\: and/or a\_b &lt;wbr&gt; |`
	if got := f.Summary(); !strings.Contains(got, want) {
		t.Errorf("%q is missing in\n%s", want, got)
	}
}
