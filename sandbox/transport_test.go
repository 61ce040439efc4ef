package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/sandbox"
)

func TestRequestBodyStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		whole, contentType := form(file("file", "a.jpg", "image/jpeg", jpegOf(packshot(400, 300, 0))))
		pr, pw := io.Pipe()
		go func() { // a slow sender
			for whole.Len() > 0 {
				time.Sleep(time.Second)
				if _, err := pw.Write(whole.Next(1000)); err != nil {
					return
				}
			}
			pw.Close()
		}()
		c.do("POST", org("/upload"), pr, "Content-Type", contentType).want(t, 201)
		if took := s.Books().Uploads[0].Size / 1000; time.Duration(took)*time.Second < 3*time.Second {
			t.Fatalf("the picture is too small for this test: %d", took)
		}
	})
}

func TestSenderIsReleasedOnRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{})
		pr, pw := io.Pipe()
		c.do("POST", "/upload", pr).want(t, 400) // no organization: nobody reads the body
		if _, err := pw.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the sender got %v", err)
		}
	})
}

func TestWrongContentLength(t *testing.T) {
	_, c := open(t, sandbox.Options{})
	for _, off := range []int64{-1, 1} {
		body, contentType := form(file("file", "a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0))))
		req := c.request(t.Context(), "POST", org("/upload"), body, "Content-Type", contentType)
		req.ContentLength += off
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("off by %d: status %d", off, resp.StatusCode)
		}
	}
}

func TestCancelledCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{Faults: sandbox.Faults{Latency: time.Hour}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := c.http.Do(c.request(ctx, "GET", org("/v1/workflow"), nil))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestCloseBreaksCallsOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{PassThrough: true, Processing: time.Hour})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
		ended := make(chan error)
		go func() {
			resp, err := c.http.Get("http://sandbox/health")
			if err == nil {
				resp.Body.Close()
			}
			resp, err = c.http.Do(c.request(context.Background(), "GET", org("/v1/workflow/execution/"+id+"/result/default"), nil))
			if err == nil {
				resp.Body.Close()
			}
			ended <- err
		}()
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		<-ended
		if _, err := c.http.Get("http://sandbox/health"); err == nil {
			t.Error("a closed sandbox answers")
		}
	})
}

func TestAbandonedBodyDoesNotHoldClose(t *testing.T) {
	s, c := open(t, sandbox.Options{})
	jpg := jpegOf(packshot(900, 700, 0))
	resp, err := c.http.Do(c.request(t.Context(), "GET", org("/v1/image/"+c.upload("a.jpg", "image/jpeg", jpg)+"/a.jpg"), nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // while the body was neither read nor closed
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the body came to its end after Close")
	}
}

// TestAnswersLikeNetHTTP checks the marks that clients rely on.
func TestAnswersLikeNetHTTP(t *testing.T) {
	s, c := open(t, sandbox.Options{})
	jpg := jpegOf(packshot(900, 700, 0))
	hash := c.upload("a.jpg", "image/jpeg", jpg)
	for _, tt := range []struct {
		method, path string
		status       int
		length       int64
	}{
		{"GET", org("/v1/organization/balance"), 200, 4},
		{"GET", org("/v1/image/" + hash + "/a.jpg"), 200, int64(len(jpg))},
		{"HEAD", org("/upload?contentHash=" + hash), 200, -1},
	} {
		resp, err := s.InProcess().RoundTrip(c.request(t.Context(), tt.method, tt.path, nil))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || resp.ContentLength != tt.length || tt.length >= 0 && int64(len(body)) != tt.length {
			t.Errorf("%s %s: %s, length %d, %d bytes, %v", tt.method, tt.path, resp.Status, resp.ContentLength, len(body), err)
		}
	}
	var asIs http.RoundTripper = s.InProcess()
	req := c.request(t.Context(), "GET", org("/v1/workflow"), nil, "Authorization", "")
	if resp, err := asIs.RoundTrip(req); err != nil || resp.Status != "401 Unauthorized" || resp.Request != req || strings.Contains(resp.Proto, "2") {
		t.Errorf("%v, %v", resp, err)
	}
}
