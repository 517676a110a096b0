package provision

import (
	"errors"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// canaryRefusals in a row, before any success, show a missing permission.
	canaryRefusals = 3
	// outageLosses in a row show that a service is down.
	outageLosses = 10
)

// Cause is why a Run stopped before its end.
type Cause int

const (
	// Permission: the credential may not write secrets.
	Permission Cause = iota
	// Credentials: a service does not accept the credential any more.
	Credentials
	// Outage: a service is down.
	Outage
)

// Stopped is the error of a Run that ended early; what was left is deferred.
type Stopped struct {
	Cause Cause
	// Err is the failure that showed it.
	Err *wire.Error
}

func (s *Stopped) Error() string {
	return [...]string{"a permission is missing", "the credential is refused", "the service is down"}[s.Cause] + ": " + s.Err.Error()
}

func (s *Stopped) Unwrap() error { return s.Err }

var (
	errTimeUp      = errors.New("not reached in time (max-duration)")
	errInterrupted = errors.New("interrupted")
)

// reason is why those that were left are deferred.
func (s *Stopped) reason() string {
	return "not begun: " + [...]string{
		"a permission is missing", s.Err.Service + " refuses the credential", s.Err.Service + " is down",
	}[s.Cause]
}

// judge sees whether what happened to one repository concerns them all.
func (r *Run) judge(e event) {
	r.proven = r.proven || e.done.wrote()
	var err *wire.Error
	switch {
	case e.result.Outcome == Deferred:
		return
	case !errors.As(e.err, &err):
		if e.kind == jobWrite {
			r.refusals = 0
		}
		if e.t.target.Skip == "" { // else nobody was asked anything
			clear(r.losses)
		}
		return
	}
	lost := err.Fate == wire.Unclear || err.Fate == wire.Unsent
	if r.stopped != nil && (lost || wire.IsUnauthorized(err)) && e.done.held() == 0 {
		// The same again, in what was under way: one error tells it.
		e.result.Outcome, e.result.Reason = Deferred, r.stopped.reason()
		return
	}
	stop := func(c Cause) {
		if r.stopped == nil {
			r.stopped = &Stopped{Cause: c, Err: err}
		}
	}
	if !lost {
		clear(r.losses)
	}
	if e.kind == jobWrite && !github.LacksPermission(err) {
		r.refusals = 0
	}
	switch {
	case wire.IsUnauthorized(err):
		stop(Credentials)
		e.result.Told = true
	case github.LacksPermission(err) && e.kind == jobWrite:
		if r.refusals++; r.refusals == canaryRefusals && !r.proven {
			stop(Permission)
		}
	case lost:
		if r.losses[err.Service]++; r.losses[err.Service] == outageLosses {
			stop(Outage)
		}
	}
}
