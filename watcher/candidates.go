package watcher

import (
	"container/heap"
	"time"
)

// A candidate is a file that settles, or a path of which nothing is known yet.
type candidate struct {
	sighting
	due     time.Time     // of its next look
	looked  time.Time     // at its last look
	backoff time.Duration // before its next look, when the last one found it whole long enough but not ready
	created bool          // it is new, so it may turn out to be a folder
	again   bool          // something happened to it while it was in hand
	place   int           // in the queue; inHand: a taker has it
}

const inHand = -1

// candidates are kept by path, and queued by when they are due.
type candidates struct {
	byPath map[string]*candidate
	queue  queue
}

// add makes a candidate of what is none yet. Its look is to be scheduled.
func (cs *candidates) add(s sighting) *candidate {
	c := &candidate{sighting: s, place: inHand}
	cs.byPath[s.path] = c
	return c
}

func (cs *candidates) schedule(c *candidate, due time.Time) {
	c.due = due
	if c.place == inHand {
		heap.Push(&cs.queue, c)
	} else {
		heap.Fix(&cs.queue, c.place)
	}
}

// first is the one that is due before all others; nil: there is none.
func (cs *candidates) first() *candidate {
	if len(cs.queue) == 0 {
		return nil
	}
	return cs.queue[0]
}

// hand takes the first out of the queue.
func (cs *candidates) hand() { heap.Pop(&cs.queue) }

func (cs *candidates) forget(c *candidate) { delete(cs.byPath, c.path) }

// clear forgets all that are queued.
func (cs *candidates) clear() {
	for _, c := range cs.queue {
		cs.forget(c)
	}
	cs.queue = nil
}

// queue is a heap.Interface.
type queue []*candidate

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	c := x.(*candidate)
	c.place = len(*q)
	*q = append(*q, c)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	c.place = inHand
	return c
}
