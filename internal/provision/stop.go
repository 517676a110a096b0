package provision

import (
	"errors"
	"github.com/codacy/codacy-project-tokens/internal/outcome"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// canaryRefusals in a row, before any success, show a missing permission.
	denialThreshold = 3
	// outageLosses in a row show that a service is down.
	outageThreshold = 10
)

// Cause is why a Run stopped before its end.
type StopCause int

const (
	// Permission: the credential may not write secrets.
	Permission StopCause = iota
	// Credentials: a service does not accept the credential any more.
	Credentials
	// Outage: a service is down.
	Outage
)

// Stopped is the error of a Run that ended early; what was left is deferred.
type StopError struct {
	Cause StopCause
	// Err is the failure that showed it.
	Err *wire.Error
}

func (s *StopError) Error() string {
	return [...]string{"a permission is missing", "the credential is refused", "the service is down"}[s.Cause] + ": " + s.Err.Error()
}

func (s *StopError) Unwrap() error { return s.Err }

var (
	errTimeUp      = errors.New("not reached in time (max-duration)")
	errInterrupted = errors.New("interrupted")
)

// reason is why those that were left are deferred.
func (s *StopError) reason() string {
	return "not begun: " + [...]string{
		"a permission is missing", s.Err.Service + " refuses the credential", s.Err.Service + " is down",
	}[s.Cause]
}

// judge sees whether what happened to one repository concerns them all.
func (r *Run) record(e event) {
	r.verified = r.verified || e.applied.storedAny()
	var err *wire.Error
	switch {
	case e.result.Outcome == outcome.Deferred:
		return
	case !errors.As(e.err, &err):
		if e.kind == jobWrite {
			r.denials = 0
		}
		if e.task.target.Skip == "" { // else nobody was asked anything
			clear(r.outages)
		}
		return
	}
	lost := err.Disposition == wire.Indeterminate || err.Disposition == wire.NotSent
	if r.stopped != nil && (lost || wire.IsUnauthorized(err)) && e.applied.storedIn() == 0 {
		// The same again, in what was under way: one error tells it.
		e.result.Outcome, e.result.Reason = outcome.Deferred, r.stopped.reason()
		return
	}
	stop := func(c StopCause) {
		if r.stopped == nil {
			r.stopped = &StopError{Cause: c, Err: err}
		}
	}
	if !lost {
		clear(r.outages)
	}
	if e.kind == jobWrite && !github.LacksPermission(err) {
		r.denials = 0
	}
	switch {
	case wire.IsUnauthorized(err):
		stop(Credentials)
		e.result.Reported = true
	case github.LacksPermission(err) && e.kind == jobWrite:
		if r.denials++; r.denials == denialThreshold && !r.verified {
			stop(Permission)
		}
	case lost:
		if r.outages[err.Service]++; r.outages[err.Service] == outageThreshold {
			stop(Outage)
		}
	}
}
