package wire

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// proxyVariables are the variables from which net/http takes its proxies.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// CheckProxies returns an error that names the first variable whose value is not a
// proxy's address. net/http would ignore it and connect directly. The error doesn't
// contain the value, which may contain a password.
func CheckProxies(getenv func(string) string) error {
	for _, name := range proxyVariables {
		address := getenv(name)
		if address == "" {
			continue
		}
		u, ok := parseProxy(address)
		if !ok || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, strings.ToLower(u.Scheme)) {
			return fmt.Errorf("%s: must be the address of a proxy, such as http://proxy.example:3128", name)
		}
	}
	return nil
}

// ProxySecrets returns what must not be printed of the proxies' credentials: user and
// password together, as they are, unescaped, and in base64 as in the header that
// carries them; and each password.
func ProxySecrets(getenv func(string) string) []secret.Value {
	var all []secret.Value
	add := func(texts ...string) {
		for _, text := range texts {
			if text = strings.TrimSpace(text); text != "" {
				all = append(all, secret.New(text))
			}
		}
	}
	for _, name := range proxyVariables {
		address := getenv(name)
		at := strings.LastIndex(address, "@")
		if at < 0 {
			continue
		}
		user := address[:at]
		if _, rest, ok := strings.Cut(user, "//"); ok {
			user = rest
		}
		add(user)
		_, password, _ := strings.Cut(user, ":")
		add(password)
		// The parsed form is the one that is sent, unless the address is invalid.
		if u, ok := parseProxy(address); ok && u.User != nil {
			password, _ := u.User.Password()
			plain := u.User.Username() + ":" + password
			add(password, plain, base64.StdEncoding.EncodeToString([]byte(plain)))
		}
	}
	return all
}

// parseProxy parses a proxy's address. As for net/http, the scheme may be missing.
func parseProxy(address string) (*url.URL, bool) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return u, err == nil && u.Hostname() != ""
}
