package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/cli"
	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// tamperer is a proxy in front of both services. It replaces or changes some of their
// responses, and records the successful ones and what was written.
type tamperer struct {
	http.RoundTripper
	script []byte // per request: the change, and its arguments

	mu      sync.Mutex
	next    [2]int      // positions in the script, for Codacy and for GitHub
	said    [2][]string // bodies of successful responses, by Codacy and by GitHub
	names   []string    // escaped names of the repositories whose secrets were written
	created []string    // and of those for which a token was created
}

var (
	putPath  = regexp.MustCompile(`^/repos/([^/]+)/([^/]+)/[a-z]+/secrets/CODACY_PROJECT_TOKEN$`)
	postPath = regexp.MustCompile(`/repositories/([^/]+)/tokens$`)
)

// take returns the next byte of the script for a service, 0 after its end.
func (l *tamperer) take(which int) byte {
	if l.next[which] >= len(l.script) {
		return 0
	}
	l.next[which]++
	return l.script[l.next[which]-1]
}

func (l *tamperer) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	which, path := 0, req.URL.EscapedPath()
	if strings.HasPrefix(sandbox.GitHubURL, req.URL.Scheme+"://"+req.URL.Host) {
		which = 1
	}
	if m := putPath.FindStringSubmatch(path); req.Method == http.MethodPut && m != nil {
		l.names = append(l.names, m[2])
	}
	if m := postPath.FindStringSubmatch(path); req.Method == http.MethodPost && m != nil {
		l.created = append(l.created, m[1])
	}
	act, arg := l.take(which), l.take(which)
	from, length := int(l.take(which))*3, int(l.take(which))
	l.mu.Unlock()
	if act == 1 {
		return nil, io.ErrUnexpectedEOF
	}
	resp, err := l.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.script[min(len(l.script), from):]
	rest = rest[:min(len(rest), length)]
	switch act {
	case 2: // another status
		resp.StatusCode = 200 + int(arg)*3/2
	case 3: // malformed
		body = rest
	case 4: // some bytes changed
		if len(body) > 0 {
			at := (from + length) % len(body)
			body = append(append(body[:at:at], rest...), body[min(len(body), at+int(arg)%16):]...)
		}
	case 5: // the request echoed in an error
		var echo bytes.Buffer
		fmt.Fprintf(&echo, `{"message":"%s %v"}`, strings.ReplaceAll(fmt.Sprint(req.Header), `"`, ""), req.URL)
		resp.StatusCode, body = 400+int(arg), echo.Bytes()
	case 6: // a header
		for _, h := range []string{"Retry-After", "Date", "Link", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Location", "X-Accepted-Github-Permissions"} {
			if arg&1 > 0 {
				resp.Header.Set(h, strings.Map(func(r rune) rune { return max(r, ' ') }, string(rest)))
			}
			arg >>= 1
		}
	case 7: // truncated
		body = body[:len(body)*int(arg)/255]
	case 8: // odd numbers and texts
		body = bytes.ReplaceAll(body, []byte(`"id":`), []byte(fmt.Sprintf(`"id":-%d,"x":`, arg)))
	case 9: // odd names
		body = bytes.ReplaceAll(body, []byte("service-"), []byte(strings.Trim(fmt.Sprintf("%q", rest), `"`)))
	case 10: // a redirect
		resp.StatusCode = []int{301, 302, 303, 307, 308}[arg%5]
		resp.Header.Set("Location", strings.Map(func(r rune) rune { return max(r, ' ') }, string(rest)))
	}
	if resp.StatusCode < 300 {
		l.said[which] = append(l.said[which], string(body))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// FuzzRun tampers with the responses of whole runs. A run never panics or hangs, and
// it ends with a documented exit code. Its output contains no secret and no workflow
// command. It creates no token and writes no secret for a repository that the lists,
// as received, don't contain.
func FuzzRun(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte{0, 0, 0, 0, 5, 1, 0, 0, 5, 3, 0, 0, 5, 0, 0, 0}, uint8(1))
	f.Add(append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 6, 9}, `../../x"},##[stop-commands]::error::=cmd()`...), uint8(2))
	f.Add([]byte{2, 134, 0, 0, 2, 200, 0, 0, 7, 100, 0, 0, 1, 0, 0, 0, 10, 3, 2, 9, '/', 'x'}, uint8(3))
	for act := range byte(11) {
		var all []byte
		for range 24 {
			all = append(all, act, act*37, 20, 30)
		}
		f.Add(append(all, `https://evil.test/{"data":[]}[]{"message":"token"}<x@y> 99999999999999999999`...), act)
	}
	f.Fuzz(func(t *testing.T, script []byte, how uint8) {
		if len(script) > 2000 {
			t.Skip("longer than a run has use for")
		}
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { tamperedRun(t, dir, script, how) })
	})
}

