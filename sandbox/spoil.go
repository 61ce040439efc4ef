package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// spoil makes of a result what Faults.ResultIs says. Its hash is right, so only who looks into it can tell.
func (s *Server) spoil(e *execution, result *storedImage) (*storedImage, error) {
	switch is := s.Faults().ResultIs; is {
	case "":
		return result, nil
	case "input":
		again := *e.image
		again.names = map[string]bool{}
		return &again, nil
	case "half":
		body, size, err := result.content.open()
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return s.instead(result, io.LimitReader(body, size/2))
	case "empty":
		return s.instead(result, strings.NewReader(""))
	case "text":
		return s.instead(result, strings.NewReader("Internal Server Error"))
	default:
		return nil, fmt.Errorf("the sandbox knows no results that are %q", is)
	}
}

// instead is a result with another content.
func (s *Server) instead(result *storedImage, content io.Reader) (*storedImage, error) {
	f, err := os.CreateTemp(s.dir, "result-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // nothing once it is kept
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), content)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	out := storedImage{hash: hex.EncodeToString(sum.Sum(nil)), contentType: result.contentType, size: size, names: map[string]bool{}}
	out.content.path, err = s.keep(f.Name(), out.hash)
	return &out, err
}
