package installer

import "golang.org/x/sys/windows/svc/eventlog"

// OpenEvents opens the event log, under the source that the registration of the service made known; nil if it cannot be had.
func OpenEvents() *Events {
	log, err := eventlog.Open(Name)
	if err != nil {
		return nil
	}
	return &Events{log}
}
