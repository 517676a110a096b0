package sandbox

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestLeaks: the search finds a value in every encoding and text, and reports none
// without a value. All tests for leaks rely on this.
func TestLeaks(t *testing.T) {
	t.Parallel()

	w := New(Options{})
	w.Add(Repository{Name: "web"})
	added := w.AddToken("web", Token{})
	w.AddCredential(Credential{Value: "ghs_of_an_hour_ago", Kind: Installation})
	w.Revoke("ghs_of_an_hour_ago")
	secrets := append(w.Secrets(), "odd\"<&>%value", "-----BEGIN-----\n"+strings.Repeat("0123456789", 5)+"\n-----END-----\n")
	if len(secrets) != 6 {
		t.Fatalf("%d secrets are known", len(secrets))
	}
	for i, v := range secrets {
		h := hex.EncodeToString([]byte(v))
		for form, text := range map[string]string{
			"%v": fmt.Sprintf("%v", v), "%q": fmt.Sprintf("%q", v), "%x": fmt.Sprintf("%x", v), "%X": fmt.Sprintf("%X", v),
			"base64": base64.StdEncoding.EncodeToString([]byte(v)), "URL": base64.URLEncoding.EncodeToString([]byte(v)),
			"header": base64.StdEncoding.EncodeToString([]byte("Bearer " + v + "\n")), "header2": base64.StdEncoding.EncodeToString([]byte("u:" + v)),
			"query": fmt.Sprintf("?token=%s", strings.NewReplacer("\"", "%22", "<", "%3C", "&", "%26", ">", "%3E", "%", "%25", " ", "+", "\n", "%0A", "-", "-").Replace(v)),
			"JSON":  string(jsonResponse(200, v).body), "lines": v[:5] + "\n" + v[5:], "blank": v[:5] + " " + v[5:],
			"markdown": strings.ReplaceAll(v, "_", `\_`), "hex on two lines": h[:9] + "\r\n" + h[9:],
		} {
			for _, name := range []string{"stdout", "stderr", "summary"} {
				found := Leaks(true, map[string]string{name: "before " + text + " after", "other": "nothing"}, secrets)
				if len(found) == 0 || !strings.HasPrefix(found[0], fmt.Sprintf("%s holds secret %d", name, i)) {
					t.Errorf("secret %d as %s in %s: %q", i, form, name, found)
				}
			}
		}
	}
	mask := "::add-mask::" + added.Value + "\n"
	for name, c := range map[string]struct {
		runner bool
		where  string
		text   string
		want   bool
	}{
		"nothing":                    {true, "stdout", "failed  acme/web: status 403\n", false},
		"a mask":                     {true, "stdout", "a line\n" + mask + "a line\n", false},
		"a mask on the command line": {false, "stdout", mask, true},
		"a mask elsewhere":           {true, "stderr", mask, true},
		"a mask and more":            {true, "stdout", strings.TrimSpace(mask) + " it is\n", true},
		"a mask of something else":   {true, "stdout", "::add-mask::x\n", false},
		"a mask within a line":       {true, "stdout", "see " + mask, true},
	} {
		if found := Leaks(c.runner, map[string]string{c.where: c.text}, secrets); (len(found) > 0) != c.want {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// TestSecretInURL: a credential or a token in an address is a violation.
func TestSecretInURL(t *testing.T) {
	t.Parallel()

	w := New(Options{})
	w.Add(Repository{Name: "web"})
	w.Provision("web", Token{Value: "token-in-an-address"})
	for _, path := range []string{"/user?token=" + CodacyToken, "/user?x=" + GitHubToken, "/" + "token-in-an-address"} {
		before := len(w.Violations())
		response, err := w.RoundTripper().RoundTrip(mustRequest(t, CodacyURL+path))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		found := w.Violations()[before:]
		if len(found) == 0 || !strings.Contains(found[0].Text, "address contains a secret") {
			t.Errorf("%s: %v", path, found)
		}
	}
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
