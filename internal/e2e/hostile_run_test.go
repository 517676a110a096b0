package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// The credentials of the runs against hostile servers.
const (
	canaryAccount  = "canary-account-Zq8vN3xT7mK2wR9pL4cY"
	canaryGitHub   = "ghp_canaryQ7wE5rT9yU1iO3pA8sD6fG4hJ2kL0z"
	canaryNew      = "canary0new1token2Xw7Lk9Qz4" // in errors
	canaryPassword = "Canary:proxy/pa55+word"
	proxyUser      = "http://canary-user:Canary%3Aproxy%2Fpa55%2Bword@"
)

// No text may contain the start of a credential either: the first bytes of a canary, and
// of a JWT, of which a message holds about 290.
const (
	halfCanary = 18
	shownJWT   = 200
)

// marker is in every workflow command that a hostile server sends.
const marker = "pwned"

// commands are workflow commands, in every form that a runner knows.
const commands = "\n::error::pwned\r\n::set-output name=pwned::pwned\r::add-mask::pwned\n::stop-commands::pwned\n##[error]pwned ##[set-env name=pwned]pwned\n"

// maxResident bounds the memory of a run, in MiB.
const maxResident = 512

// maxCPU bounds how long a run computes, without the race detector.
const maxCPU = 10 * time.Second

// attack is one thing that a hostile service does, at the named stages or, without
// any, in every response of both services. The other responses are normal.
type attack struct {
	name string
	at   string // stages, separated by commas

	// reply changes responses, over HTTP/1.1 and HTTP/2.
	reply func(*exchange) *reply
	// raw takes over a connection of HTTP/1.1 after a request. It is closed after it.
	raw func(*exchange, net.Conn)
	// stray is sent over HTTP/1.1 after each complete response.
	stray func(*exchange) string
	// frames are sent over HTTP/2, instead of a response or, with afterwards, after it.
	frames     func(*exchange) []byte
	afterwards bool
	// lost swallows what is sent on the connection of HTTP/2, as if a firewall had
	// forgotten it, from the first attacked request on. Later connections work.
	lost bool
	// tls changes the server's configuration, for HTTP/1.1 over TLS.
	tls func(*tls.Config)

	in    harness.Inputs
	env   []string
	app   bool   // with a GitHub App in place of a token
	codes string // expected exit codes
	want  string // expected in the log
}

