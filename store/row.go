package store

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// A row is a job as it lies in the ledger: its texts, its numbers, its history, and a CRC-32C of all that. No time is stored
// that the history tells already. Whoever changes the lists below changes the schema.

func (j *Job) texts() []*string {
	return []*string{&j.ID, &j.Folder, &j.Path, &j.SHA256, &j.ContentType, &j.Workflow, &j.Version, &j.Execution, &j.Output,
		&j.Error, &j.Batch, &j.Result.Path, &j.Result.SHA256, &j.Result.ContentType, &j.Result.Name}
}

func (j *Job) numbers() []*int { return []*int{&j.Attempts, &j.Retries, &j.Credits} }

// minRow is the least size of a row. A job is written into the room that it will have needed when it is delivered, so that its
// steps don't split the pages that were filled when it was discovered: 850 instead of 1,140 bytes of file a delivered job.
const minRow = 420

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func (j *Job) encode() ([]byte, error) {
	if err := j.checkHashes(); err != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	b := make([]byte, 0, 512)
	for _, s := range j.texts() {
		b = appendText(b, *s)
	}
	b = binary.AppendVarint(b, j.Size)
	for _, n := range j.numbers() {
		b = binary.AppendVarint(b, int64(*n))
	}
	before := int64(0)
	for _, e := range j.History {
		letter, known := letters[e.State]
		if !known {
			return nil, fmt.Errorf("job %s: unknown state %q", j.ID, e.State)
		}
		at := e.Time.UnixMilli()
		b = binary.AppendVarint(append(b, letter), at-before)
		b = appendText(b, e.Detail)
		before = at
	}
	b = append(b, make([]byte, max(0, minRow-crc32.Size-len(b)))...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable)), nil
}

// checkHashes refuses what is not hex, by which nothing could be found again.
func (j *Job) checkHashes() error {
	for _, sum := range []string{j.SHA256, j.Result.SHA256} {
		if _, err := hex.DecodeString(sum); err != nil {
			return fmt.Errorf("hash: %w", err)
		}
	}
	return nil
}

// decodeJob reads a row; data is not kept.
func decodeJob(seq uint64, data []byte) (Job, error) {
	n := len(data) - crc32.Size
	if n < 0 || crc32.Checksum(data[:n], crcTable) != binary.BigEndian.Uint32(data[n:]) {
		return Job{}, fmt.Errorf("row %d of the ledger: its checksum is wrong", seq)
	}
	j, err := decodeRow(data[:n])
	if err != nil {
		return Job{}, fmt.Errorf("row %d of the ledger: %w", seq, err)
	}
	j.seq = seq
	return j, nil
}

// rowID is the id in a row that may not be whole: a job can be passed by without a look at the rest.
func rowID(data []byte) string {
	r := rowReader{data: data}
	return r.text()
}

func decodeRow(data []byte) (j Job, err error) {
	r := rowReader{data: data}
	for _, s := range j.texts() {
		*s = r.text()
	}
	j.Size = r.number()
	for _, n := range j.numbers() {
		*n = int(r.number())
	}
	for at := int64(0); len(r.data) > 0 && r.data[0] != 0; { // 0: the rest is padding
		state := r.state()
		at += r.number()
		j.enter(Event{state, time.UnixMilli(at), r.text()})
	}
	if r.err == nil && j.State == "" {
		r.err = errors.New("it has no history")
	}
	return j, cmp.Or(r.err, j.checkHashes())
}

// The kinds of text, beside its length in the file.
const (
	plain = iota
	hexed // lower-case hex digits: two a byte
	uuid  // the same in a UUID
)

func appendText(b []byte, s string) []byte {
	kind, packed := plain, []byte(s)
	if raw := unhex(s); raw != nil {
		kind, packed = hexed, raw
	} else if len(s) == 36 {
		if raw := unhex(strings.ReplaceAll(s, "-", "")); len(raw) == 16 && s == formatUUID(raw) {
			kind, packed = uuid, raw
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(packed))<<2|uint64(kind)), packed...)
}

// unhex returns the bytes that s stands for, nil when there are none or s is not how hex.EncodeToString writes them.
func unhex(s string) []byte {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) == 0 || strings.ToLower(s) != s {
		return nil
	}
	return raw
}

func formatUUID(raw []byte) string {
	s := hex.EncodeToString(raw)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// rowReader takes a row apart. After its first error it returns nothing more.
type rowReader struct {
	data []byte
	err  error
}

var errShort = errors.New("it is cut short")

func (r *rowReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.data = nil
}

func (r *rowReader) number() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *rowReader) text() string {
	v, n := binary.Uvarint(r.data)
	size := v >> 2
	if n <= 0 || size > uint64(len(r.data)-n) {
		r.fail(errShort)
		return ""
	}
	raw := r.data[n : n+int(size)]
	r.data = r.data[n+int(size):]
	switch v & 3 {
	case plain:
		return string(raw)
	case hexed:
		return hex.EncodeToString(raw)
	case uuid:
		if len(raw) == 16 {
			return formatUUID(raw)
		}
	}
	r.fail(errors.New("a text of no known kind"))
	return ""
}

func (r *rowReader) state() State {
	for _, state := range States {
		if len(r.data) > 0 && r.data[0] == letters[state] {
			r.data = r.data[1:]
			return state
		}
	}
	r.fail(errors.New("an unknown state"))
	return ""
}
