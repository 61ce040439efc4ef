package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hotfolder/sandbox"
)

func TestCallFaults(t *testing.T) {
	once := sandbox.Chance{Count: 1}
	for _, tt := range []struct {
		name       string
		faults     sandbox.Faults
		statuses   []int
		retryAfter string
		html       bool
	}{
		{"too many", sandbox.Faults{TooMany: once}, []int{429}, "", false},
		{"too many, come back", sandbox.Faults{TooMany: once, RetryAfter: 1500 * time.Millisecond}, []int{429}, "2", false},
		{"server error", sandbox.Faults{ServerError: once}, []int{500, 502, 503}, "", false},
		{"portal", sandbox.Faults{Portal: once}, []int{200}, "", true},
		{"proxy", sandbox.Faults{Portal: once, PortalStatus: 502}, []int{502}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := open(t, sandbox.Options{Faults: tt.faults})
			a := c.get("/v1/organization/balance")
			var ok bool
			for _, want := range tt.statuses {
				ok = ok || a.status == want
			}
			if html := strings.Contains(a.body, "<html>"); !ok || html != tt.html || a.header.Get("Retry-After") != tt.retryAfter {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			if b := c.get("/v1/organization/balance").want(t, 200); b.body != "1000" {
				t.Errorf("the next call: %s", b.body)
			}
			if n := s.Books().Calls[sandbox.Balance]; n != 2 {
				t.Errorf("%d calls in the books", n)
			}
		})
	}
}

func TestFaultsAtOneEndpoint(t *testing.T) {
	_, c := open(t, sandbox.Options{Faults: sandbox.Faults{ServerError: sandbox.Chance{P: 1, At: []string{sandbox.Workflows}}}})
	c.get("/v1/organization/balance").want(t, 200)
	if a := c.get("/v1/workflow"); a.status < 500 {
		t.Errorf("status %d", a.status)
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	run := func(seed uint64) (statuses string) {
		_, c := open(t, sandbox.Options{Seed: seed, Faults: sandbox.Faults{TooMany: sandbox.Chance{P: 0.5}}})
		for range 64 {
			statuses += c.get("/v1/organization/balance").body[:1]
		}
		return statuses
	}
	first := run(1)
	if first != run(1) || first == run(2) || !strings.Contains(first, "{") || !strings.Contains(first, "1") {
		t.Errorf("%s\n%s\n%s", first, run(1), run(2))
	}
}

func TestLatency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{Faults: sandbox.Faults{Latency: 3 * time.Second}})
		begun := time.Now()
		c.get("/v1/workflow").want(t, 200)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestDroppedConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{PassThrough: true})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		drop := sandbox.Chance{Count: 1, At: []string{sandbox.Create}}
		for _, tt := range []struct {
			name    string
			faults  sandbox.Faults
			created int
		}{
			{"before", sandbox.Faults{DropBefore: drop}, 0},
			{"after", sandbox.Faults{DropAfter: drop}, 1},
		} {
			s.SetFaults(tt.faults)
			_, err := c.try("POST", creating(sandbox.FastCheck), strings.NewReader(order("a.jpg", "image/jpeg", hash)), "Content-Type", "application/json")
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: error %v", tt.name, err)
			}
			if b := s.Books(); len(b.Executions) != tt.created || b.Charged() != tt.created {
				t.Errorf("%s: %d executions, %d credits", tt.name, len(b.Executions), b.Charged())
			}
		}
		time.Sleep(time.Second)
		if e := s.Books().Executions[0]; e.Status != "COMPLETED" {
			t.Errorf("the execution whose answer was lost is %s", e.Status)
		}
	})
}

