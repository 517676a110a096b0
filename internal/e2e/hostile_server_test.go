package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// hostileServer is one of the services of a World. It controls every byte that it
// sends over HTTP/1.1, and it can add frames to a connection of HTTP/2.
type hostileServer struct {
	world   *sandbox.World
	service sandbox.Service
	attack  attack
	targets map[string]string // URLs by name, for redirects and links

	mu          sync.Mutex
	counts      map[string]int
	all         bytes.Buffer    // all requests, as they arrived
	credentials map[string]bool // all that were received
}

// exchange is one request to a hostileServer.
type exchange struct {
	*hostileServer
	stage   string // what the request is for
	n       int    // how many requests of this stage arrived, from 1
	request *http.Request
	body    []byte
}

// reply is a response. Over HTTP/1.1 it is written exactly as it is.
type reply struct {
	status int
	header http.Header
	body   io.Reader
	length int64 // Content-Length; -1 for a chunked body
}

// stage names what a request is for.
func stage(s sandbox.Service, r *http.Request) string {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	has := func(end string) bool { return strings.HasSuffix(path, end) }
	switch {
	case s == sandbox.Codacy && has("/user"):
		return "user"
	case s == sandbox.Codacy && has("/repositories"):
		return "list"
	case s == sandbox.Codacy && has("/tokens") && r.Method == http.MethodPost:
		return "create"
	case s == sandbox.Codacy && has("/tokens"):
		return "tokens"
	case s == sandbox.Codacy && r.Method == http.MethodDelete:
		return "delete"
	case s == sandbox.GitHub && (has("/repos") || has("/installation/repositories")):
		return "repos"
	case has("/installation"):
		return "installation"
	case has("/access_tokens"):
		return "access token"
	case has("/public-key"):
		return "key"
	case strings.Contains(path, "/secrets/") && r.Method == http.MethodPut:
		return "put"
	case strings.Contains(path, "/secrets/"):
		return "secret"
	}
	return "other"
}

// exchange records a request, whose body it reads.
func (s *hostileServer) exchange(r *http.Request) (*exchange, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(dump)
	x := &exchange{hostileServer: s, stage: stage(s.service, r), request: r, body: body}
	s.counts[x.stage]++
	s.credentials[strings.TrimPrefix(x.credential(), "Bearer ")] = true
	x.n = s.counts[x.stage]
	return x, nil
}

// requests is everything that the server received.
func (s *hostileServer) requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// received is every credential that was sent to the server.
func (s *hostileServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.credentials))
}

// attacked reports whether the attack is on this request.
func (x *exchange) attacked() bool {
	return slices.Contains(strings.Split(x.attack.at, ", "), x.stage) || x.attack.at == ""
}

// credential is what the request authenticates with.
func (x *exchange) credential() string {
	return x.request.Header.Get("Api-Token") + x.request.Header.Get("Authorization")
}

// normal is the response of the World.
func (x *exchange) normal() *reply {
	rec := httptest.NewRecorder()
	r := x.request.Clone(context.Background())
	r.Body = io.NopCloser(bytes.NewReader(x.body))
	if x.service == sandbox.Codacy {
		x.world.Codacy().ServeHTTP(rec, r)
	} else {
		x.world.GitHub().ServeHTTP(rec, r)
	}
	header := maps.Clone(rec.Result().Header)
	header.Del("Content-Length")
	return &reply{rec.Code, header, rec.Body, int64(rec.Body.Len())}
}

func (x *exchange) reply() *reply {
	if x.attack.reply != nil && x.attacked() {
		return x.attack.reply(x)
	}
	return x.normal()
}

// serveHTTP1 serves one connection.
func (s *hostileServer) serveHTTP1(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		x, err := s.exchange(r)
		if err != nil {
			return
		}
		if s.attack.raw != nil && x.attacked() {
			s.attack.raw(x, conn)
			return
		}
		if x.reply().write(conn) != nil {
			return
		}
		if s.attack.stray != nil && x.attacked() {
			if _, err := io.WriteString(conn, s.attack.stray(x)); err != nil {
				return
			}
			// Stray bytes can be taken for the response to the next request, which
			// would then wait for its own end until it times out.
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		}
	}
}

