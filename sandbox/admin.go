package sandbox

import (
	"io"
	"net"
	"net/http"
	"strconv"

	"gopkg.in/yaml.v3"
)

// addAdmin serves the sandbox's own paths, for those who run it as another process:
//
//	GET    /_sandbox/books                        the Books as JSON
//	GET    /_sandbox/faults                       the Faults as YAML
//	PUT    /_sandbox/faults                       replaces them; YAML or JSON, see Faults
//	POST   /_sandbox/credits?set=N                SetCredits
//	POST   /_sandbox/revoke?tokens=access|refresh RevokeTokens, RevokeRefreshTokens
//	POST   /_sandbox/refresh-token                RefreshToken, as plain text
//	DELETE /_sandbox/images/{hash}                RemoveImage
func (s *Server) addAdmin(mux *http.ServeMux) {
	add := func(pattern string, serve endpoint) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := refusef(http.StatusForbidden, "Only for this computer")
			if isLoopback(r) {
				err = serve(w, r)
			}
			if err != nil {
				refuse(w, r, err)
			}
		})
	}
	add("GET /_sandbox/books", func(w http.ResponseWriter, _ *http.Request) error {
		return writeJSON(w, http.StatusOK, s.Books())
	})
	add("GET /_sandbox/faults", s.showFaults)
	add("PUT /_sandbox/faults", s.putFaults)
	add("POST /_sandbox/credits", func(w http.ResponseWriter, r *http.Request) error {
		n, err := strconv.Atoi(r.URL.Query().Get("set"))
		if err != nil {
			return refusef(http.StatusBadRequest, "Parameter 'set' must be a number of credits")
		}
		s.SetCredits(n)
		return noContent(w)
	})
	add("POST /_sandbox/revoke", func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Query().Get("tokens") {
		case "access":
			s.RevokeTokens()
		case "refresh":
			s.RevokeRefreshTokens()
		default:
			return refusef(http.StatusBadRequest, "Parameter 'tokens' must be access or refresh")
		}
		return noContent(w)
	})
	add("POST /_sandbox/refresh-token", func(w http.ResponseWriter, _ *http.Request) error {
		return writeText(w, http.StatusCreated, s.RefreshToken())
	})
	add("DELETE /_sandbox/images/{hash}", func(w http.ResponseWriter, r *http.Request) error {
		s.RemoveImage(r.PathValue("hash"))
		return noContent(w)
	})
}

func (s *Server) showFaults(w http.ResponseWriter, _ *http.Request) error {
	text, err := yaml.Marshal(s.Faults())
	if err != nil {
		return err
	}
	return writeBody(w, http.StatusOK, "application/yaml", text)
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) error {
	f, err := ReadFaults(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return refusef(http.StatusBadRequest, "Not faults: %v", err)
	}
	s.SetFaults(f)
	return noContent(w)
}

// ReadFaults reads Faults from YAML or JSON; unknown names are errors, an empty document is no faults.
func ReadFaults(r io.Reader) (Faults, error) {
	var f Faults
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && err != io.EOF {
		return Faults{}, err
	}
	return f, nil
}

func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func isLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}
