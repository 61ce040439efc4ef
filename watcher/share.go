package watcher

import (
	"fmt"
	"time"
)

// silentWalks is how many rescans in succession must find files of which no event told, until events are held to be missing.
const silentWalks = 2

// hearing is what a folder's events are worth. A network file system tells of no changes that other machines make.
type hearing struct {
	network string // the kind of network file system that the root is on; "": none is known
	heard   bool   // an event came since the last rescan
	finds   int    // by this rescan
	silent  int    // rescans in succession that found files without any event
	deaf    bool
}

// rescanned draws the conclusion from a rescan that came by the clock.
func (h *hearing) rescanned() {
	switch {
	case h.heard:
		h.silent = 0
	case h.finds > 0:
		h.silent++
	}
	h.deaf = h.deaf || h.silent >= silentWalks
	h.heard = false
}

// missing says why events are not to be relied on; "": they are.
func (h *hearing) missing() string {
	switch {
	case h.network != "":
		return fmt.Sprintf("the folder is on a network share (%s)", h.network)
	case h.deaf:
		return "the folder's file system does not tell of new files"
	}
	return ""
}

// advice says how files are found where events are missing.
func (h *hearing) advice(every time.Duration) string {
	if why := h.missing(); why != "" {
		return fmt.Sprintf("%s: changes made by other machines are found by looking every %v", why, every)
	}
	return ""
}

// Advice says how the files of a folder will be found if it is on a network share; "": it is not, as far as can be told.
func Advice(dir string, rescan time.Duration) string {
	h := hearing{network: Network(dir)}
	return h.advice(blindly(rescan))
}
