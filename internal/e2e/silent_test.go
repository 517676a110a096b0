package e2e

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// wires is a network in memory, whose connections can fall silent: what is written
// disappears, and nothing arrives, but no side learns of it.
type wires struct {
	accepted chan net.Conn
	closed   chan struct{}
	opened   atomic.Int64
	silent   atomic.Int64 // the connections up to this number are silent
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.accepted:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error   { close(w.closed); return nil }
func (w *wires) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (w *wires) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case w.accepted <- server:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &silenceable{Conn: client, wires: w, number: w.opened.Add(1)}, nil
}

// silenceable is the client's side of a connection.
type silenceable struct {
	net.Conn
	wires  *wires
	number int64
}

func (c *silenceable) isSilent() bool { return c.number <= c.wires.silent.Load() }

func (c *silenceable) Write(b []byte) (int, error) {
	if c.isSilent() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *silenceable) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.isSilent() {
			return n, err
		}
	}
}

// TestSilentConnections: all connections of HTTP/2 fall silent in the middle of a run,
// without a reset. The run notices within 15 seconds, opens new ones, loses the requests
// in flight at most, and provisions every repository.
func TestSilentConnections(t *testing.T) {
	t.Parallel()

	for _, times := range []int{1, 3} {
		t.Run(map[int]string{1: "once", 3: "three times"}[times], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 200
				v := bubble(t, sandbox.Options{Latency: 100 * time.Millisecond}, harness.Names(n)...)
				network := &wires{accepted: make(chan net.Conn), closed: make(chan struct{})}
				config, authority := sandbox.TLS()
				server := &http.Server{Handler: v.World, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
				var serving sync.WaitGroup
				serving.Go(func() { _ = server.ServeTLS(network, "", "") }) // until it is closed

				base := wire.Base(18)
				base.DialContext = network.dial
				base.Proxy = nil
				base.TLSClientConfig.RootCAs = x509.NewCertPool()
				base.TLSClientConfig.RootCAs.AppendCertsFromPEM(authority)

				var lost, all, http1 atomic.Int64
				transport := roundTrip(func(r *http.Request) (*http.Response, error) {
					if i := int(all.Add(1)); i%200 == 0 && i <= 200*times {
						network.silent.Store(network.opened.Load())
					}
					resp, err := base.RoundTrip(r)
					if err != nil {
						lost.Add(1)
					} else if resp.ProtoMajor != 2 {
						http1.Add(1)
					}
					return resp, err
				})
				started := time.Now()
				code, out := v.start(t.Context(), harness.Inputs{"concurrency": "16"}, rand.New(rand.NewPCG(1, 2)), transport)
				took := time.Since(started)
				if code != 0 || http1.Load() > 0 {
					t.Errorf("exit code %d, %d responses over HTTP/1.1\n%s", code, http1.Load(), tail(out))
				}
				for _, name := range harness.Names(n) {
					if value, ok := v.Secret(name, "actions", harness.SecretName); !ok || !v.TokenValid(name, value) {
						t.Errorf("%s has no valid token", name)
					}
				}
				if most := int64(times * 2 * 18); lost.Load() > most {
					t.Errorf("%d requests were lost, want at most %d", lost.Load(), most)
				}
				if most := time.Minute + time.Duration(times)*40*time.Second; took > most {
					t.Errorf("it took %v, want at most %v", took, most)
				}
				base.CloseIdleConnections()
				_ = server.Close()
				serving.Wait()
			})
		})
	}
}
