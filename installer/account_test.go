package installer

import "testing"

func TestAccount(t *testing.T) {
	for name, want := range map[string]struct {
		full              string
		ofSystem, managed bool
	}{
		"LocalSystem":                 {"LocalSystem", true, false},
		"localservice":                {`NT AUTHORITY\localservice`, true, false},
		`NT AUTHORITY\LocalService`:   {`NT AUTHORITY\LocalService`, true, false},
		`nt authority\NetworkService`: {`nt authority\NetworkService`, true, false},
		`NT SERVICE\hotfolder`:        {`NT SERVICE\hotfolder`, true, false},
		`STUDIO\hotfolder$`:           {`STUDIO\hotfolder$`, false, true},
		`STUDIO\anna`:                 {`STUDIO\anna`, false, false},
		`anna@studio.example`:         {`anna@studio.example`, false, false},
		`.\anna`:                      {`.\anna`, false, false},
		"anna":                        {`.\anna`, false, false},
	} {
		if full, ofSystem, managed := account(name); full != want.full || ofSystem != want.ofSystem || managed != want.managed {
			t.Errorf("%s: got %s, %v, %v", name, full, ofSystem, managed)
		}
	}
}
