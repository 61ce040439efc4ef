package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/sandbox"
)

func TestWholeJobInFakeTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{Processing: 90 * time.Second})
		begun := time.Now()
		const name = "Größe 42 #1?.jpg"
		hash := c.upload(name, "image/jpeg", jpegOf(packshot(200, 160, 0)))
		id := c.create(sandbox.PackshotWhite, name, "image/jpeg", hash, `"labels":{"hotfolder_job":"7"}`)
		if d := c.details(id); d.Status != "CREATED" && d.Status != "ACTIVE" || d.ResultPath != nil || d.FinishedAt != nil {
			t.Errorf("at first %+v", d)
		}
		d := c.wait(id, "COMPLETED")
		if took := time.Since(begun); took < 90*time.Second || took > 92*time.Second {
			t.Errorf("took %v", took)
		}
		if *d.ResultFileName != "Größe 42 #1?.png" || *d.ResultContentType != "image/png" || d.Labels["hotfolder_job"] != "7" || d.ChargedCredits != 10 {
			t.Errorf("details %+v", d)
		}
		got := c.get("/v1"+escaped(*d.ResultPath)).want(t, 200)
		if sum := sha256.Sum256([]byte(got.body)); hex.EncodeToString(sum[:]) != *d.ResultContentHash {
			t.Error("the result has another hash than the details say")
		}
		b := s.Books()
		if b.Balance != 990 || b.Charged() != 10 || len(b.Executions) != 1 || len(b.Uploads) != 1 || b.Calls[sandbox.Create] != 1 || b.Calls[sandbox.Download] != 1 {
			t.Errorf("books %+v", b)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	s, c := open(t, sandbox.Options{})
	hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
	good := order("a.jpg", "image/jpeg", hash)
	labelled := func(labels string) string { return order("a.jpg", "image/jpeg", hash, `"labels":`+labels) }
	const batch = `"autoretouch_batch_id":"5b0b3c0e-6a5f-4b52-8f7c-0d6c1f1a2b3c"`
	for _, tt := range []struct {
		name, contentType, body string
		want                    int
	}{
		{"as text", "text/plain", good, 400},
		{"no JSON", "application/json", "image=a.jpg", 400},
		{"empty", "application/json", "", 400},
		{"two documents", "application/json", good + good, 400},
		{"unknown member", "application/json", order("a.jpg", "image/jpeg", hash, `"label":{}`), 400},
		{"no image", "application/json", `{"labels":{}}`, 400},
		{"no name", "application/json", order("", "image/jpeg", hash), 400},
		{"no hash", "application/json", order("a.jpg", "image/jpeg", ""), 400},
		{"no content type", "application/json", order("a.jpg", "", hash), 400},
		{"a path for a name", "application/json", order("x/a.jpg", "image/jpeg", hash), 400},
		{"another content type", "application/json", order("a.jpg", "image/png", hash), 400},
		{"unknown image", "application/json", order("a.jpg", "image/jpeg", strings.Repeat("0", 64)), 404},
		{"labels are a list", "application/json", labelled(`["a"]`), 400},
		{"label is a number", "application/json", labelled(`{"a":1}`), 400},
		{"label is null", "application/json", labelled(`{"a":null}`), 400},
		{"settings are a list", "application/json", order("a.jpg", "image/jpeg", hash, `"settings":[]`), 400},
		{"webhook is no URL", "application/json", order("a.jpg", "image/jpeg", hash, `"webhooks":["here"]`), 400},
		{"webhook is a file", "application/json", order("a.jpg", "image/jpeg", hash, `"webhooks":["file:///etc/passwd"]`), 400},
		{"webhooks are a string", "application/json", order("a.jpg", "image/jpeg", hash, `"webhooks":"http://x"`), 400},
		{"batch id alone", "application/json", labelled(`{` + batch + `}`), 400},
		{"batch without a date", "application/json", labelled(`{` + batch + `,"autoretouch_batch_name":"x"}`), 400},
		{"batch without an id", "application/json", labelled(`{"autoretouch_batch_name":"x","autoretouch_batch_createdAt":"2026-01-01"}`), 400},
		{"batch date is none", "application/json", labelled(`{` + batch + `,"autoretouch_batch_name":"x","autoretouch_batch_createdAt":"yesterday"}`), 400},
		{"batch id is none", "application/json", labelled(`{"autoretouch_batch_id":"1","autoretouch_batch_name":"x","autoretouch_batch_createdAt":"2026-01-01"}`), 400},
		{"too long", "application/json", labelled(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.do("POST", creating(sandbox.FastCheck), strings.NewReader(tt.body), "Content-Type", tt.contentType).want(t, tt.want)
		})
	}
	c.json("/v1/workflow/execution/create?workflow="+sandbox.FastCheck+"&organization="+sandbox.OtherOrganization, good).want(t, 404)
	if b := s.Books(); len(b.Executions) != 0 || b.Charged() != 0 || b.Balance != 1000 {
		t.Errorf("refused calls are in the books: %+v", b)
	}
}

