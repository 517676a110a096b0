package provision

import (
	"cmp"
	"errors"
	"slices"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// suspicionAt is the number of repositories denied in a row that is a suspicion:
	// the credential may lack a permission. A witness confirms it or not.
	suspicionAt = 3
	// maxDenials in a row end a run, whatever a witness showed.
	maxDenials = 25
	// maxWitnesses is the number of repositories drawn as witnesses before the first
	// write.
	maxWitnesses = 3
	// randomAfter denials or losses in a row, the next repositories are drawn at
	// random, so that the same ones do not come first in every run.
	randomAfter = 2
	// outageAt is the number of repositories lost in a row that is an outage.
	outageAt = 10
	// verifyAccountAt is the number of repositories rejected by Codacy in a row after
	// which the account token is verified.
	verifyAccountAt = 10
	// maxFailedRevocations in a row end the revoking.
	maxFailedRevocations = 10
)

// StopCause says why a Run stopped before its end.
type StopCause int

const (
	// Permission means that GitHub denies the writes.
	Permission StopCause = iota
	// Credentials means that a service no longer accepts the credential.
	Credentials
	// Outage means that a service does not respond.
	Outage
)

// StopError is the error of a Run that stopped early. The remaining repositories
// are deferred.
type StopError struct {
	Cause StopCause
	// Err is the failure that showed it.
	Err *wire.Error
	// Wrote reports whether the run had written a secret.
	Wrote bool
	// AtEnd reports whether every repository was tried: all of them were denied.
	AtEnd bool
}

func (s *StopError) Error() string {
	return [...]string{"GitHub denies access", "the credential is rejected", "the service is down"}[s.Cause] + ": " + s.Err.Error()
}

// Unwrap returns the failure.
func (s *StopError) Unwrap() error { return s.Err }

// reason says why the remaining repositories are deferred.
func (s *StopError) reason() string {
	return "not started: " + [...]string{
		"GitHub denies access", s.Err.Service + " rejects the credential", s.Err.Service + " is down",
	}[s.Cause]
}

var (
	errTimeUp      = errors.New("not reached in time (max-duration)")
	errInterrupted = errors.New("interrupted")
)

// verdict is what the end of one repository's job shows about the credential and
// the services.
type verdict struct {
	// stored is true if a PUT was accepted.
	stored bool
	// denied is GitHub's denial of a PUT for a reason that may be the credential's,
	// where no PUT was accepted; nil if there wasn't one.
	denied *wire.Error
	// unavailable is GitHub's denial (403) of a store of this repository.
	unavailable *wire.Error
	// unauthorized is a credential's rejection; nil if there wasn't one.
	unauthorized *wire.Error
	// lost is the failure of a request without a clear response, where no PUT was
	// accepted; nil if there wasn't one.
	lost *wire.Error
	// rejected is Codacy's rejection of a request about this repository alone.
	rejected *wire.Error
	// responded lists the services that gave a clear response.
	responded []string
	// granted is true if the repository is up to date, or failed for a reason that
	// is no denial.
	granted bool
}

// reaction is what the loop has to do after a verdict.
type reaction int

const (
	carryOn reaction = iota
	// drawWitnesses asks for repositories that an earlier run could write.
	drawWitnesses
	// askWitness asks for the public key of the repository that was written last.
	askWitness
	// verifyAccount asks whether Codacy accepts the account token.
	verifyAccount
)

// breaker is the circuit breaker of a run: it decides when denials and outages end
// it. It counts repositories, and sends no request.
type breaker struct {
	verified bool // a PUT was accepted in this run
	// denials and failures are the repositories in a row that were denied, and that
	// were denied or lost. Only an accepted PUT ends a row.
	denials, failures int
	rejections        int            // the same for Codacy's rejections
	losses            map[string]int // repositories in a row that were lost, by service
	failedRevocations int            // in a row
	// suspected is true from a suspicion until it is cleared.
	suspected bool
	witnesses int // that were drawn and have not ended
	// lastDenial is the denial of the last denied repository, and granted is true if
	// a repository was tried and not denied.
	lastDenial *wire.Error
	granted    bool
	stopped    *StopError
}

// record takes a verdict and returns what has to be done about it. Witness says
// that the repository was drawn as a witness.
func (b *breaker) record(v verdict, witness bool) reaction {
	b.responded(v.responded...)
	b.granted = b.granted || v.granted || v.stored
	if denial := cmp.Or(v.denied, v.unavailable); denial != nil && !v.stored {
		b.lastDenial = denial
	}
	if witness {
		b.witnesses--
	}
	switch {
	case v.stored:
		b.written()
	case v.denied != nil || v.lost != nil:
		b.failures++
	}
	if v.lost != nil {
		b.lose(v.lost)
	}
	switch {
	case v.unauthorized != nil:
		b.stop(Credentials, v.unauthorized)
	case v.stored:
	case v.denied != nil:
		return b.deny(witness)
	default:
		if witness { // all of them have to be denied
			b.suspected = false
		}
		if v.rejected != nil {
			if b.rejections++; b.rejections%verifyAccountAt == 0 {
				return verifyAccount
			}
		}
	}
	return carryOn
}

// responded ends the rows of repositories that were lost to services.
func (b *breaker) responded(services ...string) {
	for _, service := range services {
		delete(b.losses, service)
	}
}

// written ends the rows that only an accepted PUT ends.
func (b *breaker) written() {
	b.verified, b.suspected = true, false
	b.denials, b.failures, b.rejections = 0, 0, 0
	if b.stopped != nil {
		b.stopped.Wrote = true // by a job that was under way
	}
}

