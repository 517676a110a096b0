// Package pace decides what may be sent to a service when, and what is tried
// again. A Service stands before every request: it keeps the published limits
// in windows of any phase, heeds what the service asks for, and lets what waits
// through in the order of urgency. Retry repeats an operation whose request may
// be sent twice.
package pace

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Limit is at most Most units in any period of length Per. A unit is taken when
// the request leaves, or room for it is had, and free again Per after the answer
// came: the service may count when it likes.
type Limit struct {
	// Name tells it to people: "80 writes a minute".
	Name string
	Most int
	Per  time.Duration
	// Cost is what a request with this method takes; 0 if the limit does not
	// concern it.
	Cost func(method string) int
	// Latent: nobody knows whether it is there. It is counted, and kept as soon
	// as it was met: when the service refuses for a limit that it does not name,
	// and about Most units were taken in the last Per.
	Latent bool
}

// IsWrite tells the methods that change something.
func IsWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// Writes is a Limit of so many writes in any minute.
func Writes(perMinute int) Limit {
	return Limit{Name: fmt.Sprintf("%d writes a minute", perMinute), Most: perMinute, Per: time.Minute, Cost: oneForWrites}
}

// HourlyWrites is GitHub's limit of 500 content-creating requests an hour, which
// may or may not count a secret's writing.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func HourlyWrites() Limit {
	return Limit{Name: "500 writes an hour", Most: 500, Per: time.Hour, Cost: oneForWrites, Latent: true}
}

func oneForWrites(method string) int {
	if IsWrite(method) {
		return 1
	}
	return 0
}

// Points is GitHub's limit of 900 points a minute: 5 for a write, 1 for others.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func Points() Limit {
	return Limit{Name: "900 points a minute", Most: 900, Per: time.Minute, Cost: func(method string) int {
		if IsWrite(method) {
			return 5
		}
		return 1
	}}
}

// CodacyCloud is Codacy's limit of 2,500 requests in five minutes.
// https://docs.codacy.com/codacy-api/using-the-codacy-api/
func CodacyCloud() Limit {
	return Limit{Name: "2500 requests in 5 minutes", Most: 2500, Per: 5 * time.Minute, Cost: func(string) int { return 1 }}
}

// Service is the gate before one service; it implements wire.Gate.
type Service struct {
	name  string
	rand  func() float64
	clock *wire.Clock
	// yields: 503 and 504 mean load, and hold the whole service.
	yields bool

	mu      sync.Mutex
	limits  []*window
	primary primary
	met     int       // latent limits that are kept by now
	held    time.Time // nothing is sent before
	strikes int       // limits or overloads in a row without a time to wait
	waiting []*ticket // in the order of urgency, then of arrival
	seq     int64
	timer   *time.Timer
}

// NewService returns the gate before the service called name, whose clock is
// learned from its answers. Where yields is set, the service shows overload by
// 503 or 504. The random source, of numbers in [0, 1), spreads waits that
// nobody prescribed.
func NewService(name string, clock *wire.Clock, yields bool, rand func() float64, limits ...Limit) *Service {
	s := &Service{name: name, clock: clock, yields: yields, rand: rand}
	for _, l := range limits {
		s.limits = append(s.limits, &window{Limit: l, kept: !l.Latent})
	}
	return s
}

// primary is GitHub's hourly limit, as its headers tell it.
type primary struct {
	known     bool
	limit     int
	remaining int       // told last, less what was sent since
	reset     time.Time // on our clock
}

// room tells whether n requests may be sent. A tenth of the limit is kept back
// for others who use the same credential, but not from what is already begun.
func (p *primary) room(n int, begun bool, now time.Time) bool {
	if !p.known || !now.Before(p.reset) {
		return true
	}
	back := p.limit / 10
	if begun {
		back = 0
	}
	return p.remaining-n >= back
}

