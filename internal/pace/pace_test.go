package pace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// half is a random source that always returns 0.5.
func half() float64 { return 0.5 }

func newService(limits ...Limit) *Limiter {
	return NewLimiter("Service", true, half, limits...)
}

// writeLimit, pointLimit and hourlyLimit are limits like GitHub's.
func writeLimit(n int) Limit {
	return Limit{Name: fmt.Sprintf("%d writes per minute", n), Max: n, Period: time.Minute, Cost: writeCost}
}

func pointLimit() Limit {
	return Limit{Name: "900 points per minute", Max: 900, Period: time.Minute, Cost: func(method string) int { return 1 + 4*writeCost(method) }}
}

func hourlyLimit(n int) Limit {
	return Limit{Name: "content writes", Max: n, Period: time.Hour, Cost: writeCost, Unconfirmed: true}
}

func writeCost(method string) int {
	if IsWrite(method) {
		return 1
	}
	return 0
}

// done is the signal of a response that went well.
var done = wire.Signal{Status: 200}

// enter waits for a place and returns how to leave it, or the end of the test.
func enter(t testing.TB, ctx context.Context, s *Limiter, method string) func(wire.Signal) {
	t.Helper()
	leave, err := tryEnter(ctx, s, method)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func tryEnter(ctx context.Context, s *Limiter, method string) (func(wire.Signal), error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://api.test", nil)
	if err != nil {
		return nil, err
	}
	return s.Acquire(ctx, req)
}

// idle asserts that no request is counted as in flight, and none waits.
func idle(t testing.TB, s *Limiter) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.limits {
		if w.inFlight != 0 {
			t.Errorf("limit %d counts %d as in flight", i, w.inFlight)
		}
	}
	if len(s.waiters) != 0 {
		t.Errorf("%d still wait", len(s.waiters))
	}
}

// pausedUntil returns until when no request is sent to the service.
func pausedUntil(s *Limiter) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pausedUntil
}

// visit is a request that was let in and answered.
type visit struct {
	in, out time.Time
	cost    int
}

// checkWindows asserts that in any period of length per no more than most units
// were counted, whenever between sending and its response each request counts.
func checkWindows(t testing.TB, visits []visit, most int, per time.Duration) {
	t.Helper()
	for _, v := range visits {
		sum := 0
		for _, other := range visits {
			if !other.in.After(v.in) && other.out.Add(per).After(v.in) {
				sum += other.cost
			}
		}
		if sum > most {
			t.Errorf("%d units may count in the %v before %v, want at most %d", sum, per, v.in, most)
			return
		}
	}
}

// Whatever the pattern of arrivals, durations and canceled requests: never
// more than the limit in any period, and nothing is lost on the way.
func TestWindowProperty(t *testing.T) {
	t.Parallel()

	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			most := 1 + r.IntN(12)
			per := time.Duration(1+r.IntN(60)) * time.Second
			s := newService(Limit{Max: most, Period: per, Cost: func(string) int { return 1 }})
			var mu sync.Mutex
			var visits []visit
			var wg sync.WaitGroup
			gaveUp := 0
			for range 60 {
				arrival := time.Duration(r.Int64N(int64(2 * per)))
				duration := time.Duration(r.Int64N(int64(per/2) + 1))
				patience := time.Duration(r.Int64N(int64(20 * per)))
				reservation := r.IntN(4) // 1 to 3: with a reservation of that size
				wg.Go(func() {
					time.Sleep(arrival)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					writes := 1
					if reservation = min(reservation, most); reservation > 0 {
						places, err := s.Reserve(ctx, reservation, int64(arrival))
						if err != nil {
							mu.Lock()
							gaveUp++
							mu.Unlock()
							return
						}
						defer places.Release()
						ctx = places.Context(context.WithoutCancel(ctx))
						writes = reservation - int(arrival)%2 // one request may stay unused
					}
					for range writes {
						leave, err := tryEnter(ctx, s, http.MethodPut)
						if err != nil {
							mu.Lock()
							gaveUp++
							mu.Unlock()
							return
						}
						v := visit{in: time.Now(), cost: 1}
						time.Sleep(duration)
						v.out = time.Now()
						leave(done)
						mu.Lock()
						visits = append(visits, v)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			checkWindows(t, visits, most, per)
			idle(t, s)
			if len(visits) == 0 {
				t.Errorf("seed %d: no request was admitted; %d gave up", seed, gaveUp)
			}
			// All places are there again.
			time.Sleep(per)
			started := time.Now()
			for range most {
				enter(t, t.Context(), s, http.MethodPut)(done)
			}
			if time.Since(started) > 0 {
				t.Errorf("seed %d: places were lost", seed)
			}
		})
	}
}

// GitHub's limits as they are used: writes and points together.
func TestGitHubLimits(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(80), pointLimit())
		var mu sync.Mutex
		var writes, points []visit
		var wg sync.WaitGroup
		started := time.Now()
		for i := range 600 {
			method := []string{http.MethodGet, http.MethodPut}[i%2]
			wg.Go(func() {
				leave := enter(t, t.Context(), s, method)
				v := visit{in: time.Now(), cost: 1}
				time.Sleep(time.Duration(i%7) * 100 * time.Millisecond)
				v.out = time.Now()
				leave(done)
				mu.Lock()
				defer mu.Unlock()
				if method == http.MethodPut {
					writes = append(writes, v)
					v.cost = 5
				}
				points = append(points, v)
			})
		}
		wg.Wait()
		checkWindows(t, writes, 80, time.Minute)
		checkWindows(t, points, 900, time.Minute)
		// 300 writes are three and a half minutes at 80 a minute.
		if took := time.Since(started); took < 3*time.Minute || took > 3*time.Minute+10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A unit is taken when the request is sent, and free again a minute after the
// response, not after that.
func TestWindowCountsFromTheResponse(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(1))
		started := time.Now()
		leave := enter(t, t.Context(), s, http.MethodPut)
		time.Sleep(20 * time.Second)
		leave(done)
		enter(t, t.Context(), s, http.MethodPut)(done)
		if took := time.Since(started); took != 80*time.Second {
			t.Errorf("the second left after %v, want 80 s", took)
		}
		enter(t, t.Context(), s, http.MethodGet)(done) // costs nothing
		if took := time.Since(started); took != 80*time.Second {
			t.Errorf("a read waited for a limit of writes, until %v", took)
		}
	})
}

