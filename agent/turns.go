package agent

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"
)

// turns say in which order hot folders are served wherever they share something: those with a higher priority first, those with
// the same by turns, so that three pictures are not stuck behind ten thousand of another folder.
type turns [][]*folder // by priority; of each, the one first whose turn it is

func newTurns(folders []*folder) (t turns) {
	sorted := slices.SortedStableFunc(slices.Values(folders), func(f, g *folder) int { return cmp.Compare(g.Priority, f.Priority) })
	for i, f := range sorted {
		if i == 0 || f.Priority != sorted[i-1].Priority {
			t = append(t, nil)
		}
		t[len(t)-1] = append(t[len(t)-1], f)
	}
	return t
}

// served lets the others of its priority be first.
func (t turns) served(f *folder) {
	for _, same := range t {
		if i := slices.Index(same, f); i >= 0 {
			copy(same[i:], same[i+1:])
			same[len(same)-1] = f
		}
	}
}

// slots bound how much is done at once; who waits for one gets it by turns. Who holds one and waits long for a file system lends it to
// the others: on a share that hangs that may be for ever.
type slots struct {
	mu      sync.Mutex
	free    int
	turns   turns
	waiting map[*folder][]chan struct{}
}

func newSlots(n int, folders []*folder) *slots {
	return &slots{free: n, turns: newTurns(folders), waiting: map[*folder][]chan struct{}{}}
}

// take waits for a slot, which is to be given back, until ctx ends.
func (s *slots) take(ctx context.Context, f *folder) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	s.waiting[f] = append(s.waiting[f], mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting[f], mine); i >= 0 {
		s.waiting[f] = slices.Delete(s.waiting[f], i, i+1)
	} else { // it came in the same moment
		s.giveLocked()
	}
	return ctx.Err()
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveLocked()
}

func (s *slots) giveLocked() {
	for _, same := range s.turns {
		for _, f := range same {
			if waiting := s.waiting[f]; len(waiting) > 0 {
				close(waiting[0])
				s.waiting[f] = waiting[1:]
				s.turns.served(f)
				return
			}
		}
	}
	s.free++
}

// lendAfter is how long the holder of a slot waits for a file system before it lends it.
const lendAfter = 3 * time.Second

// during makes a call to a file system for the holder of a slot.
func (s *slots) during(f *folder, call func() error) error {
	lend := time.AfterFunc(lendAfter, s.give)
	err := call()
	if !lend.Stop() {
		_ = s.take(context.Background(), f) // its holder is to give it back
	}
	return err
}

// reader and writer are a file of the holder of a slot.
func (s *slots) reader(f *folder, file io.ReadSeeker) io.ReadSeeker { return slotReader{file, s, f} }
func (s *slots) writer(f *folder, file io.Writer) io.Writer         { return slotWriter{file, s, f} }

type slotReader struct {
	io.ReadSeeker
	slots  *slots
	folder *folder
}

func (r slotReader) Read(p []byte) (n int, err error) {
	err = r.slots.during(r.folder, func() (err error) { n, err = r.ReadSeeker.Read(p); return err })
	return n, err
}

type slotWriter struct {
	io.Writer
	slots  *slots
	folder *folder
}

func (w slotWriter) Write(p []byte) (n int, err error) {
	err = w.slots.during(w.folder, func() (err error) { n, err = w.Writer.Write(p); return err })
	return n, err
}
