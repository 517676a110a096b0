package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody is the largest body of a request.
const maxBody = 1 << 20

// call is one request on its way through the world.
type call struct {
	Request
	ctx     context.Context
	header  http.Header
	query   url.Values
	body    []byte
	base    string // scheme, host and prefix that the client used; links start with it
	path    string // after the prefix, still escaped
	unknown string // why the services do not know the request
	webPage bool   // its path is outside the API
	route   *route

	// The names in the path.
	owner, name, id, provider, token string

	key         *keyPair      // of the store, for the public key and for a PUT
	sealed      sealed        // the body of a PUT
	credential  *credential   // GitHub's, once it was accepted
	changeToken func(*Token)  // of the hook
	offset      time.Duration // of the clock of the machine that serves it
	hour        *hour         // of the primary limit
	rejection   *response     // because of a limit
	logged      int           // index in the log, from 1
}

// route is an operation: the requests that match it, and the function that serves
// them.
type route struct {
	kind    Kind
	method  string
	path    string // elements, some of them in braces
	query   string // the known parameters
	do      func(*World, *call) response
	prepare func(*World, *call) // before do, without the lock

	elements []string
}

// routes splits the paths of a table.
func routes(table ...route) []route {
	for i := range table {
		table[i].elements = strings.Split(table[i].path, "/")
	}
	return table
}

// exchange serves a request. If the end is Hang, the client has given up.
func (w *World) exchange(s Service, r *http.Request) (response, End) {
	c := w.parse(s, r)
	w.arrive(c)
	a, effect := w.perform(c, r)
	w.leave(c, &a, effect)
	return a, effect.End
}

// parse reads a request and finds its route.
func (w *World) parse(s Service, r *http.Request) *call {
	c := &call{ctx: r.Context(), header: r.Header}
	c.Service, c.Method, c.Path = s, r.Method, r.URL.RequestURI()
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	c.base = scheme + "://" + r.Host
	c.path = r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(c.path, "/api/v3"); ok {
		c.base, c.path = c.base+"/api/v3", rest
	} else if w.options.WebPages {
		c.webPage = true
	} else if s == Codacy {
		c.unknown = "the path does not start with /api/v3"
	}
	if r.Body != nil {
		var err error
		c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil || len(c.body) > maxBody {
			c.unknown = fmt.Sprintf("the body can't be read, or is above %d bytes: %v", maxBody, err)
		}
	}
	var err error
	if c.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		c.unknown = "the query can't be read"
	}
	if c.webPage {
		return c
	}
	c.find(s)
	c.inspect()
	return c
}

// find matches the path against the service's routes.
func (c *call) find(s Service) {
	elements := strings.Split(strings.TrimPrefix(c.path, "/"), "/")
	table := codacyRoutes
	if s == GitHub {
		table = gitHubRoutes
	}
	for i := range table {
		route := &table[i]
		if route.method == c.Method && len(route.elements) == len(elements) && c.match(route.elements, elements) {
			c.route, c.Kind = route, route.kind
			return
		}
	}
	c.unknown = or(c.unknown, "no operation has this method and path")
}

// match compares a path with a route's, and stores the elements in braces.
func (c *call) match(pattern, elements []string) bool {
	for i, p := range pattern {
		if p[0] != '{' && p != elements[i] {
			return false
		}
	}
	for i, p := range pattern {
		if p[0] != '{' {
			continue
		}
		value, err := url.PathUnescape(elements[i])
		if err != nil || value == "" {
			return false
		}
		switch p {
		case "{owner}":
			c.owner = value
		case "{repo}":
			c.name = value
		case "{id}":
			c.id = value
		case "{provider}":
			c.provider = value
		case "{token}":
			c.token = value
		case "{secret}":
			c.Secret = value
		case "{store}":
			if !slices.Contains(Stores(), value) {
				return false
			}
			c.Store = value
		}
	}
	return true
}

// inspect finds mistakes that the services would ignore: missing headers, unknown
// parameters, credentials that are sent to the wrong service.
func (c *call) inspect() {
	switch {
	case c.unknown != "":
		return
	case c.header.Get("User-Agent") == "":
		c.unknown = "it has no User-Agent"
	case c.Service == GitHub && c.header.Get("Accept") == "":
		c.unknown = "it has no Accept"
	case c.Service == GitHub && c.header.Get("Api-Token") != "":
		c.unknown = "it sends Codacy's token to GitHub"
	case c.Service == Codacy && c.header.Get("Authorization") != "":
		c.unknown = "it sends GitHub's token to Codacy"
	case len(c.body) > 0 && c.Method == http.MethodGet:
		c.unknown = "a GET has a body"
	case len(c.body) > 0:
		if kind, _, _ := mime.ParseMediaType(c.header.Get("Content-Type")); kind != "application/json" {
			c.unknown = "its body is not application/json"
		}
	}
	for parameter, values := range c.query {
		if !slices.Contains(strings.Fields(c.route.query), parameter) || len(values) != 1 {
			c.unknown = fmt.Sprintf("the parameter %q is unknown, or is there twice", parameter)
		}
	}
}

// decode reads a JSON body strictly. A request with any other body is unknown.
func (c *call) decode(into any) bool {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("more data follows")
	}
	if err != nil {
		c.unknown = "its body does not fit the description: " + err.Error()
	}
	return err == nil
}

