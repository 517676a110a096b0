package wire

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestCheckProxies(t *testing.T) {
	t.Parallel()

	for address, valid := range map[string]bool{
		"": true, "http://proxy:3128": true, "proxy:3128": true, "proxy": true, "https://user:pass@proxy.example": true,
		"socks5://[::1]:1080": true, "HTTP://proxy": true, "user:p%40ss@proxy:3128": true,
		"http://": false, "http://user:p%zz@proxy:3128": false, "http://proxy:port": false, "://proxy": false,
		"http://pro xy:3128": false, "ftp://proxy:21": false, "\x00": false, "http://:3128": false,
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			err := CheckProxies(func(asked string) string {
				return map[string]string{name: address, "NO_PROXY": "://"}[asked]
			})
			if (err == nil) != valid {
				t.Errorf("%s=%q: %v", name, address, err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), name+": must be ") || strings.Contains(err.Error(), "p%zz")) {
				t.Errorf("%s=%q: the error is %q", name, address, err)
			}
		}
	}
}

func TestProxySecrets(t *testing.T) {
	t.Parallel()

	header := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for address, want := range map[string][]string{
		"":                               nil,
		"http://proxy:3128":              nil,
		"http://me:p%40ss%2Fw@proxy":     {"me:p%40ss%2Fw", "p%40ss%2Fw", "p@ss/w", "me:p@ss/w", header("me:p@ss/w")},
		"me:pass@proxy:3128":             {"me:pass", "pass", "pass", "me:pass", header("me:pass")},
		"http://me@proxy":                {"me", "me:", header("me:")},
		"http://me:p%zz-secret@proxy":    {"me:p%zz-secret", "p%zz-secret"},
		"http://me: word @proxy":         {"me: word", "word"},
		"http://me:pa@ss@proxy.acme.org": {"me:pa@ss", "pa@ss", "pa@ss", "me:pa@ss", header("me:pa@ss")},
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			var got []string
			for _, v := range ProxySecrets(func(n string) string { return map[string]string{name: address}[n] }) {
				got = append(got, v.Reveal())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s=%q: got %q, want %q", name, address, got, want)
			}
		}
	}
}
