package provision

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/pace"
)

// ahead is how many repositories wait with their keys for room: enough that no room
// is left unused, few enough that the most urgent come first.
const ahead = 4

// Run is one run over the selected repositories. Look and Finish are called by
// one goroutine; all state is the event loop's, the workers only carry out.
type Run struct {
	Options
	prefix string

	looks  []*task // not listed yet, in random order
	asks   queue   // their stores are to be asked
	writes queue   // to be written, or something of theirs revoked

	events   chan event
	jobs     chan func() // for the workers; closed when a loop ends
	workers  int         // that there are
	running  int         // of them, those that have a job
	looking  int         // workers that list
	applying int         // workers that write
	waiting  int         // of these, those that wait for room
	urgent   int         // tasks that are missing or due, and not done

	total int // repositories
	done  int // of them, those that have ended
	marks []mark

	proven   bool // something was written
	refusals int  // in a row
	losses   map[string]int
	stopped  *Stopped
	interr   context.Context
}

// event is what a worker tells the loop.
type event struct {
	kind   job
	t      *task
	room   bool    // it has its room now, and goes on
	result *Result // it is done
	err    error
	done   applied
}

type job int

const (
	jobLook job = iota
	jobAsk
	jobWrite
)

// New returns a Run over the targets.
func New(o Options, targets []match.Target) *Run {
	r := &Run{
		Options: o, prefix: Prefix(o.Policy.SecretName), losses: map[string]int{},
		events: make(chan event),
	}
	for _, t := range targets {
		r.looks = append(r.looks, &task{target: t})
	}
	r.total = len(targets)
	// In a new order each time: a run that is cut short looks at others first.
	o.Rand.Shuffle(len(r.looks), func(i, j int) { r.looks[i], r.looks[j] = r.looks[j], r.looks[i] })
	return r
}

// Look observes and decides; nothing is changed. What is to be written waits in
// the queue, and Plan tells it. The error is as Finish's.
func (r *Run) Look(ctx context.Context) error {
	err := r.loop(ctx, false)
	r.abandon(err)
	return err
}

// Finish does all that is left, looking included. The error is nil, a *Stopped,
// or that of ctx; what was not reached has been told as deferred by then.
func (r *Run) Finish(ctx context.Context) error {
	err := r.loop(ctx, true)
	r.abandon(err)
	return err
}

// Plan is what the queue holds, as the results that Finish would aim at, the
// most urgent first.
func (r *Run) Plan() []Result {
	q := slices.Clone(r.writes)
	slices.SortFunc(q, compare)
	results := make([]Result, 0, len(q))
	for _, t := range q {
		results = append(results, r.planned(t))
	}
	return results
}

