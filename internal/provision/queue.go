package provision

import "cmp"

// queue is a heap of tasks, the most urgent first.
type queue []*task

func compare(a, b *task) int {
	switch {
	case a.decision.Urgent && !b.decision.Urgent:
		return -1
	case b.decision.Urgent && !a.decision.Urgent:
		return 1
	}
	if order := cmp.Compare(a.observation.Priority(), b.observation.Priority()); order != 0 {
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