// More than there can be gets what there is, once all is free.
func TestMoreThanTheLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(2))
		started := time.Now()
		enter(t, t.Context(), s, http.MethodPut)(done)
		reservation, err := s.Reserve(t.Context(), 4, 0)
		if err != nil || time.Since(started) != time.Minute {
			t.Fatalf("%v after %v", err, time.Since(started))
		}
		for range 4 {
			enter(t, reservation.Context(t.Context()), s, http.MethodPut)(done)
		}
		reservation.Release()
		if time.Since(started) != time.Minute {
			t.Errorf("the writes waited until %v", time.Since(started))
		}
		enter(t, t.Context(), s, http.MethodPut)(done)
		if time.Since(started) != 2*time.Minute {
			t.Errorf("the next one left after %v", time.Since(started))
		}
		idle(t, s)
	})
}

func TestReservation(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(4), pointLimit())
		started := time.Now()
		reservation, err := s.Reserve(t.Context(), 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		enter(t, t.Context(), s, http.MethodPut)(done) // the fourth place
		late := make(chan time.Duration, 1)
		go func() {
			enter(t, t.Context(), s, http.MethodPut)(done)
			late <- time.Since(started)
		}()
		synctest.Wait()
		time.Sleep(10 * time.Second)

		// The window is full, but its place is taken: it doesn't wait.
		ctx := reservation.Context(t.Context())
		for range 2 {
			enter(t, ctx, s, http.MethodPut)(done)
		}
		enter(t, ctx, s, http.MethodGet)(done) // which takes none of it
		if took := time.Since(started); took != 10*time.Second {
			t.Errorf("a write with a reservation waited until %v", took)
		}
		// What was not used goes to the one who waits, at once.
		reservation.Release()
		if took := <-late; took != 10*time.Second {
			t.Errorf("the place that was given back was used after %v, want 10 s", took)
		}
		// After Close, and when it is used up, writes wait as any others.
		enter(t, ctx, s, http.MethodPut)(done)
		if took := time.Since(started); took != time.Minute {
			t.Errorf("a write without a reservation was sent after %v, want a minute", took)
		}
		reservation.Release() // once more does nothing
		idle(t, s)
	})
}

// A reservation is for its service only, and for requests with its context.
func TestReservationIsForOneService(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		a, b := newService(writeLimit(1)), newService(writeLimit(1))
		reservation, err := a.Reserve(t.Context(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		enter(t, t.Context(), b, http.MethodPut)(done)
		started := time.Now()
		enter(t, reservation.Context(t.Context()), b, http.MethodPut)(done)
		if time.Since(started) != time.Minute {
			t.Error("a reservation of one service admits to another")
		}
		enter(t, reservation.Context(t.Context()), a, http.MethodPut)(done)
		if time.Since(started) != time.Minute {
			t.Error("the reservation was used up elsewhere")
		}
		reservation.Release()
		idle(t, a)
		idle(t, b)
	})
}

// Requests with a reservation wait while the service is paused: only the limits
// are behind them.
func TestPausesDelayReservations(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(5))
		reservation, err := s.Reserve(t.Context(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reservation.Release()
		started := time.Now()
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: 30 * time.Second})
		enter(t, reservation.Context(t.Context()), s, http.MethodPut)(done)
		if took := time.Since(started); took != 30*time.Second {
			t.Errorf("it left after %v, want 30 s", took)
		}
	})
}

func TestUrgency(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(1))
		enter(t, t.Context(), s, http.MethodPut)(done)
		var mu sync.Mutex
		var order []string
		wait := func(name string, urgency int64) {
			go func() {
				reservation, err := s.Reserve(t.Context(), 1, urgency)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				enter(t, reservation.Context(t.Context()), s, http.MethodPut)(done)
				reservation.Release()
			}()
			synctest.Wait()
		}
		wait("by the way", math.MaxInt64)
		wait("in a year, first", 1000)
		wait("tomorrow", 10)
		wait("in a year, second", 1000)
		wait("missing", math.MinInt64+1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got, want := strings.Join(order, "; "), "missing; tomorrow; in a year, first; in a year, second; by the way"; got != want {
			t.Errorf("served: %s\nwant:   %s", got, want)
		}
		idle(t, s)
	})
}

