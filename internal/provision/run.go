package provision

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// finishWithin and undoWithin are the seconds after an interrupt in which
	// what was begun is finished, and then undone: the runner gives ten in all.
	finishWithin = 4500 * time.Millisecond
	undoWithin   = 1500 * time.Millisecond
	// canaryRefusals in a row, before any success, show a missing permission.
	canaryRefusals = 3
	// outageLosses in a row show that a service is down.
	outageLosses = 10
	// staleTries bounds how often an apply begins anew, because what it had seen
	// was too old by the time that a limit let it go on.
	staleTries = 10
	// ahead is how many repositories wait with their keys for room: enough that
	// no room is left unused, few enough that the most urgent come first.
	ahead = 4
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

// firstLook lists the tokens of t. Where nothing can be written, only one that
// GitHub does not show is listed: a living token there is a worry.
func (r *Run) firstLook(ctx context.Context, t *task) event {
	if t.target.Skip == "" {
		return event{err: r.look(ctx, t)}
	}
	result := r.result(t, Skipped, t.target.Skip)
	if t.target.Unseen {
		o, err := r.list(ctx, t)
		newest, ok := o.newest()
		switch {
		case err != nil:
			result.Reason += "; its tokens could not be listed: " + err.Error()
		case ok && !newest.expired(o.Listed):
			result.TokenID, result.TokenName, result.ExpiresAt = newest.ID, newest.Name, newest.Expires
			result.Warning = t.target.Skip + ", but it has a living token of ours, which can't be renewed"
		}
		return event{result: &result, err: err}
	}
	return event{result: &result}
}

// write applies the decision for t, if it is one to write, and revokes.
func (r *Run) write(ctx context.Context, t *task) event {
	waiting := true
	gotRoom := func() {
		if waiting {
			waiting = false
			r.events <- event{room: true}
		}
	}
	var done applied
	var err error
	for tries := 0; t.writes() && (tries == 0 || errors.Is(err, errStale) && tries < staleTries && ctx.Err() == nil); tries++ {
		done, err = r.apply(ctx, t, gotRoom)
	}
	gotRoom()
	var result Result
	switch {
	case err != nil:
		result = r.failed(t, done, err)
	case t.writes():
		result = r.wrote(t, done)
	default:
		result = r.settled(t)
	}
	r.revoke(ctx, t, err == nil && t.writes(), &result)
	return event{result: &result, err: err, done: done}
}

func (r *Run) revocable(t *task, renewed bool) []Token {
	return Revocable(t.seen, r.Policy, r.codacyNow(), renewed)
}

// revoke deletes the replaced tokens whose time has come. One that can't be
// deleted is a warning: the next run tries again.
func (r *Run) revoke(ctx context.Context, t *task, renewed bool, result *Result) {
	var gone []string
	for _, old := range r.revocable(t, renewed) {
		if ctx.Err() != nil {
			break
		}
		if err := r.remove(ctx, t, old.ID); err != nil {
			result.Warning = joinWords(result.Warning, old.Name+" could not be revoked, the next run tries again: "+err.Error())
			break
		}
		gone = append(gone, old.Name)
	}
	if len(gone) > 0 {
		result.Reason = joinWords(result.Reason, "revoked "+strings.Join(gone, ", "))
	}
}

// grace returns a context that an end of ctx does not end; an interrupt does, d
// after it came or after now, whichever is later.
func (r *Run) grace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(r.interr, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	})
	return ctx, func() { stop(); cancel(nil) }
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

// reason is why those that were left are deferred.
func (s *Stopped) reason() string {
	return "not begun: " + [...]string{
		"a permission is missing", s.Err.Service + " refuses the credential", s.Err.Service + " is down",
	}[s.Cause]
}

// result is a result of t about which nothing else is known.
func (r *Run) result(t *task, o Outcome, reason string) Result {
	return Result{Repository: t.target.GitHub.Owner + "/" + t.target.GitHub.Name, Outcome: o, Reason: reason}
}

