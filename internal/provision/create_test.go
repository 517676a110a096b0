package provision

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// firstNumber is the number that the creations in these tests start with: the list
// showed token 6.
const firstNumber = 7

var requestedExpiry = time.Date(2027, 11, 25, 8, 30, 0, 0, time.UTC)

// failed returns the error of a request to Codacy. Status 0 is a lost connection.
func failed(status int) error {
	e := &wire.Error{Service: codacy.Name, Op: "create the token", Status: status, Message: http.StatusText(status), Disposition: wire.Rejected}
	switch {
	case status == http.StatusTooManyRequests:
		e.Disposition = wire.RateLimited
	case status == 0 || status >= 500:
		e.Disposition = wire.Indeterminate
	}
	return e
}

// notSent returns the error of a request that never left.
func notSent(cause error) error {
	return &wire.Error{Service: codacy.Name, Op: "create the token", Message: "not sent", Disposition: wire.NotSent, Err: cause}
}

func numberedToken(id int64, number int, expires time.Time) rotation.Token {
	name, _ := rotation.TokenName("CODACY_PROJECT_TOKEN", number)
	return rotation.Token{ID: id, Name: name, Number: number, Expires: expires}
}

// showing returns what a list shows: token 6, which the decision was based on, and
// more tokens.
func showing(more ...rotation.Token) *rotation.Observation {
	all := append([]rotation.Token{numberedToken(6, 6, requestedExpiry.AddDate(0, -9, 0))}, more...)
	return &rotation.Observation{Managed: all, Total: len(all)}
}

func begin() creation { return newCreation(*showing(), requestedExpiry) }

// attempt is one request of a creation: the error that it failed with, the list
// after it, if there is one, and what follows.
type attempt struct {
	err    error
	list   *rotation.Observation // nil: next must not ask for a list
	want   stepKind
	number int   // of the next request, after stepSend, stepDelete and stepEvict
	delete int64 // the token that stepDelete names
	fails  error // what ends the creation after this step; nil if it goes on
}

