package agent

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hotfolder/config"
	"hotfolder/store"
)

var templates = []string{"{name}{ext}", "{result}{ext}", "{result}", "{folder}/{name}_{hash8}{ext}", "sub/dir/{result}{name}", "{name}.{date}.{time}{ext}"}

var badOnWindows = regexp.MustCompile(`(?i)[\x00-\x1f<>:"\\|?*]|[. ]$|^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)`)

// Whatever the API calls a result, and whatever the picture is called, the result has a name that a file can have on the system,
// inside the output folder, below the folders that mirror the picture's, and each choice is another name.
func FuzzResultName(f *testing.F) {
	for _, name := range []string{"a.png", "../../evil", `..\..\evil.exe`, "CON", "con .png", "COM¹.a.b", "..", "...", "", ".", "a:b.png", "NUL.", "x. .",
		".hotfolder-lock", "C:\\x", "a\x00b", "\xff\xfe.png", strings.Repeat("ä", 300), strings.Repeat("x", 254) + ".", "a." + strings.Repeat("y", 250)} {
		f.Add("shoot/a.jpg", name, "image/png", uint8(1), uint8(1))
		f.Add("shoot/"+strings.ReplaceAll(cut(name, maxName), "/", ""), "r.png", "application/x", uint8(0), uint8(2))
		f.Add("CON/nul.x/..../b.jpg", name, "", uint8(4), uint8(1))
	}
	f.Fuzz(func(t *testing.T, input, result, contentType string, template, choice uint8) {
		if !couldBeFound(input) {
			return
		}
		hot := &folder{Folder: config.Folder{Name: "packshots", OutputName: templates[int(template)%len(templates)]}}
		job := store.Job{Path: input, SHA256: strings.Repeat("0f", 32), Result: store.Result{Name: result, ContentType: contentType}}
		n := choiceOf(choice)
		for _, windows := range []bool{false, true} {
			name := hot.resultNameOn(windows, job, n)
			for _, part := range strings.Split(name, "/") {
				if part == "" || part == "." || part == ".." || len(part) > maxName || strings.ContainsRune(part, 0) || strings.HasPrefix(strings.ToLower(part), partPrefix) {
					t.Errorf("%q has the part %q", name, part)
				}
				if windows && (badOnWindows.MatchString(part) || !utf8.ValidString(part)) {
					t.Errorf("on Windows, %q has the part %q", name, part)
				}
			}
			if depth := strings.Count(input, "/") + strings.Count(hot.OutputName, "/"); strings.Count(name, "/") != depth {
				t.Errorf("%q of %q is not %d folders deep", name, input, depth)
			}
			if next := hot.resultNameOn(windows, job, n.next()); next == name {
				t.Errorf("choices %v and %v are both %q", n, n.next(), name)
			}
		}
	})
}

func choiceOf(b uint8) choice { return choice{version: 1 + int(b>>4), n: 1 + int(b&15)} }

// couldBeFound tells whether the watcher could have found a file so called.
func couldBeFound(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return part == "" || part == "." || part == ".." || len(part) > maxName || strings.ContainsRune(part, 0)
	}) && name == path.Clean(name)
}