// tamperedRun is one such run.
func tamperedRun(t *testing.T, dir string, script []byte, how uint8) {
	w := sandbox.New(sandbox.Options{Latency: time.Millisecond, Legacy: how&16 > 0})
	for _, name := range harness.Names(3) {
		w.Add(sandbox.Repository{Name: name})
	}
	w.Provision(harness.Names(3)[1], sandbox.Token{Created: w.Time().AddDate(0, 0, -300), Expires: w.Time().AddDate(0, 0, 65), Name: "codacy-project-token-1"}, "actions")
	w.Provision(harness.Names(3)[2], sandbox.Token{Created: w.Time().AddDate(0, 0, -10), Expires: w.Time().AddDate(0, 0, 355), Name: "codacy-project-token-7"}, "actions")
	l := &tamperer{RoundTripper: w.RoundTripper(), script: script, next: [2]int{0, len(script) / 8 * 4}}
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		"INPUT_CODACY-API-TOKEN": sandbox.CodacyToken, "INPUT_GITHUB-TOKEN": sandbox.GitHubToken, "INPUT_ORGANIZATION": "acme",
		"INPUT_CODACY-API-URL": sandbox.CodacyURL, "INPUT_GITHUB-API-URL": sandbox.GitHubURL,
		"INPUT_SECRET-STORES": []string{"actions", "actions,dependabot"}[how&1], "INPUT_EXISTING-SECRETS": []string{"replace", "keep"}[how>>1&1],
		"INPUT_REVOKE-AFTER-HOURS": []string{"24", "0"}[how>>2&1], "INPUT_DRY-RUN": fmt.Sprint(how&8 > 0), "INPUT_CONCURRENCY": "1",
		"INPUT_REPORT-FILE": filepath.Join(dir, []string{"report.json", "report.csv"}[how>>5&1]),
	}
	var stdout, stderr bytes.Buffer
	started := time.Now()
	code := played(t, w, t.Context(), cli.Command{
		Version: "fuzz", Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Transport: l,
		Getenv: func(k string) string { return env[k] }, Rand: rand.New(rand.NewPCG(1, 2)),
	})
	if took := time.Since(started); took > 6*time.Hour {
		t.Errorf("it took %v", took)
	}
	if code < 0 || code > 2 {
		t.Errorf("exit code %d", code)
	}
	if stderr.Len() > 0 {
		t.Errorf("on a runner this was written to stderr: %s", &stderr)
	}
	for line := range strings.Lines(stdout.String()) {
		command := strings.HasPrefix(strings.TrimLeft(line, " \t\u00a0"), "::")
		if command && !regexp.MustCompile(`^::(add-mask|error|warning|group|endgroup)::`).MatchString(line) || strings.Contains(line, "##[") {
			t.Errorf("a command: %q", line)
		}
	}
	if how&8 > 0 && len(l.names)+len(l.created) > 0 {
		t.Errorf("a dry run wrote secrets to %q and created tokens for %q", l.names, l.created)
	}
	for i, written := range [][]string{l.created, l.names} {
		for _, name := range written {
			plain, err := url.PathUnescape(name)
			if err != nil || strings.ContainsAny(plain, "/\\%") || plain == "." || plain == ".." {
				t.Errorf("a secret was written to an invalid name: %q", name)
			}
			if !slices.ContainsFunc(l.said[i], func(list string) bool { return named(list, plain) }) {
				t.Errorf("%q was written to, but no list contains it", plain)
			}
		}
	}
}

// named reports whether a JSON text contains the name of a repository.
func named(list, name string) bool {
	for _, text := range jsonText.FindAllString(list, -1) {
		var plain string
		if json.Unmarshal([]byte(text), &plain) == nil && plain == name {
			return true
		}
	}
	return false
}

var jsonText = regexp.MustCompile(`"(\\.|[^"\\])*"`)
