package autoretouch_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"hotfolder/autoretouch"
	"hotfolder/sandbox"
)

func newSandbox(t *testing.T, o sandbox.Options) (*sandbox.Server, autoretouch.Options) {
	t.Helper()
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, autoretouch.Options{
		URL: apiURL, AuthURL: authURL, ClientID: sandbox.ClientID, Organization: sandbox.Organization,
		Transport: s.InProcess(), Credentials: &memory{token: autoretouch.Token{Refresh: s.RefreshToken()}},
	}
}

func jpegPicture(t *testing.T) ([]byte, string) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
}

// Every call, against a server written from the same description of the API.
func TestSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newSandbox(t, sandbox.Options{Credits: 100, Processing: time.Second})
		c, ctx := newClient(t, o), t.Context()

		organizations, err := c.Organizations(ctx)
		if err != nil || len(organizations) != 2 {
			t.Errorf("organizations %+v, %v", organizations, err)
		}
		if one, err := c.Organization(ctx, sandbox.Organization); err != nil || one.ID != sandbox.Organization {
			t.Errorf("organization %+v, %v", one, err)
		}
		workflows, err := c.Workflows(ctx)
		if err != nil || len(workflows) != 4 {
			t.Errorf("workflows %+v, %v", workflows, err)
		}
		flow, err := c.Workflow(ctx, sandbox.CatalogueJPEG)
		if err != nil || flow.ID != sandbox.CatalogueJPEG || flow.Name == "" || flow.Version == "" || flow.ExecutionPrice == 0 || flow.Date.IsZero() {
			t.Errorf("workflow %+v, %v", flow, err)
		}
		if n, err := c.Balance(ctx); n != 100 || err != nil {
			t.Errorf("balance %d, %v", n, err)
		}

		content, sum := jpegPicture(t)
		if has, err := c.HasImage(ctx, sum); has || err != nil {
			t.Errorf("before the upload: %v, %v", has, err)
		}
		img := autoretouch.Image{Name: "Grüße 1.jpg", ContentType: "image/jpeg", Size: int64(len(content))}
		got, err := c.Upload(ctx, img, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		if got != sum || err != nil {
			t.Fatalf("upload %s, %v, want %s", got, err, sum)
		}
		if has, err := c.HasImage(ctx, sum); !has || err != nil {
			t.Errorf("after the upload: %v, %v", has, err)
		}

		s.RevokeTokens()
		id, err := c.Create(ctx, autoretouch.NewExecution{
			Workflow: flow.ID, Version: flow.Version, Name: img.Name, ContentHash: sum, ContentType: img.ContentType,
			Labels: map[string]string{"hotfolder_job": "7"}, Settings: map[string]any{"dpi": 300},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		e, err := c.Execution(ctx, id)
		if err != nil || e.Status != autoretouch.Completed || e.InputHash != sum || e.InputName != img.Name || e.Labels["hotfolder_job"] != "7" ||
			e.ChargedCredits != flow.ExecutionPrice || e.Finished.IsZero() || e.Workflow != flow.ID || e.WorkflowVersion != flow.Version {
			t.Fatalf("execution %+v, %v", e, err)
		}
		list, err := c.Executions(ctx, flow.ID, 50, 0)
		if err != nil || list.Total != 1 || len(list.Entries) != 1 || list.Entries[0].ResultPath != e.ResultPath {
			t.Errorf("executions %+v, %v", list, err)
		}
		var result bytes.Buffer
		if _, err := c.Download(ctx, e.ResultPath, &result); err != nil || fmt.Sprintf("%x", sha256.Sum256(result.Bytes())) != e.ResultHash {
			t.Errorf("download of %s: %v", e.ResultPath, err)
		}
		if err := c.Feedback(ctx, id, false, []string{sum}); err != nil {
			t.Error(err)
		}
		if books := s.Books(); len(books.Executions) != 1 || books.Charged() != flow.ExecutionPrice || len(books.Uploads) != 1 {
			t.Errorf("books %+v", books)
		}
	})
}

func TestSandboxRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newSandbox(t, sandbox.Options{Credits: 100})
		c, ctx := newClient(t, o), t.Context()
		content, sum := jpegPicture(t)
		send := func(contentType string, content []byte) error {
			img := autoretouch.Image{Name: "a.jpg", ContentType: contentType, Size: int64(len(content))}
			_, err := c.Upload(ctx, img, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
			return err
		}
		create := func(workflow string) error {
			_, err := c.Create(ctx, autoretouch.NewExecution{Workflow: workflow, Name: "a.jpg", ContentHash: sum, ContentType: "image/jpeg"})
			return err
		}
		want := func(what string, err error, class autoretouch.Class, is error) {
			t.Helper()
			if err == nil || autoretouch.ClassOf(err) != class || (is != nil && !errors.Is(err, is)) || autoretouch.MaybeHandled(err) {
				t.Errorf("%s: %v (class %v)", what, err, autoretouch.ClassOf(err))
			}
		}
		want("picture not uploaded", create(sandbox.FastCheck), transient, autoretouch.ErrNoImage)
		want("text as picture", send("image/jpeg", []byte("no picture")), input, nil)
		if err := send("image/jpeg", content); err != nil {
			t.Fatal(err)
		}
		want("workflow", create("no-such-flow"), config, autoretouch.ErrNotFound)
		_, err := c.Execution(ctx, "no-such-execution")
		want("execution", err, transient, autoretouch.ErrNotFound)
		want("retry", c.Retry(ctx, "no-such-execution"), transient, autoretouch.ErrNotFound)
		_, err = c.Download(ctx, "/image/"+sum+"/no such name.jpg", io.Discard)
		want("result", err, transient, autoretouch.ErrNotFound)
		_, err = c.Organization(ctx, "no-such-organization")
		want("organization", err, config, nil)

		s.RevokeTokens()
		s.RevokeRefreshTokens()
		_, err = c.Balance(ctx)
		want("login", err, auth, nil)
	})
}

// The statuses that a person has to wait for, and a retry.
func TestSandboxRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newSandbox(t, sandbox.Options{Faults: sandbox.Faults{Fail: 1, FailTimes: 1}})
		c, ctx := newClient(t, o), t.Context()
		content, sum := jpegPicture(t)
		img := autoretouch.Image{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(content))}
		if _, err := c.Upload(ctx, img, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }); err != nil {
			t.Fatal(err)
		}
		id, err := c.Create(ctx, autoretouch.NewExecution{Workflow: sandbox.FastCheck, Name: "a.jpg", ContentHash: sum, ContentType: "image/jpeg"})
		if err != nil {
			t.Fatal(err)
		}
		reach := func(want autoretouch.Status) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			if e, err := c.Execution(ctx, id); e.Status != want || err != nil {
				t.Fatalf("%s, %v, want %s", e.Status, err, want)
			}
		}
		reach(autoretouch.PaymentRequired)
		s.SetCredits(100)
		for _, next := range []autoretouch.Status{autoretouch.Failed, autoretouch.Completed} {
			if err := c.Retry(ctx, id); err != nil {
				t.Fatal(err)
			}
			reach(next)
		}
		if err := c.Retry(ctx, id); err == nil || autoretouch.ClassOf(err) != transient {
			t.Errorf("retry of a completed one: %v", err)
		}
	})
}

func TestSandboxLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newSandbox(t, sandbox.Options{Credits: 7, Faults: sandbox.Faults{RotateRefreshTokens: true}})
		login := &memory{}
		o.Credentials = login
		c, ctx := newClient(t, o), t.Context()
		code, err := c.DeviceCode(ctx)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(12*time.Second, func() { s.ConfirmDevice(code.UserCode) })
		begin := time.Now()
		if err := c.WaitForLogin(ctx, code); err != nil {
			t.Fatal(err)
		}
		within(t, begin, 15*time.Second, 0)
		old := login.token
		s.RevokeTokens()
		if n, err := c.Balance(ctx); n != 7 || err != nil || login.token.Refresh == old.Refresh {
			t.Errorf("after rotation: %d, %v, saved %+v", n, err, login.token)
		}
		if err := c.Logout(ctx); err != nil {
			t.Error(err)
		}
		if _, err := c.Balance(ctx); !errors.Is(err, autoretouch.ErrNoLogin) {
			t.Errorf("after logout: %v", err)
		}
	})
}

// Each fault of the sandbox comes out as what it is.
func TestSandboxFaults(t *testing.T) {
	all := sandbox.Chance{P: 1, At: []string{sandbox.Balance, sandbox.Create, sandbox.Executions}}
	for name, faults := range map[string]sandbox.Faults{
		"too many":     {TooMany: all, RetryAfter: 7 * time.Second},
		"server error": {ServerError: all},
		"lost before":  {DropBefore: all},
		"lost after":   {DropAfter: all},
		"portal":       {Portal: all},
		"portal's 511": {Portal: all, PortalStatus: 511},
		"huge":         {Huge: all},
		"cut short":    {CutShort: all},
		"slow":         {Latency: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, o := newSandbox(t, sandbox.Options{Credits: 7})
				c := newClient(t, o)
				if _, err := c.Balance(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.SetFaults(faults)
				_, balance := c.Balance(t.Context())
				_, list := c.Executions(t.Context(), sandbox.FastCheck, 50, 0)
				for _, err := range []error{balance, list} {
					if err == nil || autoretouch.ClassOf(err) != transient || !autoretouch.MaybeHandled(err) {
						t.Errorf("%v (class %v)", err, autoretouch.ClassOf(err))
					}
				}
				if name == "too many" && autoretouch.RetryAfter(balance) != 7*time.Second {
					t.Errorf("wait %v", autoretouch.RetryAfter(balance))
				}
			})
		})
	}
}