func (p *primary) learn(h http.Header, clock *wire.Clock) {
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return
	}
	limit, _ := strconv.Atoi(h.Get("X-Ratelimit-Limit"))
	epoch, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil {
		return
	}
	reset := clock.Ours(time.Unix(epoch+1, 0)) // whole seconds: not a moment early
	// Answers overtake each other: within one period only less remains.
	if p.known && reset.Sub(p.reset).Abs() < 2*time.Second {
		p.remaining = min(p.remaining, remaining)
		return
	}
	if p.known && reset.Before(p.reset) {
		return
	}
	*p = primary{known: true, limit: limit, remaining: remaining, reset: reset}
}

// ticket is one that waits to be let in.
type ticket struct {
	urgency int64
	seq     int64
	cost    []int // for each limit
	keep    int   // that it leaves of each limit for others
	number  int   // of requests
	place   *Room // whose place it uses: only a hold can keep it
	begun   bool
	met     int           // latent limits that were kept when it was let in
	reset   time.Time     // of the primary limit that it was counted in
	by      time.Time     // when it leaves at the latest; zero for no such time
	in      chan struct{} // closed when it is let in, or late
	late    bool          // it can't leave by then any more
}

// Room is the right to send some requests without waiting for a limit of ours. It
// ends where a latent limit is met: then they wait as others do.
type Room struct {
	s     *Service
	write bool      // of writes, else of reads
	cost  []int     // of one, for each limit
	met   int       // latent limits that were kept when it was had
	reset time.Time // of the primary limit that it was counted in

	mu   sync.Mutex
	left int
}

type (
	roomKey    struct{ s *Service }
	leaveByKey struct{}
)

// ErrTooLate is the error of a request that could not leave by its time.
var ErrTooLate = errors.New("it could not be sent in time")

// LeaveBy returns a context whose requests leave until t or not at all: they
// fail with ErrTooLate as soon as it is clear that they can't.
func LeaveBy(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, leaveByKey{}, t)
}

// Room waits until n writes may be sent, and takes the room for them. Of those
// who wait the one with the lowest urgency is served first. An error means that
// ctx has ended. Close gives back what was not used.
func (s *Service) Room(ctx context.Context, n int, urgency int64) (*Room, error) {
	cost := s.cost(http.MethodPut)
	t := &ticket{urgency: urgency, cost: times(cost, n), number: n}
	if err := s.wait(ctx, t); err != nil {
		return nil, err
	}
	return &Room{s: s, write: true, cost: cost, left: n, met: t.met, reset: t.reset}, nil
}

// Try takes room for n reads if they may be sent now, keep units of every limit
// are left for others, and nobody waits for what they need. If not, the room is
// nil, and again is when it may be worth trying again; zero: once a request
// under way was answered.
func (s *Service) Try(n, keep int) (room *Room, again time.Time) {
	cost := s.cost(http.MethodGet)
	t := &ticket{urgency: math.MaxInt64, cost: times(cost, n), keep: keep, number: n, in: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, t)
	again = s.admit()
	if last := len(s.waiting) - 1; last >= 0 && s.waiting[last] == t {
		s.waiting = slices.Delete(s.waiting, last, last+1)
		return nil, again
	}
	return &Room{s: s, cost: cost, left: n, met: t.met, reset: t.reset}, time.Time{}
}

func times(cost []int, n int) []int {
	all := slices.Clone(cost)
	for i := range all {
		all[i] *= n
	}
	return all
}

// Waits tells people what the most urgent of those who wait is waiting for: "80
// writes a minute"; empty if nobody waits.
func (s *Service) Waits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return ""
	}
	now, t := time.Now(), s.waiting[0]
	if now.Before(s.held) {
		return s.name + ", which asks to wait until " + clockTime(s.held)
	}
	if !s.primary.room(t.number, t.begun, now) {
		return fmt.Sprintf("%s: %d requests an hour, less a tenth for others, until %s", s.name, s.primary.limit, clockTime(s.primary.reset))
	}
	for i, w := range s.limits {
		if t.cost[i] > 0 && !w.room(t.cost[i]) {
			return s.name + ": " + w.Name
		}
	}
	return s.name
}

