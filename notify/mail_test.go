package notify_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hotfolder/config"
	"hotfolder/notify"
)

// post is a small SMTP server.
type post struct {
	auth     string // the kinds of login it offers
	startTLS bool
	tls      bool   // from the start
	refuse   string // the address it does not take
	echo     bool   // repeats what it is told in its errors
	silent   bool

	listener net.Listener
	cert     tls.Certificate
	roots    *x509.CertPool
	wg       sync.WaitGroup

	mu      sync.Mutex
	lines   []string // what it was told, but for the letters
	secure  bool     // TLS was on when the letter came
	letters []string
}

func (p *post) start(t *testing.T) {
	t.Helper()
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS() // for its certificate: example.com, 127.0.0.1
	p.cert = secure.TLS.Certificates[0]
	p.roots = x509.NewCertPool()
	p.roots.AddCert(secure.Certificate())
	secure.Close()
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.wg.Go(func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { defer conn.Close(); p.serve(conn) })
		}
	})
	t.Cleanup(func() { p.listener.Close(); p.wg.Wait() })
}

func (p *post) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if p.silent {
		io.Copy(io.Discard, conn)
		return
	}
	secure := p.tls
	if p.tls {
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{p.cert}})
	}
	r := bufio.NewReader(conn)
	say := func(lines ...string) { fmt.Fprint(conn, strings.Join(lines, "\r\n")+"\r\n") }
	say("220 post")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		p.mu.Lock()
		p.lines = append(p.lines, line)
		p.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			answer := []string{"250-post"}
			if p.startTLS && !secure {
				answer = append(answer, "250-STARTTLS")
			}
			if p.auth != "" {
				answer = append(answer, "250-AUTH "+p.auth)
			}
			say(append(answer, "250 8BITMIME")...)
		case "STARTTLS":
			say("220 go on")
			conn, secure = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{p.cert}}), true
			r = bufio.NewReader(conn)
			say = func(lines ...string) { fmt.Fprint(conn, strings.Join(lines, "\r\n")+"\r\n") }
		case "AUTH":
			kind, first, _ := strings.Cut(rest, " ")
			if kind == "LOGIN" {
				for _, ask := range []string{"Username:", "Password:"} {
					say("334 " + base64.StdEncoding.EncodeToString([]byte(ask)))
					line, _ := r.ReadString('\n')
					first += strings.TrimSpace(line) + " "
				}
			}
			p.mu.Lock()
			p.lines = append(p.lines, "login "+decoded(first))
			p.mu.Unlock()
			if p.echo {
				say("535 you said " + first + ", that is " + decoded(first))
				continue
			}
			say("235 welcome")
		case "MAIL":
			say("250 ok")
		case "RCPT":
			if p.refuse != "" && strings.Contains(line, p.refuse) {
				say("550 nobody of that name")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var letter strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				letter.WriteString(strings.TrimPrefix(line, "."))
			}
			p.mu.Lock()
			p.letters, p.secure = append(p.letters, letter.String()), secure
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what?")
		}
	}
}

func decoded(said string) string {
	var parts []string
	for part := range strings.FieldsSeq(said) {
		b, _ := base64.StdEncoding.DecodeString(part)
		parts = append(parts, string(b))
	}
	return strings.ReplaceAll(strings.Join(parts, "|"), "\x00", "|")
}

const password = "correct horse battery"