// placed adds the token in place: of those that a store holds the one that ends
// first; the newest where nobody asked the stores.
func (r *Run) placed(t *task, result Result) Result {
	var token *Token
	newest, any := t.seen.newest()
	if any && !t.seen.Asked {
		token = &newest
	}
	for _, tok := range t.seen.Ours {
		if t.seen.Asked && slices.ContainsFunc(t.seen.Stores, func(s Store) bool { return s.holds(tok) }) &&
			(token == nil || tok.Expires.Before(token.Expires)) {
			token = &tok
		}
	}
	if token == nil {
		return result
	}
	for _, s := range t.seen.Stores {
		if s.holds(*token) {
			result.Stores = append(result.Stores, s.Name)
		}
	}
	result.TokenID, result.TokenName, result.ExpiresAt = token.ID, token.Name, token.Expires
	return result
}

// settled is the result of a decision that writes nothing.
func (r *Run) settled(t *task) Result {
	outcome := map[Action]Outcome{Current: Unchanged, Keep: Kept, Defer: Deferred}[t.decision.Action]
	result := r.placed(t, r.result(t, outcome, t.decision.Why))
	if t.seen.FirstGeneration && r.Policy.Rotate == config.RotateAlways {
		result.Warning = "rotate: always does nothing here: this Codacy's tokens do not expire, and can't be told apart"
	}
	return result
}

// planned is the result that a write aims at.
func (r *Run) planned(t *task) Result {
	if !t.writes() {
		result := r.settled(t)
		var names []string
		for _, old := range r.revocable(t, false) {
			names = append(names, old.Name)
		}
		result.Reason = joinWords(result.Reason, "would revoke "+strings.Join(names, ", "))
		return result
	}
	outcome, verb := Created, "would create the secret"
	if t.decision.Action == Renew {
		outcome = Renewed
	}
	if slices.ContainsFunc(t.seen.Stores, func(s Store) bool {
		return !s.absent() && slices.Contains(t.decision.Stores, s.Name)
	}) {
		verb = "would overwrite the secret"
	} else if !t.seen.Asked {
		verb = "would write the secret"
	}
	return r.placed(t, r.result(t, outcome, joinWords(verb, t.decision.Why)))
}

// wrote is the result of an apply that reached every store.
func (r *Run) wrote(t *task, done applied) Result {
	outcome, verb := Created, "new secret"
	if t.decision.Action == Renew {
		outcome = Renewed
	}
	if done.over {
		verb = "overwrote the secret"
	}
	result := r.result(t, outcome, joinWords(verb, t.decision.Why))
	result.Stores = done.written
	result.TokenID, result.TokenName, result.ExpiresAt = done.token.ID, done.token.Name, done.token.Expires
	return result
}

// failed is the result of a repository that met err.
func (r *Run) failed(t *task, done applied, err error) Result {
	outcome, reason := FailedHere, strings.ReplaceAll(err.Error(), "\n", "; ")
	settled := wire.FateOf(err) == wire.Refused // the service said no, whatever else there is
	switch {
	case done.held() > 0:
	case errors.Is(err, errAnother):
		outcome, reason = Deferred, errAnother.Error()
	case github.IsArchived(err):
		outcome, reason = Skipped, "archived on GitHub"
	case r.interr.Err() != nil && !settled:
		outcome, reason = Deferred, errInterrupted.Error()
	case errors.Is(err, pace.ErrTooLate), errors.Is(err, errStale) && r.begins():
		outcome, reason = Deferred, "a service asked to wait for longer than a token may: "+reason
	case (errors.Is(err, errStale) || done.token.ID == 0) && !r.begins() && !settled:
		outcome, reason = Deferred, errTimeUp.Error()
	}
	result := r.placed(t, r.result(t, outcome, reason))
	if outcome == FailedHere {
		result.Err = err
	}
	return result
}

// begins tells whether another repository may be begun.
func (r *Run) begins() bool { return time.Now().Before(r.Until) }

func joinWords(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return fmt.Sprintf("%s: %s", a, b)
}

// queue is a heap of tasks, the most urgent first.
type queue []*task

func compare(a, b *task) int {
	switch {
	case a.decision.Urgent && !b.decision.Urgent:
		return -1
	case b.decision.Urgent && !a.decision.Urgent:
		return 1
	}
	if order := cmp.Compare(a.seen.urgency(), b.seen.urgency()); order != 0 {
		return order
	}
	return cmp.Compare(a.target.GitHub.Name, b.target.GitHub.Name)
}

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return compare(q[i], q[j]) < 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push adds a task; for container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(*task)) }

// Pop removes the last; for container/heap.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
