//go:build !windows

package installer

import "os/user"

// HasPassword says whether the service manager wants the account's password.
func HasPassword(string) bool { return false }

// userName is as whom the service is to run; "" is root. Without a name it stays who it is.
func userName(name string) (string, error) {
	if name == "" {
		is, err := query()
		if err != nil || is.State == NotInstalled {
			return "", nil // what is wrong with the service manager shows in a moment
		}
		name = is.Account
	}
	if name == "" || name == "root" {
		return "", nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

// entitle returns the account's user id. It needs no rights to be a service.
func entitle(name string) (uid string, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}
