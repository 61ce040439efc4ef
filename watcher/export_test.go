package watcher

// Fault has every call to the file system first go through fault, which may hold it up or fail it. op is root, open, stat,
// read or watch.
func (f *Folder) Fault(fault func(op, path string) error) { f.fault = fault }