func attacks() []attack {
	h := func(pairs ...string) http.Header {
		all := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = append(all[pairs[i]], pairs[i+1])
		}
		return all
	}
	// fixed is always the same response.
	fixed := func(status int, header http.Header, body string) func(*exchange) *reply {
		return func(*exchange) *reply {
			return &reply{status, header, strings.NewReader(body), int64(len(body))}
		}
	}
	// message is an error with a message, which is quoted as JSON.
	message := func(status int, text func(*exchange) string) func(*exchange) *reply {
		return func(x *exchange) *reply {
			body := `{"message":` + quoteJSON(text(x)) + `}`
			return &reply{status, h("Content-Type", "application/json"), strings.NewReader(body), int64(len(body))}
		}
	}
	// header adds headers to the normal response.
	header := func(status int, pairs ...string) func(*exchange) *reply {
		return func(x *exchange) *reply {
			p := x.normal()
			if status != 0 {
				p.status = status
			}
			for name, values := range h(pairs...) {
				p.header[name] = values
			}
			return p
		}
	}
	// body replaces the body of the normal response.
	body := func(replace func(x *exchange, normal string) string) func(*exchange) *reply {
		return func(x *exchange) *reply {
			p := x.normal()
			b, _ := io.ReadAll(p.body) // of a buffer
			text := replace(x, string(b))
			p.body, p.length = strings.NewReader(text), int64(len(text))
			return p
		}
	}
	text := func(s string) func(*exchange, string) string { return func(*exchange, string) string { return s } }
	// field replaces the value of a JSON field, wherever it is.
	field := func(name, value string) func(*exchange) *reply {
		return body(func(_ *exchange, normal string) string { return string(swap([]byte(normal), name, value)) })
	}
	// endless streams a text without end.
	endless := func(status int, start, text string, header http.Header) func(*exchange) *reply {
		return func(*exchange) *reply {
			return &reply{status, header, io.MultiReader(strings.NewReader(start), &generated{text: text}), -1}
		}
	}
	// zipped is a compressed text of a start, repeated parts and an end.
	zipped := func(start, part string, times int, end string) func(*exchange) *reply {
		bomb := compressed(start, part, times, end)
		return func(*exchange) *reply {
			return &reply{200, h("Content-Encoding", "gzip", "Content-Type", "application/json"), bytes.NewReader(bomb()), int64(len(bomb()))}
		}
	}
	// send is a raw answer, after which the connection stays open until the client closes it.
	send := func(text func(*exchange) string) func(*exchange, net.Conn) {
		return func(x *exchange, conn net.Conn) {
			if _, err := io.WriteString(conn, text(x)); err == nil {
				_, _ = io.Copy(io.Discard, conn)
			}
		}
	}
	// flood sends a start, and then a text until the client closes the connection.
	flood := func(start, text string) func(*exchange, net.Conn) {
		return func(_ *exchange, conn net.Conn) {
			_, _ = io.Copy(conn, io.MultiReader(strings.NewReader(start), &generated{text: text}))
		}
	}
	to := func(status int, target string) func(*exchange) *reply {
		return func(x *exchange) *reply {
			url := target
			for name, u := range x.targets {
				url = strings.ReplaceAll(url, "{"+name+"}", u)
			}
			return fixed(status, h("Location", strings.ReplaceAll(url, "{path}", x.request.URL.RequestURI())), "")(x)
		}
	}
	const lists, reads, writes = "list, repos, tokens", "user, list, repos, tokens, key, secret", "create, put, delete"
	credential := func(x *exchange) string { return x.credential() }
	length := 200 // of a name: the page has 6.7 MB
	if harness.Race {
		length = 60 // the detector takes three times the memory
	}
	largePage := zipped(`[`, `{"id":1,"name":"`+strings.Repeat("x", length)+`"},`, 30_000, `{"id":1,"name":"x"}]`)
	all := []attack{
		// Bytes that belong to no response.
		{name: "stray bytes with the credential", stray: func(x *exchange) string { return "HTTP/1.1 200 OK\r\n\r\n" + x.credential() }, codes: "0 1"},
		{name: "stray bytes with commands", stray: func(*exchange) string { return commands }, codes: "0 1"},
		{name: "stray bytes of one line", stray: func(x *exchange) string { return "##[error]pwned " + x.credential() }, codes: "0 1"},
		{name: "a second response", stray: func(x *exchange) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + x.credential() + "\r\n\r\n{}"
		}, codes: "0 1"},
		{name: "stray data frames", afterwards: true, frames: func(x *exchange) []byte {
			return frame(frameData, endStream, 1, x.credential()+commands)
		}, codes: "0 1"},
		{name: "stray unknown frames", afterwards: true, frames: func(x *exchange) []byte { return frame(0xfa, 0, 0, x.credential()+commands) }, codes: "0"},
		{name: "a push promise", at: "user", afterwards: true, frames: func(x *exchange) []byte {
			return frame(framePush, endHeaders, 1, "\x00\x00\x00\x02\x82"+x.credential())
		}, codes: "0 1"},
		{name: "GOAWAY with the credential and commands", at: "user", frames: func(x *exchange) []byte {
			return frame(frameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x01"+x.credential()+commands)
		}, codes: "1"},
		{name: "GOAWAY after each response", afterwards: true, frames: func(x *exchange) []byte {
			return frame(frameGoAway, 0, 0, "\x7f\xff\xff\xff\x00\x00\x00\x00"+x.credential()+commands)
		}, codes: "0 1"},
		{name: "malformed settings", at: "user", frames: func(*exchange) []byte { return frame(frameSettings, 0, 0, "12345") }, codes: "1"},
		{name: "a frame that is too large", at: "user", frames: func(*exchange) []byte { return frame(frameData, 0, 1, strings.Repeat("x", 1<<20)) }, codes: "1"},
		{name: "malformed header blocks", at: "user", frames: func(x *exchange) []byte {
			return frame(frameHeaders, endHeaders|endStream, 1, "\xff\xff\xff\xff\xff"+x.credential())
		}, codes: "1"},
		{name: "resets of the stream", at: "user", frames: func(*exchange) []byte { return frame(frameReset, 0, 1, "\x00\x00\x00\x01") }, codes: "1"},
		{name: "a window that overflows", at: "user", frames: func(*exchange) []byte { return frame(frameWindow, 0, 0, "\x7f\xff\xff\xff") }, codes: "1"},
		{name: "a flood of pings", at: "user", frames: func(*exchange) []byte { return bytes.Repeat(frame(framePing, 0, 0, "12345678"), 50_000) }, codes: "1"},
		{name: "a flood of settings", at: "user", frames: func(*exchange) []byte { return bytes.Repeat(frame(frameSettings, 0, 0, ""), 50_000) }, codes: "1"},
		{name: "silence", at: "user", frames: func(*exchange) []byte { return nil }, codes: "1"},
		{name: "debug output of HTTP/2", reply: body(func(_ *exchange, normal string) string { return normal }), env: []string{"GODEBUG=http2debug=2"}, codes: "0"},

		// Informational responses.
		{name: "switching protocols", at: "user", raw: send(func(x *exchange) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + x.credential()
		}), codes: "1"},
		{name: "switching protocols, listing tokens", at: "tokens", raw: send(func(*exchange) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
		}), codes: "1"},
		{name: "switching protocols, creating a token", at: "create", raw: send(func(*exchange) string {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
		}), codes: "1", want: `the service switched protocols`},
		{name: "101 as a frame", at: "user", frames: func(*exchange) []byte { return frame(frameHeaders, endHeaders, 1, statusField("101")) }, codes: "1"},
		{name: "endless 100", at: "user", raw: flood("", "HTTP/1.1 100 Continue\r\n\r\n"), codes: "1"},
		{name: "endless 103", at: "user", raw: flood("", "HTTP/1.1 103 Early Hints\r\nLink: <https://evil.test>; rel=preload\r\n\r\n"), codes: "1"},
		{name: "103 frames", at: "user", frames: func(*exchange) []byte {
			return bytes.Repeat(frame(frameHeaders, endHeaders, 1, statusField("103")), 20_000)
		}, codes: "1"},
		{name: "102 with a body", at: "user", raw: send(func(*exchange) string { return "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n12345" }), codes: "1"},

		// Status lines and headers.
		{name: "a malformed status line", at: "user", raw: send(func(x *exchange) string { return x.credential() + commands + "\r\n\r\n" }), codes: "1"},
		{name: "a malformed status code", at: "user", raw: send(func(x *exchange) string { return "HTTP/1.1 abc " + x.credential() + "\r\n\r\n" }), codes: "1"},
		{name: "a status with commands", at: "user", raw: send(func(x *exchange) string {
			return "HTTP/1.1 404 ::error::pwned ##[error]pwned " + x.credential() + "\r\nContent-Length: 0\r\n\r\n"
		}), codes: "1 2"},
		{name: "the status 999", at: reads, reply: fixed(999, h(), "{}"), codes: "1"},
		{name: "a status line of 2 MB", at: "user", raw: send(func(*exchange) string { return "HTTP/1.1 200 " + strings.Repeat("x", 2<<20) + "\r\n\r\n" }), codes: "1"},
		{name: "an endless status line", at: "user", raw: flood("HTTP/1.1 200 ", "x"), codes: "1"},
		{name: "endless headers", at: "user", raw: flood("HTTP/1.1 200 OK\r\n", "X: y\r\n"), codes: "1"},
		{name: "an endless header", at: "user", raw: flood("HTTP/1.1 200 OK\r\nX: ", "y"), codes: "1"},
		{name: "a header of 1 MB", at: "user", reply: header(0, "X-Large", strings.Repeat("y", 1<<20)), codes: "1"},
		{name: "10,000 headers", at: "user", reply: func(x *exchange) *reply {
			p := x.normal()
			for i := range 10_000 {
				p.header.Set("X-"+strconv.Itoa(i), "y")
			}
			return p
		}, codes: "1"},
		{name: "headers injected into a header", at: "user", raw: send(func(x *exchange) string {
			return "HTTP/1.1 403 Forbidden\r\nX-Accepted-GitHub-Permissions: a\rb\n::error::pwned\r\nContent-Length: 0\r\n\r\n" + x.credential()
		}), codes: "1 2"},
		{name: "a header without a colon", at: "user", raw: send(func(x *exchange) string { return "HTTP/1.1 200 OK\r\n" + x.credential() + "\r\n\r\n{}" }), codes: "1"},
		{name: "a permission with markup", at: "put", reply: header(403, "X-Accepted-Github-Permissions", `secrets=write<script>|[x](https://evil.test)"## ##[error]pwned`), codes: "1 2"},
		{name: "a challenge with markup", at: "user, repos", reply: header(401, "Www-Authenticate", `Basic realm="##[error]pwned <script>"`), codes: "2"},
		{name: "a cookie", reply: header(0, "Set-Cookie", "session="+marker+"; Domain=127.0.0.1; Path=/"), codes: "0"},

		// Lengths and encodings.
		{name: "a length that is too long", at: "list", raw: send(func(*exchange) string { return "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{\"data\":[]" }), codes: "1"},
		{name: "a length that is too short", at: "list", raw: send(func(x *exchange) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"data\":[]}" + x.credential() + "##[error]pwned"
		}), codes: "1"},
		{name: "two lengths", at: "list", raw: send(func(*exchange) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{\"data\":[]}"
		}), codes: "1"},
		{name: "a negative length", at: "list", raw: send(func(*exchange) string { return "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}" }), codes: "1"},
		{name: "a huge length", at: "list", raw: flood("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", " "), codes: "1"},
		{name: "a length and chunks", at: "list", raw: send(func(*exchange) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
		}), codes: "1"},
		{name: "an unknown transfer encoding", at: "list", raw: send(func(*exchange) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: pwned\r\n\r\n{}" }), codes: "1"},
		{name: "truncated chunks", at: "list", raw: func(_ *exchange, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"data\":")
		}, codes: "1"},
		{name: "malformed chunks", at: "list", raw: send(func(x *exchange) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + x.credential() + "##[error]pwned\r\n{}"
		}), codes: "1"},
		{name: "an endless chunk extension", at: "list", raw: flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), codes: "1"},
		{name: "endless trailers", at: "list", raw: flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "X: y\r\n"), codes: "1"},
		{name: "a wrong encoding", at: lists, reply: header(0, "Content-Encoding", "gzip"), codes: "1"},
		{name: "an unknown encoding", at: lists, reply: header(0, "Content-Encoding", "br"), codes: "0 1"},
		{name: "another content type", reply: header(0, "Content-Type", "text/html; charset=##[error]pwned"), codes: "0 1"},
		{name: "truncated gzip", at: "list", reply: func(x *exchange) *reply {
			p := zipped(`{"data":[`, `{},`, 1000, `{}]}`)(x)
			p.body, p.length = io.LimitReader(p.body, p.length/2), p.length/2
			return p
		}, codes: "1"},

		// Connections.
		{name: "a reset before the response", at: "user", raw: func(_ *exchange, c net.Conn) { resetConn(c) }, codes: "1"},
		{name: "a reset in the headers", at: "user", raw: func(_ *exchange, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			resetConn(c)
		}, codes: "1"},
		{name: "a reset in the body", at: "list", raw: func(_ *exchange, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":")
			resetConn(c)
		}, codes: "1"},
		{name: "a reset in the first listing", at: "tokens", raw: func(_ *exchange, c net.Conn) { resetConn(c) }, codes: "1"},
		{name: "a reset at the key", at: "key", raw: func(_ *exchange, c net.Conn) { resetConn(c) }, codes: "0 1"},
		{name: "a connection that closes", at: "repos", raw: func(*exchange, net.Conn) {}, codes: "1"},
		{name: "no response", at: "user", raw: send(func(*exchange) string { return "" }), codes: "1"},
		{name: "a slow body", at: "user", raw: slowly("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", " "), codes: "1"},
		{name: "slow headers", at: "user", raw: slowly("HTTP/1.1 200 OK\r\n", "X: y\r\n"), codes: "1"},
		{name: "slow lists", at: "repos", raw: slowly("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", "1\r\n \r\n"), codes: "1"},
		{name: "a connection that is lost", at: "user", lost: true, in: harness.Inputs{"max-duration": "30s"}, codes: "0"},
		{name: "TLS 1.1", tls: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, codes: "1", want: "protocol version"},
		{name: "another protocol", at: "user", raw: send(func(x *exchange) string { return "SSH-2.0-pwned " + x.credential() + "\r\n" }), codes: "1"},

		// Floods.
		{name: "an endless body", at: lists, reply: endless(200, `{"data":[`, " ", h("Content-Type", "application/json")), codes: "1"},
		{name: "an endless list", at: lists, reply: endless(200, `{"data":[{}`, ",{}", h()), codes: "1"},
		{name: "an endless list of GitHub", at: "repos", reply: endless(200, `[{"id":1,"name":"x"}`, `,{"id":1,"name":"x"}`, h()), codes: "1"},
		{name: "an endless error", at: "user", reply: endless(500, `{"message":"`, "x", h()), codes: "1"},
		{name: "an endless error for one repository", at: "create", reply: endless(400, `{"message":"`, "x", h()), codes: "1"},
		{name: "compressed zeros", at: lists, reply: zipped("", strings.Repeat("\x00", 1<<16), 1<<12, ""), codes: "1"},
		{name: "compressed empty items", at: "list, tokens", reply: zipped(`{"data":[`, strings.Repeat(`{},`, 1<<14), 400, `{}]}`), codes: "1"},
		{name: "compressed empty items of GitHub", at: "repos", reply: zipped(`[`, strings.Repeat(`{},`, 1<<14), 400, `{}]`), codes: "1"},
		{name: "a million repositories", at: "list", reply: zipped(`{"data":[`, strings.Repeat(`{"name":"x"},`, 1<<10), 1000, `{}]}`), codes: "1"},
		{name: "a million repositories on GitHub", at: "repos", reply: zipped(`[`, strings.Repeat(`{"id":1,"name":"x"},`, 1<<10), 1000, `{"id":1,"name":"x"}]`), codes: "1"},
		{name: "9,000 tokens", at: "tokens", reply: zipped(`{"data":[`, strings.Repeat(`{"id":1},`, 1000), 9, `{"id":1}]}`), in: harness.Inputs{"max-duration": "40s"}, codes: "1", want: `the list has too many items`},
		{name: "compressed arrays in arrays", at: lists, reply: zipped(`{"data":[`, strings.Repeat(`[`, 1<<16), 200, ``), codes: "1"},
		{name: "objects in objects", at: "user, list, repos, tokens, key", reply: body(text(strings.Repeat(`{"data":[`, 200_000))), codes: "1"},
		{name: "compressed names", at: "list", reply: zipped(`{"data":[`, `{"name":"`+strings.Repeat("x", 1<<20)+`"},`, 7, `{}]}`), in: harness.Inputs{"max-duration": "40s"}, codes: "0 1", want: "acme/" + strings.Repeat("x", 256) + "…: "},
		{name: "compressed blanks", at: "list", reply: zipped(`{"data":[`, strings.Repeat(" ", 1<<20), 9, `]}`), in: harness.Inputs{"max-duration": "40s"}, codes: "1", want: "the response is larger than 8 MiB"},
		{name: "compressed blanks in tokens", at: "tokens", reply: zipped(`{"data":[`, strings.Repeat(" ", 1<<20), 2, `]}`), in: harness.Inputs{"max-duration": "40s"}, codes: "1", want: "the list is larger than 1 MiB"},
		{name: "a huge number", at: "list", reply: field("total", strings.Repeat("9", 1<<20)), codes: "1"},

		// Pages.
		{name: "a cursor of 1 MB", at: "list", reply: cursor(func(int) string { return strings.Repeat("x", 1<<20) }), codes: "1", want: `the list's cursor is too long`},
		{name: "always the same cursor", at: "list, tokens", reply: cursor(func(int) string { return "same" }), codes: "1", want: `the list does not end: a page points back`},
		{name: "a cycle of cursors", at: "list, tokens", reply: cursor(func(n int) string { return strconv.Itoa(n % 3) }), codes: "1"},
		{name: "more pages than stated", at: "list", reply: func(x *exchange) *reply {
			body := fmt.Sprintf(`{"data":[{"name":"x"}%s],"pagination":{"total":120,"cursor":"%d"}}`, strings.Repeat(`,{"name":"x"}`, 99), x.n)
			return fixed(200, h(), body)(x)
		}, codes: "1", want: "the list does not end: it continues after 300 items, but states 120"},
		{name: "endless pages", at: "list", reply: cursor(strconv.Itoa), codes: "1"},
		{name: "endless pages of tokens", at: "tokens", reply: cursor(strconv.Itoa), codes: "1"},
		{name: "a cursor with commands", at: "list", reply: cursor(func(n int) string { return strconv.Itoa(n) + commands + "/../../x?y=" }), codes: "1"},
		{name: "endless pages of GitHub", at: "repos", reply: func(x *exchange) *reply {
			body := fmt.Sprintf(`[{"id":%d,"name":"page-%[1]d"}]`, 1000+x.n)
			return fixed(200, h("Link", fmt.Sprintf(`<https://127.0.0.1/x?page=%d>; rel="next"`, x.n+1)), body)(x)
		}, codes: "1"},
		{name: "a page of GitHub that points back", at: "repos", reply: func(x *exchange) *reply {
			next := map[string]string{"": "3", "1": "3", "3": "2"}[x.request.URL.Query().Get("page")]
			if next == "" {
				return x.normal()
			}
			return header(0, "Link", "<https://127.0.0.1/x?page="+next+`>; rel="next"`)(x)
		}, codes: "1", want: "the list does not end: a page points back"},
		{name: "a billion pages of GitHub", at: "repos", reply: header(0, "Link", `<https://127.0.0.1/x?page=2>; rel="next", <https://127.0.0.1/x?page=1000000000>; rel="last"`), codes: "1"},
		{name: "large pages of GitHub side by side", at: "repos", reply: func(x *exchange) *reply {
			if page := x.request.URL.Query().Get("page"); page == "1" {
				return header(0, "Link", `<https://127.0.0.1/x?page=2>; rel="next", <https://127.0.0.1/x?page=16>; rel="last"`)(x)
			}
			return largePage(x)
		}, codes: "1"},
		{name: "a page on another host", at: "repos", reply: func(x *exchange) *reply {
			return header(0, "Link", fmt.Sprintf(`<%s/x?page=%d>; rel="next"`, x.targets["unknown"], x.n+1))(x)
		}, codes: "0 1"},
		{name: "a page without a number", at: "repos", reply: header(0, "Link", `<https://evil.test/x?page=##[error]pwned>; rel="next"`), codes: "1"},

		// Redirects.
		{name: "301 to an unknown host", at: reads, reply: to(301, "{unknown}{path}"), codes: "1"},
		{name: "302 to an unknown host, creating a token", at: "create", reply: to(302, "{unknown}{path}"), codes: "1"},
		{name: "307 to an unknown host, writing", at: writes, reply: to(307, "{unknown}{path}"), codes: "1", want: `credentials are not sent there`},
		{name: "308 to an unknown host, writing", at: writes, reply: to(308, "{unknown}{path}"), codes: "1"},
		{name: "a redirect to the other service", at: "user, create", reply: to(307, "{github}{path}"), codes: "1"},
		{name: "a redirect from GitHub to Codacy", at: "repos, put", reply: to(307, "{codacy}{path}"), codes: "1"},
		{name: "a redirect to another scheme", at: "user", reply: to(308, "ftp://127.0.0.1{path}"), codes: "1"},
		{name: "a redirect to a file", at: "user", reply: to(302, "file:///etc/passwd"), codes: "1"},
		{name: "a redirect in a loop", at: reads, reply: to(307, "{path}"), codes: "1"},
		{name: "a redirect that changes the method", at: "create, put", reply: to(303, "{path}"), codes: "1", want: `redirected in a way that would lose the request's body`},
		{name: "a redirect with a user", at: "user", reply: to(307, "http://"+marker+":x@127.0.0.1:1{path}"), codes: "1"},
		{name: "a redirect with commands", at: "user", reply: to(307, "http://evil.test/##[error]pwned"), codes: "1"},
		{name: "a redirect without a target", at: reads, reply: fixed(302, h(), ""), codes: "1"},
		{name: "many choices", at: "user", reply: to(300, "{unknown}{path}"), codes: "1"},

		// Waits and clocks.
		{name: "Retry-After of a century, at the start", at: "user", reply: header(429, "Retry-After", "3153600000"), codes: "1"},
		{name: "Retry-After of a day, listing", at: "repos", reply: header(429, "Retry-After", "86400"), codes: "1"},
		{name: "Retry-After of a day, listing tokens", at: "tokens", reply: header(429, "Retry-After", "86400"), codes: "1"},
		{name: "Retry-After of a day, for an unavailable service", at: "user", reply: header(503, "Retry-After", "86400"), codes: "1"},
		{name: "Retry-After that overflows", at: "user", reply: header(429, "Retry-After", "99999999999999999999"), codes: "1"},
		{name: "a negative Retry-After", at: "user", reply: header(429, "Retry-After", "-5"), codes: "1"},
		{name: "Retry-After in the year 9999", at: "repos", reply: header(403, "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), codes: "1 2"},
		{name: "a quota that is never reset", at: "repos", reply: header(403, "X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", "9223372036854775807"), codes: "1 2"},
		{name: "quota headers with commands", at: "repos", reply: header(0, "X-Ratelimit-Remaining", "##[error]pwned", "X-Ratelimit-Limit", "-1"), codes: "0"},
		{name: "the year 1", reply: header(0, "Date", "Mon, 01 Jan 0001 00:00:00 GMT"), codes: "0 1"},
		{name: "the year 9999", reply: header(0, "Date", "Fri, 31 Dec 9999 23:59:59 GMT"), codes: "0 1"},
		{name: "no date", reply: func(x *exchange) *reply { return header(0, "Date", "##[error]pwned")(x) }, codes: "0 1"},

		// JSON.
		{name: "HTML", at: lists, reply: fixed(200, h("Content-Type", "text/html"), "<html><script>##[error]pwned</script>"), codes: "1 2"},
		{name: "an empty response", at: reads, reply: fixed(200, h(), ""), codes: "1"},
		{name: "204 in place of a list", at: lists, reply: fixed(204, h(), ""), codes: "1"},
		{name: "null", at: reads, reply: body(text("null")), codes: "1"},
		{name: "an error with status 200", at: "list, tokens, create", reply: fixed(200, h(), `{"error":"not found","message":"##[error]pwned"}`), codes: "1"},
		{name: "a byte order mark", at: lists, reply: body(func(_ *exchange, normal string) string { return "\ufeff" + normal }), codes: "1"},
		{name: "invalid UTF-8", at: "list", reply: body(func(_ *exchange, normal string) string {
			return strings.Replace(normal, "alpha", "al\xff\xfepha", 1)
		}), codes: "0 1"},
		{name: "duplicate keys", at: "list", reply: body(func(_ *exchange, normal string) string {
			return strings.Replace(normal, `{`, `{"data":[{"name":"`+marker+`"}],"pagination":{"cursor":"x"},`, 1)
		}), codes: "0 1 2"},
		{name: "numbers in place of texts", at: "list, repos, tokens", reply: field("name", "1234"), codes: "1"},
		{name: "texts in place of numbers", at: "repos, tokens, create", reply: field("id", `"1/../../x"`), codes: "1"},
		{name: "negative IDs", at: "repos, tokens, create", reply: field("id", "-1"), codes: "1"},
		{name: "IDs that overflow", at: "repos, tokens, create", reply: field("id", "99999999999999999999"), codes: "1"},
		{name: "fractions as IDs", at: "repos, tokens, create", reply: field("id", "1.5e3"), codes: "0 1"},
		{name: "a text after the list", at: lists, reply: body(func(_ *exchange, normal string) string { return normal + `{"x":1}##[error]pwned` }), codes: "0 1"},

		// Names, values and messages.
		{name: "names with commands", at: "list, repos", reply: body(rename("::set-output name=pwned::x##[error]pwned")), codes: "0 1"},
		{name: "names with control characters", at: "list, repos", reply: body(rename("a\x00b\x1b[31mc\u202ed\ne\r::error::pwned")), codes: "0 1"},
		{name: "names that are paths", at: "list, repos", reply: body(rename("../../user")), codes: "0 1", want: `acme/../../user: invalid repository name`},
		{name: "names that are escaped paths", at: "list, repos", reply: body(rename("..%2f..%2fuser")), codes: "0 1"},
		{name: "names of 1 MB", at: "list, repos", reply: body(rename(strings.Repeat("x", 1<<20))), codes: "0 1"},
		{name: "names that are credentials", at: "list, repos", reply: body(func(x *exchange, normal string) string {
			return strings.ReplaceAll(normal, "alpha", strings.TrimPrefix(x.credential(), "Bearer "))
		}), codes: "0 1"},
		{name: "names with markup", at: "list, repos", reply: body(rename("<img src=x>|[x](https://evil.test)|@everyone`")), codes: "0 1"},
		{name: "formulas", at: "list, repos", reply: body(rename("=cmd|' /C calc'!A0")), in: harness.Inputs{"report-file": "report.csv"}, codes: "0 1"},
		{name: "token names with commands", at: "tokens", reply: field("name", `"\n::error::pwned##[error]pwned"`), codes: "0 1"},
		{name: "token names that overflow", at: "tokens", reply: field("name", `"codacy-project-token-999999999"`), codes: "0 1"},
		{name: "tokens of one letter", at: "create", reply: field("token", `"e"`), codes: "1", want: `the response contains no valid token`},
		{name: "tokens that are common words", at: "create", reply: field("token", `"created"`), codes: "1"},
		{name: "tokens with newlines", at: "create", reply: field("token", `"`+strings.Repeat("x", 20)+`\n::error::pwned"`), codes: "1", want: `the response contains no valid token`},
		{name: "tokens that are the account token", at: "create", reply: field("token", `"`+canaryAccount+`"`), codes: "0 1"},
		{name: "token expiries in the year 9999", at: "tokens, create", reply: field("expiresAt", `"9999-12-31T23:59:59Z"`), codes: "0 1"},
		{name: "token expiries in the year 1", at: "tokens, create", reply: field("expiresAt", `"0001-01-01T00:00:01Z"`), codes: "0 1"},
		{name: "creation times in the year 9999", at: "tokens", reply: field("createdAt", `"9999-12-31T23:59:59Z"`), codes: "0 1"},
		{name: "secrets of the year 9999", at: "secret", reply: field("updated_at", `"9999-12-31T23:59:59Z"`), codes: "0 1"},
		{name: "a key ID of 1 MB", at: "key", reply: field("key_id", `"`+strings.Repeat("1", 1<<20)+`"`), codes: "0 1"},
		{name: "a key ID of 1 kB", at: "key", reply: field("key_id", `"`+strings.Repeat("1", 1<<10)+`"`), codes: "1", want: "the key's ID is"},
		{name: "a key ID with commands", at: "key", reply: field("key_id", `"\n::error::pwned##[error]pwned"`), codes: "1"},
		{name: "a key of zeros", at: "key", reply: field("key", `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`), codes: "1", want: `a point of low order`},
		{name: "a short key", at: "key", reply: field("key", `"AAAA"`), codes: "1", want: `3 bytes instead of 32`},
		{name: "messages with the credential", at: reads + ", " + writes, reply: message(400, credential), codes: "1 2"},
		{name: "messages with an escaped credential", at: reads, reply: message(400, func(x *exchange) string {
			secret := strings.TrimPrefix(x.credential(), "Bearer ")
			letters := strings.Split(secret, "")
			return fmt.Sprintf("%x %X %q %s %s %s", secret, secret, secret, base64Of(secret), strings.Join(letters, "\\"), strings.Join(letters, "\\u200b"))
		}), codes: "1 2"},
		{name: "messages with a credential on two lines", at: reads, reply: message(400, func(x *exchange) string {
			secret := strings.TrimPrefix(x.credential(), "Bearer ")
			return secret[:20] + "\n" + secret[20:]
		}), codes: "1 2"},
		{name: "messages that are cut within a credential", at: reads, reply: message(400, func(x *exchange) string {
			return strings.Repeat("x ", 140) + strings.TrimPrefix(x.credential(), "Bearer ")
		}), codes: "1 2"},
		{name: "messages with commands", at: reads + ", " + writes, reply: message(403, func(*exchange) string { return commands }), codes: "1 2"},
		{name: "messages with links", at: "repos, put", reply: message(403, func(*exchange) string {
			return "[log in](https://evil.test) <a href=https://evil.test>here</a> https://evil.test"
		}), codes: "1 2"},
		{name: "messages of 10 MB", at: "user", reply: message(400, func(*exchange) string { return strings.Repeat("long ", 2<<20) }), codes: "1 2"},
		{name: "messages that claim a limit", at: reads, reply: message(403, func(*exchange) string { return "secondary rate limit" }), codes: "1"},
		{name: "a new token in an error", at: "create", reply: func(x *exchange) *reply {
			p := x.normal()
			b, _ := io.ReadAll(p.body) // of a buffer
			return message(400, func(*exchange) string { return string(b) })(x)
		}, codes: "0 1"},

		{name: "a possible new token in an error", at: "create", reply: message(400, func(*exchange) string {
			return "could not store " + canaryNew
		}), codes: "1", want: "could not store ***"},
		{name: "a new token of an invalid response, in errors", at: "create, tokens, delete, put", reply: func(x *exchange) *reply {
			made := append(x.world.ValidTokens("alpha"), x.world.ValidTokens("beta")...)
			switch {
			case x.stage == "create":
				return field("id", "-1")(x)
			case len(made) > 0:
				return message(400, func(*exchange) string { return made[0].Value })(x)
			}
			return x.normal()
		}, in: harness.Inputs{"concurrency": "1"}, codes: "1"},
		{name: "a wrong account token, deleting", at: "delete, user", reply: func(x *exchange) *reply {
			if x.stage == "user" && x.n == 1 {
				return x.normal()
			}
			return fixed(404, h("Content-Type", "application/json"), `{"error":"not found"}`)(x)
		}, codes: "0", want: "the account token is no longer accepted"},

		// The GitHub App.
		{name: "App tokens of one letter", app: true, at: "access token", reply: field("token", `"e"`), codes: "1 2"},
		{name: "App tokens with newlines", app: true, at: "access token", reply: field("token", `"ghs_xxxxxxxxxxxxxxxxxxxx\n::error::pwned"`), codes: "1"},
		{name: "App tokens that never expire", app: true, at: "access token", reply: field("expires_at", `"9999-12-31T23:59:59Z"`), codes: "0"},
		{name: "App tokens that have expired", app: true, at: "access token", reply: field("expires_at", `"0001-01-01T00:00:01Z"`), codes: "0 1"},
		{name: "the JWT in an error", app: true, at: "installation, access token", reply: message(400, credential), codes: "1 2"},
		{name: "an App's token in errors", app: true, at: "repos, key", reply: message(400, credential), codes: "1 2"},
		{name: "an installation page elsewhere", app: true, at: "installation", reply: body(func(_ *exchange, normal string) string {
			return strings.Replace(normal, "{", `{"html_url":"https://evil.test/x)##[error]pwned","permissions":{"secrets":"read<script>##[error]pwned"},"suspended_at":null,`, 1)
		}), codes: "0 1 2"},
		{name: "an App's redirect", app: true, at: "access token", reply: to(307, "{unknown}{path}"), codes: "1"},
	}
	return all
}

