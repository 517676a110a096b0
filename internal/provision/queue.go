package provision

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
)

// queue holds tasks by rank, the lowest first.
type queue struct{ h taskHeap }

func newQueue(compare func(a, b *task) int) queue { return queue{taskHeap{compare: compare}} }

// byPriority compares tasks to write.
func byPriority(a, b *task) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.tiebreak, b.tiebreak))
}

// urgentFirst compares tasks whose secrets are to be checked: those whose token is
// missing or due come first.
func urgentFirst(a, b *task) int {
	switch {
	case a.decision.Urgent && !b.decision.Urgent:
		return -1
	case b.decision.Urgent && !a.decision.Urgent:
		return 1
	}
	return byPriority(a, b)
}

func (q *queue) len() int     { return len(q.h.tasks) }
func (q *queue) push(t *task) { heap.Push(&q.h, t) }
func (q *queue) pop() *task   { return heap.Pop(&q.h).(*task) }
func (q *queue) peek() *task  { return q.h.tasks[0] }

// draw removes a random task.
func (q *queue) draw(r *rand.Rand) *task { return heap.Remove(&q.h, r.IntN(q.len())).(*task) }

// drawWhere removes up to n random tasks that meet a condition.
func (q *queue) drawWhere(r *rand.Rand, n int, meets func(*task) bool) []*task {
	var found []*task
	for _, t := range q.h.tasks {
		if meets(t) {
			found = append(found, t)
		}
	}
	r.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	found = found[:min(n, len(found))]
	for _, t := range found {
		heap.Remove(&q.h, slices.Index(q.h.tasks, t))
	}
	return found
}

// sorted returns the tasks in order, and leaves them in the queue.
func (q *queue) sorted() []*task { return slices.SortedFunc(slices.Values(q.h.tasks), q.h.compare) }

// clear removes all tasks and returns them.
func (q *queue) clear() []*task {
	tasks := q.h.tasks
	q.h.tasks = nil
	return tasks
}

// taskHeap implements heap.Interface.
type taskHeap struct {
	tasks   []*task
	compare func(a, b *task) int
}

func (h *taskHeap) Len() int           { return len(h.tasks) }
func (h *taskHeap) Less(i, j int) bool { return h.compare(h.tasks[i], h.tasks[j]) < 0 }
func (h *taskHeap) Swap(i, j int)      { h.tasks[i], h.tasks[j] = h.tasks[j], h.tasks[i] }
func (h *taskHeap) Push(x any)         { h.tasks = append(h.tasks, x.(*task)) }

func (h *taskHeap) Pop() any {
	last := h.tasks[len(h.tasks)-1]
	h.tasks[len(h.tasks)-1] = nil
	h.tasks = h.tasks[:len(h.tasks)-1]
	return last
}
