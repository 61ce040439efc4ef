package sandbox

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// process carries an execution from CREATED to its end, or for one that failed and is retried, once more.
func (s *Server) process(e *execution) {
	select {
	case s.slots <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	began := s.start(e)
	result, name, err := s.work(s.ctx, e)
	if err == nil {
		result, err = s.spoil(e, result)
	}
	<-s.slots

	if err == nil && s.breaks(e) {
		err = errors.New("the sandbox was asked to fail it")
	}
	if !s.sleep(s.ctx, time.Until(began.Add(s.opts.Processing+e.fate.slow))) {
		return
	}
	if err != nil {
		s.fail(e, err)
		return
	}
	if !s.detour(e, StatusLater, e.fate.later) || !s.detour(e, StatusInQA, e.fate.qa) {
		return
	}
	s.complete(e, result, name)
}

func (s *Server) start(e *execution) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.StartedAt = time.Now()
	e.Attempts++
	s.setStatusLocked(e, StatusActive)
	return e.StartedAt
}

// work makes the result and its file name.
func (s *Server) work(ctx context.Context, e *execution) (*storedImage, string, error) {
	if s.opts.PassThrough {
		img, err := passThrough(e.image, e.Workflow+e.WorkflowVersion)
		return img, e.InputName, err
	}
	img, err := s.retouch(ctx, e.image, e.workflow.recipe)
	if err != nil {
		return nil, "", err
	}
	c, _ := codecOf(img.contentType)
	return img, withExtension(e.InputName, c.extension), nil
}

// breaks tells whether this try of the execution is one that shall fail.
func (s *Server) breaks(e *execution) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.fate.fails < 0 || e.Attempts <= e.fate.fails
}

// detour lets an execution stay in a status for a while; false: the sandbox ended meanwhile.
func (s *Server) detour(e *execution, status string, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	s.mu.Lock()
	s.setStatusLocked(e, status)
	s.mu.Unlock()
	return s.sleep(s.ctx, d)
}

func (s *Server) fail(e *execution, reason error) {
	s.log.Info("execution failed", "execution", e.ID, "err", reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.FinishedAt, e.Reason = time.Now(), reason.Error()
	s.setStatusLocked(e, StatusFailed)
}

func (s *Server) complete(e *execution, result *storedImage, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.fate.vanishes {
		e.Vanished = true
		return
	}
	if s.faults.ResultName != "" {
		name = s.faults.ResultName
	}
	e.ResultHash, e.ResultType, e.ResultName = result.hash, cmp.Or(s.faults.ResultType, result.contentType), name
	e.FinishedAt = time.Now()
	if !e.fate.resultGone {
		s.storeLocked(e.Organization, result, name)
	}
	s.setStatusLocked(e, StatusCompleted)
}

// setStatusLocked is the only place where a status changes.
func (s *Server) setStatusLocked(e *execution, status string) {
	e.Status = status
	e.history = append(e.history, statusChange{time.Now(), status})
	close(e.changed)
	e.changed = make(chan struct{})
	s.announceLocked(e)
}
