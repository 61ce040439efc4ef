package autoretouch

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"path"
)

// maxHook is how long a webhook's payload may be, in bytes: an execution's details are some kilobytes.
const maxHook = 256 << 10

// Webhook is a handler for what the API announces of executions (API.md, Webhooks). Who posts to a path whose last segment is the
// secret is heard, whatever a proxy made of what stands before it; everything else is answered with 404. What is posted is not
// signed: it is a hint to ask for the execution, and no more. announced is called with each and must not block; false says that it
// could not be noted, which the answer passes on.
func Webhook(secret string, announced func(Execution) (noted bool)) http.Handler {
	want := sha256.Sum256([]byte(secret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(hear(r, want, announced))
	})
}

// hear reads a webhook and returns the status to answer with.
func hear(r *http.Request, want [sha256.Size]byte, announced func(Execution) bool) int {
	got := sha256.Sum256([]byte(path.Base(r.URL.Path))) // so that not even the length shows in the time that it takes
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || r.Method != http.MethodPost {
		return http.StatusNotFound
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxHook+1))
	if err != nil || len(body) > maxHook {
		return http.StatusRequestEntityTooLarge
	}
	var hook struct{ Content Execution }
	if json.Unmarshal(body, &hook) != nil || hook.Content.ID == "" {
		return http.StatusBadRequest
	}
	if !announced(hook.Content) {
		return http.StatusServiceUnavailable
	}
	return http.StatusNoContent
}