// deny counts a denied repository.
func (b *breaker) deny(witness bool) reaction {
	b.denials++
	switch {
	case b.denials >= maxDenials, b.suspected && witness && b.witnesses == 0:
		b.stop(Permission, b.lastDenial)
	case !b.suspected && b.witnesses == 0 && b.denials%suspicionAt == 0:
		b.suspected = true
		if b.verified {
			return askWitness
		}
		return drawWitnesses
	}
	return carryOn
}

// lose counts a repository that was lost.
func (b *breaker) lose(err *wire.Error) {
	if b.losses == nil {
		b.losses = map[string]int{}
	}
	if b.losses[err.Service]++; b.losses[err.Service] >= outageAt {
		b.stop(Outage, err)
	}
}

// drawn records the number of witnesses that could be drawn before the first write.
func (b *breaker) drawn(n int) {
	b.witnesses = n
	if n == 0 {
		b.stop(Permission, b.lastDenial)
	}
}

// probed records how GitHub responded to the request for the public key of the
// repository that was written last: nil if it was not denied, which proves nothing.
func (b *breaker) probed(denial *wire.Error) {
	if denial != nil {
		b.stop(Permission, b.lastDenial)
	}
	b.suspected = false
}

// accountVerified records whether Codacy rejected the account token.
func (b *breaker) accountVerified(rejection *wire.Error) {
	if rejection != nil {
		b.stop(Credentials, rejection)
	}
}

// needsWitness reports whether witnesses are looked for.
func (b *breaker) needsWitness() bool {
	return b.suspected && !b.verified && b.witnesses == 0 && b.stopped == nil
}

// searchFailed ends the run if witnesses are looked for. It is called when there is
// nothing left to list, and reports whether it did.
func (b *breaker) searchFailed() bool {
	if !b.needsWitness() {
		return false
	}
	b.drawn(0)
	return true
}

// allDenied reports whether at least one repository was tried, and every one was
// denied.
func (b *breaker) allDenied() bool { return b.stopped == nil && b.lastDenial != nil && !b.granted }

// revoked counts failed revocations.
func (b *breaker) revoked(failed, succeeded bool) {
	if succeeded {
		b.failedRevocations = 0
	}
	if failed {
		b.failedRevocations++
	}
}

// mayRevoke reports whether tokens are still revoked.
func (b *breaker) mayRevoke() bool { return b.failedRevocations < maxFailedRevocations }

// drawsAtRandom reports whether the next repository is drawn at random.
func (b *breaker) drawsAtRandom() bool { return b.failures >= randomAfter }

func (b *breaker) stop(c StopCause, err *wire.Error) {
	if b.stopped == nil {
		b.stopped = &StopError{Cause: c, Err: err, Wrote: b.verified}
	}
}

// responded returns the services that gave a clear response, the failed requests
// aside.
func (e event) responded() []string {
	target := e.task.target
	switch {
	case e.err == nil && e.kind == jobList && (target.Skip == "" || target.NotVisible):
		return []string{codacy.Name}
	case e.err == nil && e.kind == jobCheck:
		return []string{github.Name}
	case e.applied.storedAny():
		return []string{codacy.Name, github.Name}
	case e.applied.token.ID != 0:
		return []string{codacy.Name}
	}
	return nil
}

// newVerdict returns what the end of a job shows.
func newVerdict(e event) verdict {
	v := verdict{stored: e.applied.storedAny(), unavailable: denialOf(e.task.storeErr()), responded: e.responded()}
	if e.result.Outcome == outcome.Deferred {
		return v
	}
	for _, err := range wireErrors(e.err) {
		v.add(err, e.kind)
	}
	if v.lost != nil { // only another repository's response ends the row
		v.responded = slices.DeleteFunc(v.responded, func(service string) bool { return service == v.lost.Service })
	}
	failed := e.result.Outcome == outcome.Failed && v.denied == nil && v.unavailable == nil
	v.granted = failed || e.result.Outcome == outcome.Current
	return v
}

// add adds what one failed request shows.
func (v *verdict) add(err *wire.Error, kind job) {
	lost := err.Disposition == wire.Indeterminate || err.Disposition == wire.NotSent
	if !lost && err.Status != 0 {
		v.responded = append(v.responded, err.Service)
	}
	switch {
	case wire.IsUnauthorized(err):
		v.unauthorized = cmp.Or(v.unauthorized, err)
	case v.stored:
	case lost:
		v.lost = cmp.Or(v.lost, err)
	case kind == jobWrite && github.LacksPermission(err):
		v.denied = cmp.Or(v.denied, err)
	case kind != jobWrite && err.Service == codacy.Name && err.Disposition == wire.Rejected:
		v.rejected = cmp.Or(v.rejected, err)
	}
}

// covered reports whether the error that ended the run says the same.
func (v verdict) covered() bool { return v.unauthorized != nil || v.lost != nil || v.denied != nil }

// denialOf returns err as GitHub's denial (403); nil otherwise.
func denialOf(err error) *wire.Error {
	var denial *wire.Error
	if errors.As(err, &denial) && github.IsForbidden(err) {
		return denial
	}
	return nil
}

// wireErrors returns the failed requests in an error.
func wireErrors(err error) []*wire.Error {
	switch err := err.(type) {
	case nil:
		return nil
	case *wire.Error:
		return []*wire.Error{err}
	case interface{ Unwrap() []error }:
		var all []*wire.Error
		for _, e := range err.Unwrap() {
			all = append(all, wireErrors(e)...)
		}
		return all
	}
	return wireErrors(errors.Unwrap(err))
}
