package private

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The access rights of what is made here, with its owner's SID to be put in: all to the owner and the system, nothing to others,
// whatever the folder above hands down. What an administrator or the system makes belongs to the administrators.
const (
	fileRights   = "D:P(A;;FA;;;%s)(A;;FA;;;SY)"
	folderRights = "D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)"
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

// GiveTo does nothing: administrators and the system may read each other's files.
func GiveTo(*os.File, string) error { return nil }

// check refuses a file that others than its owner, the system and the administrators can read or make readable. A file of which
// the rights cannot be told, as on some shares, passes.
func check(f *os.File) error {
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, what)
	if err != nil {
		return nil
	}
	if who := others(sd); who != "" {
		return fmt.Errorf(`%w (%s); make it private with: icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:F" *S-1-5-18:F /remove:g "%[2]s"`, ErrOpen, who, f.Name())
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