func TestCreation(t *testing.T) {
	t.Parallel()

	own := numberedToken(70, firstNumber, requestedExpiry)
	namesake := numberedToken(71, firstNumber, requestedExpiry.Add(time.Second))
	later := numberedToken(80, firstNumber+1, requestedExpiry.Add(time.Minute))
	forbidden, conflict, badRequest, invalid, lost := failed(403), failed(409), failed(400), failed(422), failed(502)
	send := func(err error, number int) attempt {
		return attempt{err: err, list: showing(), want: stepSend, number: number}
	}
	end := func(err error) attempt { return attempt{err: err, list: showing(), want: stepFail, fails: err} }

	for name, attempts := range map[string][]attempt{
		// A clear rejection, with no request open.
		"rejected": {{err: forbidden, want: stepFail, fails: forbidden}},
		"rejected after a name that was taken": {
			send(conflict, 7), {err: forbidden, want: stepFail, fails: forbidden},
		},
		"rate-limited":                         {{err: failed(429), want: stepSend, number: 7}, {err: failed(429), want: stepSend, number: 7}},
		"not sent":                             {{err: notSent(nil), want: stepFail, fails: notSent(nil)}},
		"too late to send, nothing was sent":   {{err: notSent(pace.ErrSendDeadline), want: stepFail, fails: errStale}},
		"too late to send, the name was taken": {send(conflict, 7), {err: notSent(pace.ErrSendDeadline), want: stepFail, fails: errStale}},

		// A name that may be taken.
		"taken under 409": {
			send(conflict, 7), send(conflict, 8), send(conflict, 9), send(conflict, 11), send(conflict, 15), send(conflict, 23),
			send(conflict, 135),
			{err: conflict, list: showing(), want: stepEvict, number: 135},
			end(conflict),
		},
		"taken under 400": {
			send(badRequest, 7), send(badRequest, 8), send(badRequest, 135),
			{err: badRequest, list: showing(), want: stepEvict, number: 135},
			end(badRequest),
		},
		"taken under 422": {
			send(invalid, 7), send(invalid, 8), send(invalid, 135),
			{err: invalid, list: showing(), want: stepEvict, number: 135},
			end(invalid),
		},
		"taken under 409, then 422 for another reason": {
			send(conflict, 7), send(conflict, 8), send(conflict, 9),
			{err: invalid, list: showing(), want: stepEvict, number: 9},
			end(invalid),
		},
		"taken under 422, then 409": {
			send(invalid, 7), send(conflict, 8), send(conflict, 9), send(conflict, 11), send(conflict, 15), send(conflict, 23),
			send(conflict, 135),
			{err: conflict, list: showing(), want: stepEvict, number: 135},
			end(conflict),
		},
		"rate-limited between taken names": {
			send(conflict, 7), {err: failed(429), want: stepSend, number: 7}, send(conflict, 8),
		},
		"taken by another run": {{err: conflict, list: showing(namesake), want: stepFail, fails: errOtherRun}},
		"taken by another run, later": {
			send(invalid, 7), send(invalid, 8), {err: invalid, list: showing(later), want: stepFail, fails: errOtherRun},
		},
		"another run took the next number": {{err: conflict, list: showing(later), want: stepFail, fails: errOtherRun}},
		"another run chose the same second": {
			// Nothing of this attempt is open, so the token is not its own.
			{err: conflict, list: showing(own), want: stepFail, fails: errOtherRun},
		},
		"a token that was known is gone": {{err: conflict, list: &rotation.Observation{}, want: stepSend, number: 7}},

		// No clear response.
		"lost, nothing was created": {send(lost, 7), send(lost, 7), end(lost)},
		"lost, created":             {{err: lost, list: showing(own), want: stepDelete, number: 7, delete: 70}},
		"lost, created late": {
			send(lost, 7), {err: conflict, list: showing(own), want: stepDelete, number: 7, delete: 70}, end(lost),
		},
		"lost, created at the last attempt": {
			send(lost, 7), send(failed(0), 7), {err: lost, list: showing(own), want: stepDelete, number: 7, delete: 70, fails: lost},
		},
		"lost, then the name is taken": {
			send(lost, 7), send(conflict, 7), end(conflict),
		},
		"lost, then rejected": {
			send(lost, 7), send(forbidden, 7), end(forbidden),
		},
		"lost, then not sent": {
			send(lost, 7), send(notSent(nil), 7),
			end(notSent(nil)),
		},
		"lost, then rate-limited": {
			send(lost, 7), {err: failed(429), want: stepSend, number: 7}, send(lost, 7), end(lost),
		},
		"lost, created, deleted, then rejected": {
			{err: lost, list: showing(own), want: stepDelete, number: 7, delete: 70}, {err: forbidden, want: stepFail, fails: forbidden},
		},
		"lost, created, deleted, then the name is taken": {
			{err: lost, list: showing(own), want: stepDelete, number: 7, delete: 70}, send(conflict, 7), send(conflict, 8),
		},
		"lost after a name that was taken": {
			send(conflict, 7), send(conflict, 8), send(lost, 8), {err: lost, list: showing(numberedToken(81, 8, requestedExpiry)), want: stepDelete, number: 8, delete: 81},
		},
		"lost, and another run took the name":        {{err: lost, list: showing(namesake), want: stepFail, fails: errOtherRun}},
		"lost, and another run took the next number": {{err: lost, list: showing(later), want: stepFail, fails: errOtherRun}},
		"lost, created, and another run took the next number": {
			{err: lost, list: showing(own, later), want: stepDelete, number: 7, delete: 70, fails: errOtherRun},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := begin()
			for i, a := range attempts {
				var got step
				c, got = c.next(a.err, nil)
				if asks := got.kind == stepList; asks != (a.list != nil) {
					t.Fatalf("request %d: asks for a list: %v, want %v", i+1, asks, a.list != nil)
				}
				if a.list != nil {
					c, got = c.next(a.err, a.list)
				}
				if got.kind != a.want || a.want != stepFail && c.number != a.number || got.token.ID != a.delete {
					t.Fatalf("request %d: step %+v with number %d, want %+v", i+1, got, c.number, a)
				}
				if a.want == stepEvict {
					continue // its error ends the creation only if there is nothing to delete
				}
				if fmt.Sprint(got.err) != fmt.Sprint(a.fails) {
					t.Errorf("request %d: ends with %v, want %v", i+1, got.err, a.fails)
				}
			}
		})
	}
}

