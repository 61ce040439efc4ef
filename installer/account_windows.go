package installer

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// HasPassword says whether the service manager wants the account's password.
func HasPassword(name string) bool {
	_, ofSystem, managed := account(name)
	return !ofSystem && !managed
}

// userName is as whom the service is to run; "" is LocalSystem for a new one.
func userName(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	full, _, _ := account(name)
	if strings.EqualFold(full, `NT SERVICE\`+Name) { // which there is once the service is registered
		return full, nil
	}
	_, err := sidOf(full)
	return full, err
}

// entitle gives an account the right to log on as a service, as services.msc does, and returns its SID.
func entitle(name string) (sid string, err error) {
	full, ofSystem, _ := account(name)
	who, err := sidOf(full)
	if err == nil && !ofSystem {
		err = addRight(who, "SeServiceLogonRight")
	}
	if err != nil {
		return "", err
	}
	return who.String(), nil
}

// sidOf finds an account by the name that the service manager has for it.
func sidOf(full string) (*windows.SID, error) {
	known := strings.TrimPrefix(full, `.\`)
	if full == "LocalSystem" {
		known = `NT AUTHORITY\SYSTEM`
	}
	who, _, _, err := windows.LookupSID("", known)
	return who, err
}

var (
	advapi32            = windows.NewLazySystemDLL("advapi32.dll")
	lsaOpenPolicy       = advapi32.NewProc("LsaOpenPolicy")
	lsaAddAccountRights = advapi32.NewProc("LsaAddAccountRights")
	lsaClose            = advapi32.NewProc("LsaClose")
)

// addRight gives an account a right on this machine (LsaAddAccountRights).
func addRight(who *windows.SID, right string) error {
	const lookupNames, createAccount = 0x800, 0x10 // of the policy (ntsecapi.h)
	var attributes struct {                        // LSA_OBJECT_ATTRIBUTES, of which Windows wants the length alone
		length            uint32
		root              windows.Handle
		name              *windows.NTUnicodeString
		attributes        uint32
		security, quality uintptr
	}
	attributes.length = uint32(unsafe.Sizeof(attributes))
	var policy windows.Handle
	if err := lsa(lsaOpenPolicy.Call(0, uintptr(unsafe.Pointer(&attributes)), lookupNames|createAccount, uintptr(unsafe.Pointer(&policy)))); err != nil {
		return err
	}
	defer lsaClose.Call(uintptr(policy))
	name, err := windows.NewNTUnicodeString(right)
	if err != nil {
		return err
	}
	return lsa(lsaAddAccountRights.Call(uintptr(policy), uintptr(unsafe.Pointer(who)), uintptr(unsafe.Pointer(name)), 1))
}

// lsa is the error of a call of the local security authority; nil if it went well.
func lsa(status, _ uintptr, _ error) error {
	if s := windows.NTStatus(status); s != windows.STATUS_SUCCESS {
		return s.Errno()
	}
	return nil
}
