package diagnosis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// The cases of the network.
const (
	WebPage     ID = "web-page-instead-of-the-api"
	Certificate ID = "tls-inspection"
	Proxy       ID = "proxy"
	HostUnknown ID = "host-unknown"
)

var networkCases = []Case{
	{
		ID: WebPage, Exit: 1,
		Message:     "{service}'s API at {address} returned a web page; a proxy or firewall intercepts the connection",
		Hint:        "Let the runner connect to {host} directly or through HTTPS_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
		CommandLine: "Connect to {host} without the proxy, or set HTTPS_PROXY: https://pkg.go.dev/net/http#ProxyFromEnvironment",
		Details:     "The page may be a proxy's login page, a firewall's message, or the service's maintenance page. The address itself looks correct.",
	},
	{
		ID: Certificate, Exit: 1,
		Message:     "{service}'s certificate at {host} is not trusted: a proxy inspects TLS, or the server has a private CA",
		Hint:        "Set SSL_CERT_FILE in the step's env to the CA's PEM file in the workspace: https://pkg.go.dev/crypto/x509#SystemCertPool",
		CommandLine: "Set SSL_CERT_FILE to the CA's PEM file: https://pkg.go.dev/crypto/x509#SystemCertPool",
		Details:     "In the container the workspace is `/github/workspace`, for example `env: { SSL_CERT_FILE: /github/workspace/ca.pem }`. Nothing was sent.",
	},
	{
		ID: Proxy, Exit: 1,
		Message:     "the proxy {proxy} blocks connections to {service} at {host}",
		Hint:        "Correct HTTPS_PROXY, or add the host to NO_PROXY: https://docs.github.com/actions/how-tos/manage-runners/use-proxy-servers",
		CommandLine: "Correct HTTPS_PROXY, or add the host to NO_PROXY: https://pkg.go.dev/net/http#ProxyFromEnvironment",
		Details:     "Both are environment variables. An address without a scheme means `http://`.",
	},
	{
		ID: HostUnknown, Exit: 1,
		Message:     "the host name {host} of {service}'s API can't be resolved",
		Hint:        "Correct {input}, or use a runner in the network that knows the host: https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners",
		CommandLine: "Correct {input}, or connect this machine to the network that knows the host, for example by VPN",
		Details:     "There is a typing error in `codacy-api-url` or `github-api-url`, or only the network of a self-hosted runner knows the host.",
	},
}

// isRejected reports whether the service rejected the request, as opposed to the
// action refusing to follow a redirect.
func isRejected(err error) bool {
	return wire.DispositionOf(err) == wire.Rejected && wire.StatusOf(err) != 0
}

// Unreachable returns why there is no connection to a service, as far as that can
// be seen from here.
func (s *Setup) Unreachable(err error, service string) error {
	api, input := s.CodacyAPIURL, "codacy-api-url"
	if service == github.Name {
		api, input = s.GitHubURL, "github-api-url"
	}
	values := Values{"service": service, "host": api.Host, "address": api.String(), "input": s.label(input)}
	var dns *net.DNSError
	proxy := proxyFor(err, api)
	switch {
	case asWire(err).Page:
		return &Problem{WebPage, values, err}
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return &Problem{Certificate, values, err}
	case proxy != "":
		values["proxy"] = proxy
		return &Problem{Proxy, values, err}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Problem{HostUnknown, values, err}
	}
	return fmt.Errorf("%w; check that the service is up, and that %s is the address of its API", err, s.label(input))
}

// proxyFor names the proxy that kept a request from its service; empty if there
// wasn't one, or a response came through.
func proxyFor(err error, api *url.URL) string {
	var op *net.OpError
	switch proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: api}); {
	case asWire(err).Status != 0:
		return ""
	case proxy != nil:
		return proxy.Host
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "of this machine"
	}
	return ""
}
