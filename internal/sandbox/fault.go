package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// End is how a response reaches the client.
type End int

// The ends of a request.
const (
	Whole End = iota // complete
	Reset            // the connection is reset before the first byte of the response
	Cut              // the header and half of the body, then the connection ends
	Stall            // the header and half of the body, then nothing until the client gives up
	Hang             // nothing until the client gives up: the connection is silent
)

// Effect is what a hook does to one request; the zero Effect does nothing.
//
//	{Status: 503}                         takes effect, and gets 503
//	{Skip: true, Status: 503}             gets 503 without effect
//	{End: Reset}                          takes effect, and the response is lost
//	{Skip: true, End: Reset}              lost on the way
//	{Status: 200, Body: []byte("<html>")} a malformed response
//	{Late: time.Minute, End: Hang}        the client gives up, and it takes effect a minute later
//	{After: kill, End: Reset}             the process ends after the request took effect
//	{Date: 72 * time.Hour}                takes effect, and the Date is three days ahead
type Effect struct {
	Delay  time.Duration // waited before the request takes effect, in addition to the latency
	Before func()        // called after that wait
	Skip   bool          // without effect; the response is 500 unless Status, Body or End says otherwise
	Late   time.Duration // takes effect by a timer that much later; until then Reset, unless Status, Body or End says otherwise
	Token  func(*Token)  // changes the token that a POST creates: another name or expiry than requested; called with the World's lock held
	After  func()        // called before the response is sent

	Status int           // in place of the true one, with that status's error body
	Header http.Header   // added to the response; a nil value removes a field
	Body   []byte        // in place of the response's body; with status 200 unless there is another
	Date   time.Duration // added to the Date of the response, an error page's too
	NoDate bool          // the response has no Date
	End    End
}

// shape returns the response that is sent in place of the true one, whose status
// is 0 if the request had no effect.
func (e Effect) shape(s Service, a response) response {
	switch {
	case e.Status != 0 && e.Status != a.status:
		a = errorResponse(s, e.Status, "the sandbox was configured to respond like this")
	case a.status == 0 && e.Body != nil:
		a = response{status: http.StatusOK}
	case a.status == 0:
		a = errorResponse(s, http.StatusInternalServerError, "the sandbox was configured to skip this request")
	}
	if e.Body != nil {
		a.body = e.Body
	}
	for key, values := range e.Header {
		a.set(key, values...)
	}
	return a
}

// skip is an Effect that sends a response without effect.
func skip(a response) Effect {
	return Effect{Skip: true, Status: a.status, Header: a.header, Body: a.body}
}

// SecondaryLimit is GitHub's rejection with status 403 or 429, without effect. A
// retryAfter of 0 omits the header.
func SecondaryLimit(status int, retryAfter time.Duration) Effect {
	return skip(secondaryLimit(status, retryAfter))
}

// PrimaryLimit is GitHub's rejection until reset, without effect.
func PrimaryLimit(status int, reset time.Time) Effect { return skip(primaryLimit(status, 5000, reset)) }

// AbuseLimit is an older GitHub Enterprise Server's rejection with status 403,
// without effect. A retryAfter of 0 omits the header.
func AbuseLimit(retryAfter time.Duration) Effect { return skip(abuseLimit(retryAfter)) }

// RetryAfter is a service's rejection with a Retry-After of any text, without
// effect.
func RetryAfter(status int, value string) Effect {
	return Effect{Skip: true, Status: status, Header: http.Header{"Retry-After": {value}}}
}

// Unauthorized is a service's 401 for a valid credential, without effect.
func Unauthorized(s Service) Effect {
	if s == Codacy {
		return skip(codacyError(http.StatusUnauthorized, "Unauthorized"))
	}
	return skip(githubError(http.StatusUnauthorized, "Bad credentials"))
}

// SuspendedInstallation is GitHub's denial for a suspended installation, without
// effect.
func SuspendedInstallation() Effect { return skip(suspendedInstallation()) }

// Hook calls f for each request from now on; nil ends that. f is called for one
// request at a time, and without the World's lock, so that it can change the World.
func (w *World) Hook(f func(Request) Effect) {
	if f == nil {
		w.hook.Store(nil)
		return
	}
	w.hook.Store(&f)
}

// Pending returns the number of late requests that have yet to take effect.
func (w *World) Pending() int { return int(w.pending.Load()) }

// response is a service's response. A status of 0 means no response.
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

// jsonResponse encodes a body.
func jsonResponse(status int, body any) response {
	encoded, err := json.Marshal(body)
	must(err)
	return response{status: status, body: encoded}
}

// errorResponse is an error in the service's own shape.
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
