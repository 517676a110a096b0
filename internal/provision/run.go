package provision

import (
	"container/heap"
	"context"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// ahead is how many repositories wait with their keys for room: enough that no room
// is left unused, few enough that the most urgent come first.
const maxAwaitingCapacity = 4

// Run is one run over the selected repositories. Look and Finish are called by
// one goroutine; all state is the event loop's, the workers only carry out.
type Run struct {
	Options
	prefix string

	toList  []*task // not listed yet, in random order
	toCheck queue   // their stores are to be asked
	toWrite queue   // to be written, or something of theirs revoked

	events           chan event
	jobs             chan func() // for the workers; closed when a loop ends
	workers          int         // that there are
	busy             int         // of them, those that have a job
	listing          int         // workers that list
	applying         int         // workers that write
	awaitingCapacity int         // of these, those that wait for room
	urgentLeft       int         // tasks that are missing or due, and not done

	total   int // repositories
	done    int // of them, those that have ended
	samples []sample

	verified     bool // something was written
	denials      int  // in a row
	outages      map[string]int
	stopped      *StopError
	interruptCtx context.Context
}

// event is what a worker tells the loop.
type event struct {
	kind     job
	task     *task
	reserved bool            // it has its room now, and goes on
	result   *outcome.Result // it is done
	err      error
	applied  applied
}

type job int

const (
	jobList job = iota
	jobCheck
	jobWrite
)

// New returns a Run over the targets.
func New(o Options, targets []match.Target) *Run {
	r := &Run{
		Options: o, prefix: rotation.TokenPrefix(o.Policy.SecretName), outages: map[string]int{},
		events: make(chan event),
	}
	for _, t := range targets {
		r.toList = append(r.toList, &task{target: t})
	}
	r.total = len(targets)
	// In a new order each time: a run that is cut short looks at others first.
	o.Rand.Shuffle(len(r.toList), func(i, j int) { r.toList[i], r.toList[j] = r.toList[j], r.toList[i] })
	return r
}

// Look observes and decides; nothing is changed. What is to be written waits in
// the queue, and Plan tells it. The error is as Finish's.
func (r *Run) Plan(ctx context.Context) error {
	err := r.loop(ctx, false)
	r.deferRemaining(err)
	return err
}

// Finish does all that is left, looking included. The error is nil, a *Stopped,
// or that of ctx; what was not reached has been told as deferred by then.
func (r *Run) Apply(ctx context.Context) error {
	err := r.loop(ctx, true)
	r.deferRemaining(err)
	return err
}

// Plan is what the queue holds, as the results that Finish would aim at, the
// most urgent first.
func (r *Run) Planned() []outcome.Result {
	q := slices.Clone(r.toWrite)
	slices.SortFunc(q, compare)
	results := make([]outcome.Result, 0, len(q))
	for _, t := range q {
		results = append(results, r.planResult(t))
	}
	return results
}

// loop starts what may start and waits for what was started, until nothing is
// left to do. With open set what is in the queue is written, most urgent first.
func (r *Run) loop(ctx context.Context, open bool) error {
	r.interruptCtx = ctx
	r.jobs, r.workers = make(chan func()), 0
	defer close(r.jobs)
	ctx, cancel := context.WithDeadlineCause(ctx, r.StartBefore, errTimeUp)
	defer cancel()
	var tick <-chan time.Time
	if r.OnProgress != nil {
		r.samples = append(r.samples, sample{time.Now(), r.done})
		ticker := time.NewTicker(r.ProgressEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		var again time.Time // when something may begin that may not now
		for begun := true; begun && ctx.Err() == nil && r.stopped == nil && r.busy < r.Concurrency; {
			begun, again = r.start(ctx, open)
		}
		if r.busy == 0 && again.IsZero() {
			break
		}
		r.wait(ctx, again, tick)
	}
	if r.interruptCtx.Err() != nil {
		return errInterrupted
	}
	if r.stopped != nil {
		return r.stopped
	}
	if ctx.Err() != nil && len(r.toList)+len(r.toCheck)+len(r.toWrite) > 0 {
		return errTimeUp
	}
	return nil
}

// wait waits for what was started, for the time again, or for the end of ctx
// where nothing was started, and tells the progress meanwhile.
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
			r.OnProgress(r.progress())
			continue
		}
		return
	}
}

