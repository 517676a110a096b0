package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relay forwards connections to a server. Those up to the number lost swallow
// everything, as after a firewall has forgotten them: no packet and no reset.
type relay struct {
	net.Listener
	to   string
	n    atomic.Int64 // connections so far
	lost atomic.Int64
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, to: to}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			me := r.n.Add(1)
			up, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", to)
			if err != nil {
				_ = c.Close()
				return
			}
			t.Cleanup(func() { _, _ = c.Close(), up.Close() })
			go r.pump(me, up, c)
			go r.pump(me, c, up)
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return r
}

func (r *relay) pump(me int64, to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if me <= r.lost.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostConnection: requests that are in flight on a connection that died silently
// end within 15 s, and later ones use a new connection. Time passes fifty times as
// fast.
func TestLostConnection(t *testing.T) {
	t.Parallel()

	const faster = 50
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	relay := newRelay(t, server.Listener.Addr().String())
	base := Base(16)
	defer base.CloseIdleConnections()
	if total := base.HTTP2.SendPingTimeout + base.HTTP2.PingTimeout; total <= 0 || total > ReadTimeout {
		t.Fatalf("a lost connection is noticed after %v", total)
	}
	base.HTTP2.SendPingTimeout /= faster
	base.HTTP2.PingTimeout /= faster
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	tr := newTransport(t, base)
	tr.Origin = &url.URL{Scheme: "https", Host: relay.Addr().String()}
	read := func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, tr.Origin.String(), nil)
		if err != nil {
			return "", err
		}
		resp, err := tr.Client().Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	if proto, err := read(); err != nil || proto != "HTTP/2.0" {
		t.Fatalf("%s, %v", proto, err)
	}
	relay.lost.Store(relay.n.Load())
	started := time.Now()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			_, err := read()
			if e := asError(t, err); e.Disposition != Indeterminate {
				t.Errorf("a lost request: %v, disposition %d", e, e.Disposition)
			}
		})
	}
	wg.Wait()
	if took := time.Since(started); took > 15*time.Second/faster+500*time.Millisecond {
		t.Errorf("the lost connection was noticed after %v", took)
	}
	for range 5 {
		if proto, err := read(); err != nil || proto != "HTTP/2.0" {
			t.Errorf("after that: %s, %v", proto, err)
		}
	}
	if n := relay.n.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}
