package private

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The access rights of what is made here, with its owner's SID to be put in: all to the owner, the system and the administrators, who
// could help themselves to it anyway, nothing to others, whatever the folder above hands down. What an administrator or the
// system makes belongs to the administrators.
const (
	fileRights   = "D:P(A;;FA;;;%s)(A;;FA;;;SY)(A;;FA;;;BA)"
	folderRights = "D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
)

// MkdirAll makes a folder, and those above it; the last only its owner and the system can enter. One that is there stays as it
// is.
func MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	name, rights, err := withRights(dir, folderRights)
	if err != nil {
		return err
	}
	if err := windows.CreateDirectory(name, rights); err != nil && !errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// createTemp gives the file its rights as it is made: who opened it a moment before could read what is written later.
func createTemp(dir string) (*os.File, error) {
	path := filepath.Join(dir, ".private-"+rand.Text())
	name, rights, err := withRights(path, fileRights)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, rights, windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func withRights(path, sddl string) (*uint16, *windows.SecurityAttributes, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, nil, err
	}
	owner, err := ownerOfWhatIsMade()
	if err != nil {
		return nil, nil, err
	}
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf(sddl, owner))
	return name, &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: sd}, err
}

func ownerOfWhatIsMade() (*windows.SID, error) {
	var buf struct {
		owner *windows.SID // into room
		room  [128]byte    // a SID has at most 68 bytes
	}
	n := uint32(unsafe.Sizeof(buf))
	if err := windows.GetTokenInformation(windows.GetCurrentProcessToken(), windows.TokenOwner, (*byte)(unsafe.Pointer(&buf)), n, &n); err != nil {
		return nil, fmt.Errorf("who am I: %w", err)
	}
	return buf.owner.Copy()
}

// replace renames a file over another. Windows refuses that while anybody has the other one open, if only to read it or to look for
// viruses: it waits for them, for up to four seconds.
func replace(from, to string) (err error) {
	for wait := time.Millisecond; wait < 3*time.Second; wait *= 2 {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			break
		}
		time.Sleep(wait)
	}
	return err
}

// GiveTo makes a file that an administrator has made that of the owner of like, a folder or a file. Others give nothing away.
func GiveTo(f *os.File, like string) error {
	owner, err := ownerOf(like)
	if err != nil { // on some shares nobody can tell
		return nil
	}
	maker, err := ownerOfWhatIsMade()
	if err != nil || owner.Equals(maker) || owner.IsWellKnown(windows.WinLocalSystemSid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
		return err
	}
	if err := hand(f.Name(), owner); !errors.Is(err, windows.ERROR_INVALID_OWNER) {
		return err
	}
	return nil
}

// Give makes a file, or a folder and what is private in it, an account's, of which uid is the SID. It needs an administrator's rights.
func Give(path, uid string) error {
	who, err := windows.StringToSid(uid)
	if err != nil {
		return fmt.Errorf("account %s: %w", uid, err)
	}
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != path: // gone meanwhile
			return nil
		case err != nil:
			return err
		case d.IsDir() && (name == path || isPrivate(name)):
			return letIn(name, who)
		case name == path || d.Type().IsRegular() && isPrivate(name):
			return hand(name, who)
		}
		return nil // it gets what its folder hands down
	})
}

// isPrivate tells whether something has rights of its own, as what is made here.
func isPrivate(path string) bool {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return false
	}
	control, _, err := sd.Control()
	return err == nil && control&windows.SE_DACL_PROTECTED != 0
}

// hand makes a file who's own. One that is private becomes so for who.
func hand(path string, who *windows.SID) error {
	what := windows.SECURITY_INFORMATION(windows.OWNER_SECURITY_INFORMATION)
	var list *windows.ACL
	if isPrivate(path) {
		sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf(fileRights, who))
		if err == nil {
			list, _, err = sd.DACL()
		}
		if err != nil {
			return err
		}
		what |= windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	return secure(path, what, who, list)
}

