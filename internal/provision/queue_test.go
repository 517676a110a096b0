package provision

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

func queued(q *queue, priorities ...int64) {
	for i, p := range priorities {
		q.push(&task{priority: p, tiebreak: uint32(len(priorities) - i)})
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()

	q := newQueue(byPriority)
	queued(&q, 5, 1, 4, 1, 3)
	if first := q.peek(); first.priority != 1 || first.tiebreak != 2 {
		t.Errorf("first is %+v, want the lower tiebreak of priority 1", first)
	}
	var sorted []int64
	for _, task := range q.sorted() {
		sorted = append(sorted, task.priority)
	}
	if want := []int64{1, 1, 3, 4, 5}; !slices.Equal(sorted, want) || q.len() != 5 {
		t.Errorf("sorted %v, want %v; %d left", sorted, want, q.len())
	}
	for _, want := range []int64{1, 1, 3, 4, 5} {
		if got := q.pop().priority; got != want {
			t.Errorf("popped %d, want %d", got, want)
		}
	}
	queued(&q, 2, 1)
	if all := q.clear(); len(all) != 2 || q.len() != 0 {
		t.Errorf("%d cleared, %d left", len(all), q.len())
	}
}

// TestUrgentFirst: tasks whose token is missing or due are checked first.
func TestUrgentFirst(t *testing.T) {
	t.Parallel()

	q := newQueue(urgentFirst)
	q.push(&task{priority: 1})
	q.push(&task{priority: 3, decision: rotation.Decision{Urgent: true}})
	q.push(&task{priority: 2, decision: rotation.Decision{Urgent: true}})
	for _, want := range []int64{2, 3, 1} {
		if got := q.pop().priority; got != want {
			t.Errorf("popped %d, want %d", got, want)
		}
	}
}

// TestDraw: tasks are drawn at random, and what is left stays in order.
func TestDraw(t *testing.T) {
	t.Parallel()

	r := rand.New(rand.NewPCG(1, 2))
	drawn, even := map[int64]bool{}, map[int64]bool{}
	for range 200 {
		q := newQueue(byPriority)
		queued(&q, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		first := q.draw(r).priority
		drawn[first] = true
		witnesses := q.drawWhere(r, 3, func(t *task) bool { return t.priority%2 == 0 })
		if len(witnesses) != 3 {
			t.Fatalf("%d drawn, want 3", len(witnesses))
		}
		out := []int64{first}
		for _, w := range witnesses {
			if w.priority%2 != 0 {
				t.Fatalf("%d does not meet the condition", w.priority)
			}
			even[w.priority] = true
			out = append(out, w.priority)
		}
		if more := q.drawWhere(r, 9, func(t *task) bool { return t.priority%2 == 0 }); len(more)+3+q.len() != 9 || len(more) > 2 {
			t.Fatalf("%d more drawn, %d left", len(more), q.len())
		}
		last := int64(0)
		for q.len() > 0 {
			next := q.pop().priority
			if next <= last || slices.Contains(out, next) {
				t.Fatalf("%d after %d, drawn %v", next, last, out)
			}
			last = next
		}
	}
	if len(drawn) != 10 || len(even) != 5 {
		t.Errorf("not every task is drawn: %v, %v", drawn, even)
	}
}
