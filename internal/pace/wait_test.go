package pace

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// A request that would have to wait beyond its context's deadline fails at once, and
// says what it would wait for.
func TestNoWaitBeyondTheContext(t *testing.T) {
	t.Parallel()

	rateLimited := wire.Signal{Status: 429, RateLimited: true, RetryAfter: 10 * time.Hour}
	for name, tt := range map[string]struct {
		prepare func(*testing.T, *Limiter)
		reason  string
		until   time.Duration
	}{
		"pause": {func(t *testing.T, s *Limiter) { enter(t, t.Context(), s, http.MethodGet)(rateLimited) }, pauseReason, 10 * time.Hour},
		"limit": {func(t *testing.T, s *Limiter) { enter(t, t.Context(), s, http.MethodPut)(done) }, "1 writes per minute", time.Minute},
		"primary": {func(t *testing.T, s *Limiter) {
			enter(t, t.Context(), s, http.MethodGet)(rate(50, 5, time.Now().Add(time.Hour)))
		}, "50 requests per hour, a tenth of them left to others", time.Hour + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(writeLimit(1))
				tt.prepare(t, s)
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
				defer cancel()
				for kind, wait := range map[string]func() error{
					"request":     func() error { _, err := tryEnter(ctx, s, http.MethodPut); return err },
					"reservation": func() error { _, err := s.Reserve(ctx, 1, 0); return err },
				} {
					err := wait()
					var tooLong *WaitError
					if !errors.As(err, &tooLong) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrSendDeadline) {
						t.Fatalf("%s: %v", kind, err)
					}
					if w := tooLong.Wait; w.Service != "Service" || w.Reason != tt.reason || w.Until.Sub(begin) != tt.until || w.Resets != (name == "primary") {
						t.Errorf("%s: would wait for %+v", kind, w)
					}
					if !strings.Contains(err.Error(), tt.reason) || time.Since(begin) != 0 {
						t.Errorf("%s: %v after %v", kind, err, time.Since(begin))
					}
				}
				if (s.CheckPause(ctx) != nil) != (name == "pause") || s.CheckPause(t.Context()) != nil {
					t.Errorf("CheckPause = %v, without a deadline %v", s.CheckPause(ctx), s.CheckPause(t.Context()))
				}
				idle(t, s)
			})
		})
	}
}

// A pause that starts while a request waits ends that wait, if it is too long.
func TestPauseEndsLongWaits(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newService(writeLimit(1))
		release := enter(t, t.Context(), s, http.MethodPut)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		result := make(chan error, 1)
		go func() { _, err := tryEnter(ctx, s, http.MethodPut); result <- err }()
		time.Sleep(10 * time.Second)
		release(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		begin := time.Now()
		if err := <-result; !IsTooLong(err) || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		idle(t, s)
	})
}

// A Retry-After of any response but a rate limit delays the operation itself.
func TestDoWaitsAsTold(t *testing.T) {
	t.Parallel()

	overload := func(status int, d wire.Disposition, after time.Duration) error {
		return &wire.Error{Service: "Service", Status: status, Disposition: d, RetryAfter: after, Message: "busy"}
	}
	r := Retry{MaxElapsed: 20 * time.Second, MaxTotal: 29 * time.Second}
	for name, tt := range map[string]struct {
		errs    []error
		tries   []time.Duration
		fails   bool
		tooLong bool
	}{
		"503":               {[]error{overload(503, wire.Indeterminate, 7*time.Second)}, []time.Duration{0, 7 * time.Second}, false, false},
		"403":               {[]error{overload(403, wire.Rejected, time.Minute)}, []time.Duration{0, time.Minute}, false, false},
		"403, then denied":  {[]error{overload(403, wire.Rejected, time.Minute), overload(403, wire.Rejected, 0)}, []time.Duration{0, time.Minute}, true, false},
		"longer than usual": {[]error{overload(500, wire.Indeterminate, time.Hour)}, []time.Duration{0, time.Hour}, false, false},
		"a failure after":   {[]error{overload(500, wire.Indeterminate, time.Minute), overload(500, wire.Indeterminate, 0)}, []time.Duration{0, time.Minute, time.Minute + 500*time.Millisecond}, false, false},
		"absurdly long":     {[]error{overload(503, wire.Indeterminate, 72*time.Hour)}, []time.Duration{0}, true, true},
		"for good": {
			repeatError(overload(503, wire.Indeterminate, time.Second), 100),
			[]time.Duration{0, 1e9, 2e9, 3e9, 4e9, 5e9, 6e9, 7e9, 8e9, 9e9, 10e9},
			true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
				defer cancel()
				waits := &Waits{}
				r := r
				r.Waits = waits
				f := &failing{errs: tt.errs, started: time.Now()}
				_, err := Do(ctx, r, f.try)
				if (err != nil) != tt.fails || IsTooLong(err) != tt.tooLong {
					t.Errorf("got %v", err)
				}
				if e, ok := errors.AsType[*wire.Error](err); tt.tooLong && (!ok || e.Status != 503 || !strings.Contains(e.Message, "busy; waiting for Service")) {
					t.Errorf("got %v", err)
				}
				if !equalTimes(f.tries, tt.tries) {
					t.Errorf("tried at %v, want %v", f.tries, tt.tries)
				}
				if list := waits.List(); len(list) != 0 {
					t.Errorf("%v is still announced", list)
				}
			})
		})
	}
}