// arrive counts a request and finds out what it is about.
func (w *World) arrive(c *call) {
	c.Sequence = int(w.sequence.Add(1))
	w.counts[c.Kind].Add(1)
	hooked := w.hook.Load() != nil
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Time = w.now(c.Service)
	c.offset = w.servers[c.Service].assign()
	c.Repository = c.name
	if repo := w.target(c); repo != nil {
		c.Repository = repo.Name
	}
	if hooked || w.recording {
		a := attempt{c.Kind, c.Repository, c.Store}
		w.attempts[a]++
		c.Attempt = w.attempts[a]
	}
	if w.recording {
		w.log = append(w.log, c.Request)
		c.logged = len(w.log)
	}
	if w.secretIn(c) {
		c.unknown = "its address contains a secret"
	}
	if c.unknown != "" {
		w.violate(UnknownRequest, c, nil, "%s", c.unknown)
	}
	c.rejection = w.reject(c)
}

// secretIn reports whether the address of a request contains a token or a
// credential, which logs and proxies would see.
func (w *World) secretIn(c *call) bool {
	for _, part := range strings.FieldsFunc(c.Path, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		_, account := w.accounts[part]
		if account || w.values[part] != nil || w.credentials[part] != nil {
			return true
		}
	}
	return false
}

// target returns the repository that a request is about, visible or not, or nil.
func (w *World) target(c *call) *repository {
	switch {
	case c.Service == Codacy:
		return w.codacyNames[c.name]
	case c.name == "":
		return w.byID(c.id)
	}
	key := lower(c.owner, c.name)
	return or(w.names[key], w.oldNames[key])
}

// hooked returns the hook's effect on a request.
func (w *World) hooked(r Request) Effect {
	hook := w.hook.Load()
	if hook == nil {
		return Effect{}
	}
	w.hooking.Lock()
	defer w.hooking.Unlock()
	return (*hook)(r)
}

// perform applies the hook's effect and serves the request.
func (w *World) perform(c *call, r *http.Request) (response, Effect) {
	e := w.hooked(c.Request)
	c.changeToken = e.Token
	wait := w.options.Latency + e.Delay
	if w.options.LatencyFunc != nil {
		wait += w.options.LatencyFunc(r)
	}
	if !sleep(c.ctx, wait) {
		e.End = Hang
		return response{}, e
	}
	if e.Before != nil {
		e.Before()
	}
	var a response
	switch {
	case e.Skip:
	case c.rejection != nil:
		a = *c.rejection
	case e.Late > 0:
		w.pending.Add(1)
		time.AfterFunc(e.Late, func() {
			defer w.pending.Add(-1)
			w.do(c)
		})
		if e.End == Whole && e.Status == 0 && e.Body == nil {
			e.End = Reset
		}
	default:
		a = w.do(c)
	}
	if e.After != nil {
		e.After()
	}
	if e.End == Hang {
		<-c.ctx.Done()
	}
	return e.shape(c.Service, a), e
}

// do has a request take effect and returns the true response.
func (w *World) do(c *call) response {
	known := c.unknown == ""
	if known && c.route != nil && c.route.prepare != nil {
		c.route.prepare(w, c)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var a response
	if c.webPage {
		status := map[Service]int{Codacy: http.StatusOK, GitHub: http.StatusNotFound}[c.Service]
		a = response{status: status, body: []byte("<!DOCTYPE html><title>Not the API</title>")}
		a.set("Content-Type", "text/html; charset=utf-8")
		return a
	}
	if c.unknown == "" {
		if rejection := w.authenticate(c); rejection != nil {
			return *rejection
		}
		a = c.route.do(w, c)
	}
	if c.unknown == "" {
		return a
	}
	if known { // until its body was read
		w.violate(UnknownRequest, c, nil, "%s", c.unknown)
	}
	return errorResponse(c.Service, http.StatusNotImplemented, "the sandbox doesn't know this request: "+c.unknown)
}

// leave completes the response's header and the request's entry in the log.
func (w *World) leave(c *call, a *response, e Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complete(c)
	w.countRejection(c, a.status)
	if e.End == Reset || e.End == Hang {
		return
	}
	if i := c.logged; i > 0 && i <= len(w.log) && w.log[i-1].Sequence == c.Sequence { // it is still the same log
		w.log[c.logged-1].Status = a.status
	}
	switch {
	case e.NoDate:
		a.set("Date") // without a value, so that net/http adds none
	case e.Header["Date"] == nil:
		a.set("Date", w.now(c.Service).Add(c.offset+e.Date).Format(http.TimeFormat))
	}
	if len(a.body) > 0 && a.header["Content-Type"] == nil {
		a.set("Content-Type", "application/json; charset=utf-8")
	}
	if c.Service == GitHub {
		a.set("X-Github-Request-Id", fmt.Sprintf("5A4D:%06X", c.Sequence))
		w.rateHeaders(c, a)
		if x := c.credential; x != nil && x.Kind != Installation && !x.Expires.IsZero() {
			a.set("Github-Authentication-Token-Expiration", x.Expires.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		if x := c.credential; x != nil && x.isPersonal() {
			a.set("X-Oauth-Scopes", strings.Join(x.scopes(), ", "))
		}
	}
}
