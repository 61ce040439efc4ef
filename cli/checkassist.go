package cli

import (
	"errors"
	"io/fs"
	"os"

	"hotfolder/config"
	"hotfolder/private"
)

// assist looks at what the daily report, the mails and the page need.
func (k *checker) assist(c *config.Config) {
	if to := c.Report.To; to != "" && !c.Report.ToMail() {
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) { // the agent does not make it: its share may be gone
			k.fail(exitFailed, toConnect, "report.to %s is not there", to)
		} else {
			k.writable("report.to", to)
		}
	}
	if file := c.Mail.PasswordFile; file != "" {
		if _, err := private.ReadFile(file); err != nil {
			k.fail(exitFailed, "put the password there, readable by the agent's user alone", "mail.password_file: %s", plain(err))
		} else {
			k.ok("mail.password_file %s", file)
		}
	}
	if file := c.Dashboard.PasswordFile; file != "" {
		if _, err := pagePassword(c); err != nil {
			k.fail(exitFailed, "put a password there, readable by the agent's user alone", "dashboard.password_file: %s", plain(err))
		} else {
			k.ok("dashboard.password_file %s", file)
		}
	}
}
