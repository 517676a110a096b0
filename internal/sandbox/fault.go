package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// End is how an answer reaches the client.
type End int

// The ends of a request.
const (
	Whole End = iota // as it should
	Reset            // the connection is reset before a byte of the answer
	Cut              // the header and half of the body, then the connection dies
	Hang             // nothing, until the client goes away
)

// Effect is what a hook does to one request; the zero Effect does nothing.
//
//	{Status: 503}                        carried out, and answered with 503
//	{Skip: true, Status: 503}            answered with 503, not carried out
//	{End: Reset}                         carried out, and the answer is lost
//	{Skip: true, End: Reset}             lost on the way
//	{Status: 200, Body: []byte("<html>")} garbage
//	{Late: time.Minute, End: Hang}       given up by the client, carried out a minute later
//	{After: kill, End: Reset}            the process dies with the request carried out
type Effect struct {
	Delay  time.Duration // waited before it is carried out, besides the latency
	Before func()        // called then
	Skip   bool          // not carried out; answered with 500 unless Status, Body or End says otherwise
	Late   time.Duration // carried out by a timer so much later; until then Reset, unless Status, Body or End says otherwise
	After  func()        // called before anything is answered

	Status int         // answered in place of the true one, with that status's error body
	Header http.Header // added to the answer
	Body   []byte      // in place of the answer's body; with a status of 200 unless there is another
	End    End
}

// shape makes the answer that goes out of the true one, whose status is 0 where
// nothing was carried out.
func (e Effect) shape(s Service, a response) response {
	switch {
	case e.Status != 0 && e.Status != a.status:
		a = errorResponse(s, e.Status, "the sandbox was told to answer so")
	case a.status == 0 && e.Body != nil:
		a = response{status: http.StatusOK}
	case a.status == 0:
		a = errorResponse(s, http.StatusInternalServerError, "the sandbox was told not to do this")
	}
	if e.Body != nil {
		a.body = e.Body
	}
	for key, values := range e.Header {
		a.set(key, values...)
	}
	return a
}

// SecondaryLimit is GitHub's refusal with status 403 or 429, not carried out. A
// retryAfter of 0 leaves the header out.
func SecondaryLimit(status int, retryAfter time.Duration) Effect {
	a := secondaryLimit(status, retryAfter)
	return Effect{Skip: true, Status: a.status, Header: a.header, Body: a.body}
}

// PrimaryLimit is GitHub's refusal until reset, not carried out.
func PrimaryLimit(status int, reset time.Time) Effect {
	a := primaryLimit(status, 5000, reset)
	return Effect{Skip: true, Status: a.status, Header: a.header, Body: a.body}
}

// Hook has f consulted for each request from now on; nil ends it. f is called
// without any lock, from many goroutines at once.
func (w *World) Hook(f func(Request) Effect) {
	if f == nil {
		w.hook.Store(nil)
		return
	}
	w.hook.Store(&f)
}

// Pending tells how many late requests are still to be carried out.
func (w *World) Pending() int { return int(w.pending.Load()) }

// answer is what a service says. A status of 0 is no answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// set sets a header field.
func (a *response) set(key string, values ...string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header[http.CanonicalHeaderKey(key)] = values
}

// jsonAnswer encodes a body.
func jsonResponse(status int, body any) response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return response{status: status, body: encoded}
}

// errorAnswer is an error in the service's own shape.
func errorResponse(s Service, status int, message string) response {
	if s == Codacy {
		return codacyError(status, message)
	}
	return githubError(status, message)
}

func githubError(status int, message string) response {
	return githubErrorAbout(status, message, "https://docs.github.com/rest")
}

func githubErrorAbout(status int, message, documentation string) response {
	return jsonResponse(status, struct {
		Message       string `json:"message"`
		Documentation string `json:"documentation_url"`
		Status        string `json:"status"`
	}{message, documentation, strconv.Itoa(status)})
}
