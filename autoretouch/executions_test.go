package autoretouch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"hotfolder/autoretouch"
)

func TestCreate(t *testing.T) {
	var body string
	w := &world{api: func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		w.WriteHeader(201)
		io.WriteString(w, "exec-1\n")
	}}
	c := newClient(t, options(w))
	id, err := c.Create(t.Context(), autoretouch.NewExecution{
		Workflow: "flow&1", Version: "v 2", Name: "ä\xff.jpg", ContentHash: hash, ContentType: "image/jpeg",
		Labels: map[string]string{"hotfolder_job": "7"}, Settings: map[string]any{"dpi": 300}, Webhooks: []string{"https://x.test/h"},
	})
	if id != "exec-1" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	want := `{"image":{"name":"ä` + "\ufffd" + `.jpg","contentHash":"` + hash + `","contentType":"image/jpeg"},` +
		`"labels":{"hotfolder_job":"7"},"settings":{"dpi":300},"webhooks":["https://x.test/h"]}`
	if unescaped := strings.ReplaceAll(body, `\ufffd`, "\ufffd"); unescaped != want {
		t.Errorf("body %s, want %s", body, want)
	}
	r := w.seen[0]
	if got := r.URL.String(); got != apiURL+"/v1/workflow/execution/create?organization=org-1&version=v+2&workflow=flow%261" {
		t.Error(got)
	}
	if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "hotfolder" {
		t.Error(r.Header)
	}
}

func TestCreateRefusesOddIDs(t *testing.T) {
	for _, id := range []string{"", " ", "a b", "a/b", "..", "a\x00b", `{"id":1}`, strings.Repeat("x", 201), "a\nb", "ä\u202eb"} {
		_, err := answering(t, 201, id).Create(t.Context(), autoretouch.NewExecution{Workflow: "w"})
		if err == nil || !autoretouch.MaybeHandled(err) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// The 404 of Create is the picture's or the configuration's.
func TestCreateNotFound(t *testing.T) {
	for name, test := range map[string]struct {
		head  int
		class autoretouch.Class
		want  error
	}{
		"workflow":         {200, config, autoretouch.ErrNotFound},
		"picture":          {404, transient, autoretouch.ErrNoImage},
		"cannot be told":   {503, transient, nil},
		"organization 403": {403, config, nil},
	} {
		c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(test.head)
				return
			}
			w.WriteHeader(404)
			io.WriteString(w, `{"message":"No such thing"}`)
		}}))
		_, err := c.Create(t.Context(), autoretouch.NewExecution{Workflow: "w", ContentHash: hash})
		if autoretouch.ClassOf(err) != test.class || (test.want != nil && !errors.Is(err, test.want)) || autoretouch.MaybeHandled(err) {
			t.Errorf("%s: %v (class %v)", name, err, autoretouch.ClassOf(err))
		}
	}
}

const details = `{"id":"exec-1","workflow":"flow-1","workflowVersion":"v2","workflowName":"Packshots","organizationId":"org-1",
"status":"COMPLETED","userId":"u","createdAt":"2026-11-23T10:00:00Z","startedAt":"2026-11-23T12:00:01.250+02:00",
"finishedAt":"2026-11-23T10:00:02","inputFileName":"a.jpg","inputContentHash":"` + hash + `","intermediateResult":null,
"resultContentHash":"` + hash + `","resultContentType":"image/png","resultFileName":"a.png","resultPreviewContentHash":null,
"resultPath":"/image/` + hash + `/a.png","labels":{"hotfolder_job":"7"},"chargedCredits":10,"feedback":null,"fastlane":false,"webhooks":[]}`

var wantDetails = autoretouch.Execution{
	ID: "exec-1", Workflow: "flow-1", WorkflowVersion: "v2", Status: autoretouch.Completed,
	Created:   time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	Started:   time.Date(2026, 11, 23, 10, 0, 1, 250e6, time.UTC),
	Finished:  time.Date(2026, 11, 23, 10, 0, 2, 0, time.UTC),
	InputName: "a.jpg", InputHash: hash, ResultName: "a.png", ResultHash: hash, ResultContentType: "image/png",
	ResultPath: "/image/" + hash + "/a.png", Labels: map[string]string{"hotfolder_job": "7"}, ChargedCredits: 10,
}

