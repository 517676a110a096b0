package report

import (
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

const (
	// repeatAfter is how long an unchanged wait or progress is not logged again.
	repeatAfter = 5 * time.Minute
	// longWait is how long a wait must last, or be expected to last, to be logged.
	longWait = 15 * time.Second
)

// waits remembers what the run waits for and what the log says about it.
type waits struct {
	current outcome.Wait
	since   time.Time
	logged  map[string]time.Time // by cause
}

// update records what the run waits for now.
func (w *waits) update(wait outcome.Wait, now time.Time) {
	if wait.Cause != w.current.Cause {
		w.since = now
	}
	w.current = wait
}

// due reports whether the log has to say what the run waits for.
func (w *waits) due(now time.Time) bool {
	if w.current.Cause == "" {
		return false
	}
	if at, ok := w.logged[w.current.Cause]; ok && now.Sub(at) < repeatAfter {
		return false
	}
	return now.Sub(w.since) >= longWait || w.current.Until.Sub(now) >= longWait
}

// markLogged records that the log says what the run waits for. It drops causes that
// may be logged again, so that their number is bounded.
func (w *waits) markLogged(now time.Time) {
	for cause, at := range w.logged {
		if now.Sub(at) >= repeatAfter {
			delete(w.logged, cause)
		}
	}
	if w.logged == nil {
		w.logged = map[string]time.Time{}
	}
	w.logged[w.current.Cause] = now
}

// WatchWaits reports what the run waits for, as waitingFor returns it, until stop is
// called.
func (r *Report) WatchWaits(waitingFor func() outcome.Wait) (stop func()) {
	interval := 5 * time.Second
	if r.o.ProgressBar {
		interval = 200 * time.Millisecond
	}
	ticker := time.NewTicker(interval)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.Waiting(waitingFor())
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

// Waiting reports what the run waits for, at any time from its start on; the zero
// Wait ends it. It is to be called every few seconds. A wait is logged within 30
// seconds, and every five minutes; on a terminal it is shown immediately.
func (r *Report) Waiting(w outcome.Wait) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	w.Cause = r.o.Redactor.Redact(w.Cause)
	r.waits.update(w, now)
	switch {
	case r.o.ProgressBar:
		r.showStatus()
	case r.waits.due(now):
		r.waits.markLogged(now)
		r.print("waiting for " + waitText(w))
	}
}

// Activity shows on a terminal what the run does before there is a progress bar,
// such as "listing repositories". The log doesn't contain it.
func (r *Report) Activity(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.activity = text
	if r.o.ProgressBar {
		r.showStatus()
	}
}

// waitText returns the cause of a wait and its expected end.
func waitText(w outcome.Wait) string {
	if w.Until.IsZero() {
		return w.Cause
	}
	layout := "15:04 UTC"
	if time.Until(w.Until) > 12*time.Hour {
		layout = "2006-01-02 15:04 UTC"
	}
	verb := "until"
	if w.Resets {
		verb = "resets at"
	}
	return w.Cause + ", " + verb + " " + w.Until.UTC().Format(layout)
}