// Takes is about how long n more writes, with one more read for each, will take by
// the limits that are known; 0 where there are none.
func (s *Service) Takes(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	most := max(0, s.held.Sub(now))
	for _, w := range s.limits {
		if cost := w.Cost(http.MethodPut); w.kept && cost > 0 {
			most = max(most, time.Duration(float64(n*cost)/float64(w.Most)*float64(w.Per)))
		}
	}
	if p := s.primary; p.known && now.Before(p.reset) {
		if more := 2*n - (p.remaining - p.limit/10); more > 0 {
			hours := more / max(1, p.limit-p.limit/10)
			most = max(most, p.reset.Sub(now)+time.Duration(hours)*time.Hour)
		}
	}
	return most
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// Queued tells whether anybody waits to be let in.
func (s *Service) Queued() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0
}

// Context returns a context whose requests to the service take this room. With
// room for writes they are those of something begun: nothing is kept back from
// them.
func (r *Room) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, roomKey{r.s}, r)
}

// Close gives back the room that no request has taken.
func (r *Room) Close() {
	r.mu.Lock()
	left := r.left
	r.left = 0
	r.mu.Unlock()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.giveBack(r.cost, left, left, r.reset)
}

// take uses one place of the room, if one is left.
func (r *Room) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

func (s *Service) cost(method string) []int {
	cost := make([]int, len(s.limits))
	for i, w := range s.limits {
		cost[i] = w.Cost(method)
	}
	return cost
}

// Enter waits until req may be sent; see wire.Gate.
func (s *Service) Enter(ctx context.Context, req *http.Request) (func(wire.Signal), error) {
	room, _ := ctx.Value(roomKey{s}).(*Room)
	cost := s.cost(req.Method)
	t := &ticket{urgency: math.MaxInt64, cost: cost, number: 1}
	if room != nil {
		if room.write {
			t.begun, t.urgency = true, math.MinInt64
		}
		if room.write == IsWrite(req.Method) && room.take() {
			t.place = room
		}
	}
	if err := s.wait(ctx, t); err != nil {
		if t.place != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.giveBack(cost, 1, 1, room.reset)
		}
		return nil, err
	}
	return func(sig wire.Signal) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(cost)
		s.heed(sig)
		s.admit()
	}, nil
}

// giveBack frees at once what times requests of that cost took and did not use:
// as many as number of the primary limit, if that is still the one with the
// reset.
func (s *Service) giveBack(cost []int, times, number int, reset time.Time) {
	for i, w := range s.limits {
		w.open -= times * cost[i]
	}
	if reset.Equal(s.primary.reset) {
		s.primary.remaining += number
	}
	s.admit()
}

// leave frees what cost took, each limit's period from now.
func (s *Service) leave(cost []int) {
	now := time.Now()
	for i, w := range s.limits {
		w.leave(now, cost[i])
	}
}

// heed does what an answer asks for.
func (s *Service) heed(sig wire.Signal) {
	if sig.Header != nil {
		s.primary.learn(sig.Header, s.clock)
	}
	if sig.Limited && (sig.Header == nil || sig.Header.Get("X-Ratelimit-Remaining") != "0") {
		for _, w := range s.limits {
			if w.meet(time.Now()) {
				s.met++
			}
		}
	}
	var hold time.Duration
	overload := s.yields && (sig.Status == http.StatusServiceUnavailable || sig.Status == http.StatusGatewayTimeout)
	switch {
	case sig.Limited && sig.RetryAfter > 0:
		hold = sig.RetryAfter
	case sig.Limited:
		// No time was told: a minute, then twice as long each time.
		hold = s.spread(time.Minute)
	case overload && sig.RetryAfter > 0:
		hold = min(sig.RetryAfter, 5*time.Minute)
	case overload:
		hold = s.spread(time.Second)
	case sig.Status > 0 && sig.Status < 500:
		s.strikes = 0
	}
	if until := time.Now().Add(hold); hold > 0 && until.After(s.held) {
		s.held = until
	}
}