// start begins the most urgent thing that may begin, if there is one. If there is
// one that a limit keeps from beginning, again is when that may be over. What
// reads waits here and not where it is sent, so that it keeps no place from what
// writes.
func (r *Run) start(ctx context.Context, open bool) (begun bool, again time.Time) {
	if open && len(r.toWrite) > 0 && (r.verified || r.applying == 0) && (r.awaitingCapacity < maxAwaitingCapacity || !r.hasWaiters()) {
		t := heap.Pop(&r.toWrite).(*task)
		r.applying++
		r.awaitingCapacity++
		t.jitter = time.Duration(r.Rand.Int64N(int64(rotation.LifetimeJitter)))
		r.dispatch(jobWrite, t, func() event { return r.applyAndRevoke(ctx, t) })
		return true, time.Time{}
	}
	if len(r.toList) > 0 {
		room, later := r.tryReserve(r.CodacyLimiter, 1, r.reservedForWrites(open))
		if room != nil {
			last := len(r.toList) - 1
			t := r.toList[last]
			r.toList[last] = nil // its memory goes when it is done
			r.toList = r.toList[:last]
			r.listing++
			r.dispatch(jobList, t, func() event {
				defer room.Release()
				return r.firstListing(room.Context(ctx), t)
			})
			return true, time.Time{}
		}
		again = later
	}
	// What is missing or due is written before the stores of the rest are asked.
	if len(r.toCheck) > 0 && (r.toCheck[0].decision.Urgent || len(r.toList)+r.listing == 0 && (!open || r.urgentLeft == 0)) {
		room, later := r.tryReserve(r.GitHubLimiter, len(r.Policy.Stores), 0)
		if room != nil {
			t := heap.Pop(&r.toCheck).(*task)
			r.dispatch(jobCheck, t, func() event {
				defer room.Release()
				return event{err: r.checkSecrets(room.Context(ctx), t)}
			})
			return true, time.Time{}
		}
		if again.IsZero() || !later.IsZero() && later.Before(again) {
			again = later
		}
	}
	return false, again
}

// try has room for n reads, at once or not at all. Again is a little later where
// nobody knows when there may be some, and nothing under way will tell.
func (r *Run) tryReserve(p *pace.Limiter, n, keep int) (room *pace.Reservation, again time.Time) {
	room, again = p.TryReserve(n, keep)
	if room == nil && again.IsZero() && r.busy == 0 {
		again = time.Now().Add(time.Second)
	}
	return room, again
}

// toBeMade is how many requests those that are to be written will send to Codacy
// in the five minutes of its limit: another look and the making of a token. So
// much is left to them by those that only look, once the queue is open.
func (r *Run) reservedForWrites(open bool) int {
	if !open {
		return 0
	}
	n := len(r.toWrite) + r.applying
	if r.WritesPerMinute > 0 {
		n = min(n, 5*r.WritesPerMinute/len(r.Policy.Stores)+1)
	}
	return 2 * n
}

// queued tells whether anybody waits for a limit.
func (r *Run) hasWaiters() bool { return r.GitHubLimiter.HasWaiters() || r.CodacyLimiter.HasWaiters() }

// begin has a worker carry out work: one that has nothing to do, whose stack has
// grown by then, or a new one.
func (r *Run) dispatch(kind job, t *task, work func() event) {
	job := func() {
		e := work()
		e.kind, e.task = kind, t
		r.events <- e
	}
	if r.busy++; r.busy <= r.workers {
		r.jobs <- job // who has told its last event comes for the next job at once
		return
	}
	r.workers++
	go func(jobs <-chan func()) {
		job()
		for job := range jobs {
			job()
		}
	}(r.jobs)
}

// handle takes in what a worker tells.
func (r *Run) handle(e event) {
	if e.reserved {
		r.awaitingCapacity--
		return
	}
	r.busy--
	switch e.kind {
	case jobList:
		r.listing--
		if e.err == nil && e.result == nil && e.task.decision.Urgent {
			e.task.countedUrgent = true
			r.urgentLeft++
		}
	case jobWrite:
		r.applying--
	}
	if e.result == nil && e.err != nil {
		result := r.failedResult(e.task, applied{}, e.err)
		e.result = &result
	}
	if e.result == nil {
		switch {
		case e.task.decision.Action == rotation.CheckSecrets:
			heap.Push(&r.toCheck, e.task)
		case e.task.writes() || len(r.revocable(e.task, false)) > 0:
			heap.Push(&r.toWrite, e.task)
		default:
			result := r.noOpResult(e.task)
			e.result = &result
		}
	}
	if e.result == nil {
		return
	}
	if e.task.countedUrgent {
		r.urgentLeft--
	}
	r.record(e)
	r.finish(*e.result)
}

// tell tells a result, once for each repository.
func (r *Run) finish(result outcome.Result) {
	r.done++
	r.OnResult(result)
}

// abandon tells what was not reached.
func (r *Run) deferRemaining(why error) {
	if why == nil {
		return
	}
	reason := why.Error()
	if r.stopped != nil {
		reason = r.stopped.reason()
	}
	for _, list := range [][]*task{r.toList, r.toCheck, r.toWrite} {
		for _, t := range list {
			if t.target.Skip != "" {
				r.finish(r.newResult(t, outcome.Skipped, t.target.Skip))
				continue
			}
			r.finish(r.withToken(t, r.newResult(t, outcome.Deferred, reason)))
		}
	}
	r.toList, r.toCheck, r.toWrite = nil, nil, nil
}
