package installer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Where nobody watches over the service, it ends when it has been ill for five minutes on end, and not before.
func TestGuard(t *testing.T) {
	stuck := errors.New("stuck")
	for name, c := range map[string]struct {
		ill  func(age time.Duration) bool
		hang bool          // rather than tell an error
		die  time.Duration // 0: it lives
		why  string
	}{
		"well":                   {ill: func(time.Duration) bool { return false }},
		"ill now and then":       {ill: func(age time.Duration) bool { return age%(5*time.Minute) > 20*time.Second }},
		"ill for good":           {ill: func(age time.Duration) bool { return age > time.Hour }, die: time.Hour + 5*time.Minute, why: "stuck"},
		"ill from the beginning": {ill: func(time.Duration) bool { return true }, die: 5 * time.Minute, why: "stuck"},
		"hangs":                  {ill: func(age time.Duration) bool { return age > time.Hour }, hang: true, die: time.Hour + 5*time.Minute, why: "it does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Setenv("NOTIFY_SOCKET", "")
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				began := time.Now()
				died, why := time.Duration(0), error(nil)
				err := Alive(ctx, func() (string, error) {
					switch {
					case !c.ill(time.Since(began)):
						return "", nil
					case c.hang:
						<-ctx.Done()
					}
					return "", stuck
				}, func(err error) {
					died, why = time.Since(began), err
					cancel()
				})
				if err != nil {
					t.Error(err)
				}
				if (died-c.die).Abs() > tellEvery+time.Second || (died == 0) != (c.die == 0) || why != nil && why.Error() != c.why {
					t.Errorf("died after %v (%v), want %v (%s)", died, why, c.die, c.why)
				}
			})
		})
	}
}