func TestBatchesAgree(t *testing.T) {
	_, c := open(t, sandbox.Options{PassThrough: true})
	hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
	try := func(name, created string) answer {
		labels := `"labels":{"autoretouch_batch_id":"5b0b3c0e-6a5f-4b52-8f7c-0d6c1f1a2b3c","autoretouch_batch_name":"` + name + `","autoretouch_batch_createdAt":"` + created + `"}`
		return c.json(creating(sandbox.FastCheck), order("a.jpg", "image/jpeg", hash, labels))
	}
	try("Spring", "2026-03-01T08:00:00.123Z").want(t, 201)
	try("Spring", "2026-03-01T08:00:00.123Z").want(t, 201)
	try("Spring", "2026-03-01T08:00:01Z").want(t, 400)
	try("Summer", "2026-03-01T08:00:00.123Z").want(t, 400)
}

func TestCreateIsNotIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		first := c.create(sandbox.CatalogueJPEG, "a.jpg", "image/jpeg", hash)
		second := c.create(sandbox.CatalogueJPEG, "a.jpg", "image/jpeg", hash)
		a, b := c.wait(first, "COMPLETED"), c.wait(second, "COMPLETED")
		if first == second || *a.ResultContentHash != *b.ResultContentHash {
			t.Errorf("executions %s and %s, results %s and %s", first, second, *a.ResultContentHash, *b.ResultContentHash)
		}
		if books := s.Books(); books.Charged() != 10 || books.Balance != 990 {
			t.Errorf("charged %d, balance %d", books.Charged(), books.Balance)
		}
	})
}

func TestCreateWithTheFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{})
		body, contentType := form(file("file", "a b.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0))))
		id := c.do("POST", creating(sandbox.FastCheck)+"&label[colour]=red&label%5Bsize%5D=XL", body, "Content-Type", contentType).want(t, 201).body
		d := c.wait(id, "COMPLETED")
		if d.InputFileName != "a b.jpg" || d.Labels["colour"] != "red" || d.Labels["size"] != "XL" {
			t.Errorf("%+v", d)
		}
	})
}

// list is the answer of the list call.
type list struct {
	Entries []details
	Total   int
}

func TestList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{PassThrough: true})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		var ids []string
		for i := range 60 {
			flow := sandbox.FastCheck
			if i%2 == 1 {
				flow = sandbox.CatalogueJPEG
			}
			ids = append(ids, c.create(flow, "a.jpg", "image/jpeg", hash))
		}
		time.Sleep(time.Second)
		for _, tt := range []struct {
			query          string
			entries, total int
			first          int // index of the execution, -1: none
		}{
			{"?limit=50&offset=0", 50, 60, 59},
			{"?limit=50&offset=50", 10, 60, 9},
			{"", 50, 60, 59},
			{"?limit=1000", 50, 60, 59},
			{"?offset=60", 0, 60, -1},
			{"?workflow=" + sandbox.FastCheck + "&limit=3", 3, 30, 58},
			{"?workflow=" + sandbox.TransparentCut, 0, 0, -1},
		} {
			var got list
			c.get("/v1/workflow/execution"+tt.query).want(t, 200).decode(t, &got)
			if len(got.Entries) != tt.entries || got.Total != tt.total || tt.first >= 0 && (got.Entries[0].ID != ids[tt.first] || got.Entries[0].Status != "COMPLETED") {
				t.Errorf("%s: %d entries of %d", tt.query, len(got.Entries), got.Total)
			}
		}
		var none list
		c.do("GET", "/v1/workflow/execution?organization="+sandbox.OtherOrganization, nil).want(t, 200).decode(t, &none)
		c.do("GET", "/v1/workflow/execution/"+ids[0]+"?organization="+sandbox.OtherOrganization, nil).want(t, 404)
		if none.Total != 0 {
			t.Error("another organization sees the executions")
		}
	})
}

