package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/redact"
	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// listen answers each connection with the text, once a request's head came. It
// returns its address.
func listen(t *testing.T, text string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, text) // the client may have gone
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestNoSecretInErrors: whatever a server sends, wherever in its response, and
// however net/http quotes it, the credential isn't in the error, nor a part of it
// because of a cut, nor a token that a POST was to make.
func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()

	const fresh = "fReSh0tOkEn1234"
	long := strings.Repeat("x", 290) + " "
	for name, text := range map[string]string{
		"message":            "HTTP/1.1 403 No\r\n\r\n{\"message\":\"headers: Api-Token: %s\"}",
		"message that's cut": "HTTP/1.1 403 No\r\n\r\n{\"message\":\"" + long + "%s\"}",
		"inner message":      "HTTP/1.1 500 No\r\n\r\n{\"innerMessage\":\"%s\",\"message\":\"" + long + "\"}",
		"error":              "HTTP/1.1 409 No\r\n\r\n{\"error\":\"%s\"}",
		"permission":         "HTTP/1.1 403 No\r\nX-Accepted-GitHub-Permissions: %s\r\n\r\n",
		"status line":        "HTTP/1.1 403 %s\r\n\r\n",
		"no HTTP":            "%s is no HTTP\r\n\r\n",
		"status":             "HTTP/1.1 %s\r\n\r\n",
		"header's line":      "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"length":             "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"encoding":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"location":           "HTTP/1.1 302 Found\r\nLocation: https://%s.evil.test/%[1]s\r\n\r\n",
		"bad location":       "HTTP/1.1 302 Found\r\nLocation: http://[%s\r\n\r\n",
		"chunk":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"trailer":            "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n",
		"interim":            "HTTP/1.1 103 %s\r\n%[1]s\r\n\r\n",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			value := token
			if method == http.MethodPost {
				value = fresh
			}
			if (name == "permission" || name == "location") && method == http.MethodPost {
				continue // kept word for word, except for known values
			}
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()

				address := listen(t, fmt.Sprintf(strings.ReplaceAll(text, "%s", "%[1]s"), value))
				tr := newTransport(t, Base(1))
				if err := tr.Origin.UnmarshalBinary([]byte(address)); err != nil {
					t.Fatal(err)
				}
				known := &redact.Redactor{}
				known.Add(secret.New(token))
				tr.Redact = known.Redact
				req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(""))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := tr.Client().Do(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				if err == nil {
					t.Fatal("there is no error")
				}
				e := asError(t, Failed("Service", "the operation", err))
				for _, part := range []string{value, strings.ToLower(value), value[len(value)-7:], strings.ToLower(value[len(value)-7:])} {
					if all := e.Error() + e.Permission; strings.Contains(all, part) {
						t.Errorf("the error holds %q: %s", part, all)
					}
				}
				if len(e.Message) > 310 || len(e.Permission) > 310 {
					t.Errorf("%d and %d bytes", len(e.Message), len(e.Permission))
				}
			})
		}
	}
}

// What scrub leaves, and what it hides.
func TestScrub(t *testing.T) {
	t.Parallel()

	const sent = `/x/repositories/My-Repo42/tokens {"name":"codacy-project-token-12","expiresAt":"2027-02-21T08:00:00Z"}`
	for text, want := range map[string]string{
		"A token with the name codacy-project-token-12 exists.":                       "A token with the name codacy-project-token-12 exists.",
		"Unfortunately, expiresAt 2027-02-21T08:00:00Z is too far away for My-Repo42": "Unfortunately, expiresAt 2027-02-21T08:00:00Z is too far away for My-Repo42",
		"Must have admin rights to Repository. See https://docs.github.com/rest":      "Must have admin rights to Repository. See https://docs.github.com/rest",
		"made abcdefgh1 for you":                        "made *** for you",
		"token=A1b2C3d4E5":                              "***",
		"0f0e0d0c-1234-4321-abcd-0123456789ab":          "***",
		"ghs_16C7e42F292c6912E7710c838347Ae178B4a,done": "***,done",
		"codacy-project-token-13":                       "***",
		"short1 A1b2C3":                                 "short1 A1b2C3",
	} {
		if got := scrub(text, sent); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestDepth: JSON that is nested without end is an error, not a stack that grows.
func TestDepth(t *testing.T) {
	t.Parallel()

	for _, body := range []string{strings.Repeat("[", 60<<10), strings.Repeat(`{"message":`, 6<<10), strings.Repeat(`{"a":`, 6<<10) + "1" + strings.Repeat("}", 6<<10)} {
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) { return answer(400, body), nil }))
		if e := asError(t, get(t, tr.Client(), origin1)); e.Message != "Bad Request" || e.Disposition != Rejected {
			t.Errorf("got %#v", e)
		}
	}
}

