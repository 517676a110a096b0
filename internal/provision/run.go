package provision

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// maxAwaitingCapacity is the number of repositories that wait for capacity: enough
	// to leave none unused, and few enough that the most urgent come first.
	maxAwaitingCapacity = 4
	// maxWitnessSearch is the number of repositories that are listed in search of a
	// witness: most of what Codacy's limit allows in five minutes. A credential that
	// never worked has no witness, and the user waits for that.
	maxWitnessSearch = 2000
)

// Run is one run over the selected repositories. Plan and Apply are called by one
// goroutine, the loop, which owns all state: a worker only gets a task.
type Run struct {
	o       Options
	worker  *worker
	breaker breaker
	meter   meter

	toList    []*task // not listed yet, in random order
	undecided []*task // look legacy; decided once every listing has ended
	toCheck   queue   // their secrets are to be checked
	toWrite   queue
	toRevoke  []*task // nothing to write, but tokens to revoke
	witnesses []*task // to write next, to check a suspicion
	ready     []*task // read their keys, and wait for their turn

	events           chan event
	idle             chan func() // gives a job to a goroutine that is done with another
	busy             int         // jobs
	listing          int         // jobs that list
	applying         int         // jobs that apply
	creating         int         // of these, jobs that may create a token
	awaitingCapacity int         // of these, jobs that have reserved nothing yet
	urgentLeft       int         // tasks that are missing or due, and not done
	searched         int         // repositories listed in search of a witness

	total, done int
	requests    context.Context // of the jobs; ends at StartBefore
	named       bool            // a token with a name or an expiry was seen
	lastWritten *task           // the witness after the first write
}

// event is a message from a worker to the loop.
type event struct {
	kind job
	task *task
	// ready reports that the task waits for its turn, and reserved that it has
	// reserved its capacity. The job goes on.
	ready, reserved bool
	// requeue reports that the task goes back to the queue.
	requeue bool
	result  *outcome.Result // the repository is done
	err     error
	applied applied
	// revoked reports that tokens were revoked, and revokeFailed that one could not
	// be.
	revoked, revokeFailed bool
	// denial is what a probe was answered with; nil if it was not denied.
	denial *wire.Error
}

type job int

const (
	jobList job = iota
	jobCheck
	jobWrite
	jobRevoke
	jobProbe
	jobVerify
)

// New returns a Run over the targets.
func New(o Options, targets []match.Target) *Run {
	r := &Run{
		o: o, worker: newWorker(o, context.Background()),
		total: len(targets), events: make(chan event),
		meter:   meter{waitingFor: o.WaitingFor, codacy: o.CodacyLimiter, github: o.GitHubLimiter, stores: len(o.Policy.Stores)},
		toCheck: newQueue(urgentFirst), toWrite: newQueue(byPriority),
	}
	for _, t := range targets {
		r.toList = append(r.toList, newTask(t, o.Rand.Uint32()))
	}
	// A new order in each run, so that an interrupted one does not always reach the
	// same repositories.
	o.Rand.Shuffle(len(r.toList), func(i, j int) { r.toList[i], r.toList[j] = r.toList[j], r.toList[i] })
	return r
}

// Plan observes and decides, and changes nothing. Planned returns what it found to
// do. The error is as of Apply.
func (r *Run) Plan(ctx context.Context) error { return r.finish(r.loop(ctx, false)) }

// Apply does everything that is left, observing included. The error is nil, a
// *StopError, or that of ctx; the repositories that were not reached have been
// reported as deferred.
func (r *Run) Apply(ctx context.Context) error { return r.finish(r.loop(ctx, true)) }

// Planned returns what Apply will do as results, the most urgent first.
func (r *Run) Planned() []*outcome.Result {
	results := make([]*outcome.Result, 0, r.toWrite.len()+len(r.toRevoke))
	for _, t := range slices.Concat(r.toWrite.sorted(), r.toRevoke) {
		result := r.worker.planResult(t)
		results = append(results, &result)
	}
	return results
}

// Decline reports what Apply would have done as deferred.
func (r *Run) Decline() { r.deferRemaining("the plan was declined") }

