package cli

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"hotfolder/private"
)

// withPage has the world's agent show its page, with that file as its password's, and returns where.
func (w *world) withPage(passwordFile string) (address string) {
	address = freeAddress(w.t)
	page := fmt.Sprintf("{listen: %q, password_file: %q}", address, passwordFile)
	w.configure(strings.Replace(studioConfig, `{listen: ""}`, page, 1))
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func page(t *testing.T, url, password string) (code int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("anybody", password)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestPage(t *testing.T) {
	w := newWorld(t)
	w.login()
	w.drop("packshots/a & b.jpg", "packshots/bad.jpg")
	address := w.withPage("")
	stop := w.start()
	w.await("the pictures", func() bool {
		_, body := page(t, "http://"+address+"/", "")
		return strings.Contains(body, "a &amp; b.jpg") && regexp.MustCompile(`(?s)bad\.jpg.*not a JPEG`).MatchString(body) &&
			strings.Contains(body, "2 of 2")
	})
	w.await("the metrics", func() bool {
		_, metrics := page(t, "http://"+address+"/metrics", "")
		return strings.Contains(metrics, `hotfolder_jobs{folder="packshots",state="delivered"} 1`) &&
			strings.Contains(metrics, "hotfolder_delivered_total 1\n") && strings.Contains(metrics, "hotfolder_failed_total 1\n")
	})
	if code, body := page(t, "http://"+address+"/healthz", ""); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
	stop()
}

func TestPageWithPassword(t *testing.T) {
	w := newWorld(t)
	w.login()
	file := w.path("pagepw")
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		trouble string
	}{
		"private":        {"open sesame\r\n", 0o600, ""},
		"open to others": {"open sesame", 0o644, "open to others"},
		"short":          {"sesame\n", 0o600, "less than 8 characters"},
		"empty":          {"", 0o600, "less than 8 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mode != 0o600 && runtime.GOOS == "windows" {
				t.Skip("modes do not open a file there")
			}
			if err := private.WriteFile(file, []byte(c.content)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			address := w.withPage(file)
			stop := w.start()
			defer stop()
			if c.trouble != "" {
				w.want(1, `error +dashboard\.password_file: .*`+c.trouble, `(?s).*`, "check")
				w.want(0, `the local page is off: .*`+c.trouble+`(?s:.*)mend: correct the file dashboard\.password_file`, ``, "status")
				if code, _ := page(t, "http://"+address+"/", ""); code != 404 {
					t.Errorf("the page without its password: %d", code)
				}
				return
			}
			if code, _ := page(t, "http://"+address+"/", ""); code != 401 {
				t.Errorf("without the password: %d", code)
			}
			if code, body := page(t, "http://"+address+"/", "open sesame"); code != 200 || !strings.Contains(body, "packshots") {
				t.Errorf("with the password: %d %s", code, body)
			}
		})
	}
}
