package wire

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A connection that died silently, for instance because a firewall forgot it, is
// closed after pingAfter without a frame and pingTimeout without a response to a ping.
// Together they are below ReadTimeout: HTTP/2 sends all requests over one connection,
// and none should be lost after the first ones.
const (
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
)

// Base returns the production transport: it uses the environment's proxies, TLS
// 1.2 or better, pings HTTP/2 connections, and bounds headers and connections.
func Base(connections int) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Host == b.Host || strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// origin returns scheme, host and port. The port is always present.
func origin(u *url.URL) string {
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port(u))
}

func port(u *url.URL) string {
	p := u.Port()
	switch {
	case p == "" && strings.EqualFold(u.Scheme, "http"):
		return "80"
	case p == "" && strings.EqualFold(u.Scheme, "https"):
		return "443"
	}
	return p
}