func TestBentBodies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		jpg := jpegOf(packshot(900, 700, 0)) // longer than what an answer may hold back
		path := org("/v1/image/" + c.upload("a.jpg", "image/jpeg", jpg) + "/a.jpg")
		once := sandbox.Chance{Count: 1}

		s.SetFaults(sandbox.Faults{Truncate: once})
		if a, err := c.try("GET", path, nil); err != nil || len(a.body) != len(jpg)/2 || a.body != string(jpg[:len(jpg)/2]) {
			t.Errorf("truncated: %d of %d bytes, %v", len(a.body), len(jpg), err)
		}
		s.SetFaults(sandbox.Faults{CutShort: once})
		if a, err := c.try("GET", path, nil); !errors.Is(err, io.ErrUnexpectedEOF) || len(a.body) != len(jpg)/2 {
			t.Errorf("cut short: %d of %d bytes, %v", len(a.body), len(jpg), err)
		}
		s.SetFaults(sandbox.Faults{Corrupt: once})
		a, err := c.try("GET", path, nil)
		wrong := 0
		for i := range min(len(a.body), len(jpg)) {
			if a.body[i] != jpg[i] {
				wrong++
			}
		}
		if err != nil || len(a.body) != len(jpg) || wrong != 1 {
			t.Errorf("corrupt: %d of %d bytes, %d wrong, %v", len(a.body), len(jpg), wrong, err)
		}
		s.SetFaults(sandbox.Faults{Stall: once})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		resp, err := c.http.Do(c.request(ctx, "GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !errors.Is(err, context.DeadlineExceeded) || len(body) != len(jpg)/2 || resp.ContentLength != int64(len(jpg)) {
			t.Errorf("stalled: %d of %d bytes, %v", len(body), len(jpg), err)
		}
		if a := c.do("GET", path, nil); a.body != string(jpg) {
			t.Error("after the faults the download is still wrong")
		}
	})
}

func TestStalledUpload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{Faults: sandbox.Faults{StallRead: sandbox.Chance{Count: 1}}})
		body, contentType := form(file("file", "a.jpg", "image/jpeg", jpegOf(packshot(400, 300, 0))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.http.Do(c.request(ctx, "POST", org("/upload"), bytes.NewReader(body.Bytes()), "Content-Type", contentType))
		if !errors.Is(err, context.DeadlineExceeded) || len(s.Books().Uploads) != 0 {
			t.Errorf("%v, uploads %+v", err, s.Books().Uploads)
		}
		c.do("POST", org("/upload"), body, "Content-Type", contentType).want(t, 201)
	})
}

func TestHugeAnswer(t *testing.T) {
	_, c := open(t, sandbox.Options{Faults: sandbox.Faults{Huge: sandbox.Chance{Count: 1}}})
	resp, err := c.http.Do(c.request(t.Context(), "GET", org("/v1/workflow"), nil))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 20<<20))
	if err != nil || n != 20<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	resp.Body.Close() // and Close of the sandbox does not hang
}

func TestExecutionFates(t *testing.T) {
	for _, tt := range []struct {
		name     string
		faults   sandbox.Faults
		statuses []string // polled each minute, from half a minute after creation on; "404": gone
	}{
		{"as it should be", sandbox.Faults{}, []string{"ACTIVE", "COMPLETED"}},
		{"slow", sandbox.Faults{Slow: 1, SlowFor: time.Minute}, []string{"ACTIVE", "ACTIVE", "COMPLETED"}},
		{"in QA", sandbox.Faults{InQA: 1, QAFor: 2 * time.Minute}, []string{"ACTIVE", "IN_QA", "IN_QA", "COMPLETED"}},
		{"unknown", sandbox.Faults{UnknownStatus: 1, UnknownFor: time.Minute}, []string{"ACTIVE", "SECOND_REVIEW", "COMPLETED"}},
		{"failed", sandbox.Faults{Fail: 1}, []string{"ACTIVE", "FAILED", "FAILED"}},
		{"vanished", sandbox.Faults{Vanish: 1}, []string{"ACTIVE", "404", "404"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, c := open(t, sandbox.Options{PassThrough: true, Processing: time.Minute, Faults: tt.faults})
				hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
				id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
				s.SetFaults(sandbox.Faults{}) // what was drawn stays
				time.Sleep(30 * time.Second)
				for i, want := range tt.statuses {
					if want == "404" {
						c.get("/v1/workflow/execution/"+id).want(t, 404)
						if l := c.get("/v1/workflow/execution"); !strings.Contains(l.body, `"total":0`) {
							t.Errorf("the list still has it: %s", l.body)
						}
					} else if d := c.details(id); d.Status != want {
						t.Errorf("after %d minutes: %s, want %s", i, d.Status, want)
					}
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

func TestResultFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{PassThrough: true, Faults: sandbox.Faults{ResultName: "../../evil"}})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		d := c.wait(c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash), "COMPLETED")
		if *d.ResultFileName != "../../evil" || !strings.HasSuffix(*d.ResultPath, "/../../evil") {
			t.Errorf("%s at %s", *d.ResultFileName, *d.ResultPath)
		}
		s.SetFaults(sandbox.Faults{ResultGone: 1})
		d = c.wait(c.create(sandbox.CatalogueJPEG, "a.jpg", "image/jpeg", hash), "COMPLETED")
		c.get("/v1"+escaped(*d.ResultPath)).want(t, http.StatusNotFound)
	})
}
