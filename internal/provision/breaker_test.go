package provision

import (
	"errors"
	"net/http"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// githubError returns the error of a request to GitHub. Status 0 is a lost
// connection.
func githubError(status int, message string) *wire.Error {
	var e *wire.Error
	if !errors.As(failed(status), &e) {
		panic("no *wire.Error")
	}
	e.Service, e.Op, e.Message = github.Name, "write the secret", message
	return e
}

func codacyError(status int) *wire.Error {
	var e *wire.Error
	if !errors.As(failed(status), &e) {
		panic("no *wire.Error")
	}
	return e
}

var (
	forbidden    = githubError(403, "Resource not accessible by integration")
	lostGitHub   = githubError(502, "Bad Gateway")
	lostCodacy   = codacyError(500)
	denied       = verdict{denied: forbidden}
	stored       = verdict{stored: true, responded: []string{codacy.Name, github.Name}}
	current      = verdict{granted: true}
	unavailable  = verdict{unavailable: forbidden}
	lostToGitHub = verdict{lost: lostGitHub, granted: true}
	lostToCodacy = verdict{lost: lostCodacy, granted: true}
	rejected     = verdict{rejected: codacyError(404), granted: true}
	failedElse   = verdict{granted: true} // for a reason that names the repository
	deferred     = verdict{}
	orphaned     = verdict{denied: forbidden, lost: lostCodacy}
)

// played is something that happens to a breaker, and the expected reaction.
type played struct {
	do   func(*breaker) reaction
	want reaction
}

func (p played) and(want reaction) played { p.want = want; return p }

// ends plays the end of a repository, and of a witness.
func ends(v verdict) played {
	return played{do: func(b *breaker) reaction { return b.record(v, false) }}
}

func witness(v verdict) played {
	return played{do: func(b *breaker) reaction { return b.record(v, true) }}
}

func tell(f func(*breaker)) played {
	return played{do: func(b *breaker) reaction { f(b); return carryOn }}
}

func drawn(n int) played                { return tell(func(b *breaker) { b.drawn(n) }) }
func probed(e *wire.Error) played       { return tell(func(b *breaker) { b.probed(e) }) }
func verifiedUser(e *wire.Error) played { return tell(func(b *breaker) { b.accountVerified(e) }) }
func responds(service string) played    { return tell(func(b *breaker) { b.responded(service) }) }

// times repeats what happens.
func times(n int, all ...played) []played {
	var repeated []played
	for range n {
		repeated = append(repeated, all...)
	}
	return repeated
}

func sequence(parts ...any) []played {
	var all []played
	for _, p := range parts {
		switch p := p.(type) {
		case played:
			all = append(all, p)
		case []played:
			all = append(all, p...)
		}
	}
	return all
}

// cleared is three denials and a suspicion that the witness after the first write
// clears.
func cleared() []played {
	return sequence(ends(denied), ends(denied), ends(denied).and(askWitness), probed(nil))
}

func TestBreaker(t *testing.T) {
	t.Parallel()

	suspicion := sequence(ends(denied), ends(denied), ends(denied).and(drawWitnesses))
	other := githubError(403, "This installation has been suspended")
	for name, c := range map[string]struct {
		plays []played
		stops *StopError // nil if the run goes on
		// random, suspected and allDenied are the state in the end.
		random, suspected, allDenied bool
	}{
		"nothing happened": {},
		"all are stored":   {plays: times(100, ends(stored))},

		// Credentials.
		"401": {
			plays: sequence(ends(verdict{unauthorized: codacyError(401)})),
			stops: &StopError{Cause: Credentials, Err: codacyError(401)},
		},
		"401 after a write": {
			plays: sequence(ends(stored), ends(verdict{unauthorized: githubError(401, "Bad credentials")})),
			stops: &StopError{Cause: Credentials, Err: githubError(401, "Bad credentials"), Wrote: true},
		},
		"401 for the second store": {
			plays: sequence(ends(verdict{stored: true, unauthorized: githubError(401, "Bad credentials")})),
			stops: &StopError{Cause: Credentials, Err: githubError(401, "Bad credentials"), Wrote: true},
		},
		"401, then a write that was under way": {
			plays: sequence(ends(verdict{unauthorized: codacyError(401)}), ends(stored)),
			stops: &StopError{Cause: Credentials, Err: codacyError(401), Wrote: true},
		},

		// A store or a repository that is unavailable.
		"unavailable":                             {plays: times(100, ends(unavailable)), allDenied: true},
		"unavailable, others are written":         {plays: sequence(times(50, ends(unavailable)), ends(stored), times(50, ends(unavailable)))},
		"unavailable, others are current":         {plays: sequence(times(50, ends(unavailable)), ends(current))},
		"unavailable, others failed":              {plays: sequence(times(50, ends(unavailable)), ends(failedElse))},
		"unavailable, others were deferred":       {plays: sequence(times(50, ends(unavailable)), ends(deferred)), allDenied: true},
		"one store is unavailable, one written":   {plays: times(50, ends(verdict{stored: true, unavailable: forbidden}))},
		"a reason that names the repository":      {plays: times(100, ends(failedElse))},
		"no denial although nothing was written":  {plays: sequence(ends(deferred), ends(deferred))},
		"two denials, and nothing is left to try": {plays: times(2, ends(denied)), random: true, allDenied: true},

		// A suspicion before the first write.
		"two denials": {plays: sequence(ends(denied), ends(denied), ends(current)), random: true},
		"a suspicion": {plays: suspicion, random: true, suspected: true, allDenied: true},
		"a write ends a row": {
			plays: sequence(ends(denied), ends(denied), ends(stored), ends(denied), ends(denied)), random: true,
		},
		"nothing else ends a row of denials": {
			plays: sequence(ends(denied), ends(current), ends(denied), ends(failedElse), ends(lostToCodacy), ends(rejected), ends(unavailable),
				responds(github.Name), ends(denied).and(drawWitnesses)),
			random: true, suspected: true,
		},
		"no witness exists": {plays: sequence(suspicion, drawn(0)), stops: &StopError{Cause: Permission, Err: forbidden}},
		"no witness is found": {
			plays: sequence(suspicion, tell(func(b *breaker) { b.searchFailed() })), stops: &StopError{Cause: Permission, Err: forbidden},
		},
		"all witnesses are denied": {
			plays: sequence(suspicion, drawn(3), times(2, witness(denied)), witness(verdict{denied: other})),
			stops: &StopError{Cause: Permission, Err: other},
		},
		"the only witness is denied": {
			plays: sequence(suspicion, drawn(1), witness(denied)), stops: &StopError{Cause: Permission, Err: forbidden},
		},
		"one witness is not denied yet": {
			plays: sequence(suspicion, drawn(3), witness(denied), witness(denied)), random: true, suspected: true, allDenied: true,
		},
		"another repository's denial is no witness's": {
			plays: sequence(suspicion, drawn(1), ends(denied)), random: true, suspected: true, allDenied: true,
		},
		"a witness is written": {plays: sequence(suspicion, drawn(3), witness(denied), witness(stored))},
		"the last witness is written": {
			plays: sequence(suspicion, drawn(3), witness(denied), witness(denied), witness(stored)),
		},
		"a witness fails otherwise": {
			plays: sequence(suspicion, drawn(3), witness(failedElse), witness(denied), witness(denied)), random: true,
		},
		"a witness is current meanwhile":    {plays: sequence(suspicion, drawn(2), witness(denied), witness(current)), random: true},
		"a witness is lost":                 {plays: sequence(suspicion, drawn(1), witness(lostToCodacy)), random: true},
		"a witness is unavailable":          {plays: sequence(suspicion, drawn(1), witness(unavailable)), random: true, allDenied: true},
		"a suspicion again after a witness": {plays: sequence(suspicion, drawn(1), witness(failedElse), ends(denied), ends(denied), ends(denied).and(drawWitnesses)), random: true, suspected: true},
		"no suspicion while earlier witnesses are under way": {
			plays: sequence(suspicion, drawn(3), witness(failedElse), ends(denied), ends(denied), ends(denied)), random: true,
		},

		// A suspicion after the first write.
		"the written one is not denied": {plays: sequence(ends(stored), cleared()), random: true},
		"the written one is denied, too": {
			plays: sequence(ends(stored), ends(denied), ends(denied), ends(verdict{denied: other}).and(askWitness), probed(forbidden)),
			stops: &StopError{Cause: Permission, Err: other, Wrote: true},
		},
		"one suspicion at a time": {
			plays: sequence(ends(stored), ends(denied), ends(denied), ends(denied).and(askWitness), times(3, ends(denied))), random: true, suspected: true,
		},
		"24 denials":      {plays: sequence(ends(stored), times(8, cleared()...)), random: true},
		"25 denials":      {plays: sequence(ends(stored), times(8, cleared()...), ends(denied)), stops: &StopError{Cause: Permission, Err: forbidden, Wrote: true}},
		"24 and 24 again": {plays: sequence(ends(stored), times(8, cleared()...), ends(stored), times(8, cleared()...)), random: true},
		"25 before the first write": {
			plays: sequence(times(8, sequence(suspicion, drawn(1), witness(failedElse))...), ends(denied)),
			stops: &StopError{Cause: Permission, Err: forbidden},
		},

		// Outages.
		"a loss and a denial": {plays: sequence(ends(denied), ends(lostToCodacy)), random: true},
		"two losses":          {plays: sequence(ends(lostToCodacy), ends(lostToGitHub)), random: true},
		"two losses, and a response": {
			plays: sequence(ends(lostToCodacy), responds(codacy.Name), ends(current), ends(lostToCodacy)), random: true,
		},
		"two losses, and a write": {plays: sequence(ends(lostToCodacy), ends(lostToCodacy), ends(stored))},
		"nine are lost":           {plays: times(9, ends(lostToGitHub)), random: true},
		"ten are lost":            {plays: times(10, ends(lostToGitHub)), stops: &StopError{Cause: Outage, Err: lostGitHub}},
		"ten are lost, nine to each service": {
			plays: times(9, ends(lostToGitHub), ends(lostToCodacy)), random: true,
		},
		"ten are lost, and the other service responds": {
			plays: sequence(times(9, ends(lostToGitHub), responds(codacy.Name)), ends(lostToGitHub)), stops: &StopError{Cause: Outage, Err: lostGitHub},
		},
		"ten are lost, and the service responds in between": {
			plays: sequence(times(9, ends(lostToGitHub)), responds(github.Name), times(9, ends(lostToGitHub))), random: true,
		},
		"ten are lost after a write": {
			plays: sequence(ends(stored), times(10, ends(lostToCodacy))), stops: &StopError{Cause: Outage, Err: lostCodacy, Wrote: true},
		},
		"ten are denied, and their tokens could not be deleted": {
			plays: sequence(ends(stored), times(3, sequence(times(2, ends(orphaned)), ends(orphaned).and(askWitness), probed(nil))...), ends(orphaned)),
			stops: &StopError{Cause: Outage, Err: lostCodacy, Wrote: true},
		},
		"every repository was lost": {plays: times(5, ends(lostToCodacy)), random: true},

		// Codacy's rejections.
		"nine are rejected": {plays: times(9, ends(rejected))},
		"ten are rejected, the account is accepted": {
			plays: sequence(times(9, ends(rejected)), ends(rejected).and(verifyAccount), verifiedUser(nil), times(9, ends(rejected))),
		},
		"ten are rejected, and ten again": {
			plays: sequence(times(9, ends(rejected)), ends(rejected).and(verifyAccount), verifiedUser(nil), times(9, ends(rejected)), ends(rejected).and(verifyAccount)),
		},
		"ten are rejected, and the account": {
			plays: sequence(times(9, ends(rejected)), ends(rejected).and(verifyAccount), verifiedUser(codacyError(403))),
			stops: &StopError{Cause: Credentials, Err: codacyError(403)},
		},
		"ten are rejected, with a write in between": {plays: sequence(times(9, ends(rejected)), ends(stored), times(9, ends(rejected)))},
		"the first cause counts": {
			plays: sequence(ends(verdict{unauthorized: codacyError(401)}), times(10, ends(lostToGitHub))),
			stops: &StopError{Cause: Credentials, Err: codacyError(401)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var b breaker
			for i, p := range c.plays {
				if b.stopped != nil && c.stops == nil {
					t.Fatalf("it stopped before %d: %v", i, b.stopped)
				}
				if got := p.do(&b); got != p.want {
					t.Fatalf("reaction to %d is %v, want %v", i, got, p.want)
				}
			}
			switch {
			case c.stops == nil && b.stopped != nil:
				t.Fatalf("it stopped: %v", b.stopped)
			case c.stops == nil:
			case b.stopped == nil:
				t.Fatalf("it goes on; want %v", c.stops)
			case b.stopped.Cause != c.stops.Cause || b.stopped.Error() != c.stops.Error() || b.stopped.Wrote != c.stops.Wrote || b.stopped.AtEnd:
				t.Fatalf("it stopped with %+v (%v), want %+v (%v)", b.stopped, b.stopped, c.stops, c.stops)
			}
			if c.stops != nil {
				return
			}
			if b.drawsAtRandom() != c.random || b.suspected != c.suspected || b.allDenied() != c.allDenied {
				t.Errorf("draws at random: %v, suspected: %v, all denied: %v", b.drawsAtRandom(), b.suspected, b.allDenied())
			}
		})
	}
}

// TestBreakerRevocations: ten failed revocations in a row end the revoking, and not
// the run.
func TestBreakerRevocations(t *testing.T) {
	t.Parallel()

	var b breaker
	for range 9 {
		b.revoked(true, false)
	}
	if b.revoked(false, false); !b.mayRevoke() {
		t.Error("nine failed, and it ends")
	}
	if b.revoked(false, true); b.failedRevocations != 0 {
		t.Error("a success does not end the row")
	}
	for range 8 {
		b.revoked(true, false)
	}
	if b.revoked(true, true); b.failedRevocations != 1 {
		t.Errorf("a failure after a success makes a row of %d, want 1", b.failedRevocations)
	}
	for range 9 {
		b.revoked(true, false)
	}
	if b.mayRevoke() || b.stopped != nil {
		t.Errorf("ten failed: may revoke %v, stopped %v", b.mayRevoke(), b.stopped)
	}
}

// TestVerdict: what the end of a job shows, by GitHub's and Codacy's responses.
func TestVerdict(t *testing.T) {
	t.Parallel()

	ended := func(kind job, o outcome.Outcome, err error) event {
		return event{kind: kind, task: &task{}, result: &outcome.Result{Outcome: o}, err: err}
	}
	written := applied{written: []outcome.Write{{Store: rotation.StoreActions}}}
	created := applied{token: codacy.Token{ID: 1}}
	with := func(e event, a applied) event { e.applied = a; return e }
	unavailableTask := func(status int) *task {
		policy := rotation.Policy{SecretName: "X", Stores: []rotation.Store{rotation.StoreAgents, rotation.StoreActions}}
		t := &task{observation: rotation.NewObservation(policy, requestedExpiry, 0, nil)}
		t.deny(policy, rotation.StoreAgents, githubError(status, "Forbidden"))
		return t
	}
	of := func(e event, t *task) event { e.task = t; return e }

	for name, c := range map[string]struct {
		event event
		want  string
	}{
		"listed":              {ended(jobList, outcome.Current, nil), "responded Codacy, granted"},
		"not listed: skipped": {of(ended(jobList, outcome.Skipped, nil), &task{target: match.Target{Skip: "archived"}}), ""},
		"checked":             {ended(jobCheck, outcome.Current, nil), "responded GitHub, granted"},
		"kept":                {ended(jobCheck, outcome.Kept, nil), "responded GitHub"},
		"written":             {with(ended(jobWrite, outcome.Created, nil), written), "stored, responded Codacy GitHub"},
		"partly written": {
			with(ended(jobWrite, outcome.Failed, githubError(403, "Resource not accessible")), written),
			"stored, responded Codacy GitHub GitHub, granted",
		},
		"denied": {
			with(ended(jobWrite, outcome.Failed, githubError(403, "Resource not accessible")), created), "denied, responded Codacy GitHub",
		},
		"denied for no reason":   {ended(jobWrite, outcome.Failed, githubError(403, "Forbidden")), "denied, responded GitHub"},
		"archived, not undone":   {ended(jobWrite, outcome.Failed, githubError(403, "Repository was archived so is read-only.")), "responded GitHub, granted"},
		"the role":               {ended(jobWrite, outcome.Failed, githubError(403, "Must have admin rights to Repository.")), "responded GitHub, granted"},
		"locked":                 {ended(jobWrite, outcome.Failed, githubError(403, "Repository has been locked for migration.")), "responded GitHub, granted"},
		"blocked":                {ended(jobWrite, outcome.Failed, githubError(403, "Repository access blocked")), "responded GitHub, granted"},
		"404 at the PUT":         {ended(jobWrite, outcome.Failed, githubError(404, "Not Found")), "responded GitHub, granted"},
		"451 at the PUT":         {ended(jobWrite, outcome.Failed, githubError(451, "Takedown")), "responded GitHub, granted"},
		"401":                    {ended(jobList, outcome.Failed, codacyError(401)), "unauthorized, responded Codacy, granted"},
		"403 of Codacy":          {ended(jobList, outcome.Failed, codacyError(403)), "rejected, responded Codacy, granted"},
		"403 of Codacy, step 3":  {ended(jobWrite, outcome.Failed, codacyError(403)), "responded Codacy, granted"},
		"lost":                   {ended(jobList, outcome.Failed, codacyError(502)), "lost, granted"},
		"not sent":               {ended(jobList, outcome.Failed, notSent(nil)), "lost, granted"},
		"lost in step 5":         {with(ended(jobWrite, outcome.Failed, githubError(502, "")), created), "lost, responded Codacy, granted"},
		"deletion lost, step 6":  {with(ended(jobWrite, outcome.Failed, &orphanError{githubError(404, ""), codacyError(500)}), created), "lost, responded GitHub, granted"},
		"denied, and not undone": {with(ended(jobWrite, outcome.Failed, &orphanError{githubError(403, "Forbidden"), codacyError(500)}), created), "denied, lost, responded GitHub"},
		"deferred":               {ended(jobWrite, outcome.Deferred, codacyError(502)), ""},
		"a store is unavailable": {of(ended(jobWrite, outcome.Failed, nil), unavailableTask(403)), "unavailable"},
		"a store is hidden":      {of(ended(jobWrite, outcome.Failed, nil), unavailableTask(404)), "granted"},
		"one is unavailable, another written": {
			of(with(ended(jobWrite, outcome.Failed, nil), written), unavailableTask(http.StatusForbidden)),
			"stored, unavailable, responded Codacy GitHub",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := describeVerdict(newVerdict(c.event)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func describeVerdict(v verdict) string {
	text := ""
	add := func(s string) {
		if text != "" {
			text += ", "
		}
		text += s
	}
	if v.stored {
		add("stored")
	}
	for _, e := range []struct {
		name string
		err  *wire.Error
	}{{"denied", v.denied}, {"unavailable", v.unavailable}, {"unauthorized", v.unauthorized}, {"lost", v.lost}, {"rejected", v.rejected}} {
		if e.err != nil {
			add(e.name)
		}
	}
	for i, service := range v.responded {
		if i == 0 {
			add("responded " + service)
		} else {
			text += " " + service
		}
	}
	if v.granted {
		add("granted")
	}
	return text
}
