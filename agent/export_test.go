package agent

// The seams through which tests count, refuse and undo what the agent does to the ledger and to disks.
type (
	Rows     = rows
	Disk     = disk
	DiskFile = diskFile
)

// Through puts something (nil: nothing) between the agent and the ledger, and between it and the disk, before it runs.
func (a *Agent) Through(ledger func(Rows) Rows, disk func(Disk) Disk) {
	if ledger != nil {
		a.rows = ledger(a.rows)
	}
	if disk != nil {
		a.disk = disk(a.disk)
	}
}

// Jam has the uploads' loop wait for end when it looks for something to take, before it runs.
func (a *Agent) Jam(end <-chan struct{}) {
	a.stages[0].room = func(*folder) int { <-end; return 0 }
}

// NewSyncs returns a sync of folders that is shared by those who wait for the same one.
func NewSyncs(folder func(dir string) error) (sync func(dir string) error) {
	return newSyncs(folder).sync
}
