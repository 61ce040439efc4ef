package store

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// holder is the process that has the ledger, as it says itself in a file beside it. The lock is bbolt's, on the ledger's own
// file: what a crash leaves of this one holds nobody up.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func holderFile(ledger string) string { return ledger + ".lock" }

func writeHolder(ledger string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this computer"
	}
	data, err := json.Marshal(holder{os.Getpid(), host, time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return os.WriteFile(holderFile(ledger), data, 0o600)
}

func forgetHolder(ledger string) { _ = os.Remove(holderFile(ledger)) }

// holderOf names the process that has the ledger, as far as it is known.
func holderOf(ledger string) string {
	var h holder
	data, err := os.ReadFile(holderFile(ledger))
	if err != nil || json.Unmarshal(data, &h) != nil || h.PID == 0 {
		return "another hotfolder process"
	}
	return fmt.Sprintf("process %d on %q since %s", h.PID, h.Host, h.Since.Format(time.DateTime))
}
