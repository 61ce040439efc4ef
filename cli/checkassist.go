package cli

import (
	"hotfolder/config"
	"hotfolder/private"
)

// assist looks at what the daily report, the mails and the page need.
func (k *checker) assist(c *config.Config) {
	if to := c.Report.To; to != "" && !c.Report.ToMail() {
		k.at("report.to", to, func(k *checker) bool { return k.thereAndWritable("report.to", to) })
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
