package control

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"hotfolder/agent"
	"hotfolder/store"
)

// wireJob is a job on its way. JSON would change names that are no valid UTF-8, so these go beside it as bytes.
type wireJob struct {
	store.Job
	RawPath   []byte `json:"raw_path,omitempty"`
	RawOutput []byte `json:"raw_output,omitempty"`

	wireFailure // in the place of a job: why there are no more
}

// wireFailure is an error on its way.
type wireFailure struct {
	Failure string `json:"failure,omitempty"`
}

func failureFor(err error) wireFailure {
	if err == nil {
		return wireFailure{}
	}
	return wireFailure{Failure: err.Error()}
}

// wireRetried is what came of a request, also of one that failed on the way.
type wireRetried struct {
	agent.Retried
	wireFailure
}

type wireRedelivered struct {
	agent.Redelivered
	wireFailure
}

func (w wireJob) pack() wireJob {
	if !utf8.ValidString(w.Path) {
		w.RawPath = []byte(w.Path)
	}
	if !utf8.ValidString(w.Output) {
		w.RawOutput = []byte(w.Output)
	}
	return w
}

func (w wireJob) unpack() store.Job {
	if w.RawPath != nil {
		w.Path = string(w.RawPath)
	}
	if w.RawOutput != nil {
		w.Output = string(w.RawOutput)
	}
	return w.Job
}

// values is the filter as a query or form, which carries any bytes.
func values(f store.Filter) url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("state", string(f.State))
	set("folder", f.Folder)
	set("path", f.Path)
	if !f.Since.IsZero() {
		set("since", f.Since.Format(time.RFC3339Nano))
	}
	if f.Unfinished {
		set("unfinished", "true")
	}
	return v
}

func filterOf(v url.Values) (store.Filter, error) {
	f := store.Filter{State: store.State(v.Get("state")), Folder: v.Get("folder"), Path: v.Get("path"), Unfinished: v.Get("unfinished") == "true"}
	if f.State != "" && !slices.Contains(store.States, f.State) {
		return f, fmt.Errorf("there is no state %q", f.State)
	}
	if since := v.Get("since"); since != "" {
		var err error
		if f.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return f, fmt.Errorf("since is not an RFC 3339 time: %q", since)
		}
	}
	return f, nil
}

func retryValues(r agent.RetryRequest) url.Values {
	v := values(r.Filter)
	v["id"] = r.IDs
	if r.All {
		v.Set("all", "true")
	}
	return v
}

func retryOf(v url.Values) (agent.RetryRequest, error) {
	r := agent.RetryRequest{IDs: v["id"]}
	var err error
	if r.All, err = boolOf(v, "all"); err != nil {
		return r, err
	}
	if r.Filter, err = filterOf(v); err == nil && len(r.IDs) == 0 && !r.All && r.Filter == (store.Filter{}) {
		err = errors.New("the form names no jobs: id, state, folder, path, since or all")
	}
	return r, err
}

func boolOf(v url.Values, key string) (yes bool, err error) {
	if text := v.Get(key); text != "" {
		if yes, err = strconv.ParseBool(text); err != nil {
			return false, fmt.Errorf("%s is neither true nor false: %q", key, text)
		}
	}
	return yes, nil
}

func redeliverValues(r agent.RedeliverRequest) url.Values {
	v := values(r.Filter)
	v["id"] = r.IDs
	if r.Missing {
		v.Set("missing", "true")
	}
	return v
}

func redeliverOf(v url.Values) (agent.RedeliverRequest, error) {
	r := agent.RedeliverRequest{IDs: v["id"]}
	var err error
	if r.Missing, err = boolOf(v, "missing"); err != nil {
		return r, err
	}
	if r.Filter, err = filterOf(v); err == nil && len(r.IDs) == 0 && !r.Missing && r.Filter == (store.Filter{}) {
		err = errors.New("the form names no jobs: id, folder, path, since or missing")
	}
	return r, err
}
