package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// bBatches is folder 0 group → when the group's batch was begun, and when it was last added to, in milliseconds since 1970. It is
// made with the first batch.
var bBatches = []byte("batches")

// Batch is some of a hot folder's executions that belong together.
type Batch struct {
	ID        string // UUID
	CreatedAt time.Time
}

// Batch returns the batch to which a hot folder's next picture of a group (a subfolder, a day) belongs: the same one, across restarts
// too, until nothing was added to it for idle. It counts as being added to, to within a minute.
func (l *Ledger) Batch(folder, group string, idle time.Duration) (Batch, error) {
	var created, last time.Time
	if err := l.view(func(tx *bbolt.Tx) error {
		created, last = batchTimes(tx, folder, group)
		return nil
	}); err != nil {
		return Batch{}, err
	}
	if age := time.Since(last); age >= 0 && age < min(time.Minute, idle) {
		return newBatch(folder, group, created), nil
	}
	err := l.update(func(tx *bbolt.Tx) error {
		now := time.UnixMilli(time.Now().UnixMilli())
		if created, last = batchTimes(tx, folder, group); created.IsZero() || now.Sub(last) >= idle {
			created = now
		}
		b, err := tx.CreateBucketIfNotExists(bBatches)
		if err != nil {
			return err
		}
		times := binary.BigEndian.AppendUint64(nil, uint64(created.UnixMilli()))
		return b.Put(pathKey(folder, group), binary.BigEndian.AppendUint64(times, uint64(now.UnixMilli())))
	})
	return newBatch(folder, group, created), err
}

func batchTimes(tx *bbolt.Tx, folder, group string) (created, last time.Time) {
	b := tx.Bucket(bBatches)
	if b == nil {
		return created, last
	}
	v := b.Get(pathKey(folder, group))
	if len(v) != 16 {
		return created, last
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(v))), time.UnixMilli(int64(binary.BigEndian.Uint64(v[8:])))
}

// newBatch names a batch by what it is, so that it needs no memory of its own.
func newBatch(folder, group string, created time.Time) Batch {
	id := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", folder, group, created.UnixMilli()))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8 (RFC 9562)
	return Batch{ID: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16]), CreatedAt: created}
}
