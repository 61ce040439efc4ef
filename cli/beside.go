package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hotfolder/agent"
	"hotfolder/autoretouch"
	"hotfolder/notify"
	"hotfolder/report"
)

// assist starts what tells people of an agent that stays: notifications and the daily report. It ends with ctx. The agent does its
// work without it, too.
func (s start) assist(ctx context.Context, beside *sync.WaitGroup, a *agent.Agent) {
	c := s.config
	transport, err := autoretouch.NewTransport(c.API.CAFile)
	if err != nil {
		s.log.Warn("nobody can be notified", "err", err) // newClient has read it a moment ago
		return
	}
	mailer := notify.NewMailer(c.Mail, transport.TLSClientConfig.RootCAs, s.log)
	var channels []notify.Channel
	if c.Notify.URL != "" {
		channels = append(channels, notify.NewHook(c.Notify.URL, transport))
	}
	if c.Notify.To != "" {
		channels = append(channels, notify.Mail{To: c.Notify.To, Mailer: mailer})
	}
	if len(channels) > 0 {
		n := notify.New(notify.Options{
			Channels: channels, GoneAfter: c.Notify.GoneAfter, File: filepath.Join(c.DataDir, "notify.json"), Status: a.Status, Log: s.log,
		})
		beside.Go(func() { n.Run(ctx); transport.CloseIdleConnections() })
	}
	if c.Report.Daily != "" {
		daily := report.Daily{
			At: c.Report.Daily, File: filepath.Join(c.DataDir, "report.json"), Heard: a.Reported, Log: s.log,
			Make: func(ctx context.Context, since, until time.Time) (report.Report, error) {
				o := newReport(c)
				o.Since, o.Until = since, until
				return report.Make(o, a.Jobs(ctx, o.Filter()))
			},
			Deliver: func(ctx context.Context, r report.Report) error {
				if c.Report.ToMail() {
					return mailReport(ctx, mailer, c.Report.To, r)
				}
				return fileReport(a, c.Report.To, r)
			},
		}
		beside.Go(func() { daily.Run(ctx) })
	}
}

// keepStatusFiles starts what keeps the pages in the input folders, and removes those of folders that are to have none any more.
func (s start) keepStatusFiles(ctx context.Context, beside *sync.WaitGroup, a *agent.Agent) {
	files := report.StatusFiles{Status: a.Status, Jobs: a.Jobs, Latest: a.Ledger.Latest, Write: a.PutInput, Remove: a.RemoveInput, Log: s.log}
	var without []string
	for _, f := range s.config.Folders {
		if f.StatusFile {
			files.Folders = append(files.Folders, f.Name)
		} else {
			without = append(without, f.Name)
		}
	}
	if len(files.Folders) > 0 {
		beside.Go(func() { files.Run(ctx) })
	}
	beside.Go(func() { files.Clear(ctx, without) })
}

func mailReport(ctx context.Context, m *notify.Mailer, to string, r report.Report) error {
	var text strings.Builder
	var page bytes.Buffer
	if err := errors.Join(r.Text(&text), r.HTML(&page)); err != nil {
		return err
	}
	return m.Send(ctx, notify.Letter{To: to, Subject: "hotfolder: " + r.Headline(), Text: text.String(), Name: r.FileName(1), Page: page.Bytes()})
}

// fileReport writes the report into a folder, beside what is there.
func fileReport(a *agent.Agent, folder string, r report.Report) error {
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		return err
	}
	const most = 100 // agents that write into one folder, or repeats after crashes
	for n := 1; n <= most; n++ {
		if err := a.Put(folder, r.FileName(n), page.Bytes(), false); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("%s is taken in %s", r.FileName(most), folder)
}
