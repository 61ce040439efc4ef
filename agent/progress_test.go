package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hotfolder/agent"
	"hotfolder/store"
)

func (w *world) status() agent.Status {
	w.Helper()
	s, err := w.agent.Status(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// What people see of a night is that night's, not the years before it, and it stays there until there is something new to do.
func TestProgressIsThatOfTheLastDrop(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		for _, name := range []string{"a.jpg", "b.jpg", "c.jpg"} {
			w.drop(name, picture(int(name[0])))
		}
		w.start() // so that its first look finds them all
		w.settle(3, store.Delivered)
		want := func(delivered, waiting int) {
			w.Helper()
			p := w.status().Folders[0].Progress
			if p.Delivered != delivered || p.Waiting != waiting || p.Total() != delivered+waiting+p.Failed {
				w.Errorf("progress %+v, want %d delivered and %d waiting", *p, delivered, waiting)
			}
		}
		want(3, 0)
		time.Sleep(3 * time.Hour) // and nobody looks
		want(3, 0)
		w.drop("d.jpg", picture(100))
		w.until("the next drop", time.Minute, func() bool { return w.status().Folders[0].Progress.Waiting == 1 })
		want(0, 1)
		w.settle(4, store.Delivered)
		want(1, 0)
		w.drop("bad.jpg", []byte("no picture")) // at once belongs to it
		w.settle(1, store.Failed)
		want(1, 0)
		if p := w.status().Folders[0].Progress; p.Failed != 1 {
			w.Errorf("progress %+v, want 1 failed", *p)
		}
		w.restart() // it begins with what waits
		want(0, 0)
	})
}

// A picture that fails as soon as the agent is there belongs to what there was to do.
func TestProgressBeginsWithTheAgent(t *testing.T) {
	in(t, studio{idle: true}, func(w *world) {
		w.drop("bad.jpg", []byte("no picture"))
		w.start()
		time.Sleep(time.Minute) // before anybody looks
		if p := w.status().Folders[0].Progress; p.Failed != 1 || p.Total() != 1 {
			w.Errorf("progress %+v, want 1 failed", *p)
		}
	})
}

func TestProgressTellsWhatIsLeftByThePace(t *testing.T) {
	in(t, studio{config: "limits: {in_flight: 1}"}, func(w *world) {
		for _, name := range strings.Fields("a b c d e f g h i j k l m n o p q r s t") {
			w.drop(name+".jpg", picture(int(name[0])))
		}
		w.settle(10, store.Delivered)
		s := w.status()
		p := s.Folders[0].Progress
		took := time.Since(p.Since).Seconds()
		if left := float64(p.SecondsLeft); left < took/2 || left > took*2 {
			t.Errorf("half is done after %vs, and %vs are left", took, left)
		}
		if s.Agent.PerHour != 10 || s.Folders[0].PerHour != 10 || s.Agent.Delivered != 10 {
			t.Errorf("%d and %d an hour, %d delivered", s.Agent.PerHour, s.Folders[0].PerHour, s.Agent.Delivered)
		}
		sum := 0
		for _, n := range w.agent.PerMinute() {
			sum += n
		}
		if sum != 10 {
			t.Errorf("%d in the last minutes", sum)
		}
		w.settle(20, store.Delivered)
		if p := w.status().Folders[0].Progress; p.SecondsLeft != 0 {
			t.Errorf("nothing is left, for %d s", p.SecondsLeft)
		}
		time.Sleep(61 * time.Minute)
		if n := w.status().Agent.PerHour; n != 0 {
			t.Errorf("an hour later: %d an hour", n)
		}
	})
}

func TestStatusTellsWhatHappenedLately(t *testing.T) {
	in(t, studio{}, func(w *world) {
		for _, name := range strings.Fields("a b c d e f g h i j k l") {
			w.drop("sub/"+name+".jpg", []byte("no picture "+name))
		}
		w.settle(12, store.Failed)
		s := w.status()
		if len(s.Lately) != 10 || s.Agent.Failed != 12 {
			t.Fatalf("%d failed, lately %+v", s.Agent.Failed, s.Lately)
		}
		h := s.Lately[9]
		if h.Folder != "packshots" || h.Severity != agent.Error || h.Time.IsZero() || !strings.HasPrefix(h.Text, "failed sub/") ||
			!strings.Contains(h.Text, "not a JPEG, PNG, TIFF or WebP") {
			t.Errorf("lately %+v", h)
		}
		if !strings.Contains(w.logged.String(), `msg=failed folder=packshots`) {
			t.Error("the log does not tell it")
		}
	})
}

func TestLatestJobs(t *testing.T) {
	in(t, studio{}, func(w *world) {
		for _, name := range strings.Fields("a b c d") {
			w.drop(name+".jpg", picture(int(name[0])))
			w.until(name, time.Minute, func() bool { return w.status().Agent.Delivered == int(name[0]-'a'+1) })
		}
		w.drop("x.jpg", []byte("no picture"))
		w.settle(1, store.Failed)
		want := func(state store.State, most int, want string) {
			t.Helper()
			jobs, err := w.agent.Latest(t.Context(), state, most)
			var got []string
			for _, j := range jobs {
				got = append(got, strings.TrimSuffix(j.Path, ".jpg"))
			}
			if strings.Join(got, " ") != want || err != nil {
				t.Errorf("the latest %d %s: %q, %v; want %s", most, state, got, err, want)
			}
		}
		want("", 3, "x d c")
		want("", 9, "x d c b a")
		want(store.Delivered, 2, "d c")
		want(store.Failed, 9, "x")
		want(store.Gone, 9, "")
	})
}
