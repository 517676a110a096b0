package config_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/codacy/codacy-project-tokens/internal/rotation"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

// marker is in every credential of the fuzz test, and must not come out.
const marker = "zq9xj7wk"

// FuzzParse sets one input, a credential and some arguments to anything.
func FuzzParse(f *testing.F) {
	f.Add(true, byte(4), "acme/web", "abc", "")
	f.Add(true, byte(3), "-----BEGIN RSA PRIVATE KEY-----\\n", "", "")
	f.Add(true, byte(6), "http://[::1%25lo]:80/a/", "", "")
	f.Add(true, byte(8), "a-*,[^b-c]\\*\r\n*[x", "", "")
	f.Add(true, byte(11), "actions,agents,actions", " ", "")
	f.Add(true, byte(14), "30", "\x00", "--yes")
	f.Add(false, byte(18), "100", "a=b", "--dry-run\x1f--concurrency=7\x1f--shard\x1f2/3")
	f.Add(false, byte(22), "a.json", "x y", "--"+marker+"-x=y\x1f-h")
	f.Fuzz(func(t *testing.T, onRunner bool, index byte, value, credential, arguments string) {
		inputs := config.Inputs()
		in := inputs[int(index)%len(inputs)]
		credential = marker + credential
		if in.Credential {
			value = marker + value
		}
		var args []string
		if arguments != "" {
			args = strings.Split(arguments, "\x1f")
		}
		var e env
		if onRunner {
			e = runner(env{"github-token": credential, in.Name: value})
		} else {
			e = byHand(env{"GH_TOKEN": credential})
			if in.Credential {
				e[in.Env[0]] = value
			} else {
				args = append(args, "--"+in.Name+"="+value)
			}
		}

		c, err := config.Parse(args, e.get)

		if err == nil {
			checkBounds(t, c)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				out := fmt.Sprintf(verb+verb, c, *c)
				known := in.Credential || !strings.Contains(value, marker)
				if known && !strings.Contains(arguments, marker) && strings.Contains(out, marker) {
					t.Errorf("the config shows a credential: %s", out)
				}
			}
			return
		}
		if c != nil {
			t.Error("got a config with an error")
		}
		if errors.Is(err, config.ErrHelp) || errors.Is(err, config.ErrVersion) {
			return
		}
		faults, ok := errors.AsType[config.InputErrors](err)
		if !ok || len(faults) == 0 {
			t.Fatalf("got error %v, want faults", err)
		}
		for _, fault := range faults {
			line := fault.Error()
			if fault.Input == "" || (fault.Requirement == "") == (fault.Problem == "") || len(line) > 1000 {
				t.Errorf("an incomplete error: %#v", fault)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("a fault that can't be printed: %q", line)
			}
		}
		// A part of a credential elsewhere can't be known for one.
		if !strings.Contains(arguments, marker) && (in.Credential || !strings.Contains(value, marker)) && strings.Contains(err.Error(), marker) {
			t.Errorf("a credential is shown: %v", err)
		}
	})
}

func checkBounds(t *testing.T, c *config.Config) {
	t.Helper()

	const day = 24 * time.Hour
	within := func(n, lo, hi int) bool { return lo <= n && n <= hi }
	host := func(u *url.URL) bool {
		ip, _ := netip.ParseAddr(u.Hostname())
		return u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(u.String(), "/") &&
			(u.Scheme == "https" || u.Scheme == "http" && (ip.IsLoopback() || strings.EqualFold(u.Hostname(), "localhost")))
	}
	globs := func(p config.Patterns) bool {
		return !slices.ContainsFunc(p, func(glob string) bool {
			_, err1 := path.Match(glob, "a-name")
			_, err2 := path.Match(glob, glob)
			return err1 != nil || err2 != nil || strings.Contains(glob, "/") || glob != strings.ToLower(glob)
		})
	}
	inOrder := slices.DeleteFunc(rotation.Stores(), func(s rotation.Store) bool { return !slices.Contains(c.Policy.Stores, s) })
	for what, good := range map[string]bool{
		"codacy-api-token": !c.CodacyAPIToken.IsZero() && !strings.ContainsFunc(c.CodacyAPIToken.Reveal(), unicode.IsSpace),
		"credentials": c.GitHubToken.IsZero() != c.GitHubAppPrivateKey.IsZero() &&
			c.GitHubAppPrivateKey.IsZero() == (c.GitHubAppID == ""),
		"organization":         regexp.MustCompile(`^[\w-]{1,100}$`).MatchString(c.Organization),
		"provider":             c.Provider == "gh" || c.Provider == "ghe",
		"codacy-api-url":       host(c.CodacyAPIURL),
		"github-api-url":       host(c.GitHubAPIURL),
		"repositories":         len(c.Repositories) > 0 && globs(c.Repositories),
		"exclude-repositories": globs(c.ExcludeRepositories),
		"secret-name":          regexp.MustCompile(`^[A-Za-z_]\w{0,79}$`).MatchString(c.Policy.SecretName),
		"secret-stores":        len(c.Policy.Stores) > 0 && slices.Equal(inOrder, c.Policy.Stores),
		"existing-secrets":     slices.Contains([]rotation.Existing{"replace", "keep", "only"}, c.Policy.Existing),
		"rotate":               slices.Contains([]rotation.Rotate{"expiring", "always"}, c.Policy.Rotate),
		"token-lifetime-days":  c.Policy.Lifetime >= 2*day && c.Policy.Lifetime <= 365*day,
		"renew-before-days":    c.Policy.RenewBefore >= day && c.Policy.RenewBefore < c.Policy.Lifetime,
		"revoke-after-hours":   c.Policy.RevokeAfter >= 0 && c.Policy.RevokeAfter <= 8760*time.Hour,
		"concurrency":          within(c.Concurrency, 1, 100),
		"writes-per-minute":    within(c.WritesPerMinute, 0, 100_000),
		"max-duration":         c.MaxDuration >= time.Second && c.MaxDuration <= 120*time.Hour,
		"shard":                within(c.Shard.Index, 1, c.Shard.Count) && c.Shard.Count <= 10_000,
		"report-file":          c.ReportFile == "" || c.ReportFile == "-" && !c.Runner || regexp.MustCompile(`(?i)\.(json|csv)$`).MatchString(c.ReportFile),
	} {
		if !good {
			t.Errorf("%s is out of bounds: %+v", what, c)
		}
	}
}
