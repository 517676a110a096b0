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

// unsend takes back that n requests were counted, if that was in this period.
func (p *primary) unsend(n int, reset time.Time) {
	if reset.Equal(p.reset) {
		p.remaining += n
	}
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
