package store

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
	"time"
)

var wholeJob = Job{
	ID: "v5fsgsjljehm1eiomhq2", Folder: "packshots", Path: "a/Ünï\xff\n.jpg", SHA256: strings.Repeat("0f", 32), Size: 1 << 40, State: Processing,
	ContentType: "image/jpeg", Workflow: "a0f0b604-85c0-45fd-85cf-4428bb3941ba", Version: "A0F0B604-85c0-45fd-85cf-4428bb3941ba",
	Execution: "-a0f0b604-85c0-45fd-85cf-428bb3941ba", Output: "abc", Error: "00FF", Attempts: 3, Retries: -1, Credits: 12, Batch: "ff",
	Result: Result{Path: "/image/x/y z.png", SHA256: strings.Repeat("a", 64), ContentType: "image/png", Name: "y z.png"},
}

func row(t testing.TB, j Job) []byte {
	t.Helper()
	data, err := j.encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARowKeepsAllOfAJob(t *testing.T) {
	long := wholeJob
	long.Error = strings.Repeat("long ", 100)
	for _, j := range []Job{{ID: "x"}, wholeJob, long} {
		at := time.UnixMilli(1_795_442_320_521)
		j.enter(Event{Queued, at, ""})
		j.enter(Event{Uploaded, at.Add(-time.Hour), "the clock was set back"})
		j.enter(Event{State: Processing, Time: at.Add(24 * 365 * time.Hour)})
		got, err := decodeJob(7, row(t, j))
		j.seq = 7
		if err != nil || !reflect.DeepEqual(got, j) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, j)
		}
	}
}

func TestEveryStateHasItsLetter(t *testing.T) {
	taken := map[byte]State{0: "padding"}
	for _, s := range States {
		if other, ok := taken[letters[s]]; ok {
			t.Errorf("%s and %s have the letter %q", s, other, letters[s])
		}
		taken[letters[s]] = s
	}
}

func TestARowThatCouldNotBeReadAgainIsNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*Job){
		"no state":        func(j *Job) { j.State = "" },
		"unknown state":   func(j *Job) { j.State = "lost" },
		"content no hash": func(j *Job) { j.SHA256 = "xyz" },
		"result no hash":  func(j *Job) { j.Result.SHA256 = "xyz" },
	} {
		j := wholeJob
		spoil(&j)
		j.enter(Event{State: j.State, Time: time.Now()})
		if _, err := j.encode(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// No bit of a row can change unnoticed, and none can be missing.
func TestADamagedRowIsNoticed(t *testing.T) {
	j := wholeJob
	j.enter(Event{Queued, time.Now(), ""})
	data := row(t, j)
	for i := range data {
		data[i] ^= 4
		if _, err := decodeJob(1, data); err == nil {
			t.Errorf("byte %d changed unnoticed", i)
		}
		data[i] ^= 4
		if _, err := decodeJob(1, data[:i]); err == nil {
			t.Errorf("cut to %d bytes unnoticed", i)
		}
	}
}

// What decodes is encoded to a row that decodes to the same.
func FuzzDecodeJob(f *testing.F) {
	j := wholeJob
	for range 3 {
		j.enter(Event{Processing, time.UnixMilli(1_795_442_320_521), "again"})
		data := row(f, j)
		f.Add(data[:len(data)-crc32.Size])
		f.Add(bytes.TrimRight(data[:len(data)-crc32.Size], "\x00"))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decodeJob(1, body)
		got, err := decodeJob(1, binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crcTable)))
		if err != nil {
			return
		}
		data, err := got.encode()
		if err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		again, err := decodeJob(1, data)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%+v came back as %+v, %v", got, again, err)
		}
	})
}