// finish reports the repositories that were not reached.
func (r *Run) finish(err error) error {
	if err == nil {
		return nil
	}
	reason := err.Error()
	if stopped := (*StopError)(nil); errors.As(err, &stopped) {
		if stopped.AtEnd {
			return err
		}
		reason = stopped.reason()
	}
	r.deferRemaining(reason)
	return err
}

// loop starts what may start and waits for what was started, until nothing is left
// to do. With apply set it writes as well.
func (r *Run) loop(interrupt context.Context, apply bool) error {
	r.worker = newWorker(r.o, interrupt)
	ctx, cancel := context.WithDeadlineCause(interrupt, r.o.StartBefore, errTimeUp)
	defer cancel()
	r.requests = ctx
	r.idle = make(chan func())
	defer close(r.idle)
	var tick <-chan time.Time
	if r.o.OnProgress != nil {
		r.meter.start(r.done)
		ticker := time.NewTicker(r.o.ProgressEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		var again time.Time // when a job may start that a limit does not allow now
		for started := true; started && ctx.Err() == nil && r.breaker.stopped == nil && r.busy < r.o.Concurrency; {
			started, again = r.start(ctx, apply)
		}
		r.grantTurns()
		if r.busy == 0 && again.IsZero() {
			if ctx.Err() != nil || !r.breaker.searchFailed() {
				break
			}
			continue
		}
		r.wait(ctx, again, tick)
	}
	switch {
	case interrupt.Err() != nil:
		return errInterrupted
	case r.breaker.stopped != nil:
		return r.breaker.stopped
	case ctx.Err() != nil && r.remaining() > 0:
		return errTimeUp
	case (apply || r.o.DryRun) && r.breaker.allDenied():
		return &StopError{Cause: Permission, Err: r.breaker.lastDenial, AtEnd: true}
	}
	return nil
}

// remaining returns the number of repositories that have no job and no result.
func (r *Run) remaining() int {
	return len(r.toList) + len(r.undecided) + r.toCheck.len() + r.toWrite.len() + len(r.toRevoke) + len(r.witnesses)
}

// wait handles one event, or returns at the time again, or at the end of ctx where
// nothing was started. It reports the progress meanwhile.
func (r *Run) wait(ctx context.Context, again time.Time, tick <-chan time.Time) {
	var timer <-chan time.Time
	if !again.IsZero() {
		timer = time.After(time.Until(again))
	}
	done := ctx.Done()
	if r.busy > 0 {
		done = nil
	}
	for {
		select {
		case e := <-r.events:
			r.handle(e)
		case <-timer:
		case <-done:
		case <-tick:
			r.o.OnProgress(r.meter.progress(counts{
				total: r.total, done: r.done, unlisted: len(r.toList), pendingWrites: r.toWrite.len() + len(r.witnesses) + r.applying,
			}))
			continue
		}
		return
	}
}

// start starts the most urgent job that may start, if there is one. Again is when
// one may start that a limit does not allow now. Reads wait here rather than in the
// limiter, so they never take capacity from writes.
func (r *Run) start(ctx context.Context, apply bool) (started bool, again time.Time) {
	if apply && (r.startWrite(ctx) || r.startRevoke(ctx)) {
		return true, time.Time{}
	}
	started, again = r.startList(ctx, apply)
	if started {
		return true, time.Time{}
	}
	started, later := r.startCheck(ctx, apply, !again.IsZero())
	if again.IsZero() || !later.IsZero() && later.Before(again) {
		again = later
	}
	return started, again
}

func (r *Run) startWrite(ctx context.Context) bool {
	switch {
	case r.awaitingCapacity < maxAwaitingCapacity:
	case !r.breaker.verified || r.hasWaiters(), r.awaitingCapacity >= r.o.Concurrency*3/4: // leave some jobs to the reads
		return false
	}
	t := r.nextToWrite()
	if t == nil {
		return false
	}
	r.applying++
	r.awaitingCapacity++
	if t.turn == nil { // most repositories need none
		t.turn = make(chan bool, 1)
	}
	t.shorten = time.Duration(r.o.Rand.Int64N(int64(rotation.LifetimeJitter)))
	mayRevoke := r.breaker.mayRevoke()
	var once sync.Once
	signals := loopSignals{
		ready:    func() { r.events <- event{kind: jobWrite, task: t, ready: true} },
		reserved: func() { once.Do(func() { r.events <- event{kind: jobWrite, task: t, reserved: true} }) },
	}
	r.dispatch(jobWrite, t, func() event { return r.worker.applyAndRevoke(ctx, t, signals, mayRevoke) })
	return true
}

// nextToWrite removes the task to write next from its queue: a witness, a random
// one where the most urgent ones were denied, or the most urgent.
func (r *Run) nextToWrite() *task {
	if len(r.witnesses) > 0 {
		t := r.witnesses[0]
		r.witnesses = r.witnesses[1:]
		return t
	}
	switch {
	case r.breaker.suspected || r.toWrite.len() == 0:
		return nil
	case r.breaker.drawsAtRandom():
		return r.toWrite.draw(r.o.Rand)
	}
	return r.toWrite.pop()
}

func (r *Run) startRevoke(ctx context.Context) bool {
	if len(r.toRevoke) == 0 {
		return false
	}
	t := r.toRevoke[0]
	r.toRevoke[0] = nil
	r.toRevoke = r.toRevoke[1:]
	if !r.breaker.mayRevoke() {
		r.report(r.worker.noOpResult(t))
		return true
	}
	r.dispatch(jobRevoke, t, func() event { return r.worker.revokeOnly(ctx, t) })
	return true
}

func (r *Run) startList(ctx context.Context, apply bool) (started bool, again time.Time) {
	if len(r.toList) == 0 {
		return false, time.Time{}
	}
	reserved, again := r.tryReserve(r.o.CodacyLimiter, 1, r.reservedForWrites(apply))
	if reserved == nil {
		return false, again
	}
	last := len(r.toList) - 1
	t := r.toList[last]
	r.toList[last] = nil // frees its memory when it is done
	r.toList = r.toList[:last]
	r.listing++
	r.dispatch(jobList, t, func() event {
		defer reserved.Release()
		return r.worker.firstListing(reserved.Context(ctx), t)
	})
	return true, time.Time{}
}

// startCheck checks the secrets of a repository. Missing and due tokens are written
// before the secrets of the other repositories are checked.
func (r *Run) startCheck(ctx context.Context, apply, listingHeldBack bool) (started bool, again time.Time) {
	switch {
	case r.toCheck.len() == 0:
		return false, time.Time{}
	case r.toCheck.peek().decision.Urgent || r.mayCheckOthers(apply, listingHeldBack):
	case r.awaitingCapacity > 0: // no event reports that they start to wait for a limit
		return false, time.Now().Add(time.Second)
	default:
		return false, time.Time{}
	}
	reserved, again := r.tryReserve(r.o.GitHubLimiter, len(r.o.Policy.Stores), 0)
	if reserved == nil {
		return false, again
	}
	t := r.toCheck.pop()
	r.dispatch(jobCheck, t, func() event {
		defer reserved.Release()
		return r.worker.secretsChecked(reserved.Context(ctx), t)
	})
	return true, time.Time{}
}

// mayCheckOthers reports whether the secrets of repositories are checked whose token
// is neither missing nor due: after everything else, or where a limit holds back
// everything else and GitHub's quota is large enough for both. It is true as well
// where a witness is looked for, because a check may find one.
func (r *Run) mayCheckOthers(apply, listingHeldBack bool) bool {
	listed := len(r.toList)+r.listing == 0 && len(r.undecided) == 0
	if listed && (!apply || r.urgentLeft == 0 || r.breaker.needsWitness()) {
		return true
	}
	noneToStart := r.toWrite.len() == 0 || r.awaitingCapacity >= maxAwaitingCapacity
	writesHeldBack := !apply || noneToStart && (r.awaitingCapacity == 0 || r.hasWaiters())
	stores := len(r.o.Policy.Stores)
	return (listed || listingHeldBack) && writesHeldBack && r.o.GitHubLimiter.QuotaLeaves(2*stores*(r.urgentLeft+1))
}

// tryReserve reserves capacity for n reads without blocking. If there isn't any and
// no request is in flight, again is one second from now.
func (r *Run) tryReserve(l *pace.Limiter, n, headroom int) (reserved *pace.Reservation, again time.Time) {
	reserved, again = l.TryReserve(n, headroom)
	if reserved == nil && again.IsZero() && r.busy == 0 {
		again = time.Now().Add(time.Second)
	}
	return reserved, again
}

// reservedForWrites returns the number of Codacy requests that queued writes need
// within its five-minute period: another listing and the creation of a token. Reads
// leave this much capacity.
func (r *Run) reservedForWrites(apply bool) int {
	if !apply {
		return 0
	}
	n := r.toWrite.len() + r.applying
	if r.o.WritesPerMinute > 0 {
		n = min(n, 5*r.o.WritesPerMinute/len(r.o.Policy.Stores)+1)
	}
	return 2 * n
}

// hasWaiters reports whether a request waits for a limit.
func (r *Run) hasWaiters() bool {
	return r.o.GitHubLimiter.HasWaiters() || r.o.CodacyLimiter.HasWaiters()
}

// dispatch runs a job, in a goroutine that is done with another one if there is one:
// its stack has grown already.
func (r *Run) dispatch(kind job, t *task, work func() event) {
	r.busy++
	worker := r.worker
	do := func() {
		slot := worker.takeSlot()
		e := work()
		if slot {
			<-worker.slots
		}
		e.kind, e.task = kind, t
		r.events <- e
	}
	idle := r.idle
	select {
	case idle <- do:
	default:
		go func() {
			for ; do != nil; do = <-idle {
				do()
			}
		}()
	}
}

// handle takes a message from a worker.
func (r *Run) handle(e event) {
	switch {
	case e.ready:
		r.ready = append(r.ready, e.task)
		return
	case e.reserved:
		r.awaitingCapacity--
		return
	}
	r.busy--
	switch e.kind {
	case jobList:
		r.listed(e)
		return
	case jobWrite:
		r.applying--
		r.endTurn(e.task)
	case jobProbe:
		r.breaker.probed(e.denial)
		return
	case jobVerify:
		r.breaker.accountVerified(e.denial)
		return
	}
	r.settle(e)
	if r.breaker.needsWitness() {
		r.drawWitnesses()
	}
}

// listed takes the end of a listing. Whether the server is a legacy one is decided
// by all listings together.
func (r *Run) listed(e event) {
	r.listing--
	o := e.task.observation
	r.named = r.named || o.Total > 0 && !o.LooksLegacy
	if e.err == nil && e.result == nil && o.LooksLegacy {
		r.undecided = append(r.undecided, e.task)
	} else {
		r.countUrgent(e)
		r.settle(e)
	}
	if len(r.undecided) > 0 && (r.named || len(r.toList)+r.listing == 0) {
		undecided := r.undecided
		r.undecided = nil
		for _, t := range undecided {
			t.legacyServer = !r.named
			t.observation.Legacy = t.legacyServer
			r.worker.decide(t)
			e := event{kind: jobList, task: t}
			r.countUrgent(e)
			r.settle(e)
		}
	}
	if r.breaker.needsWitness() {
		r.searched++
		r.drawWitnesses()
	}
}

func (r *Run) countUrgent(e event) {
	if e.err == nil && e.result == nil && e.task.decision.Urgent {
		e.task.countedUrgent = true
		r.urgentLeft++
	}
}

// settle puts a task into its next queue, or reports its result.
func (r *Run) settle(e event) {
	switch {
	case e.requeue:
		r.toWrite.push(e.task)
		return
	case e.result == nil && e.err != nil:
		result := r.worker.failedResult(e.task, applied{}, e.err)
		e.result = &result
	case e.result == nil:
		if r.route(e.task) {
			r.breaker.responded(e.responded()...)
			return
		}
		result := r.worker.noOpResult(e.task)
		e.result = &result
	}
	r.judge(&e)
	if e.task.countedUrgent {
		r.urgentLeft--
	}
	r.report(*e.result)
}

// route puts a task into its next queue. It returns false if the task is done.
func (r *Run) route(t *task) bool {
	switch {
	case t.decision.Action == rotation.CheckSecrets:
		r.toCheck.push(t)
	case t.decision.Writes():
		r.toWrite.push(t)
	case len(r.worker.revocable(t, nil)) > 0:
		r.toRevoke = append(r.toRevoke, t)
	default:
		return false
	}
	return true
}

// judge sees whether what happened to one repository concerns all of them.
func (r *Run) judge(e *event) {
	v := newVerdict(*e)
	if stopped := r.breaker.stopped; stopped != nil && v.covered() && !e.applied.mayBeStored() && e.result.Outcome == outcome.Failed {
		// The same failure in a job that was under way: one error covers it.
		e.result.Outcome, e.result.Reason, e.result.Err = outcome.Deferred, stopped.reason(), nil
		return
	}
	e.result.Reported = v.unauthorized != nil
	if v.stored {
		r.lastWritten = e.task
	}
	random := r.breaker.drawsAtRandom()
	reaction := r.breaker.record(v, e.task.witness)
	e.task.witness = false
	r.breaker.revoked(e.revokeFailed, e.revoked)
	if r.breaker.drawsAtRandom() && !random {
		r.recallReady() // they were chosen by priority
	}
	switch reaction {
	case drawWitnesses:
		r.searched = 0 // handle draws them
	case askWitness:
		witness := r.lastWritten
		r.dispatch(jobProbe, witness, func() event { return event{denial: r.worker.probe(r.requests, witness)} })
	case verifyAccount:
		r.dispatch(jobVerify, e.task, func() event { return event{denial: r.worker.verifyAccount(r.requests)} })
	}
}

// drawWitnesses draws repositories that an earlier run could write, once the tasks
// that wait for their turn are back in the queue. As long as none is in it, the search
// goes on: the loop ends it when nothing is left to list or to check.
func (r *Run) drawWitnesses() {
	if r.applying > 0 {
		return
	}
	r.witnesses = r.toWrite.drawWhere(r.o.Rand, maxWitnesses, func(t *task) bool { return len(t.observation.Managed) > 0 })
	for _, t := range r.witnesses {
		t.witness = true
	}
	if len(r.witnesses) > 0 || r.searched >= maxWitnessSearch {
		r.breaker.drawn(len(r.witnesses))
	}
}

// grantTurns lets the tasks that have read their keys create a token: one at a time
// until a secret was written.
func (r *Run) grantTurns() {
	slices.SortFunc(r.ready, byPriority)
	r.ready = slices.DeleteFunc(r.ready, func(t *task) bool {
		switch {
		case r.breaker.stopped != nil, r.breaker.suspected && !t.witness:
			t.turn <- false
		case r.breaker.verified || r.creating == 0:
			r.creating++
			t.holdsTurn = true
			t.turn <- true
		default:
			return false
		}
		return true
	})
}

// recallReady sends the tasks that wait for their turn back to the queue.
func (r *Run) recallReady() {
	for _, t := range r.ready {
		t.turn <- false
	}
	r.ready = nil
}

// endTurn takes back the turn of a task whose job has ended.
func (r *Run) endTurn(t *task) {
	if t.holdsTurn {
		t.holdsTurn = false
		r.creating--
	}
	r.ready = slices.DeleteFunc(r.ready, func(other *task) bool { return other == t })
	select {
	case <-t.turn: // the job ended before it took its turn
	default:
	}
}

// report reports a result, once for each repository.
func (r *Run) report(result outcome.Result) {
	r.done++
	r.o.OnResult(result)
}

// deferRemaining reports the repositories that were not reached.
func (r *Run) deferRemaining(reason string) {
	for _, tasks := range [][]*task{r.toList, r.undecided, r.toCheck.clear(), r.toWrite.clear(), r.toRevoke, r.witnesses} {
		for _, t := range tasks {
			if t.target.Skip != "" && !t.target.Conflict {
				r.report(r.worker.newResult(t, outcome.Skipped, t.target.Skip))
				continue
			}
			result := r.worker.withToken(t, r.worker.newResult(t, outcome.Deferred, reason))
			result.NotListed = t.observedAt.IsZero()
			r.report(result)
		}
	}
	r.toList, r.undecided, r.toRevoke, r.witnesses = nil, nil, nil, nil
}
