package notify

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"

	"hotfolder/config"
	"hotfolder/private"
	"hotfolder/tidy"
)

// Mailer sends mail by the configured server: with TLS from the start on port 465, else with STARTTLS, which only a server on this
// machine may lack.
type Mailer struct {
	config config.Mail
	roots  *x509.CertPool // nil: the system's
	log    *slog.Logger
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewMailer makes a Mailer, which reads the password at each mail. roots are the certificates to trust, nil the system's.
func NewMailer(c config.Mail, roots *x509.CertPool, log *slog.Logger) *Mailer {
	return &Mailer{config: c, roots: roots, log: log, dial: (&net.Dialer{}).DialContext}
}

// Letter is a mail.
type Letter struct {
	To      string // addresses, with commas between
	Subject string
	Text    string
	Name    string // of the page that is attached; "": none
	Page    []byte // HTML
}

// mailWithin bounds a mail, from the connection to the server's last word.
const mailWithin = time.Minute

// Send hands a letter to the server. Its error holds no password.
func (m *Mailer) Send(ctx context.Context, l Letter) error {
	password := ""
	if m.config.PasswordFile != "" {
		b, err := private.ReadFile(m.config.PasswordFile)
		if err != nil {
			return fmt.Errorf("password of the mail server: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	ctx, cancel := context.WithTimeout(ctx, mailWithin)
	defer cancel()
	if err := m.send(ctx, l, password); err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			err = errors.New("the server did not answer in time")
		}
		return fmt.Errorf("mail by %s: %s", m.config.Server, without(password, err.Error()))
	}
	return nil
}

func (m *Mailer) send(ctx context.Context, l Letter, password string) error {
	from, err := mail.ParseAddress(m.config.From)
	if err != nil {
		return err
	}
	to, err := mail.ParseAddressList(l.To)
	if err != nil {
		return err
	}
	c, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if m.config.User != "" {
		if err := m.login(c, password); err != nil {
			return err
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := m.recipients(c, to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if err := errors.Join(l.write(w, from, to), w.Close()); err != nil {
		return err
	}
	_ = c.Quit() // it has the letter
	return nil
}

// connect opens a connection on which a password may be sent.
func (m *Mailer) connect(ctx context.Context) (*smtp.Client, error) {
	host, port, err := net.SplitHostPort(m.config.Server)
	if err != nil {
		return nil, err
	}
	conn, err := m.dial(ctx, "tcp", m.config.Server)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // fails only on a closed connection
	trust := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: m.roots}
	if port == "465" {
		conn = tls.Client(conn, trust)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := m.greet(c, port, host, trust); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (m *Mailer) greet(c *smtp.Client, port, host string, trust *tls.Config) error {
	if err := c.Hello(computerName()); err != nil {
		return err
	}
	if port == "465" {
		return nil
	}
	offers, _ := c.Extension("STARTTLS")
	switch {
	case isLoopback(host):
		return nil // what is said does not leave this machine
	case !offers:
		return errors.New("the server offers no STARTTLS, without which others could read along; use another port or server")
	}
	return c.StartTLS(trust)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// computerName is what the server is greeted with.
func computerName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "localhost"
	}
	return name
}

func (m *Mailer) login(c *smtp.Client, password string) error {
	offers, kinds := c.Extension("AUTH")
	if !offers {
		return errors.New("the server takes no login; leave mail.user empty, or use another port")
	}
	ways := strings.Fields(strings.ToUpper(kinds))
	for _, way := range ways {
		if way == "PLAIN" {
			return c.Auth(plainAuth{m.config.User, password})
		}
	}
	return c.Auth(&loginAuth{m.config.User, password})
}

// plainAuth is AUTH PLAIN. connect has seen to it that nobody reads along, by whatever name this machine is called.
type plainAuth struct{ user, password string }

func (a plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
}

func (a plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks more than it may")
	}
	return nil, nil
}

// loginAuth is AUTH LOGIN, which is all that some servers offer.
type loginAuth struct{ user, password string }

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(strings.ToLower(string(asked)), "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(strings.ToLower(string(asked)), "pass"):
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks what it may not")
}

// recipients names those that the letter is for. It goes to those whom the server takes.
func (m *Mailer) recipients(c *smtp.Client, to []*mail.Address) (err error) {
	taken := 0
	for _, a := range to {
		if e := c.Rcpt(a.Address); e != nil {
			err = e
			m.log.Warn("the mail server refuses a recipient", "address", a.Address, "err", tidy.Visible(e.Error()))
			continue
		}
		taken++
	}
	if taken > 0 {
		return nil
	}
	return err
}

// write writes the letter as it goes over the line.
func (l Letter) write(w io.Writer, from *mail.Address, to []*mail.Address) error {
	var b bytes.Buffer
	var names []string
	for _, a := range to {
		names = append(names, a.String())
	}
	parts := multipart.NewWriter(&b)
	for _, header := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(names, ", ")},
		{"Subject", mime.QEncoding.Encode("utf-8", tidy.Visible(l.Subject))},
		{"Date", time.Now().Format(time.RFC1123Z)},
		{"Message-ID", fmt.Sprintf("<%s@%s>", rand.Text(), computerName())},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/mixed; boundary=" + parts.Boundary()},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", header[0], header[1])
	}
	b.WriteString("\r\n")
	text, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	quoted := quotedprintable.NewWriter(text)
	if _, err := io.WriteString(quoted, l.Text); err != nil {
		return err
	}
	if err := quoted.Close(); err != nil {
		return err
	}
	if l.Name != "" {
		page, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"text/html; charset=utf-8"}, "Content-Transfer-Encoding": {"base64"},
			"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": l.Name})},
		})
		if err != nil {
			return err
		}
		writeBase64(page, l.Page)
	}
	if err := parts.Close(); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// writeBase64 writes lines of the length that mail allows. w is a buffer, which does not fail.
func writeBase64(w io.Writer, data []byte) {
	const line = 57 // bytes, 76 letters
	for len(data) > 0 {
		n := min(line, len(data))
		fmt.Fprintf(w, "%s\r\n", base64.StdEncoding.EncodeToString(data[:n]))
		data = data[n:]
	}
}

// without takes a password out of what a server said, in the forms in which it was sent.
func without(password, said string) string {
	said = tidy.Visible(said)
	if password == "" {
		return said
	}
	for at := range 3 { // as base64 shows it, wherever it begins
		form := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", at) + password))
		if from, to := []int{0, 2, 3}[at], len(form)/4*4-4; to > from {
			said = strings.ReplaceAll(said, form[from:to], "…")
		}
	}
	return strings.ReplaceAll(said, password, "…")
}

// Mail sends each message to some addresses.
type Mail struct {
	To     string
	Mailer *Mailer
}

// Name is mail.
func (m Mail) Name() string { return "mail" }

// Send mails the message.
func (m Mail) Send(ctx context.Context, message Message) error {
	text := message.Text + "\n\n"
	if message.Mend != "" {
		text += "What to do: " + tidy.Visible(message.Mend) + "\n"
	}
	if !message.Since.IsZero() {
		text += "Since: " + message.Since.Local().Format("Mon 2006-01-02 15:04") + "\n"
	}
	const longSubject = 120
	subject := []rune(message.Text)
	if len(subject) > longSubject {
		subject = append(subject[:longSubject], '…')
	}
	return m.Mailer.Send(ctx, Letter{To: m.To, Subject: string(subject), Text: text})
}