// Operations in progress go first, whatever the priority of others.
func TestInProgressGoesFirst(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(Limit{Max: 2, Period: time.Minute, Cost: func(string) int { return 1 }})
		reservation, err := s.Reserve(t.Context(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		enter(t, t.Context(), s, http.MethodGet)(done)
		started := time.Now()
		var urgent time.Duration
		go func() {
			other, err := s.Reserve(t.Context(), 1, math.MinInt64+1)
			if err != nil {
				t.Error(err)
				return
			}
			urgent = time.Since(started)
			other.Release()
		}()
		synctest.Wait()
		leave := enter(t, reservation.Context(t.Context()), s, http.MethodGet)
		if got := time.Since(started); got != time.Minute {
			t.Errorf("the operation in progress went on after %v, want a minute", got)
		}
		time.Sleep(time.Second)
		leave(done)
		enter(t, reservation.Context(t.Context()), s, http.MethodPut)(done)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if want := 2*time.Minute + time.Second; urgent != want {
			t.Errorf("the urgent one got its reservation after %v, want %v", urgent, want)
		}
		reservation.Release()
		idle(t, s)
	})
}

// One that gives up in the moment in which it is let in takes no place with it.
func TestGivesUpInTheSameMoment(t *testing.T) {
	t.Parallel()

	gaveUp := 0
	for range 50 {
		s := newService(writeLimit(2))
		enter(t, t.Context(), s, http.MethodPut)(done)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			reservation, err := s.Reserve(ctx, 2, 0)
			if err == nil {
				reservation.Release()
			}
			result <- err
		}()
		for { // until it waits
			s.mu.Lock()
			if len(s.waiters) == 1 {
				break
			}
			s.mu.Unlock()
		}
		cancel()
		time.Sleep(time.Millisecond)              // it wakes up, and waits for the lock
		s.limits[0].prune(s.limits[0].nextFree()) // a minute passes
		s.admit(time.Now())
		s.mu.Unlock()
		if err := <-result; err != nil {
			gaveUp++
		}
		idle(t, s)
	}
	if gaveUp == 0 {
		t.Error("no waiter gave up: nothing was tested")
	}
}

// A request never takes capacity that a higher-priority request waits for, even
// where it would do for him; but who doesn't need that limit doesn't wait.
func TestNobodyPushesIn(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(3))
		started := time.Now()
		enter(t, t.Context(), s, http.MethodPut)(done) // two places are left
		var large, small time.Duration
		go func() {
			reservation, err := s.Reserve(t.Context(), 3, 0)
			if err != nil {
				t.Error(err)
				return
			}
			large = time.Since(started)
			reservation.Release()
		}()
		synctest.Wait()
		go func() {
			enter(t, t.Context(), s, http.MethodPut)(done)
			small = time.Since(started)
		}()
		synctest.Wait()
		enter(t, t.Context(), s, http.MethodGet)(done)
		if time.Since(started) != 0 {
			t.Error("a read waited for writes")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if large != time.Minute || small != time.Minute {
			t.Errorf("the large one left after %v, the small one after %v; want a minute each", large, small)
		}
	})
}

func TestHold(t *testing.T) {
	t.Parallel()

	limited := func(d time.Duration) wire.Signal { return wire.Signal{Status: 403, RateLimited: true, RetryAfter: d} }
	overload := func(status int, d time.Duration) wire.Signal { return wire.Signal{Status: status, RetryAfter: d} }
	for _, tt := range []struct {
		name    string
		signals []wire.Signal // one after the other, each after its wait
		want    []time.Duration
	}{
		{"as long as it was asked for", []wire.Signal{limited(17 * time.Second), limited(2 * time.Hour)}, []time.Duration{17 * time.Second, 2 * time.Hour}},
		{
			"without a Retry-After: a minute, then twice as long, up to sixteen",
			[]wire.Signal{limited(0), limited(0), limited(0), limited(0), limited(0), limited(0)},
			[]time.Duration{63 * time.Second, 126 * time.Second, 252 * time.Second, 504 * time.Second, 1008 * time.Second, 1008 * time.Second},
		},
		{
			"a response in between ends the row",
			[]wire.Signal{limited(0), limited(0), done, limited(0)},
			[]time.Duration{63 * time.Second, 126 * time.Second, 0, 63 * time.Second},
		},
		{
			"a refusal ends it too, a failure doesn't",
			[]wire.Signal{limited(0), {Status: 404}, limited(0), {Status: 500}, {}, limited(0)},
			[]time.Duration{63 * time.Second, 0, 63 * time.Second, 0, 0, 126 * time.Second},
		},
		{
			"overload: a second, then twice as long",
			[]wire.Signal{overload(503, 0), overload(504, 0), overload(503, 0)},
			[]time.Duration{1050 * time.Millisecond, 2100 * time.Millisecond, 4200 * time.Millisecond},
		},
		{"overload with a time concerns one request", []wire.Signal{overload(503, 7*time.Second), overload(504, 24*time.Hour), overload(500, time.Minute), overload(403, time.Minute)}, []time.Duration{0, 0, 0, 0}},
		{"other failures", []wire.Signal{{Status: 500}, {Status: 502}, {Status: 409}, {}}, []time.Duration{0, 0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				s := newService()
				for i, sig := range tt.signals {
					enter(t, t.Context(), s, http.MethodGet)(sig)
					started := time.Now()
					if pause := time.Until(pausedUntil(s)); max(0, pause) != tt.want[i] {
						t.Errorf("after %d: paused for %v, want %v", i, pause, tt.want[i])
					}
					var wg sync.WaitGroup
					for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
						wg.Go(func() {
							leave := enter(t, t.Context(), s, method)
							if got := time.Since(started); got != tt.want[i] {
								t.Errorf("after %d: a %s left after %v, want %v", i, method, got, tt.want[i])
							}
							leave(wire.Signal{}) // lost, which shows nothing
						})
					}
					wg.Go(func() {
						reservation, err := s.Reserve(t.Context(), 1, 0)
						if err != nil || time.Since(started) != tt.want[i] {
							t.Errorf("after %d: a reservation after %v, want %v: %v", i, time.Since(started), tt.want[i], err)
							return
						}
						reservation.Release()
					})
					wg.Wait()
				}
			})
		})
	}
}

