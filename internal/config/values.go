package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// setter parses an input's value, which is trimmed and not blank, into the config,
// or returns what is wrong with it.
type setter func(c *Config, text string) []invalid

// invalid is an input error as a setter sees it: it knows neither the input's label
// nor whether its value may be repeated.
type invalid struct {
	got         string // a description instead of the value; may be empty
	part        string // the wrong part of the value, if it isn't the whole
	requirement string
	problem     string // instead of a requirement; may contain valuePlaceholder
	hint        string
	kind        Kind
}

var (
	appID = regexp.MustCompile(`^[A-Za-z0-9.]{1,64}$`)
	// Wider than GitHub's rule for new logins, for the sake of old ones and of
	// Enterprise Managed Users, whose logins have an underscore.
	login      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	secretForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,79}$`)
)

func matching(form *regexp.Regexp, want string, field func(*Config) *string) setter {
	return func(c *Config, text string) []invalid {
		if !form.MatchString(text) {
			return []invalid{{requirement: want}}
		}
		*field(c) = text
		return nil
	}
}

func oneOf[T ~string](field func(*Config) *T, words ...T) setter {
	return func(c *Config, text string) []invalid {
		if !slices.Contains(words, T(text)) {
			return []invalid{{requirement: choice(words), hint: suggestion(text, words)}}
		}
		*field(c) = T(text)
		return nil
	}
}

// choice returns `"a", "b" or "c"`.
func choice[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch i {
		case 0:
		case len(words) - 1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(string(w)))
	}
	return b.String()
}

func number(lo, hi int, set func(*Config, int)) setter {
	return func(c *Config, text string) []invalid {
		n, err := strconv.Atoi(text)
		if err != nil || n < lo || n > hi {
			return []invalid{{requirement: fmt.Sprintf("a whole number from %d to %d", lo, hi)}}
		}
		set(c, n)
		return nil
	}
}

func boolean(field func(*Config) *bool) setter {
	return func(c *Config, text string) []invalid {
		switch text { // the convention of GitHub's own actions
		case "true", "True", "TRUE":
			*field(c) = true
		case "false", "False", "FALSE":
			*field(c) = false
		default:
			return []invalid{{requirement: `"true" or "false"`}}
		}
		return nil
	}
}

func duration(lo, hi time.Duration, field func(*Config) *time.Duration) setter {
	return func(c *Config, text string) []invalid {
		d, err := time.ParseDuration(text)
		if err != nil || d < lo || d > hi {
			return []invalid{{requirement: "a duration from 1s to 120h, such as 90m or 5h30m"}}
		}
		*field(c) = d
		return nil
	}
}

func shard(c *Config, text string) []invalid {
	i, n, _ := strings.Cut(text, "/")
	index, err1 := strconv.Atoi(i)
	count, err2 := strconv.Atoi(n)
	if err1 != nil || err2 != nil || index < 1 || count < index || count > maxShards {
		return []invalid{{requirement: "i/n, such as 2/4, with i from 1 to n and n at most " + strconv.Itoa(maxShards)}}
	}
	c.Shard = Shard{Index: index, Count: count}
	return nil
}

func stores(c *Config, text string) []invalid {
	var wrong []invalid
	asked := map[rotation.Store]bool{}
	for _, name := range splitList(text) {
		if !slices.Contains(rotation.Stores(), rotation.Store(name)) {
			wrong = append(wrong, invalid{part: name, requirement: "any of " + storeNames("") + ", separated by commas or newlines", hint: suggestion(name, rotation.Stores())})
		}
		asked[rotation.Store(name)] = true
	}
	c.Policy.Stores = slices.DeleteFunc(rotation.Stores(), func(s rotation.Store) bool { return !asked[s] })
	return wrong
}

// storeNames lists the stores as users see them, the most common one first, each name
// between two quotes.
func storeNames(quote string) string {
	var names []string
	for _, s := range slices.Backward(rotation.Stores()) {
		names = append(names, quote+string(s)+quote)
	}
	return strings.Join(names, ", ")
}

func secretName(c *Config, text string) []invalid {
	switch {
	case !secretForm.MatchString(text):
		return []invalid{{requirement: "at most 80 letters, digits and underscores, without a digit at the start"}}
	case strings.HasPrefix(strings.ToUpper(text), "GITHUB_"):
		return []invalid{{requirement: "a name that does not start with GITHUB_, which GitHub reserves", kind: Reserved}}
	}
	c.Policy.SecretName = text
	return nil
}

func apiURL(field func(*Config) **url.URL) setter {
	return func(c *Config, text string) []invalid {
		wrong := invalid{requirement: "https://HOST/PATH (http on a loopback address only)"}
		if strings.ContainsAny(text, "@?#") {
			// Passwords and tokens may be there.
			wrong.got = "a URL with a user, a query or a fragment"
			return []invalid{wrong}
		}
		u, err := url.Parse(strings.TrimRight(text, "/"))
		if err != nil || u.Hostname() == "" || !validPort(u) || strings.ContainsFunc(text, unicode.IsSpace) ||
			u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return []invalid{wrong}
		}
		*field(c) = u
		return nil
	}
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// token parses a credential that goes into a header.
func token(field func(*Config) *secret.Value) setter {
	return func(c *Config, text string) []invalid {
		if found := tokenProblem(text); found != "" {
			return []invalid{{got: found, requirement: "only the token"}}
		}
		*field(c) = secret.New(text)
		return nil
	}
}

// tokenProblem describes why a text is not a token, without repeating any of it;
// empty if it may be one.
func tokenProblem(text string) string {
	what := ""
	switch {
	case strings.ContainsFunc(text, unicode.IsSpace):
		what = "a blank"
	case strings.ContainsFunc(text, unicode.IsControl):
		what = "a control character"
	case strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }):
		what = "a character that is not ASCII" // such as an invisible one
	default:
		return ""
	}
	return describe(text) + " with " + what + " in it"
}

func describe(text string) string {
	return "a value of " + strconv.Itoa(utf8.RuneCountInString(text)) + " characters"
}

// keyLines returns a PEM block with its line breaks, even if they are written as \n
// because it was pasted into one line. A PEM block contains no backslash.
func keyLines(text string) string { return strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text) }

// privateKey parses a PEM block.
func privateKey(c *Config, text string) []invalid {
	if strings.HasPrefix(text, "\ufeff") {
		return []invalid{{
			got: "a file that starts with a byte order mark", requirement: "the PEM file without changes",
			hint: "Save the file as UTF-8 without a byte order mark, and set the secret to it",
		}}
	}
	block, rest := pem.Decode([]byte(keyLines(text)))
	if block == nil || strings.TrimSpace(string(rest)) != "" || !isRSAKey(block) {
		return []invalid{{
			got:         describe(text) + " that is not one RSA private key",
			requirement: "the whole PEM file from GitHub, from -----BEGIN to END-----, with its line breaks",
		}}
	}
	c.GitHubAppPrivateKey = secret.New(string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})))
	return nil
}

func isRSAKey(block *pem.Block) bool {
	switch block.Type {
	case "RSA PRIVATE KEY":
		_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		return err == nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		_, ok := key.(*rsa.PrivateKey)
		return err == nil && ok
	}
	return false
}