func TestListLags(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{PassThrough: true, Processing: 10 * time.Second, Faults: sandbox.Faults{ListLag: 4 * time.Second}})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
		begun := time.Now()
		for _, step := range []struct {
			at              time.Duration
			listed, details string
		}{
			{3 * time.Second, "", "ACTIVE"},
			{5 * time.Second, "ACTIVE", "ACTIVE"},
			{11 * time.Second, "ACTIVE", "COMPLETED"},
			{15 * time.Second, "COMPLETED", "COMPLETED"},
		} {
			time.Sleep(time.Until(begun.Add(step.at)))
			var got list
			c.get("/v1/workflow/execution").want(t, 200).decode(t, &got)
			switch {
			case step.listed == "" && got.Total != 0:
				t.Errorf("%v: listed too early", step.at)
			case step.listed != "" && (got.Total != 1 || got.Entries[0].Status != step.listed):
				t.Errorf("%v: %+v", step.at, got)
			case step.listed == "ACTIVE" && (got.Entries[0].ResultPath != nil || got.Entries[0].FinishedAt != nil):
				t.Errorf("%v: an ACTIVE execution with a result: %+v", step.at, got)
			}
			if d := c.details(id); d.Status != step.details {
				t.Errorf("%v: details say %s", step.at, d.Status)
			}
		}
	})
}

func TestPaymentAndRetry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{PassThrough: true, Credits: 12})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		paid := c.create(sandbox.PackshotWhite, "a.jpg", "image/jpeg", hash)
		unpaid := c.create(sandbox.PackshotWhite, "a.jpg", "image/jpeg", hash)
		c.wait(paid, "COMPLETED")
		if d := c.details(unpaid); d.Status != "PAYMENT_REQUIRED" || d.ChargedCredits != 0 {
			t.Fatalf("%+v", d)
		}
		retry := func(id string, want int) {
			t.Helper()
			c.do("POST", org("/v1/workflow/execution/"+id+"/retry"), nil).want(t, want)
		}
		retry(paid, 400)
		retry(unpaid, 204)
		if d := c.details(unpaid); d.Status != "PAYMENT_REQUIRED" {
			t.Errorf("without credits it is %s", d.Status)
		}
		s.SetCredits(10)
		retry(unpaid, 204)
		c.wait(unpaid, "COMPLETED")
		if b := s.Books(); b.Balance != 0 || b.Charged() != 20 || len(b.Charges) != 2 || b.Executions[1].Retries != 2 {
			t.Errorf("%+v", b)
		}

		s.SetCredits(10)
		s.SetFaults(sandbox.Faults{Fail: 1, FailTimes: 2})
		failing := c.create(sandbox.PackshotWhite, "a.jpg", "image/jpeg", hash)
		c.wait(failing, "FAILED")
		retry(failing, 204)
		c.wait(failing, "FAILED")
		retry(failing, 204)
		c.wait(failing, "COMPLETED")
		if b := s.Books(); b.Balance != 0 || len(b.Charges) != 3 || b.Executions[2].Attempts != 3 {
			t.Errorf("the retries of a failed execution were charged: %+v", b)
		}
		s.SetCredits(10)
		s.SetFaults(sandbox.Faults{Fail: 1})
		hopeless := c.create(sandbox.PackshotWhite, "a.jpg", "image/jpeg", hash)
		for range 5 {
			c.wait(hopeless, "FAILED")
			retry(hopeless, 204)
		}
		c.wait(hopeless, "FAILED")
	})
}

func TestCutShortPictureFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{})
		whole := jpegOf(packshot(400, 300, 0))
		hash := c.upload("a.jpg", "image/jpeg", whole[:len(whole)/2])
		d := c.wait(c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash), "FAILED")
		if d.ResultPath != nil || d.FinishedAt == nil || s.Books().Executions[0].Reason == "" {
			t.Errorf("%+v, reason %q", d, s.Books().Executions[0].Reason)
		}
	})
}

func TestFeedback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, c := open(t, sandbox.Options{PassThrough: true})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
		path := org("/v1/workflow/execution/" + id + "/feedback")
		c.json(path, `{"expectedImages":[]}`).want(t, 400)
		c.json(path, `{"thumbsUp":"yes"}`).want(t, 400)
		c.json(path, `{"thumbsUp":true,"expectedImages":["`+strings.Repeat("0", 64)+`"]}`).want(t, 404)
		if d := c.details(id); d.Feedback != nil {
			t.Errorf("feedback before there is any: %+v", d.Feedback)
		}
		c.json(path, `{"thumbsUp":true,"expectedImages":["`+hash+`"]}`).want(t, 204)
		if d := c.details(id); d.Feedback == nil || !d.Feedback.ThumbsUp {
			t.Errorf("feedback %+v", d.Feedback)
		}
	})
}

func TestDefaultResultWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := open(t, sandbox.Options{PassThrough: true, Processing: time.Minute})
		hash := c.upload("a.jpg", "image/jpeg", jpegOf(packshot(40, 30, 0)))
		begun := time.Now()
		id := c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
		a := c.get("/v1/workflow/execution/"+id+"/result/default").want(t, 200)
		sum := sha256.Sum256([]byte(a.body))
		if took := time.Since(begun); took != time.Minute || hex.EncodeToString(sum[:]) != *c.details(id).ResultContentHash {
			t.Errorf("%d bytes after %v", len(a.body), took)
		}
		s.SetFaults(sandbox.Faults{Fail: 1})
		id = c.create(sandbox.FastCheck, "a.jpg", "image/jpeg", hash)
		c.get("/v1/workflow/execution/"+id+"/result/default").want(t, 422)
	})
}

// TestBooksUnderLoad has a hundred clients work at once, and holds the books against what they did.
func TestBooksUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const clients, pictures = 100, 3
		s, c := open(t, sandbox.Options{PassThrough: true, Credits: 200, Processing: 2 * time.Second, Workers: 4})
		var wg sync.WaitGroup
		for n := range clients {
			wg.Go(func() {
				for i := range pictures {
					name := fmt.Sprintf("%d-%d.png", n, i)
					hash := c.upload(name, "image/png", pngOf(packshot(12, 12, n*pictures+i)))
					id := c.create(sandbox.FastCheck, name, "image/png", hash, fmt.Sprintf(`"labels":{"n":"%d"}`, n*pictures+i))
					if d := c.details(id); d.Status == "PAYMENT_REQUIRED" {
						continue
					}
					d := c.wait(id, "COMPLETED")
					c.get("/v1"+escaped(*d.ResultPath)).want(t, 200)
				}
			})
		}
		wg.Wait()
		b := s.Books()
		labels, paid := map[string]bool{}, 0
		for _, e := range b.Executions {
			labels[e.Labels["n"]] = true
			paid += e.Charged
			if (e.Charged == 1) != (e.Status == "COMPLETED") {
				t.Errorf("%s is %s, charged %d", e.ID, e.Status, e.Charged)
			}
		}
		if len(labels) != clients*pictures || len(b.Executions) != clients*pictures || len(b.Uploads) != clients*pictures {
			t.Errorf("%d labels, %d executions, %d uploads", len(labels), len(b.Executions), len(b.Uploads))
		}
		if paid != 200 || b.Charged() != 200 || b.Balance != 0 || b.Calls[sandbox.Download] != 200 || b.Calls[sandbox.Create] != 300 {
			t.Errorf("paid %d, charged %d, balance %d, calls %v", paid, b.Charged(), b.Balance, b.Calls)
		}
		if p := b.Peak[sandbox.Create]; p < 1 || p > clients {
			t.Errorf("peak %v", b.Peak)
		}
	})
}
