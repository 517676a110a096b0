package pace

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// Limit is at most Most units in any period of length Per. A unit is taken when
// the request leaves, or room for it is had, and free again Per after the answer
// came: the service may count when it likes.
type Limit struct {
	// Name tells it to people: "80 writes a minute".
	Name   string
	Max    int
	Period time.Duration
	// Cost is what a request with this method takes; 0 if the limit does not
	// concern it.
	Cost func(method string) int
	// Latent: nobody knows whether it is there. It is counted, and kept as soon
	// as it was met: when the service refuses for a limit that it does not name,
	// and about Most units were taken in the last Per.
	Unconfirmed bool
}

// IsWrite tells the methods that change something.
func IsWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// Writes is a Limit of so many writes in any minute.
func Writes(perMinute int) Limit {
	return Limit{Name: fmt.Sprintf("%d writes a minute", perMinute), Max: perMinute, Period: time.Minute, Cost: oneForWrites}
}

// HourlyWrites is GitHub's limit of 500 content-creating requests an hour, which
// may or may not count a secret's writing.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func HourlyWrites() Limit {
	return Limit{Name: "500 writes an hour", Max: 500, Period: time.Hour, Cost: oneForWrites, Unconfirmed: true}
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
	return Limit{Name: "900 points a minute", Max: 900, Period: time.Minute, Cost: func(method string) int {
		if IsWrite(method) {
			return 5
		}
		return 1
	}}
}

// CodacyCloud is Codacy's limit of 2,500 requests in five minutes.
// https://docs.codacy.com/codacy-api/using-the-codacy-api/
func CodacyCloud() Limit {
	return Limit{Name: "2500 requests in 5 minutes", Max: 2500, Period: 5 * time.Minute, Cost: func(string) int { return 1 }}
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
func (p *primary) allows(n int, begun bool, now time.Time) bool {
	if !p.known || !now.Before(p.reset) {
		return true
	}
	back := p.limit / 10
	if begun {
		back = 0
	}
	return p.remaining-n >= back
}

// unsend takes back that n requests were counted, if that was in this period.
func (p *primary) refund(n int, reset time.Time) {
	if reset.Equal(p.reset) {
		p.remaining += n
	}
}

func (p *primary) update(h http.Header, clock *wire.Clock) {
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return
	}
	limit, _ := strconv.Atoi(h.Get("X-Ratelimit-Limit"))
	epoch, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil {
		return
	}
	reset := clock.ToLocal(time.Unix(epoch+1, 0)) // whole seconds: not a moment early
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

// window counts what a Limit has given out.
type window struct {
	Limit
	enforced bool
	inFlight int // taken and not answered yet
	counted  int // answered less than Per ago
	expiries []expiry
}

type expiry struct {
	at   time.Time
	cost int
}

func (w *window) allows(cost int) bool {
	// What asks for more than there can be gets it when all is free.
	return !w.enforced || w.inFlight+w.counted+cost <= w.Max || (w.inFlight+w.counted == 0 && cost > w.Max)
}

func (w *window) complete(now time.Time, cost int) {
	if cost == 0 {
		return
	}
	w.inFlight -= cost
	w.counted += cost
	w.expiries = append(w.expiries, expiry{now.Add(w.Period), cost})
}

// meet keeps a latent limit from now on, if it explains why the service refused:
// what it refused is counted, too, and what is missing others have taken. It tells
// whether that is new.
func (w *window) detect(now time.Time) bool {
	w.prune(now)
	n := w.inFlight + w.counted
	if w.enforced || n < w.Max*9/10 || n > w.Max*5/4 {
		return false
	}
	w.enforced = true
	if others := w.Max - n; others > 0 {
		w.inFlight += others
		w.complete(now, others)
	}
	return true
}

// tidy frees what was answered Per ago or more.
func (w *window) prune(now time.Time) {
	n := 0
	for n < len(w.expiries) && !now.Before(w.expiries[n].at) {
		w.counted -= w.expiries[n].cost
		n++
	}
	w.expiries = slices.Delete(w.expiries, 0, n)
}

// next is when the next place becomes free by time alone; zero if none does.
func (w *window) nextFree() time.Time {
	if len(w.expiries) == 0 {
		return time.Time{}
	}
	return w.expiries[0].at
}