// mailer reaches p by a name.
func (p *post) mailer(t *testing.T, server, user string) *notify.Mailer {
	t.Helper()
	c := config.Mail{Server: server, From: "Night <night@studio.example>", User: user}
	if user != "" {
		c.PasswordFile = filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(c.PasswordFile, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := notify.NewMailer(c, p.roots, slog.New(slog.DiscardHandler))
	m.Dialing(p.listener.Addr().String())
	return m
}

var letter = notify.Letter{
	To: "anna@studio.example, Büro <office@studio.example>", Subject: "Über\r\nBcc: evil@example.com", Text: "Zwölf Bilder\n.\nfertig\n",
	Name: "hotfolder-2026-11-23.html", Page: []byte("<!DOCTYPE html>" + strings.Repeat("<p>ü</p>", 100)),
}

func TestMail(t *testing.T) {
	for name, test := range map[string]struct {
		post   *post
		server string
		user   string
		want   string // a pattern of the error; "": it arrives
		secure bool
	}{
		"starttls":                 {&post{startTLS: true, auth: "PLAIN LOGIN"}, "example.com:587", "night", "", true},
		"starttls, AUTH LOGIN":     {&post{startTLS: true, auth: "LOGIN XOAUTH2"}, "example.com:587", "night", "", true},
		"tls from the start":       {&post{tls: true, auth: "PLAIN"}, "example.com:465", "night", "", true},
		"no login":                 {&post{startTLS: true}, "example.com:25", "", "", true},
		"this machine":             {&post{auth: "PLAIN"}, "localhost:25", "night", "", false},
		"no STARTTLS":              {&post{auth: "PLAIN"}, "example.com:587", "night", "offers no STARTTLS", false},
		"another's certificate":    {&post{startTLS: true}, "other.example:587", "", "certificate", false},
		"another's, on port 465":   {&post{tls: true}, "other.example:465", "", "certificate", false},
		"takes no login":           {&post{startTLS: true}, "example.com:587", "night", "takes no login", false},
		"wrong password, PLAIN":    {&post{startTLS: true, auth: "PLAIN", echo: true}, "example.com:587", "night", "535", false},
		"wrong password, LOGIN":    {&post{startTLS: true, auth: "LOGIN", echo: true}, "example.com:587", "night", "535", false},
		"one recipient is refused": {&post{startTLS: true, refuse: "office"}, "example.com:587", "", "", true},
		"all are refused":          {&post{startTLS: true, refuse: "studio"}, "example.com:587", "", "550 .nobody", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.post
			p.start(t)
			err := p.mailer(t, test.server, test.user).Send(t.Context(), letter)
			if test.want != "" {
				if err == nil || !regexp.MustCompile(test.want).MatchString(err.Error()) {
					t.Errorf("%v, want %s", err, test.want)
				}
				wantNoPassword(t, err.Error())
				if len(p.letters) > 0 || !strings.Contains(test.want, "535") && strings.Contains(strings.Join(p.lines, "\n"), password) {
					t.Errorf("it got %q %q", p.letters, p.lines)
				}
				return
			}
			if err != nil || len(p.letters) != 1 || p.secure != test.secure {
				t.Fatalf("%v; %d letters, secure %v; %q", err, len(p.letters), p.secure, p.lines)
			}
			if test.user != "" && !strings.Contains(strings.Join(p.lines, "\n"), "night|"+password) {
				t.Errorf("the login was %q", p.lines)
			}
			wantLetter(t, p.letters[0])
		})
	}
}

func wantNoPassword(t *testing.T, said string) {
	t.Helper()
	for at := range 3 {
		form := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", at) + password))
		if strings.Contains(said, form[8:len(form)-8]) {
			t.Errorf("%q tells the password in base64", said)
		}
	}
	if strings.Contains(said, password) {
		t.Errorf("%q tells the password", said)
	}
}

func wantLetter(t *testing.T, data string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != `Über\r\nBcc: evil@example.com` || m.Header.Get("Bcc") != "" {
		t.Errorf("subject %q, Bcc %q, %v", subject, m.Header.Get("Bcc"), err)
	}
	if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 || to[1].Name != "Büro" {
		t.Errorf("to %v, %v", to, err)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Error(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	text, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(quotedprintable.NewReader(text)); err != nil || strings.ReplaceAll(string(got), "\r\n", "\n") != letter.Text {
		t.Errorf("text %q, %v", got, err)
	}
	page, err := parts.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, page)); err != nil || !bytes.Equal(got, letter.Page) || page.FileName() != letter.Name {
		t.Errorf("page %q %q, %v", page.FileName(), got, err)
	}
}

// A server that says nothing is waited for no longer than the caller wants.
func TestASilentMailServer(t *testing.T) {
	p := &post{silent: true}
	p.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.mailer(t, "example.com:587", "").Send(ctx, letter); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Error(err)
	}
}

// Without its password nothing is said to a server.
func TestAMissingPasswordFile(t *testing.T) {
	p := &post{startTLS: true, auth: "PLAIN"}
	p.start(t)
	file := filepath.Join(t.TempDir(), "password")
	m := notify.NewMailer(config.Mail{Server: "example.com:587", From: "a@b.example", User: "x", PasswordFile: file}, p.roots, slog.New(slog.DiscardHandler))
	m.Dialing(p.listener.Addr().String())
	if err := m.Send(t.Context(), letter); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if len(p.lines) > 0 {
		t.Errorf("the server was told %q", p.lines)
	}
}

func TestAMailedMessage(t *testing.T) {
	p := &post{startTLS: true}
	p.start(t)
	channel := notify.Mail{To: "anna@studio.example", Mailer: p.mailer(t, "example.com:587", "")}
	err := channel.Send(t.Context(), notify.Message{Text: "hotfolder on PC: out of credits - buy", Mend: "buy\ncredits", Since: time.Now()})
	if err != nil || len(p.letters) != 1 || !strings.Contains(p.letters[0], "Subject: hotfolder on PC: out of credits - buy\r\n") ||
		!strings.Contains(p.letters[0], `What to do: buy\ncredits`) {
		t.Errorf("%v %q", err, p.letters)
	}
}