// letIn makes a folder who's own and lets who do everything there, and others what they could do before.
func letIn(dir string, who *windows.SID) error {
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return &fs.PathError{Op: "read rights", Path: dir, Err: err}
	}
	old, _, err := sd.DACL()
	if err != nil {
		return &fs.PathError{Op: "read rights", Path: dir, Err: err}
	}
	const fileAllAccess = 0x1f01ff
	list, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: fileAllAccess, AccessMode: windows.GRANT_ACCESS, Inheritance: windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
		Trustee: windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeValue: windows.TrusteeValueFromSID(who)},
	}}, old)
	if err != nil {
		return &fs.PathError{Op: "change rights", Path: dir, Err: err}
	}
	return secure(dir, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION, who, list)
}

// secure sets owner and rights. Only who holds SeRestorePrivilege, as administrators do, may give away what is theirs.
func secure(path string, what windows.SECURITY_INFORMATION, owner *windows.SID, list *windows.ACL) error {
	if err := usePrivilege("SeRestorePrivilege"); err != nil {
		return err
	}
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, what, owner, nil, list, nil); err != nil {
		return &fs.PathError{Op: "change rights", Path: path, Err: err}
	}
	return nil
}

// usePrivilege switches a privilege on that the process may hold.
func usePrivilege(name string) error {
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	var token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ADJUST_PRIVILEGES|windows.TOKEN_QUERY, &token); err != nil {
		return err
	}
	defer token.Close()
	on := windows.Tokenprivileges{PrivilegeCount: 1}
	on.Privileges[0].Attributes = windows.SE_PRIVILEGE_ENABLED
	if err := windows.LookupPrivilegeValue(nil, wide, &on.Privileges[0].Luid); err != nil {
		return err
	}
	return windows.AdjustTokenPrivileges(token, false, &on, 0, nil, nil)
}

func ownerOf(path string) (*windows.SID, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return nil, err
	}
	owner, _, err := sd.Owner()
	return owner, err
}

// check refuses a file that others than its owner, the system and the administrators can read or make readable. A file of which
// the rights cannot be told, as on some shares, passes.
func check(f *os.File) error {
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, what)
	if err != nil {
		return nil
	}
	if who := others(sd); who != "" {
		return fmt.Errorf(`%w (%s); make it private with: icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:F" *S-1-5-18:F *S-1-5-32-544:F /remove:g "%[2]s"`, ErrOpen, who, f.Name())
	}
	return nil
}

// others names the first account beyond those that may read what sd guards; "": there is none.
func others(sd *windows.SECURITY_DESCRIPTOR) string {
	const reading = windows.FILE_READ_DATA | windows.GENERIC_READ | windows.GENERIC_ALL | windows.WRITE_DAC | windows.WRITE_OWNER
	owner, _, err := sd.Owner()
	if err != nil {
		return ""
	}
	list, _, err := sd.DACL()
	if err != nil || list == nil { // no list: no limits
		return "everyone"
	}
	for i := range list.AceCount {
		var ace *windows.ACCESS_ALLOWED_ACE
		if windows.GetAce(list, uint32(i), &ace) != nil || ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE ||
			ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 || ace.Mask&reading == 0 {
			continue
		}
		if who := (*windows.SID)(unsafe.Pointer(&ace.SidStart)); !mayRead(who, owner) {
			return nameOf(who)
		}
	}
	return ""
}

func mayRead(who, owner *windows.SID) bool {
	return who.Equals(owner) || who.IsWellKnown(windows.WinLocalSystemSid) || who.IsWellKnown(windows.WinBuiltinAdministratorsSid)
}

func nameOf(who *windows.SID) string {
	if account, _, _, err := who.LookupAccount(""); err == nil {
		return account
	}
	return who.String()
}

// syncFolder does nothing: Windows does not flush folders.
func syncFolder(string) error { return nil }