// Where 503 and 504 don't mean load they hold nothing.
func TestNoHoldWithoutYielding(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := NewLimiter("Service", false, half)
		started := time.Now()
		for _, status := range []int{503, 504, 502} {
			enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: status, RetryAfter: time.Hour})
		}
		enter(t, t.Context(), s, http.MethodGet)(done)
		if time.Since(started) != 0 {
			t.Errorf("paused for %v", time.Since(started))
		}
	})
}

// Many answers of one overload are one strike, and a shorter hold does not
// shorten a longer one.
func TestHoldsAddUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService()
		var leaves []func(wire.Signal)
		for range 10 {
			leaves = append(leaves, enter(t, t.Context(), s, http.MethodGet))
		}
		for _, leave := range leaves[:8] {
			leave(wire.Signal{Status: 429, RateLimited: true})
		}
		if pause := time.Until(pausedUntil(s)); pause != 63*time.Second {
			t.Errorf("paused for %v, want 63 s", pause)
		}
		leaves[8](wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Second})
		if pause := time.Until(pausedUntil(s)); pause != 63*time.Second {
			t.Errorf("a shorter hold made it %v", pause)
		}
		leaves[9](wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		if pause := time.Until(pausedUntil(s)); pause != time.Hour {
			t.Errorf("a longer hold made it %v", pause)
		}
	})
}

func TestLeaveBy(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(1))
		started := time.Now()
		by := func(d time.Duration) context.Context { return WithSendDeadline(t.Context(), time.Now().Add(d)) }
		tooLate := func(name string, ctx context.Context, want time.Duration) {
			t.Helper()
			before := time.Now()
			if _, err := tryEnter(ctx, s, http.MethodPut); !errors.Is(err, ErrSendDeadline) {
				t.Errorf("%s: %v", name, err)
			}
			if got := time.Since(before); got != want {
				t.Errorf("%s: known after %v, want %v", name, got, want)
			}
		}
		tooLate("its time is over, though there is a place", by(-time.Second), 0)
		enter(t, by(time.Second), s, http.MethodPut)(done)
		tooLate("its time is over", by(-time.Second), 0)
		tooLate("its time is now", by(0), 0)
		tooLate("the window is full for longer", by(10*time.Second), 0)
		enter(t, by(61*time.Second), s, http.MethodPut)(done)
		if got := time.Since(started); got != time.Minute {
			t.Errorf("one that may wait left after %v", got)
		}
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		tooLate("the service is paused for longer", by(30*time.Minute), 0)
		idle(t, s)
	})
}

// A hold that comes while one waits is known to be too long at once, too.
func TestHoldMakesTooLate(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(3))
		reservation, err := s.Reserve(t.Context(), 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		reads := enter(t, t.Context(), s, http.MethodGet)
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Minute})
		started := time.Now()
		type result struct {
			err   error
			after time.Duration
		}
		results := make(chan result, 3)
		for _, ctx := range []context.Context{
			WithSendDeadline(reservation.Context(t.Context()), started.Add(8*time.Minute)),
			WithSendDeadline(t.Context(), started.Add(8*time.Minute)),
			WithSendDeadline(reservation.Context(t.Context()), started.Add(2*time.Hour)),
		} {
			go func() {
				leave, err := tryEnter(ctx, s, http.MethodPut)
				if err == nil {
					leave(done)
				}
				results <- result{err, time.Since(started)}
			}()
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		reads(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		for range 2 {
			if r := <-results; !errors.Is(r.err, ErrSendDeadline) || r.after != 10*time.Second {
				t.Errorf("%v after %v; want it to be too late after 10 s", r.err, r.after)
			}
		}
		if r := <-results; r.err != nil || r.after != time.Hour+10*time.Second {
			t.Errorf("one that may wait that long: %v after %v", r.err, r.after)
		}
		reservation.Release()
		idle(t, s)
	})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(1))
		started := time.Now()
		leave := enter(t, t.Context(), s, http.MethodPut)
		why := errors.New("interrupted by the user")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(why) })
		var wg sync.WaitGroup
		for _, wait := range []func() error{
			func() error { _, err := tryEnter(ctx, s, http.MethodPut); return err },
			func() error { _, err := s.Reserve(ctx, 1, 0); return err },
		} {
			wg.Go(func() {
				if err := wait(); !errors.Is(err, why) || !strings.Contains(err.Error(), "Service") || time.Since(started) != 5*time.Second {
					t.Errorf("%v after %v", err, time.Since(started))
				}
			})
		}
		wg.Wait()
		leave(done)
		idle(t, s)
		enter(t, t.Context(), s, http.MethodPut)(done)
		if time.Since(started) != time.Minute+5*time.Second {
			t.Errorf("the place was free after %v", time.Since(started))
		}
	})
}