func TestExecution(t *testing.T) {
	got, err := answering(t, 200, details).Execution(t.Context(), "exec-1")
	if !reflect.DeepEqual(got, wantDetails) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	var unmarshalled autoretouch.Execution
	if err := json.Unmarshal([]byte(details), &unmarshalled); err != nil || !reflect.DeepEqual(unmarshalled, wantDetails) {
		t.Errorf("%+v, %v", unmarshalled, err)
	}
	w := &world{}
	newClient(t, options(w)).Execution(t.Context(), "ex:ec-ü")
	if got := w.seen[0].URL.String(); got != apiURL+"/v1/workflow/execution/ex:ec-%C3%BC?organization=org-1" {
		t.Error(got)
	}
	for _, id := range []string{"", "..", "a/b", "a?b"} {
		if _, err := newClient(t, options(w)).Execution(t.Context(), id); autoretouch.ClassOf(err) != input {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestExecutionFields(t *testing.T) {
	for name, test := range map[string]struct {
		fields string
		want   autoretouch.Execution
	}{
		"null":           {`"status":null,"createdAt":null,"labels":null,"chargedCredits":null`, autoretouch.Execution{}},
		"missing":        {`"x":1`, autoretouch.Execution{}},
		"unknown status": {`"status":"SECOND_REVIEW"`, autoretouch.Execution{Status: "SECOND_REVIEW"}},
		"wrong types": {`"status":{"a":1},"createdAt":17,"labels":"x","chargedCredits":[],"resultPath":["/image"],"workflow":"w"`,
			autoretouch.Execution{Workflow: "w"}},
		"credits as float":  {`"chargedCredits":10.0`, autoretouch.Execution{ChargedCredits: 10}},
		"credits as string": {`"chargedCredits":"12"`, autoretouch.Execution{ChargedCredits: 12}},
		"credits too large": {`"chargedCredits":1e400`, autoretouch.Execution{}},
		"odd labels":        {`"labels":{"a":1,"b":null,"c":"x"}`, autoretouch.Execution{Labels: map[string]string{"a": "1", "b": "", "c": "x"}}},
		"time with space":   {`"createdAt":"2026-11-23 10:00:00.5"`, autoretouch.Execution{Created: time.Date(2026, 11, 23, 10, 0, 0, 5e8, time.UTC)}},
		"time, zone +0100":  {`"createdAt":"2026-11-23T10:00:00.123+0100"`, autoretouch.Execution{Created: time.Date(2026, 11, 23, 9, 0, 0, 123e6, time.UTC)}},
		"time that is none": {`"createdAt":"yesterday"`, autoretouch.Execution{}},
		"hash, upper case":  {`"resultContentHash":"` + strings.ToUpper(hash) + `"`, autoretouch.Execution{ResultHash: hash}},
	} {
		test.want.ID = "e"
		got, err := answering(t, 200, `{"id":"e",`+test.fields+`}`).Execution(t.Context(), "e")
		if !reflect.DeepEqual(got, test.want) || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
}

// One odd entry does not spoil the page.
func TestExecutions(t *testing.T) {
	body := `{"entries":[7,null,"x",[],{},{"id":""},{"id":"../x"},{"id":"odd","status":5,"labels":[1]},` + details + `],"total":"9","extra":{}}`
	w := &world{api: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }}
	got, err := newClient(t, options(w)).Executions(t.Context(), "flow-1", 50, 100)
	want := autoretouch.Page{Total: 9, Entries: []autoretouch.Execution{{ID: "odd", Status: "5"}, wantDetails}}
	if !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got := w.seen[0].URL.String(); got != apiURL+"/v1/workflow/execution?limit=50&offset=100&organization=org-1&workflow=flow-1" {
		t.Error(got)
	}
	for _, body := range []string{"", "null", "[]", "7", "<html>", `{"entries":[`} {
		if _, err := answering(t, 200, body).Executions(t.Context(), "flow-1", 50, 0); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestRetryAndFeedback(t *testing.T) {
	var got []string
	c := newClient(t, options(&world{api: func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, b))
	}}))
	if err := errors.Join(c.Retry(t.Context(), "e"), c.Feedback(t.Context(), "e", false, nil), c.Feedback(t.Context(), "e", true, []string{hash})); err != nil {
		t.Error(err)
	}
	want := []string{
		"POST /v1/workflow/execution/e/retry ",
		`POST /v1/workflow/execution/e/feedback {"thumbsUp":false,"expectedImages":[]}`,
		`POST /v1/workflow/execution/e/feedback {"thumbsUp":true,"expectedImages":["` + hash + `"]}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAllPages(t *testing.T) {
	entry := func(i int) string {
		return fmt.Sprintf(`{"id":"flow-%d","name":"n","version":3,"date":"2026-01-02","executionPrice":10}`, i)
	}
	list := func(from, to int) string {
		var entries []string
		for i := from; i < to; i++ {
			entries = append(entries, entry(i))
		}
		return strings.Join(entries, ",")
	}
	for name, page := range map[string]func(limit, offset int) string{
		"as documented": func(limit, offset int) string {
			return fmt.Sprintf(`{"entries":[%s],"total":120}`, list(offset, min(offset+limit, 120)))
		},
		"no total": func(limit, offset int) string {
			return fmt.Sprintf(`{"entries":[%s]}`, list(offset, min(offset+limit, 120)))
		},
		"small pages": func(limit, offset int) string {
			return fmt.Sprintf(`{"entries":[%s],"total":120}`, list(offset, min(offset+7, 120)))
		},
		"total too large": func(limit, offset int) string {
			return fmt.Sprintf(`{"entries":[%s],"total":999}`, list(offset, min(offset+limit, 120)))
		},
		"offset ignored": func(limit, offset int) string { return fmt.Sprintf(`{"entries":[%s],"total":999}`, list(0, 120)) },
	} {
		w := &world{api: func(w http.ResponseWriter, r *http.Request) {
			limit, _ := strconv.Atoi(r.FormValue("limit"))
			offset, _ := strconv.Atoi(r.FormValue("offset"))
			io.WriteString(w, page(limit, offset))
		}}
		got, err := newClient(t, options(w)).Workflows(t.Context())
		if err != nil || len(got) != 120 || w.calls > 20 {
			t.Errorf("%s: %d workflows in %d calls, %v", name, len(got), w.calls, err)
			continue
		}
		want := autoretouch.Workflow{ID: "flow-119", Version: "3", Name: "n", Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), ExecutionPrice: 10}
		if got[119] != want {
			t.Errorf("%s: %+v", name, got[119])
		}
	}
	endless := &world{}
	n := 0
	endless.api = func(w http.ResponseWriter, r *http.Request) { n++; fmt.Fprintf(w, `{"entries":[{"id":"%d"}]}`, n) }
	if got, err := newClient(t, options(endless)).Organizations(t.Context()); err != nil || len(got) > 1000 {
		t.Errorf("endless: %d, %v", len(got), err)
	}
}

func TestBalance(t *testing.T) {
	for body, want := range map[string]int{"1234": 1234, "0": 0, "-5\n": -5, "12.9": 12, "1e3": 1000, `"7"`: 7} {
		if got, err := answering(t, 200, body).Balance(t.Context()); got != want || err != nil {
			t.Errorf("%q: %d, %v", body, got, err)
		}
	}
	for _, body := range []string{"", "many", "NaN", "Inf", "1e99", "{}", "<html>"} {
		if _, err := answering(t, 200, body).Balance(t.Context()); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("%q: %v", body, err)
		}
	}
}
