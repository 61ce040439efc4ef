package sandbox

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// ConfirmDevice is the person who lets a device in.
func (s *Server) ConfirmDevice(userCode string) error { return s.answerDevice(userCode, confirmed) }

// DenyDevice is the person who refuses a device.
func (s *Server) DenyDevice(userCode string) error { return s.answerDevice(userCode, denied) }

func (s *Server) answerDevice(userCode string, answer deviceAnswer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if strings.EqualFold(d.userCode, strings.TrimSpace(userCode)) && time.Now().Before(d.expires) {
			d.answer = answer
			return nil
		}
	}
	return fmt.Errorf("sandbox: no login waits with the code %q", userCode)
}

var activatePage = template.Must(template.New("activate").Parse(`<!doctype html><meta charset="utf-8"><title>Sandbox login</title>
<body style="font:18px sans-serif;max-width:32em;margin:4em auto"><h1>AutoRetouch sandbox</h1>{{with .Message}}<p>{{.}}</p>{{else}}
<form method="post"><p>Does your device show this code?</p><p><input name="user_code" value="{{.Code}}" style="font:inherit"></p>
<p><button name="answer" value="confirm">Confirm</button> <button name="answer" value="deny">Refuse</button></p></form>{{end}}
`))

// addActivation serves the page at verification_uri, where a person answers: with a browser, or with
// curl -d user_code=CODE -d answer=confirm URL.
func (s *Server) addActivation(mux *http.ServeMux) {
	show := func(w http.ResponseWriter, status int, code, message string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = activatePage.Execute(w, map[string]string{"Code": code, "Message": message})
	}
	mux.HandleFunc("GET /activate", func(w http.ResponseWriter, r *http.Request) {
		show(w, http.StatusOK, r.FormValue("user_code"), "")
	})
	mux.HandleFunc("POST /activate", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		answer, ok := map[string]deviceAnswer{"confirm": confirmed, "deny": denied}[r.PostFormValue("answer")]
		if !ok {
			show(w, http.StatusBadRequest, "", "The answer must be confirm or deny.")
		} else if err := s.answerDevice(r.PostFormValue("user_code"), answer); err != nil {
			show(w, http.StatusNotFound, "", "No login waits with this code.")
		} else {
			show(w, http.StatusOK, "", "Thank you. You can close this page.")
		}
	})
}