// TestHeaderBoundHTTP2: the same bound for the other protocol.
func TestHeaderBoundHTTP2(t *testing.T) {
	t.Parallel()

	size := 1 << 10
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Long", strings.Repeat("x", size))
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	tr := served(t, server)
	tr.Base.(*http.Transport).TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	resp, err := tr.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.Header.Get("X-Proto") != "HTTP/2.0" || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("spoken: %s", resp.Header.Get("X-Proto"))
	}
	size = 80 << 10
	if e := asError(t, get(t, tr.Client(), server.URL)); e.Disposition != Indeterminate {
		t.Errorf("got %v, disposition %d", e, e.Disposition)
	}
}

// TestProxy: the environment names a proxy, or spares an address from it. It is
// read once in a process, so each case is a process of its own: this test's.
func TestProxy(t *testing.T) {
	if asked := os.Getenv("WIRE_TEST_PROXY"); asked != "" {
		for address := range strings.FieldsSeq(asked) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			through, err := Base(1).Proxy(req)
			fmt.Printf("%s through %v %v\n", address, through, err)
		}
		return
	}
	t.Parallel()

	const asked = "https://app.codacy.com/x https://api.github.com/x https://ghes.corp.example/x http://127.0.0.1:80/x"
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"none": {nil, "<nil> <nil> <nil> <nil>"},
		"one":  {[]string{"HTTPS_PROXY=http://proxy:3128", "HTTP_PROXY=http://proxy:3129"}, "http://proxy:3128 http://proxy:3128 http://proxy:3128 <nil>"},
		"spared": {
			[]string{"https_proxy=proxy:3128", "NO_PROXY=.corp.example,api.github.com"},
			"http://proxy:3128 <nil> <nil> <nil>",
		},
		"all spared": {[]string{"HTTPS_PROXY=http://proxy:3128", "NO_PROXY=*"}, "<nil> <nil> <nil> <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			out := proxied(t, append(c.env, "WIRE_TEST_PROXY="+asked))
			var got []string
			for line := range strings.Lines(out) {
				if _, rest, ok := strings.Cut(line, " through "); ok {
					got = append(got, strings.TrimSuffix(strings.TrimSpace(rest), " <nil>"))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q\n%s", got, c.want, out)
			}
		})
	}
}

func proxied(t *testing.T, env []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$", "-test.v")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), " through ") {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// blocking is a body whose reads end only when it is closed, such as the body of a
// connection that switched protocols.
type blocking struct {
	closed chan struct{}
	once   *sync.Once
}

func (b blocking) Read([]byte) (int, error) {
	<-b.closed
	return 0, io.ErrClosedPipe
}

func (b blocking) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// TestBlockingBody: a body's reading ends with its request's context, also if the
// transport knows nothing of that.
func TestBlockingBody(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := blocking{make(chan struct{}), &sync.Once{}}
		tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
			resp := answer(200, "")
			resp.Body = b
			return resp, nil
		}))
		started := time.Now()
		resp, err := tr.Client().Get(origin1)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		if e := asError(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Disposition != Indeterminate || time.Since(started) != ReadTimeout {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

// TestSwitchedProtocol: a 101 is an error, and its body, the connection, is closed
// unread. Other interim responses are skipped.
func TestSwitchedProtocol(t *testing.T) {
	t.Parallel()

	for text, status := range map[string]int{
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nstray bytes":                 101,
		"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 2\r\n\r\n{}":                                          101,
		"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n":               404,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n": 403,
	} {
		tr := newTransport(t, Base(1))
		if err := tr.Origin.UnmarshalBinary([]byte(listen(t, text))); err != nil {
			t.Fatal(err)
		}
		g := &gate{}
		tr.Limiter = g
		e := asError(t, get(t, tr.Client(), tr.Origin.String()))
		if e.Status != status || status == 101 && e.Disposition != Indeterminate || len(g.left) != 1 {
			t.Errorf("%q: got %v, disposition %d, left %d times", text, e, e.Disposition, len(g.left))
		}
	}

	b := blocking{make(chan struct{}), &sync.Once{}}
	tr := newTransport(t, roundTrip(func(*http.Request) (*http.Response, error) {
		resp := answer(101, "")
		resp.Body = b
		return resp, nil
	}))
	if e := asError(t, get(t, tr.Client(), origin1)); e.Status != 101 {
		t.Errorf("got %v", e)
	}
	select {
	case <-b.closed:
	default:
		t.Error("the body was not closed")
	}
}