// One that waits at the head gives up: those behind it go on at once.
func TestHeadGivesUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(2))
		enter(t, t.Context(), s, http.MethodPut)(done)
		started := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		go func() { _, _ = s.Reserve(ctx, 2, 0) }()
		synctest.Wait()
		enter(t, t.Context(), s, http.MethodPut)(done)
		if time.Since(started) != 3*time.Second {
			t.Errorf("it went on after %v, want 3 s", time.Since(started))
		}
	})
}

// rate is the signal of a response that states the primary limit.
func rate(limit, remaining int, reset time.Time) wire.Signal {
	return wire.Signal{Status: 200, Quota: &wire.Quota{Limit: limit, Remaining: remaining, Reset: reset.Add(time.Second)}}
}

// A tenth of the primary limit is left to others, but not taken from what is
// in progress.
func TestPrimaryLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService()
		started := time.Now()
		reset := started.Add(10 * time.Minute)
		reservation, err := s.Reserve(t.Context(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		enter(t, t.Context(), s, http.MethodGet)(rate(100, 13, reset))
		for range 3 { // 13, 12, 11: down to 10
			enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 200})
		}
		ctx := reservation.Context(t.Context())
		for range 5 {
			enter(t, ctx, s, http.MethodGet)(wire.Signal{Status: 200})
		}
		enter(t, ctx, s, http.MethodPut)(wire.Signal{Status: 201})
		if time.Since(started) != 0 {
			t.Fatalf("something waited until %v", time.Since(started))
		}
		enter(t, t.Context(), s, http.MethodGet)(done)
		if got := time.Since(started); got != 10*time.Minute+time.Second {
			t.Errorf("the next one left after %v; want the reset and a second, because it is stated in whole seconds", got)
		}
		reservation.Release()
	})
}

// An operation in progress does not exceed the limit, and a reservation leaves the
// tenth for others.
func TestPrimaryLimitOfReservations(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService()
		started := time.Now()
		enter(t, t.Context(), s, http.MethodGet)(rate(100, 14, started.Add(10*time.Minute)))
		small, err := s.Reserve(t.Context(), 4, 0)
		if err != nil || time.Since(started) != 0 {
			t.Fatalf("%v after %v", err, time.Since(started))
		}
		ctx := small.Context(t.Context())
		for range 10 {
			enter(t, ctx, s, http.MethodGet)(wire.Signal{Status: 200})
		}
		for range 4 {
			enter(t, ctx, s, http.MethodPut)(wire.Signal{Status: 204})
		}
		if time.Since(started) != 0 {
			t.Fatalf("an operation in progress waited until %v", time.Since(started))
		}
		enter(t, ctx, s, http.MethodGet)(wire.Signal{Status: 200}) // none is left
		if got := time.Since(started); got != 10*time.Minute+time.Second {
			t.Errorf("with nothing left it went after %v", got)
		}
		small.Release()
	})
}

func TestPrimaryLimitIsLearned(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := newService()
		told := func(sig wire.Signal) (remaining int, reset time.Duration) {
			enter(t, t.Context(), s, http.MethodGet)(sig)
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.primary.remaining, s.primary.reset.Sub(now)
		}
		for i, tt := range []struct {
			sig       wire.Signal
			remaining int
			reset     time.Duration
		}{
			{rate(5000, 4000, now.Add(time.Hour)), 4000, time.Hour + time.Second},
			{rate(5000, 4100, now.Add(time.Hour)), 3999, time.Hour + time.Second},             // overtaken by another response
			{rate(5000, 3000, now.Add(time.Hour+time.Second)), 3000, time.Hour + time.Second}, // the same hour, rounded differently
			{rate(5000, 4999, now.Add(-time.Hour)), 2999, time.Hour + time.Second},            // long overtaken
			{rate(5000, 4998, now.Add(2*time.Hour)), 4998, 2*time.Hour + time.Second},         // the next hour
			{wire.Signal{Status: 200}, 4997, 2*time.Hour + time.Second},                       // states no quota
			{wire.Signal{Status: 200, Quota: &wire.Quota{Remaining: 1}}, 4996, 2*time.Hour + time.Second},
			{rate(5000, 7, now.Add(-2*time.Second)), 4995, 2*time.Hour + time.Second},       // a late response of the period before
			{rate(5000, 4200, now.Add(30*time.Minute)), 4200, 30*time.Minute + time.Second}, // moved back
		} {
			if remaining, reset := told(tt.sig); remaining != tt.remaining || reset != tt.reset {
				t.Errorf("%d: %d remain until %v; want %d until %v", i, remaining, reset, tt.remaining, tt.reset)
			}
		}
	})
}

