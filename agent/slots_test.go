package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"hotfolder/config"
)

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &folder{Folder: config.Folder{Name: "a"}}
		b := &folder{Folder: config.Folder{Name: "b"}}
		first := &folder{Folder: config.Folder{Name: "first", Priority: 1}}
		s := newSlots(1, []*folder{a, b, first})
		if err := s.take(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		gone, leave := context.WithCancel(t.Context())
		for range 3 {
			go s.take(gone, first) // and gives up
		}
		var order []string
		for _, f := range []*folder{a, a, a, a, b, b, first} {
			go func() {
				if s.take(t.Context(), f) == nil {
					order = append(order, f.Name)
					s.give()
				}
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		s.give()
		synctest.Wait()
		if got := strings.Join(order, " "); got != "first a b a b a a" {
			t.Errorf("served %s", got)
		}
		if s.free != 1 {
			t.Errorf("%d are free in the end, want 1", s.free)
		}
	})
}