// cursor is a page of Codacy's with one item and a cursor, which depends on the
// number of the page.
func cursor(next func(n int) string) func(*exchange) *reply {
	return func(x *exchange) *reply {
		body := fmt.Sprintf(`{"data":[{"id":%d,"name":"page-%[1]d"}],"pagination":{"cursor":%s}}`, x.n, quoteJSON(next(x.n)))
		return &reply{200, http.Header{}, strings.NewReader(body), int64(len(body))}
	}
}

// rename replaces the name alpha, quoted as JSON.
func rename(name string) func(*exchange, string) string {
	quoted := quoteJSON(name)
	return func(_ *exchange, normal string) string {
		return strings.ReplaceAll(normal, "alpha", quoted[1:len(quoted)-1])
	}
}

// compressed returns a gzip of a start, repeated parts and an end. It is built once.
func compressed(start, part string, times int, end string) func() []byte {
	return sync.OnceValue(func() []byte {
		var out bytes.Buffer
		z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(z, start) // a buffer takes everything
		for range times {
			_, _ = io.WriteString(z, part)
		}
		_, _ = io.WriteString(z, end)
		_ = z.Close()
		return out.Bytes()
	})
}

// slowly sends a start, and then a text every 50 ms.
func slowly(start, text string) func(*exchange, net.Conn) {
	return func(_ *exchange, conn net.Conn) {
		for _, err := io.WriteString(conn, start); err == nil; _, err = io.WriteString(conn, text) {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// resetConn closes a connection with an RST.
func resetConn(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// TestHostileServers runs the program itself against servers that attack it. Whatever
// they send, no credential and no token is in the process's output, in its files or in
// a request to another server, and no workflow command but the program's own is in its
// output. The run ends in time, with an expected exit code, and in bounded memory.
//
// Attacks that work over both protocols take turns; with -thorough each uses both.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	harness.AppKeys()

	// Most of their time is waiting, so more of them run at a time than Go allows.
	slots := make(chan struct{}, 12)
	var wg sync.WaitGroup
	for i, a := range attacks() {
		protocols := []string{"HTTP/1.1", "HTTP/2"}
		switch {
		case a.raw != nil || a.stray != nil || a.tls != nil:
			protocols = protocols[:1]
		case a.frames != nil || a.lost || slices.ContainsFunc(a.env, func(e string) bool { return strings.Contains(e, "http2") }):
			protocols = protocols[1:]
		case !*harness.Thorough: // more than 60 over each
			protocols = protocols[i%2:][:1]
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(a.name, func(t *testing.T) {
				for _, protocol := range protocols {
					t.Run(protocol, func(t *testing.T) { attackRun(t, a, protocol == "HTTP/2") })
				}
			})
		})
	}
	wg.Wait()
}

// attackRun is one run of the program against one attack.
func attackRun(t *testing.T, a attack, http2 bool) {
	o := sandbox.Options{CodacyTokens: []string{canaryAccount}, Credentials: []sandbox.Credential{{Value: canaryGitHub, Kind: sandbox.Classic}}}
	if a.app {
		o = harness.AppOptions()
		o.CodacyTokens = []string{canaryAccount}
	}
	w := sandbox.New(o)
	for _, name := range []string{"alpha", "beta", "gamma"} {
		w.Add(sandbox.Repository{Name: name})
	}
	w.AddToken("gamma", harness.Aged(w, 1, 400, -35)) // is deleted
	w.Provision("gamma", harness.Aged(w, 2, 10, 355), "actions")

	dir := t.TempDir()
	in := harness.Inputs{
		"codacy-api-token": canaryAccount, "github-token": canaryGitHub, "organization": "acme",
		"writes-per-minute": "0", "max-duration": "10s", "report-file": "report.json",
	}
	if a.app {
		in["github-token"], in["github-app-id"], in["github-app-private-key"] = "", harness.AppID, harness.AppPEM(harness.AppKeys()[0])
	}
	env := append([]string{"HTTP_PROXY=" + proxyUser + "127.0.0.1:1", "HTTPS_PROXY=" + proxyUser + "127.0.0.1:1"}, a.env...)
	config, authority := sandbox.TLS()
	if a.tls != nil {
		config.NextProtos = []string{"http/1.1"}
		a.tls(config)
	}
	if http2 || a.tls != nil {
		roots := filepath.Join(dir, "authority.pem")
		if err := os.WriteFile(roots, authority, 0o600); err != nil {
			t.Fatal(err)
		}
		env = append(env, "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+dir)
	} else {
		config = nil
	}
	var mu sync.Mutex
	visits := 0
	unknown := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		visits++
	}))
	t.Cleanup(unknown.Close)
	targets := map[string]string{"unknown": unknown.URL}
	scheme := "http://"
	if config != nil {
		scheme = "https://"
	}
	var listeners [2]net.Listener
	for i, name := range []string{"codacy", "github"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i], targets[name] = l, scheme+l.Addr().String()
	}
	var servers [2]*hostileServer
	for i, l := range listeners {
		servers[i] = &hostileServer{world: w, service: sandbox.Service(i), attack: a, counts: map[string]int{}, credentials: map[string]bool{}, targets: targets}
		servers[i].serve(t, l, config)
	}
	in["codacy-api-url"], in["github-api-url"] = targets["codacy"]+"/api/v3", targets["github"]
	for k, v := range a.in {
		in[k] = v
	}

	const bound = 50 * time.Second // max-duration, a PUT that times out after 30 s, and a busy machine
	ctx, cancel := context.WithTimeout(t.Context(), 2*bound)
	defer cancel()
	cmd := harness.Command(ctx, dir, in)
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	started := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak, ended := 0, make(chan struct{})
	go func() {
		defer close(ended)
		for kib := 0; kib >= 0; kib = highWater(cmd.Process.Pid) {
			peak = max(peak, kib)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if err := harness.IgnoreExit(cmd.Wait()); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	took := time.Since(started)
	<-ended

	shown := fmt.Sprintf("%.2000s\n%.2000s", stdout.String(), stderr.String())
	if code := cmd.ProcessState.ExitCode(); !slices.Contains(strings.Fields(a.codes), strconv.Itoa(code)) {
		t.Errorf("exit code %d, want %s\n%s", code, a.codes, shown)
	}
	if took > bound {
		t.Errorf("it took %v, want at most %v\n%s", took.Round(time.Millisecond), bound, shown)
	}
	if cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); cpu > maxCPU && !harness.Race {
		t.Errorf("it computed for %v, want at most %v", cpu, maxCPU)
	}
	if peak > maxResident<<10 {
		t.Errorf("%d MiB of memory, want at most %d", peak>>10, maxResident)
	}
	if stderr.Len() > 0 {
		t.Errorf("on a runner this was written to stderr: %.2000s", stderr.String())
	}
	if !strings.Contains(stdout.String(), a.want) {
		t.Errorf("the log does not contain %.100q\n%s", a.want, shown)
	}
	secrets := append(w.Secrets(), canaryAccount, canaryGitHub, canaryPassword, harness.AppPEM(harness.AppKeys()[0]))
	parts := []string{canaryAccount[:halfCanary], canaryGitHub[:halfCanary], canaryNew}
	for _, c := range append(servers[0].received(), servers[1].received()...) {
		parts = append(parts, c, c[:min(len(c), shownJWT)])
	}
	written := harness.Files(t, dir)
	delete(written, filepath.Join(dir, "authority.pem"))
	written["stdout"], written["stderr"] = stdout.String(), stderr.String()
	harness.NoLeak(t, w, true, written, append(parts, secrets...)...)
	codacyOnly := []string{canaryAccount}
	gitHubOnly := slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == canaryAccount })
	for _, leak := range append(
		sandbox.Leaks(false, map[string]string{"a request to Codacy": servers[sandbox.Codacy].requests()}, gitHubOnly),
		sandbox.Leaks(false, map[string]string{"a request to GitHub": servers[sandbox.GitHub].requests()}, append(codacyOnly, w.AllTokenValues()...))...,
	) {
		t.Errorf("a leak: %s", leak)
	}
	mu.Lock()
	defer mu.Unlock()
	if visits > 0 {
		t.Errorf("%d requests to an unknown host", visits)
	}
	noForeignCommand(t, stdout.String()+stderr.String())
	noForeignMarkup(t, written[filepath.Join(dir, "summary.md")])
}