// failing fails with its errors in turn, then it is done.
type failing struct {
	errs    []error
	takes   []time.Duration // how long each attempt takes
	tries   []time.Duration // when each started
	started time.Time
}

func (f *failing) try(ctx context.Context) (int, error) {
	n := len(f.tries)
	f.tries = append(f.tries, time.Since(f.started))
	if n < len(f.takes) {
		if err := wire.Sleep(ctx, f.takes[n]); err != nil {
			return 0, &wire.Error{Disposition: wire.Indeterminate, Err: err}
		}
	}
	if n < len(f.errs) {
		return 0, f.errs[n]
	}
	return 42, nil
}

func TestDo(t *testing.T) {
	t.Parallel()

	indeterminate := &wire.Error{Disposition: wire.Indeterminate, Status: 502}
	notSent := &wire.Error{Disposition: wire.NotSent}
	limited := &wire.Error{Disposition: wire.RateLimited, Status: 429}
	refused := &wire.Error{Disposition: wire.Rejected, Status: 404}
	malformed := &wire.Error{Disposition: wire.Indeterminate, Status: 200, Malformed: true}
	tooLate := &wire.Error{Disposition: wire.NotSent, Err: fmt.Errorf("GitHub: %w", ErrSendDeadline)}
	other := errors.New("no request at all")
	repeat := func(err error, n int) []error { return slices.Repeat([]error{err}, n) }
	seconds := func(s ...float64) []time.Duration {
		var d []time.Duration
		for _, x := range s {
			d = append(d, time.Duration(x*float64(time.Second)))
		}
		return d
	}
	within := Retry{MaxElapsed: 20 * time.Second}

	for _, tt := range []struct {
		name  string
		retry Retry
		errs  []error
		takes []time.Duration
		want  error
		tries []time.Duration
	}{
		{"at once", within, nil, nil, nil, seconds(0)},
		{"one failure", within, repeat(indeterminate, 1), nil, nil, seconds(0, .5)},
		{"longer and longer", within, repeat(indeterminate, 5), nil, nil, seconds(0, .5, 1.5, 3.5, 7.5, 15.5)},
		{"down for good", within, repeat(indeterminate, 100), nil, indeterminate, seconds(0, .5, 1.5, 3.5, 7.5, 15.5)},
		{"notSent", within, repeat(notSent, 2), nil, nil, seconds(0, .5, 1.5)},
		{"slow failures", within, repeat(indeterminate, 100), seconds(12, 12, 12), indeterminate, seconds(0, 12.5)},
		{"no time for another", Retry{}, repeat(indeterminate, 100), nil, indeterminate, seconds(0)},
		{"malformed", within, repeat(malformed, 2), nil, nil, seconds(0, .5, 1.5)},
		{"malformed for good", within, repeat(malformed, 100), nil, malformed, seconds(0, .5, 1.5)},
		{"failures and malformed", within, []error{indeterminate, malformed, indeterminate, malformed, malformed}, nil, malformed, seconds(0, .5, 1.5, 3.5, 7.5)},
		{"refused", within, repeat(refused, 1), nil, refused, seconds(0)},
		{"refused later", within, []error{indeterminate, refused}, nil, refused, seconds(0, .5)},
		{"no request", within, repeat(other, 1), nil, other, seconds(0)},
		{"too late", within, repeat(tooLate, 1), nil, ErrSendDeadline, seconds(0)},
		// The wait is the Service's, which holds the next try.
		{"limits", within, repeat(limited, 10), nil, nil, seconds(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"limits for good", within, repeat(limited, 100), nil, limited, seconds(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"limits restart it", within, append(repeat(indeterminate, 5), limited, indeterminate, indeterminate), nil, nil, seconds(0, .5, 1.5, 3.5, 7.5, 15.5, 15.5, 16, 17)},
		// The second try is what waited for a minute, at the gate.
		{"after a long wait it is tried again", within, []error{limited, indeterminate, indeterminate}, seconds(0, 60), nil, seconds(0, 0, 60.5, 61.5)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				f := &failing{errs: tt.errs, takes: tt.takes, started: time.Now()}
				v, err := Do(t.Context(), tt.retry, f.try)
				if !errors.Is(err, tt.want) || (err == nil) != (v == 42) || (err == nil) != (tt.want == nil) {
					t.Errorf("got %d, %v; want %v", v, err, tt.want)
				}
				if !slices.Equal(f.tries, tt.tries) {
					t.Errorf("tried at %v, want %v", f.tries, tt.tries)
				}
			})
		})
	}
}

