package store

// NoSync spares the disk where a test is about other things than durability.
func (l *Ledger) NoSync() { l.db.NoSync = true }