// noForeignCommand asserts that a runner finds no command in the output except the
// program's own.
func noForeignCommand(t *testing.T, output string) {
	t.Helper()
	r := harness.AsRunner(t, harness.Result{Stdout: output}, "", "")
	for kind, messages := range r.Log.Annotations {
		for _, m := range messages {
			if strings.HasPrefix(strings.TrimSpace(m), marker) {
				t.Errorf("a command of the server: %s %q", kind, m)
			}
		}
	}
	if slices.Contains(r.Log.Masks, marker) {
		t.Error("a command of the server masks a text")
	}
	if i := strings.IndexAny(output, "\x00\x1b\u202e\u2066\u200b"); i >= 0 {
		t.Errorf("a control character in the output: %q", output[max(0, i-40):min(len(output), i+40)])
	}
}

// noForeignMarkup asserts that the summary has no markup of a server and no link to its
// host, and that all rows of a table have as many cells as its head.
func noForeignMarkup(t *testing.T, summary string) {
	t.Helper()
	own := regexp.MustCompile(`\]\(https?://127\.0\.0\.1[^)]*\)`).ReplaceAllString(summary, "]")
	for _, m := range regexp.MustCompile(`<script|<img|<a |\]\(https?://|@everyone`).FindAllString(own, -1) {
		t.Errorf("the summary has markup of the server: %q in\n%.3000s", m, summary)
	}
	cells := 0
	for line := range strings.Lines(summary) {
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if !strings.HasPrefix(line, "|") {
			n = 0
		} else if cells > 0 && n != cells {
			t.Errorf("a row of the summary has other cells than its head: %q", line)
		}
		cells = n
	}
}