// Most ends an operation that has met no limit, wherever it waits; one that has
// may wait as long as it was asked to.
func TestDoMost(t *testing.T) {
	t.Parallel()

	retry := Retry{MaxElapsed: 16 * time.Second, MaxTotal: 29 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		f := &failing{takes: []time.Duration{time.Hour}, started: time.Now()}
		_, err := Do(t.Context(), retry, f.try)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(f.started) != 29*time.Second || len(f.tries) != 1 {
			t.Errorf("%v after %v and %d tries", err, time.Since(f.started), len(f.tries))
		}
	})
	synctest.Test(t, func(t *testing.T) { // a hold that others have caused
		s := newService()
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		started := time.Now()
		_, err := Do(t.Context(), retry, func(ctx context.Context) (int, error) {
			_, err := tryEnter(ctx, s, http.MethodGet)
			return 0, &wire.Error{Disposition: wire.NotSent, Err: err}
		})
		if !IsTooLong(err) || !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != 0 {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		idle(t, s)
	})
	synctest.Test(t, func(t *testing.T) { // a limit that it has met itself
		s := newService()
		started, tries := time.Now(), 0
		v, err := Do(t.Context(), retry, func(ctx context.Context) (int, error) {
			leave, err := tryEnter(ctx, s, http.MethodGet)
			if err != nil {
				return 0, &wire.Error{Disposition: wire.NotSent, Err: err}
			}
			if tries++; tries == 1 {
				leave(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
				return 0, &wire.Error{Disposition: wire.RateLimited}
			}
			leave(done)
			return 42, nil
		})
		if v != 42 || err != nil || time.Since(started) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

func TestDoContext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		f := &failing{errs: slices.Repeat([]error{&wire.Error{Disposition: wire.Indeterminate}}, 100), started: time.Now()}
		if _, err := Do(ctx, Retry{MaxElapsed: time.Hour}, f.try); err == nil || time.Since(f.started) != 700*time.Millisecond || len(f.tries) != 2 {
			t.Errorf("%v after %v and %d tries", err, time.Since(f.started), len(f.tries))
		}
	})
}

func TestSleep(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if err := wire.Sleep(t.Context(), 3*time.Second); err != nil || time.Since(started) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if err := wire.Sleep(ctx, time.Hour); !errors.Is(err, why) || time.Since(started) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

// TryReserve takes capacity for reads immediately or not at all, leaves the headroom,
// and takes nothing from waiters.
func TestTry(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(Limit{Max: 5, Period: time.Minute, Cost: func(string) int { return 1 }})
		reservation, _ := s.TryReserve(2, 3)
		if reservation == nil {
			t.Fatal("2 of 5 are not there")
		}
		if r, again := s.TryReserve(1, 3); r != nil || !again.IsZero() {
			t.Errorf("Try = %v, %v; only a response helps now", r, again)
		}
		// Its reads use the reservation, a write does not.
		enter(t, reservation.Context(t.Context()), s, http.MethodGet)(done)
		enter(t, reservation.Context(t.Context()), s, http.MethodPost)(done)
		reservation.Release() // gives back the one that was not used
		started := time.Now()
		if r, again := s.TryReserve(1, 3); r != nil || again.Sub(started) != time.Minute {
			t.Errorf("Try = %v, in %v; want none, in a minute", r, again.Sub(started))
		}
		places, err := s.Reserve(t.Context(), 3, 0) // what was left is there
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			other, err := s.Reserve(t.Context(), 2, 0)
			if err != nil {
				t.Error(err)
				return
			}
			other.Release()
		})
		synctest.Wait()
		places.Release()
		group.Wait()
		if took := time.Since(started); took != 0 {
			t.Errorf("a reservation of 2 took %v", took)
		}
		group.Go(func() { // waits for a place that Try must not take
			all, err := s.Reserve(t.Context(), 5, 0)
			if err != nil {
				t.Error(err)
				return
			}
			all.Release()
		})
		synctest.Wait()
		if r, _ := s.TryReserve(1, 0); r != nil {
			t.Error("it took from one who waits")
		}
		group.Wait()
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: 7 * time.Second})
		paused := time.Now().Add(7 * time.Second)
		if r, again := s.TryReserve(1, 0); r != nil || !again.Equal(paused) {
			t.Errorf("while it is paused, Try = %v, %v", r, again)
		}
		idle(t, s)
	})
}

// A latent limit is counted and not kept, until a refusal that names none comes
// after about that number was sent.
func TestLatentLimit(t *testing.T) {
	t.Parallel()

	secondary := wire.Signal{Status: 403, RateLimited: true, RetryAfter: time.Second}
	primary := secondary
	primary.Quota = &wire.Quota{}
	for name, tt := range map[string]struct {
		sent   int
		signal wire.Signal
		kept   bool
	}{
		"too early":   {16, secondary, false},
		"it bites":    {17, secondary, true},
		"with others": {24, secondary, true},
		"too late":    {25, secondary, false},
		"primary":     {20, primary, false},
		"none":        {20, done, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(hourlyLimit(20))
				started := time.Now()
				for range tt.sent {
					enter(t, t.Context(), s, http.MethodPut)(done)
				}
				enter(t, t.Context(), s, http.MethodPut)(tt.signal)
				if took := time.Since(started); took != 0 {
					t.Fatalf("it waited for %v before anything was known", took)
				}
				// Others may have taken what we did not: the service has no more.
				enter(t, t.Context(), s, http.MethodPut)(done)
				if took := time.Since(started); (took >= time.Hour) != tt.kept {
					t.Errorf("one more took %v, kept: %t", took, tt.kept)
				}
			})
		})
	}
}