// The outcomes and lists that checkCreation plays.
var (
	playedErrors = []error{
		failed(403), failed(409), failed(400), failed(422), failed(429), failed(500), failed(0),
		notSent(nil), notSent(pace.ErrSendDeadline),
	}
	playedLists = []struct{ own, other, namesake bool }{
		{}, {own: true}, {other: true}, {own: true, other: true}, {namesake: true},
	}
)

// checkCreation plays the outcomes of a script over and over, one byte for each
// request, until the creation ends.
func checkCreation(t *testing.T, script []byte) {
	t.Helper()
	c := begin()
	sent, invalid := 0, 0
	lost := map[int]int{} // requests without a clear response by number, deleted tokens aside
	for i := 0; ; i++ {
		if i == 1000 {
			return // rate-limited all the time: createToken ends it
		}
		played := int(script[i%len(script)])
		err := playedErrors[played%len(playedErrors)]
		shows := playedLists[played/len(playedErrors)%len(playedLists)]
		disposition, number := wire.DispositionOf(err), c.number
		if disposition != wire.RateLimited {
			sent++
		}
		if sent > createRequests {
			t.Fatalf("%v: no end after %d requests", script, sent)
		}
		if wire.StatusOf(err) == 422 {
			invalid++
		}
		if disposition == wire.Indeterminate {
			lost[number]++
		}
		var s step
		if c, s = c.next(err, nil); s.kind == stepList {
			var tokens []rotation.Token
			if shows.own {
				tokens = append(tokens, numberedToken(700, number, requestedExpiry))
			} else if shows.namesake {
				tokens = append(tokens, numberedToken(701, number, requestedExpiry.Add(-time.Second)))
			}
			if shows.other {
				tokens = append(tokens, numberedToken(800, number+1, requestedExpiry))
			}
			c, s = c.next(err, showing(tokens...))
			if foreign := shows.other || shows.namesake && !shows.own; foreign && s.kind != stepFail && !errors.Is(s.err, errOtherRun) {
				t.Fatalf("%v: another run's token is in the list, and it goes on with %+v", script, s)
			}
		} else if disposition == wire.Indeterminate {
			t.Fatalf("%v: request %d had no clear response, and no list is asked for", script, i+1)
		}
		switch s.kind {
		case stepList:
			t.Fatalf("%v: asks for a second list", script)
		case stepFail:
			if s.err == nil {
				t.Fatalf("%v: ends without an error", script)
			}
			return
		case stepDelete:
			if s.token.Number != number || !s.token.Expires.Equal(requestedExpiry) || lost[number] == 0 {
				t.Fatalf("%v: deletes %+v, which is not this attempt's", script, s.token)
			}
			lost[number]--
			if s.err != nil {
				return
			}
		case stepSend, stepEvict:
			if shows.own && lost[number] > 0 && disposition != wire.RateLimited {
				t.Fatalf("%v: sends although its own token is in the list", script)
			}
		}
		if sent == invalid && sent > 5 {
			t.Fatalf("%v: %d requests were rejected with status 422", script, sent)
		}
	}
}

// TestCreationExhaustively: after any outcomes, the creation ends, never sends
// blindly, and deletes no token that is not its own.
func TestCreationExhaustively(t *testing.T) {
	t.Parallel()

	n := byte(len(playedErrors) * len(playedLists))
	for a := range n {
		for b := range n {
			for c := range n {
				checkCreation(t, []byte{a, b, c})
			}
		}
	}
}

func FuzzCreation(f *testing.F) {
	for n := range byte(len(playedErrors) * len(playedLists)) {
		f.Add(slices.Repeat([]byte{n, 5, n + 1}, 3))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 0 {
			checkCreation(t, script)
		}
	})
}