// write writes the response over HTTP/1.1.
func (p *reply) write(w io.Writer) error {
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", p.status, http.StatusText(p.status))
	for _, name := range slices.Sorted(maps.Keys(p.header)) {
		for _, value := range p.header[name] {
			fmt.Fprintf(&head, "%s: %s\r\n", name, value)
		}
	}
	var out io.Writer = w
	switch {
	case p.status == http.StatusNoContent:
	case p.length >= 0:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", p.length)
	default:
		head.WriteString("Transfer-Encoding: chunked\r\n")
		out = httputil.NewChunkedWriter(w)
	}
	head.WriteString("\r\n")
	if _, err := io.WriteString(w, head.String()); err != nil || p.status == http.StatusNoContent {
		return err
	}
	if _, err := io.Copy(out, p.body); err != nil || p.length >= 0 {
		return err
	}
	_, err := io.WriteString(w, "0\r\n\r\n")
	return err
}

type connKey struct{}

// losableConn is a connection that can fall silent: no packet and no reset. Its
// listener accepts such ones only.
type losableConn struct {
	net.Conn
	lost atomic.Bool
}

func (c *losableConn) Write(b []byte) (int, error) {
	if c.lost.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *losableConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.lost.Load() {
			return n, err
		}
	}
}

type losableListener struct{ net.Listener }

func (l losableListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &losableConn{Conn: c}, nil
}

// ServeHTTP serves requests of HTTP/2.
func (s *hostileServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	x, err := s.exchange(r)
	if err != nil {
		return
	}
	if s.attack.lost && x.attacked() && x.n == 1 {
		r.Context().Value(connKey{}).(*tls.Conn).NetConn().(*losableConn).lost.Store(true)
	}
	if s.attack.frames != nil && x.attacked() {
		conn := r.Context().Value(connKey{}).(net.Conn)
		if !s.attack.afterwards {
			_, _ = conn.Write(s.attack.frames(x))
			<-r.Context().Done() // the client has to give up by itself
			return
		}
		defer func() {
			_ = http.NewResponseController(rw).Flush()
			go func() { _, _ = conn.Write(s.attack.frames(x)) }()
		}()
	}
	p := x.reply()
	for name, values := range p.header {
		rw.Header()[name] = values
	}
	for ; p.status > 100 && p.status < 200; p.status = http.StatusOK {
		rw.WriteHeader(p.status)
	}
	rw.WriteHeader(p.status)
	flush := http.NewResponseController(rw)
	for b := make([]byte, 32<<10); p.status != http.StatusNoContent; {
		n, err := p.body.Read(b)
		if _, writeErr := rw.Write(b[:n]); writeErr != nil || err != nil {
			return
		}
		if p.length < 0 {
			_ = flush.Flush()
		}
	}
}

// serve serves until the test ends, over HTTP/1.1 or, with a configuration, over
// HTTP/2.
func (s *hostileServer) serve(t *testing.T, l net.Listener, config *tls.Config) {
	if config != nil {
		server := &http.Server{
			Handler: s, TLSConfig: config.Clone(), ErrorLog: log.New(io.Discard, "", 0),
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, c)
			},
		}
		go func() { _ = server.ServeTLS(losableListener{l}, "", "") }() // until it is closed
		t.Cleanup(func() { _ = server.Close() })
		return
	}
	var mu sync.Mutex
	conns, closed := []net.Conn{}, false
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			if closed {
				_ = conn.Close()
			}
			mu.Unlock()
			go s.serveHTTP1(conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		closed = true
		for _, c := range conns {
			_ = c.Close()
		}
	})
}

// frame is a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// Kinds of frames, and flags.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePush, framePing, frameGoAway, frameWindow = 0, 1, 3, 4, 5, 6, 7, 8

	endStream, endHeaders = 1, 4
)

// statusField is the header block of a status.
func statusField(status string) string { return "\x08" + string(rune(len(status))) + status }

// generated is an endless reader that repeats a text.
type generated struct {
	text string
	at   int
}

func (g *generated) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = g.text[g.at]
		g.at = (g.at + 1) % len(g.text)
	}
	return len(b), nil
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
