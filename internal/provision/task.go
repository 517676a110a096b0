package provision

import (
	"strconv"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/github"
	"github.com/codacy/codacy-project-tokens/internal/match"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// task is one repository on its way. It belongs to the loop, or to the worker that
// has its job.
type task struct {
	// The queues compare these fields, so they are next to each other.
	decision rotation.Decision
	// priority orders the tasks to write, lowest first, and tiebreak those of the
	// same priority at random.
	priority int64
	tiebreak uint32
	// jitter, in [0, 1), spreads the due dates. It depends on the repository alone.
	jitter float64

	holdsTurn     bool
	countedUrgent bool // the task is counted in Run.urgentLeft
	witness       bool // it was drawn to check a suspicion
	legacyServer  bool // the server was found to be a legacy one

	target      match.Target
	observation rotation.Observation
	observedAt  time.Time // when the observation started, on this machine's clock
	// keys are the stores' public keys, as far as they were read.
	keys map[rotation.Store]github.Key
	// denied holds the errors of the stores that are unavailable. A store that was
	// denied once counts as unavailable for the rest of the run.
	denied map[rotation.Store]error
	// shorten is the random part by which the new token's lifetime is shortened.
	shorten time.Duration
	// turn is sent true when the worker may create a token, and false if the task
	// has to go back to the queue. The loop sets holdsTurn with it.
	turn chan bool
}

func newTask(target match.Target, tiebreak uint32) *task {
	key := target.GitHub.Name
	if target.GitHub.ID != 0 {
		key = strconv.FormatInt(target.GitHub.ID, 10)
	}
	return &task{target: target, tiebreak: tiebreak, jitter: float64(match.Hash(key)>>11) / (1 << 53)}
}

// deny records that a store is unavailable.
func (t *task) deny(p rotation.Policy, s rotation.Store, err error) {
	if t.denied == nil {
		t.denied = map[rotation.Store]error{}
	}
	t.denied[s] = err
	t.observation.SetStore(p, rotation.StoreState{Store: s, Condition: rotation.Unavailable, Message: err.Error()})
}

// storeErr returns the error of the first store that is unavailable; nil if none is.
func (t *task) storeErr() error {
	for _, s := range t.observation.Stores {
		if err := t.denied[s.Store]; err != nil {
			return err
		}
	}
	return nil
}
