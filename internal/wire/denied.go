package wire

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// freshPeriod is how long after its creation a credential may still be unknown to
	// some of the service's servers.
	freshPeriod = 10 * time.Second
	// hiccupDelay is the wait after a 401 for a credential that can't be renewed.
	hiccupDelay = 2 * time.Second
)

// freshDelays are the waits after the rejections of a fresh credential.
var freshDelays = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// roundTrip sends a request, again after a rejection of its credential that may be
// temporary.
func (t *Transport) roundTrip(req *http.Request) (*http.Response, error) {
	var d denials
	for {
		resp, sent, err := t.send(req)
		if err == nil {
			return resp, nil
		}
		var e *Error
		if sent == nil || !errors.As(err, &e) || e.Disposition != Rejected || e.RetryAfter > 0 {
			return nil, err
		}
		again, after := d.next(t, sent, e)
		if !again {
			return nil, err
		}
		var ok bool
		if req, ok = rebuild(req); !ok || Sleep(req.Context(), after) != nil {
			return nil, err
		}
	}
}

// denials is what a request with rejected credentials went through.
type denials struct {
	credential string    // of the latest request
	firstSent  time.Time // the request's first time with this credential
	fresh      int       // rejections of this credential while it was fresh
	asked      bool      // whether OnUnauthorized was called
}

// next returns whether to send a rejected request again, and when.
func (d *denials) next(t *Transport, sent *sentRequest, e *Error) (again bool, after time.Duration) {
	if e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		return false, 0
	}
	if credential := sent.Header.Get("Authorization"); d.firstSent.IsZero() || credential != d.credential {
		d.credential, d.firstSent, d.fresh = credential, sent.at, 0
	}
	if t.CreatedAt != nil && d.fresh < len(freshDelays) {
		if created := t.CreatedAt(sent.Request); !created.IsZero() && d.firstSent.Sub(created) < freshPeriod {
			d.fresh++
			return true, freshDelays[d.fresh-1]
		}
	}
	switch {
	case e.Status != http.StatusUnauthorized || d.asked:
		return false, 0
	case t.OnUnauthorized == nil:
		d.asked = true
		return true, hiccupDelay
	}
	d.asked = true
	return t.OnUnauthorized(sent.Request, e)
}

// rebuild returns a copy of req with a body of its own, so that it can be sent
// again; false if the body can't be read a second time.
func rebuild(req *http.Request) (*http.Request, bool) {
	again := req.Clone(req.Context())
	switch {
	case req.GetBody != nil:
		body, err := req.GetBody()
		if err != nil {
			return req, false
		}
		again.Body = body
	case req.Body != nil && req.Body != http.NoBody:
		return req, false
	}
	return again, true
}

// Sleep waits for d. Its error is the cause of the end of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
