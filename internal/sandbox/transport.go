package sandbox

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The base URLs that RoundTripper and the certificate of TLS know, as well as
// those of the real services: https://app.codacy.com/api/v3,
// https://api.codacy.com/api/v3 and https://api.github.com.
const (
	CodacyURL = "https://codacy.test/api/v3"
	GitHubURL = "https://github.test"
)

// hosts are the names of each service.
var hosts = [2][]string{
	Codacy: {"codacy.test", "app.codacy.com", "api.codacy.com"},
	GitHub: {"github.test", "api.github.com"},
}

// ServeHTTP serves both at one address: GitHub under its names, and under any
// other name that is not Codacy's if the path does not start with /api/v3/.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	host := (&url.URL{Host: r.Host}).Hostname()
	isCodacy := slices.Contains(hosts[Codacy], host) || strings.HasPrefix(r.URL.Path, "/api/v3/")
	if slices.Contains(hosts[GitHub], host) || !isCodacy {
		w.GitHub().ServeHTTP(rw, r)
		return
	}
	w.Codacy().ServeHTTP(rw, r)
}

// Codacy serves Codacy's API, under /api/v3/.
func (w *World) Codacy() http.Handler { return w.handler(Codacy) }

// GitHub serves GitHub's API, at / and, as GHES does, under /api/v3/ too.
func (w *World) GitHub() http.Handler { return w.handler(GitHub) }

// handler panics with http.ErrAbortHandler if the response is incomplete and the
// connection can't be taken over; a net/http server then closes the connection.
func (w *World) handler(s Service) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a, end := w.exchange(s, r)
		if (end == Cut || end == Stall) && len(a.body) < 2 {
			end = Reset
		}
		switch end {
		case Reset:
			reset(rw)
			panic(http.ErrAbortHandler)
		case Hang:
			panic(http.ErrAbortHandler)
		}
		for key, values := range a.header {
			rw.Header()[key] = values
		}
		if a.status != http.StatusNoContent {
			rw.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		}
		rw.WriteHeader(a.status)
		if end == Cut || end == Stall {
			_, _ = rw.Write(a.body[:len(a.body)/2])
			_ = http.NewResponseController(rw).Flush()
			if end == Stall {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler)
		}
		if a.status != http.StatusNoContent {
			_, _ = rw.Write(a.body)
		}
	})
}

// reset closes the connection with an RST, if it is a TCP connection.
func reset(rw http.ResponseWriter) {
	connection, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	if outer, ok := connection.(*tls.Conn); ok {
		connection = outer.NetConn()
	}
	if inner, ok := connection.(*net.TCPConn); ok {
		_ = inner.SetLinger(0)
	}
	_ = connection.Close()
}

// RoundTripper reaches both services without a network, by the host of the URL.
func (w *World) RoundTripper() http.RoundTripper { return roundTripper{w} }

type roundTripper struct{ world *World }

// RoundTrip implements http.RoundTripper. Its errors are those of an established
// connection, or the context's.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := Codacy
	switch host := r.URL.Hostname(); {
	case slices.Contains(hosts[GitHub], host):
		s = GitHub
	case !slices.Contains(hosts[Codacy], host):
		t.world.unknownHost(r)
		return nil, errors.New("sandbox: a request to the unknown host " + host)
	}
	in := r.Clone(ctx) // as a server sees it
	in.Host = r.URL.Host
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{}
	}
	if _, ok := in.Header["User-Agent"]; !ok {
		in.Header.Set("User-Agent", "Go-http-client/1.1") // as http.Transport does
	}
	a, end := t.world.exchange(s, in)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if end == Reset || (end == Cut || end == Stall) && len(a.body) < 2 {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	if a.status == http.StatusNoContent {
		a.body = nil
	}
	response := &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}
	half := bytes.NewReader(a.body[:len(a.body)/2])
	switch end {
	case Cut:
		response.Body = io.NopCloser(io.MultiReader(half, cutOff{}))
	case Stall:
		response.Body = io.NopCloser(io.MultiReader(half, stalled{ctx}))
	}
	return response, nil
}

// cutOff is the end of a body whose connection broke.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// stalled is the end of a body on a silent connection: nothing until the client
// gives up.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// Serve serves both over HTTP on the loopback. The URLs fit the action's
// inputs: Codacy's ends in /api/v3. http.Transport repeats an idempotent request
// whose connection is reset if the connection was used before.
func (w *World) Serve() (codacyURL, gitHubURL string, shut func()) {
	servers := [2]*httptest.Server{w.server(Codacy), w.server(GitHub)}
	for _, s := range servers {
		s.Start()
	}
	return servers[Codacy].URL + "/api/v3", servers[GitHub].URL, func() { closeAll(servers) }
}

// ServeTLS serves both over HTTPS on the loopback. It returns the certificate of
// the private authority that issued the servers' certificate.
func (w *World) ServeTLS() (codacyURL, gitHubURL string, authority []byte, shut func()) {
	config, authority := TLS()
	servers := [2]*httptest.Server{w.server(Codacy), w.server(GitHub)}
	for _, s := range servers {
		s.TLS = config.Clone()
		s.StartTLS()
	}
	return servers[Codacy].URL + "/api/v3", servers[GitHub].URL, authority, func() { closeAll(servers) }
}

func (w *World) server(s Service) *httptest.Server {
	server := httptest.NewUnstartedServer(w.handler(s))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

func closeAll(servers [2]*httptest.Server) {
	for _, s := range servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// TLS creates a private authority, whose certificate it returns in PEM, and a
// server's configuration with a certificate of it. That one is valid for the
// loopback, for each host that RoundTripper knows, and for the addresses.
func TLS(addresses ...net.IP) (server *tls.Config, authority []byte) {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "sandbox"},
		NotBefore:             time.Unix(0, 0),
		NotAfter:              time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	rootKey, root := certify(template, nil, nil)
	parent, err := x509.ParseCertificate(root)
	must(err)
	leafKey, leaf := certify(&x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    template.NotBefore,
		NotAfter:     template.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     slices.Concat([]string{"localhost"}, hosts[Codacy], hosts[GitHub]),
		IPAddresses:  append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, addresses...),
	}, parent, rootKey)
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: leafKey}}, MinVersion: tls.VersionTLS12,
	}, authority
}

// certify creates a key and a certificate for it, signed by the parent or, without
// one, by itself.
func certify(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	if parent == nil {
		parent, signer = template, key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(err)
	return key, certificate
}
