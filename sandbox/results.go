package sandbox

import (
	"io"
	"net/http"
	"strconv"
)

// download answers with a stored picture: a result, or an upload.
func (s *Server) download(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	img := s.images[imageKey{r.URL.Query().Get("organization"), r.PathValue("hash")}]
	known := img != nil && img.names[r.PathValue("name")]
	s.mu.Unlock()
	if !known {
		return refusef(http.StatusNotFound, "Image not found")
	}
	return send(w, img)
}

// defaultResult waits until the execution is done and answers with its result.
func (s *Server) defaultResult(w http.ResponseWriter, r *http.Request) error {
	for {
		s.mu.Lock()
		e, err := s.findLocked(r)
		if err != nil {
			s.mu.Unlock()
			return err
		}
		status, changed := e.Status, e.changed
		img := s.images[imageKey{e.Organization, e.ResultHash}]
		s.mu.Unlock()

		switch status {
		case StatusCompleted:
			if img == nil {
				return refusef(http.StatusNotFound, "Image not found")
			}
			return send(w, img)
		case StatusFailed, StatusPaymentRequired:
			return refusef(http.StatusUnprocessableEntity, "The execution has no result, it is %s", status)
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return r.Context().Err()
		case <-s.ctx.Done():
			return errClosed
		}
	}
}

func send(w http.ResponseWriter, img *storedImage) error {
	body, size, err := img.content.open()
	if err != nil {
		return err
	}
	defer body.Close()
	w.Header().Set("Content-Type", img.contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, body) // the client that went away is told nothing
	return nil
}