// spread is first, doubled for each strike in a row up to sixteen times, and up
// to a tenth more. Answers that come while the service is held are one strike.
func (s *Service) spread(first time.Duration) time.Duration {
	if !time.Now().Before(s.held) {
		s.strikes = min(s.strikes+1, 5)
	}
	d := first << max(0, s.strikes-1)
	return d + time.Duration(s.rand()*float64(d)/10)
}

// Held returns until when nothing is sent to the service; a time in the past
// if it isn't held.
func (s *Service) Held() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// wait returns once t is let in.
func (s *Service) wait(ctx context.Context, t *ticket) error {
	t.in = make(chan struct{})
	var late <-chan time.Time
	by, bounded := ctx.Value(leaveByKey{}).(time.Time)
	if bounded {
		t.by = by
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		late = timer.C
	}
	s.mu.Lock()
	if bounded && (!time.Now().Before(by) || s.held.After(by)) {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", s.name, ErrTooLate)
	}
	s.seq++
	t.seq = s.seq
	at, _ := slices.BinarySearchFunc(s.waiting, t, func(a, b *ticket) int {
		return cmp.Or(cmp.Compare(a.urgency, b.urgency), cmp.Compare(a.seq, b.seq))
	})
	s.waiting = slices.Insert(s.waiting, at, t)
	s.admit()
	s.mu.Unlock()
	var err error
	select {
	case <-t.in:
		if t.late {
			return fmt.Errorf("%s: %w", s.name, ErrTooLate)
		}
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("stopped while waiting to send to %s: %w", s.name, context.Cause(ctx))
	case <-late:
		err = fmt.Errorf("%s: %w", s.name, ErrTooLate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.waiting, t); at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
		s.admit()
		return err
	}
	if !t.late && t.place == nil {
		// Let in at the same moment, but it will not go.
		s.giveBack(t.cost, 1, t.number, t.reset)
	}
	return err
}

// admit lets in all that may be sent now, turns away what can't be in time, sets
// the timer for the rest and returns its time; zero if no time helps. What waits for
// one limit doesn't keep those who don't need it; but nobody less urgent takes of a
// limit that somebody more urgent waits for.
func (s *Service) admit() time.Time {
	now := time.Now()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if len(s.waiting) == 0 {
		return time.Time{}
	}
	for _, w := range s.limits {
		w.tidy(now)
	}
	var next time.Time
	blocked := make([]bool, len(s.limits))
	s.waiting = slices.DeleteFunc(s.waiting, func(t *ticket) bool {
		fits, at := s.fits(t, blocked, now)
		switch {
		case fits && t.place == nil:
			s.take(t)
		case fits:
		case !t.by.IsZero() && at.After(t.by):
			t.late = true
		default:
			next = earlier(next, at)
			return false
		}
		close(t.in)
		return true
	})
	if len(s.waiting) > 0 && !next.IsZero() {
		s.timer = time.AfterFunc(next.Sub(now), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.admit()
		})
	}
	return next
}

// fits tells whether t may be let in now; if not, at is when it may be worth
// another look, zero if no time helps. Blocked are the limits that somebody more
// urgent waits for.
func (s *Service) fits(t *ticket, blocked []bool, now time.Time) (ok bool, at time.Time) {
	if now.Before(s.held) {
		return false, s.held
	}
	if t.place != nil {
		if t.place.met == s.met {
			return true, time.Time{}
		}
		// Its place is gone: the service has no room where we saw some.
		s.leave(t.cost)
		s.primary.remaining += t.number
		t.place = nil
	}
	ok = s.primary.room(t.number, t.begun, now)
	if !ok {
		at = s.primary.reset
	}
	for i, w := range s.limits {
		if t.cost[i] == 0 {
			continue
		}
		if blocked[i] || !w.room(t.cost[i]+t.keep) {
			ok, blocked[i] = false, true
			at = later(at, w.next())
		}
	}
	return ok, at
}

