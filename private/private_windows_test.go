package private

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

func TestRights(t *testing.T) {
	const owner = "S-1-5-21-1-2-3-1001"
	for sddl, want := range map[string]bool{ // whether others can read
		fmt.Sprintf(fileRights, owner):        false,
		fmt.Sprintf(folderRights, owner):      false,
		"D:(A;;FA;;;BA)(A;;FA;;;SY)":          false,
		"D:P":                                 false,
		"D:P(A;;FA;;;SY)(A;;FR;;;WD)":         true, // everyone
		"D:P(A;;FA;;;SY)(A;ID;0x1200a9;;;BU)": true, // users, handed down
		"D:P(A;;FA;;;SY)(A;;GR;;;AU)":         true,
		"D:P(A;;WD;;;S-1-5-21-1-2-3-1002)":    true, // could let itself in
		"D:P(A;OIIO;FA;;;WD)":                 false,
		"D:P(D;;FA;;;WD)":                     false,
		"D:P(A;;RC;;;WD)":                     false, // may look at the rights
		"":                                    true,
	} {
		sd, err := windows.SecurityDescriptorFromString("O:" + owner + sddl)
		if err != nil {
			t.Fatalf("%s: %v", sddl, err)
		}
		if who := others(sd); (who != "") != want {
			t.Errorf("%s: %q", sddl, who)
		}
	}
}

// What is made has the rights, and its maker can still use it.
func TestRightsAreSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "secret")
	if err := WriteFile(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, path} {
		sd, err := windows.GetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		if who := others(sd); who != "" {
			t.Errorf("%s is open to %s: %v", name, who, sd)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// Who reads a file holds up who replaces it, but not for good.
func TestAReaderIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { reader.Close() })
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Error(err)
	}
	if got, err := ReadFile(path); string(got) != "new" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What is given to an account is its own, and still private.
func TestGive(t *testing.T) {
	const localService = "S-1-5-19"
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "copies", "secret")
	if err := WriteFile(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := Give(dir, localService); err != nil {
		t.Fatal(err)
	}
	if owner, err := ownerOf(dir); err != nil || owner.String() != localService {
		if os.Getenv("WINEPREFIX") == "" {
			t.Errorf("of %v, %v", owner, err)
		}
		t.Log("Wine does not keep owners")
	}
	if err := WriteFile(path, []byte("y")); err != nil { // an administrator's login
		t.Error(err)
	}
	if err := Give(filepath.Join(dir, "gone"), localService); err == nil {
		t.Error("gave what is not there")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
