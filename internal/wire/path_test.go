package wire

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzPath: each element comes back out of the path as it went in, and the URL
// that has the path says the same.
func FuzzPath(f *testing.F) {
	for _, e := range []string{"", ".", "..", "...", "a/b", "%2e", "%", "?", "#", "a b", "\x00", "ü", "\xff", ":", "//evil.test"} {
		f.Add("repos", e)
		f.Add(e, "api")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		base, err := url.Parse(origin1 + "/base/")
		if err != nil {
			t.Fatal(err)
		}
		u, err := base.Parse("x/" + Path(a, b))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(u.EscapedPath(), "/")
		if len(got) != 5 || u.Host != base.Host || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q, %q: %s", a, b, u)
		}
		for i, want := range []string{a, b} {
			if e, err := url.PathUnescape(got[3+i]); err != nil || e != want || got[3+i] == "." || got[3+i] == ".." {
				t.Errorf("%q, %q: %s", a, b, u)
			}
		}
	})
}