// take counts t as sent.
func (s *Service) take(t *ticket) {
	for i, w := range s.limits {
		w.open += t.cost[i]
	}
	s.primary.remaining -= t.number
	t.reset, t.met = s.primary.reset, s.met
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// window counts what a Limit has given out.
type window struct {
	Limit
	kept  bool
	open  int // taken and not answered yet
	past  int // answered less than Per ago
	spent []spent
}

type spent struct {
	free time.Time
	cost int
}

func (w *window) room(cost int) bool {
	// What asks for more than there can be gets it when all is free.
	return !w.kept || w.open+w.past+cost <= w.Most || (w.open+w.past == 0 && cost > w.Most)
}

func (w *window) leave(now time.Time, cost int) {
	if cost == 0 {
		return
	}
	w.open -= cost
	w.past += cost
	w.spent = append(w.spent, spent{now.Add(w.Per), cost})
}

// meet keeps a latent limit from now on, if it explains why the service refused:
// what it refused is counted, too, and what is missing others have taken. It tells
// whether that is new.
func (w *window) meet(now time.Time) bool {
	w.tidy(now)
	n := w.open + w.past
	if w.kept || n < w.Most*9/10 || n > w.Most*5/4 {
		return false
	}
	w.kept = true
	if others := w.Most - n; others > 0 {
		w.open += others
		w.leave(now, others)
	}
	return true
}

// tidy frees what was answered Per ago or more.
func (w *window) tidy(now time.Time) {
	n := 0
	for n < len(w.spent) && !now.Before(w.spent[n].free) {
		w.past -= w.spent[n].cost
		n++
	}
	w.spent = slices.Delete(w.spent, 0, n)
}

// next is when the next place becomes free by time alone; zero if none does.
func (w *window) next() time.Time {
	if len(w.spent) == 0 {
		return time.Time{}
	}
	return w.spent[0].free
}

// Retry says how long an operation is tried.
type Retry struct {
	// Within: no try begins later than this after the first one's begin, or
	// after the end of a wait that the service asked for.
	Within time.Duration
	// Most, if set, bounds all of it, the waits of a Service included, as long
	// as the operation itself has met no limit.
	Most time.Duration
}

// limitedTries bounds how often a service may put one operation off.
const limitedTries = 10

// Do carries out fn, which must be fit to be carried out twice, until it is
// done or refused. After a failure that leaves it open it waits 0.5 s, then
// twice as long each time; an answer that makes no sense is asked for twice
// more; after a limit it goes on when the Service lets it.
func Do[T any](ctx context.Context, r Retry, fn func(context.Context) (T, error)) (T, error) {
	begin, limited, garbled := time.Now(), 0, 0
	waited := false // the try that is under way began with a wait for a limit
	if r.Most > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.Most)
		defer cancel()
		try := fn
		fn = func(ctx context.Context) (T, error) {
			if limited == 0 {
				ctx = bounded
			}
			return try(ctx)
		}
	}
	for pause := 500 * time.Millisecond; ; pause *= 2 {
		v, err := fn(ctx)
		if err == nil {
			return v, nil
		}
		var e *wire.Error
		if ctx.Err() != nil || !errors.As(err, &e) || e.Fate == wire.Refused || errors.Is(err, ErrTooLate) {
			return v, err
		}
		// Nobody's certificate becomes somebody's in a second.
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			return v, err
		}
		if e.Fate == wire.Limited {
			if limited++; limited > limitedTries {
				return v, err
			}
			waited = true
			pause = 250 * time.Millisecond
			continue
		}
		if waited {
			begin, waited = time.Now(), false
		}
		if e.Garbled {
			if garbled++; garbled > 2 {
				return v, err
			}
		}
		if time.Since(begin)+pause > r.Within {
			return v, err
		}
		if Sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

// Sleep waits for d, or until ctx ends, which is its error.
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