// loop starts what may start and waits for what was started, until nothing is
// left to do. With open set what is in the queue is written, most urgent first.
func (r *Run) loop(ctx context.Context, open bool) error {
	r.interr = ctx
	r.jobs, r.workers = make(chan func()), 0
	defer close(r.jobs)
	ctx, cancel := context.WithDeadlineCause(ctx, r.Until, errTimeUp)
	defer cancel()
	var tick <-chan time.Time
	if r.Progress != nil {
		r.marks = append(r.marks, mark{time.Now(), r.done})
		ticker := time.NewTicker(r.ProgressEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		var again time.Time // when something may begin that may not now
		for begun := true; begun && ctx.Err() == nil && r.stopped == nil && r.running < r.Concurrency; {
			begun, again = r.start(ctx, open)
		}
		if r.running == 0 && again.IsZero() {
			break
		}
		r.wait(ctx, again, tick)
	}
	if r.interr.Err() != nil {
		return errInterrupted
	}
	if r.stopped != nil {
		return r.stopped
	}
	if ctx.Err() != nil && len(r.looks)+len(r.asks)+len(r.writes) > 0 {
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
	if r.running > 0 {
		done = nil
	}
	for {
		select {
		case e := <-r.events:
			r.handle(e)
		case <-timer:
		case <-done:
		case <-tick:
			r.Progress(r.progress())
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
	if open && len(r.writes) > 0 && (r.proven || r.applying == 0) && (r.waiting < ahead || !r.queued()) {
		t := heap.Pop(&r.writes).(*task)
		r.applying++
		r.waiting++
		t.jitter = time.Duration(r.Rand.Int64N(int64(spreadLifetime)))
		r.begin(jobWrite, t, func() event { return r.write(ctx, t) })
		return true, time.Time{}
	}
	if len(r.looks) > 0 {
		room, later := r.try(r.CodacyPace, 1, r.toBeMade(open))
		if room != nil {
			last := len(r.looks) - 1
			t := r.looks[last]
			r.looks[last] = nil // its memory goes when it is done
			r.looks = r.looks[:last]
			r.looking++
			r.begin(jobLook, t, func() event {
				defer room.Close()
				return r.firstLook(room.Context(ctx), t)
			})
			return true, time.Time{}
		}
		again = later
	}
	// What is missing or due is written before the stores of the rest are asked.
	if len(r.asks) > 0 && (r.asks[0].decision.Urgent || len(r.looks)+r.looking == 0 && (!open || r.urgent == 0)) {
		room, later := r.try(r.GitHubPace, len(r.Policy.Stores), 0)
		if room != nil {
			t := heap.Pop(&r.asks).(*task)
			r.begin(jobAsk, t, func() event {
				defer room.Close()
				return event{err: r.ask(room.Context(ctx), t)}
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
func (r *Run) try(p *pace.Service, n, keep int) (room *pace.Room, again time.Time) {
	room, again = p.Try(n, keep)
	if room == nil && again.IsZero() && r.running == 0 {
		again = time.Now().Add(time.Second)
	}
	return room, again
}

// toBeMade is how many requests those that are to be written will send to Codacy
// in the five minutes of its limit: another look and the making of a token. So
// much is left to them by those that only look, once the queue is open.
func (r *Run) toBeMade(open bool) int {
	if !open {
		return 0
	}
	n := len(r.writes) + r.applying
	if r.WritesPerMinute > 0 {
		n = min(n, 5*r.WritesPerMinute/len(r.Policy.Stores)+1)
	}
	return 2 * n
}

// queued tells whether anybody waits for a limit.
func (r *Run) queued() bool { return r.GitHubPace.Queued() || r.CodacyPace.Queued() }

// begin has a worker carry out work: one that has nothing to do, whose stack has
// grown by then, or a new one.
func (r *Run) begin(kind job, t *task, work func() event) {
	job := func() {
		e := work()
		e.kind, e.t = kind, t
		r.events <- e
	}
	if r.running++; r.running <= r.workers {
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
	if e.room {
		r.waiting--
		return
	}
	r.running--
	switch e.kind {
	case jobLook:
		r.looking--
		if e.err == nil && e.result == nil && e.t.decision.Urgent {
			e.t.counted = true
			r.urgent++
		}
	case jobWrite:
		r.applying--
	}
	if e.result == nil && e.err != nil {
		result := r.failed(e.t, applied{}, e.err)
		e.result = &result
	}
	if e.result == nil {
		switch {
		case e.t.decision.Action == Ask:
			heap.Push(&r.asks, e.t)
		case e.t.writes() || len(r.revocable(e.t, false)) > 0:
			heap.Push(&r.writes, e.t)
		default:
			result := r.settled(e.t)
			e.result = &result
		}
	}
	if e.result == nil {
		return
	}
	if e.t.counted {
		r.urgent--
	}
	r.judge(e)
	r.tell(*e.result)
}

// tell tells a result, once for each repository.
func (r *Run) tell(result Result) {
	r.done++
	r.Done(result)
}

// abandon tells what was not reached.
func (r *Run) abandon(why error) {
	if why == nil {
		return
	}
	reason := why.Error()
	if r.stopped != nil {
		reason = r.stopped.reason()
	}
	for _, list := range [][]*task{r.looks, r.asks, r.writes} {
		for _, t := range list {
			if t.target.Skip != "" {
				r.tell(r.result(t, Skipped, t.target.Skip))
				continue
			}
			r.tell(r.placed(t, r.result(t, Deferred, reason)))
		}
	}
	r.looks, r.asks, r.writes = nil, nil, nil
}