// A reservation from before a limit was detected is void: the request waits, or
// is too late at once, also where it waited for the end of a hold.
func TestReservationEndsWithDetectedLimit(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(100), hourlyLimit(20))
		started := time.Now()
		for range 17 {
			enter(t, t.Context(), s, http.MethodPut)(done)
		}
		reservation, err := s.Reserve(t.Context(), 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		leave := enter(t, t.Context(), s, http.MethodPut)
		// An exhausted quota pauses the service, but no other limit explains it.
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Minute, Quota: &wire.Quota{}})
		late := make(chan error)
		go func() {
			_, err := tryEnter(WithSendDeadline(reservation.Context(t.Context()), started.Add(8*time.Minute)), s, http.MethodPut)
			late <- err
		}()
		synctest.Wait()
		leave(wire.Signal{Status: 403, RateLimited: true, RetryAfter: 2 * time.Minute})
		if err := <-late; !errors.Is(err, ErrSendDeadline) || time.Since(started) != 2*time.Minute {
			t.Errorf("what waited with a place: %v after %v, want too late after the hold", err, time.Since(started))
		}
		_, err = tryEnter(WithSendDeadline(reservation.Context(t.Context()), started.Add(8*time.Minute)), s, http.MethodPut)
		if !errors.Is(err, ErrSendDeadline) || time.Since(started) != 2*time.Minute {
			t.Errorf("what came with a place: %v after %v, want too late at once", err, time.Since(started))
		}
		enter(t, reservation.Context(t.Context()), s, http.MethodPut)(done)
		if took := time.Since(started); took < time.Hour {
			t.Errorf("what may wait left after %v", took)
		}
		reservation.Release()
		idle(t, s)
	})
}

// What is given back after the hour has changed is not of this hour.
func TestReservationOfAnEarlierHour(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService()
		tell := func(remaining int, reset time.Duration) wire.Signal {
			return rate(100, remaining, time.Now().Add(reset))
		}
		enter(t, t.Context(), s, http.MethodGet)(tell(50, 10*time.Second))
		reservation, err := s.Reserve(t.Context(), 4, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		enter(t, t.Context(), s, http.MethodGet)(tell(12, time.Hour))
		reservation.Release()
		if s.primary.remaining != 12 {
			t.Errorf("%d remain, want 12", s.primary.remaining)
		}
		if reservation, err = s.Reserve(t.Context(), 2, 0); err != nil {
			t.Fatal(err)
		}
		reservation.Release()
		if s.primary.remaining != 12 {
			t.Errorf("%d remain after a reservation of this hour, want 12", s.primary.remaining)
		}
	})

	// Nor is a place that ended with a latent limit: the request that had it is
	// counted once more, and that is all.
	synctest.Test(t, func(t *testing.T) {
		s := newService(hourlyLimit(10))
		tell := func(remaining int, reset time.Duration) wire.Signal {
			sig := rate(100, remaining, time.Now().Add(reset))
			sig.Status, sig.RateLimited, sig.RetryAfter = 403, true, time.Second
			return sig
		}
		enter(t, t.Context(), s, http.MethodGet)(tell(50, 10*time.Second))
		reservation, err := s.Reserve(t.Context(), 9, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		enter(t, t.Context(), s, http.MethodPut)(tell(30, 3*time.Hour))
		enter(t, reservation.Context(t.Context()), s, http.MethodPut)
		if s.primary.remaining != 29 {
			t.Errorf("%d remain, want 29", s.primary.remaining)
		}
	})
}

// waitReason returns the cause of the wait of the first waiter; empty without one.
func waitReason(s *Limiter) string {
	if !s.HasWaiters() {
		return ""
	}
	return s.waits()[0].Cause()
}

// TestWaits: the limiter says what requests wait for, and how long writes will take.
func TestWaits(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(80), pointLimit())
		if waitReason(s) != "" || s.HasWaiters() {
			t.Errorf("nothing waits, and it is for %q", waitReason(s))
		}
		if left := s.Estimate(400, 400); left != 5*time.Minute {
			t.Errorf("400 writes take %v", left)
		}
		if left := s.Estimate(1800, 0); left != 2*time.Minute {
			t.Errorf("1,800 reads take %v", left)
		}
		wants := func(want string) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _, _ = s.Reserve(ctx, 80, 0) }()
			synctest.Wait()
			if got := waitReason(s); got != want || !s.HasWaiters() {
				t.Errorf("it waits for %q, want %q", got, want)
			}
			cancel()
			synctest.Wait()
		}
		enter(t, t.Context(), s, http.MethodPut)(done)
		wants("Service: 80 writes per minute")
		time.Sleep(time.Minute)
		enter(t, t.Context(), s, http.MethodGet)(rate(5000, 560, time.Now().Add(29*time.Minute)))
		wants("Service: 5,000 requests per hour, a tenth of them left to others")
		// 60 in this hour, 4,500 in the next, 4,500 in the one after that.
		if left := s.Estimate(30, 30); left != 22500*time.Millisecond {
			t.Errorf("30 writes take %v", left)
		}
		if left := s.Estimate(61, 0); left.Round(time.Minute) != 29*time.Minute {
			t.Errorf("61 reads take %v", left)
		}
		if left := s.Estimate(31+4_500, 31+4_500); left.Round(time.Minute) != 2*time.Hour+29*time.Minute {
			t.Errorf("4,531 writes take %v", left)
		}
		enter(t, t.Context(), s, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		wants("Service: rate-limited, asked to wait")
	})
}
