package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestProxy: a run through the proxy that the environment names. The proxy gets
// requests for tunnels, and no credential except its own.
func TestProxy(t *testing.T) {
	t.Parallel()

	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	codacy, github, authority, shut := w.ServeTLS()
	t.Cleanup(shut)
	host := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	behind := map[string]string{"codacy.test:443": host(codacy), "github.test:443": host(github)}
	var mu sync.Mutex
	requests, seen := map[string]int{}, ""
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests[r.Method+" "+r.Host]++
		for k, values := range r.Header {
			seen += k + ": " + strings.Join(values, ",") + "\n"
		}
		mu.Unlock()
		to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", behind[r.Host])
		if err != nil || r.Method != http.MethodConnect {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		client, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		ctx, done := context.WithCancel(context.Background())
		go func() { defer done(); _, _ = io.Copy(to, buffered) }() // until one side hangs up
		go func() { defer done(); _, _ = io.Copy(client, to) }()
		<-ctx.Done()
	}))
	t.Cleanup(proxy.Close)
	f := &harness.Fixture{World: w, T: t, Codacy: sandbox.CodacyURL, GitHub: sandbox.GitHubURL, Dir: t.TempDir()}
	roots := filepath.Join(f.Dir, "authority.pem")
	if err := os.WriteFile(roots, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	password := "user:a-password-of-the-proxy"
	env := []string{
		"HTTPS_PROXY=" + strings.Replace(proxy.URL, "//", "//"+password+"@", 1), "SSL_CERT_FILE=" + roots, "SSL_CERT_DIR=" + f.Dir,
		"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken,
	}
	flags := []string{"--organization", "acme", "--codacy-api-url", f.Codacy, "--github-api-url", f.GitHub, "--yes"}
	if code, out, errs := f.CommandLine(env, flags...); code != 0 || !strings.Contains(out, "created  acme/web") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	f.Provisioned("web")
	mu.Lock()
	defer mu.Unlock()
	if requests["CONNECT codacy.test:443"] == 0 || requests["CONNECT github.test:443"] == 0 || len(requests) != 2 {
		t.Errorf("the proxy got requests for %v", requests)
	}
	if !strings.Contains(seen, "Proxy-Authorization") {
		t.Error("the proxy's own password was not sent to it")
	}
	for _, v := range w.Secrets() {
		if strings.Contains(seen, v) {
			t.Errorf("the proxy saw a secret:\n%s", seen)
		}
	}
}
