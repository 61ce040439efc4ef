package agent

import (
	"cmp"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hotfolder/store"
)

// maxName is how many bytes a file name may have on the usual file systems.
const maxName = 255

// choice is one of the names that a result may get: of a version of the file, the n-th that is tried. Both count from 1.
type choice struct{ version, n int }

var firstChoice = choice{1, 1}

func (c choice) next() choice { return choice{c.version, c.n + 1} }

func (c choice) nextVersion() choice { return choice{c.version + 1, 1} }

// suffix is what the name has before its extension: _v2 for a second version, _2 for a second choice.
func (c choice) suffix() (s string) {
	if c.version > 1 {
		s = "_v" + strconv.Itoa(c.version)
	}
	if c.n > 1 {
		s += "_" + strconv.Itoa(c.n)
	}
	return s
}

// resultName is a choice of a job's name in the hot folder's output, with slashes. What comes from the API is used only in
// pieces that can't be a path.
func (f *folder) resultName(job store.Job, c choice) string {
	return f.resultNameOn(runtime.GOOS == "windows", job, c)
}

func (f *folder) resultNameOn(windows bool, job store.Job, c choice) string {
	name, ext := splitExt(path.Base(job.Path))
	resultName, _ := splitExt(base(job.Result.Name))
	when := job.CompletedAt.Local()
	stem, end := f.OutputName, ""
	if strings.HasSuffix(stem, "{ext}") {
		stem, end = strings.TrimSuffix(stem, "{ext}"), resultExt(job.Result, ext)
	}
	stem = strings.NewReplacer(
		"{name}", name, "{ext}", resultExt(job.Result, ext), "{result}", cmp.Or(resultName, name), "{hash8}", job.SHA256[:min(8, len(job.SHA256))],
		"{date}", when.Format("2006-01-02"), "{time}", when.Format("150405"), "{folder}", f.Name,
	).Replace(stem)
	end = c.suffix() + end
	dir, stem := path.Split(stem)
	return path.Join(safeDir(windows, path.Dir(job.Path)+"/"+dir), safeNameOn(windows, stem, end))
}

func (f *folder) outputPath(output string) string {
	return filepath.Join(f.Output, filepath.FromSlash(output))
}

// splitExt splits a name before its last dot; a name that only begins with a dot has no extension.
func splitExt(name string) (stem, ext string) {
	ext = path.Ext(name)
	if ext == name {
		return name, ""
	}
	return strings.TrimSuffix(name, ext), ext
}

// base is the last part of a name that came from outside, whatever separators it uses.
func base(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return name
}

// exts are the usual extensions of each type, the first one to be used when the API names no other of them.
var exts = map[string][]string{
	"image/jpeg": {".jpg", ".jpeg"},
	"image/png":  {".png"},
	"image/tiff": {".tif", ".tiff"},
	"image/webp": {".webp"},
}

// resultExt is the extension of a result by its type; by its name, if that is a plain one, for a type never heard of.
func resultExt(r store.Result, inputExt string) string {
	_, ext := splitExt(base(r.Name))
	known, ok := exts[mediaType(r.ContentType)]
	for _, k := range known {
		if strings.EqualFold(ext, k) {
			return ext
		}
	}
	switch {
	case ok:
		return known[0]
	case len(ext) > 1 && len(ext) <= 6 && isPlain(ext[1:]):
		return ext
	}
	return inputExt
}

func isPlain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}) < 0
}

func safeDir(windows bool, dir string) string {
	var parts []string
	for _, p := range strings.Split(dir, "/") {
		if p != "" && p != "." && p != ".." {
			parts = append(parts, safeNameOn(windows, p, ""))
		}
	}
	return path.Join(parts...)
}

// safeName makes one file name of stem and end: one that is no path, that the OS allows, and that is not too long.
func safeName(stem, end string) string { return safeNameOn(runtime.GOOS == "windows", stem, end) }

func safeNameOn(windows bool, stem, end string) string {
	allow := func(r rune) rune {
		if r == '/' || r == 0 || windows && (r < ' ' || strings.ContainsRune(`<>:"\|?*`, r)) {
			return '_'
		}
		return r
	}
	if windows { // whose names are no bytes, but text
		stem, end = strings.ToValidUTF8(stem, "_"), strings.ToValidUTF8(end, "_")
	}
	stem, end = mapped(allow, stem), cut(mapped(allow, end), maxName/2)
	stem, end = shortened(windows, stem, end, maxName)
	if isReserved(windows, stem, end) {
		stem, end = shortened(windows, strings.TrimLeft(stem, "."), end, maxName-1)
		stem = "_" + stem
	}
	return stem + end
}

// mapped is strings.Map that leaves bytes which are no UTF-8 as they are.
func mapped(to func(rune) rune, s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < utf8.RuneSelf {
			b[i] = byte(to(rune(c)))
		}
	}
	return string(b)
}

// shortened cuts stem so that both have at most n bytes and, on Windows, takes away the dots and spaces that it drops at the end.
func shortened(windows bool, stem, end string, n int) (string, string) {
	stem = cut(stem, n-len(end))
	if windows {
		end = strings.TrimRight(end, ". ")
	}
	if windows && end == "" {
		stem = strings.TrimRight(stem, ". ")
	}
	return stem, end
}

// cut shortens a text to at most n bytes without cutting a character in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// isReserved tells names that are not a file's: those of folders, of our own files, and of Windows' old devices.
func isReserved(windows bool, stem, end string) bool {
	name := stem + end
	if stem == "" || name == "." || name == ".." || strings.HasPrefix(strings.ToLower(name), partPrefix) {
		return true
	}
	device, _, _ := strings.Cut(strings.ToUpper(name), ".")
	return windows && slices.Contains(devices, strings.TrimRight(device, " "))
}

// devices are Windows' reserved names (Microsoft: Naming Files, Paths, and Namespaces).
var devices = strings.Fields(`CON PRN AUX NUL CONIN$ CONOUT$
	COM0 COM1 COM2 COM3 COM4 COM5 COM6 COM7 COM8 COM9 COM¹ COM² COM³
	LPT0 LPT1 LPT2 LPT3 LPT4 LPT5 LPT6 LPT7 LPT8 LPT9 LPT¹ LPT² LPT³`)