func repeatError(err error, n int) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

func equalTimes(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// The wait for one request's Retry-After is bounded by its send deadline, and
// nothing is waited for after other errors.
func TestWaitAsTold(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		r := Retry{}
		begin := time.Now()
		for _, err := range []error{nil, errors.New("other"), &wire.Error{Status: 503}, &wire.Error{Status: 429, Disposition: wire.RateLimited, RetryAfter: time.Hour}} {
			if got := r.WaitAsTold(t.Context(), err); got != nil || time.Since(begin) != 0 {
				t.Errorf("%v: %v after %v", err, got, time.Since(begin))
			}
		}
		err := &wire.Error{Status: 503, RetryAfter: 20 * time.Second}
		if got := r.WaitAsTold(WithSendDeadline(t.Context(), begin.Add(10*time.Second)), err); !errors.Is(got, ErrSendDeadline) || time.Since(begin) != 0 {
			t.Errorf("%v after %v", got, time.Since(begin))
		}
		if got := r.WaitAsTold(WithSendDeadline(t.Context(), begin.Add(30*time.Second)), err); got != nil || time.Since(begin) != 20*time.Second {
			t.Errorf("%v after %v", got, time.Since(begin))
		}
	})
}

// Whatever waits is in the list, with its cause, since when and until when.
func TestWaitsList(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		a := NewLimiter("A", false, half, writeLimit(1))
		b := NewLimiter("B", false, half)
		waits := &Waits{}
		waits.Watch(a, b)
		begin := time.Now()
		expect := func(want ...Wait) {
			t.Helper()
			synctest.Wait()
			got := waits.List()
			if len(got) != len(want) {
				t.Fatalf("waits are %v, want %v", got, want)
			}
			for i, w := range got {
				if w.Service != want[i].Service || w.Reason != want[i].Reason || !w.Since.Equal(want[i].Since) || !w.Until.Equal(want[i].Until) {
					t.Errorf("got %+v, want %+v", w, want[i])
				}
			}
		}
		expect()

		// Requests for the same limit are one wait, from the first one on.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		enter(t, ctx, a, http.MethodPut)(done)
		for range 3 {
			go func() { _, _ = tryEnter(ctx, a, http.MethodPut) }()
			time.Sleep(time.Second)
		}
		go func() { _, _ = a.Reserve(ctx, 1, 0) }()
		limit := Wait{"A", "1 writes per minute", begin, begin.Add(time.Minute), false}
		expect(limit)

		// Reads that wait outside of the limiter count, until they succeed.
		enter(t, ctx, b, http.MethodGet)(wire.Signal{Status: 429, RateLimited: true, RetryAfter: time.Hour})
		pause := Wait{"B", pauseReason, time.Now(), time.Now().Add(time.Hour), false}
		for range 3 {
			if r, _ := b.TryReserve(1, 0); r != nil {
				t.Fatal("a paused service has capacity")
			}
			time.Sleep(time.Second)
		}
		expect(limit, pause)

		// So do waits that are announced, and operations that are retried.
		finished := waits.Start("B", "a new token of the App", time.Time{})
		token := Wait{Service: "B", Reason: "a new token of the App", Since: time.Now()}
		expect(limit, pause, token)
		finished()
		finished()
		start := time.Now()
		go func() {
			_, _ = Do(ctx, Retry{MaxElapsed: 45 * time.Second, Waits: waits}, func(ctx context.Context) (int, error) {
				_ = wire.Sleep(ctx, 12*time.Second)
				return 0, &wire.Error{Service: "B", Disposition: wire.Indeterminate}
			})
		}()
		synctest.Wait()
		expect(limit, pause)
		time.Sleep(12 * time.Second)
		retried := Wait{"B", "not responding, retrying", start, start.Add(45 * time.Second), false}
		expect(limit, pause, retried)
		time.Sleep(13 * time.Second) // during the second attempt, it is still one wait
		expect(limit, pause, retried)

		cancel()
		time.Sleep(time.Hour)
		synctest.Wait()
		if r, _ := b.TryReserve(1, 0); r == nil {
			t.Error("there is no capacity after the pause")
		}
		expect()
		var none *Waits
		if none.List() != nil {
			t.Error("no Waits has waits")
		}
		none.Start("A", "x", time.Time{})()
	})
}
