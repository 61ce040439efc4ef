package agent

import (
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"hotfolder/store"
)

// maxName is how many bytes a file name may have on the usual file systems.
const maxName = 255

// resultName is the n-th choice (from 1) of a job's name in the hot folder's output, with slashes. What comes from the API is
// used only in pieces that can't be a path.
func (f *folder) resultName(job store.Job, n int) string {
	name, ext := splitExt(path.Base(job.Path))
	resultName, _ := splitExt(base(job.Result.Name))
	when := job.CompletedAt.Local()
	stem, end := f.OutputName, ""
	if strings.HasSuffix(stem, "{ext}") {
		stem, end = strings.TrimSuffix(stem, "{ext}"), resultExt(job.Result, ext)
	}
	stem = strings.NewReplacer(
		"{name}", name, "{ext}", resultExt(job.Result, ext), "{result}", resultName, "{hash8}", job.SHA256[:min(8, len(job.SHA256))],
		"{date}", when.Format("2006-01-02"), "{time}", when.Format("150405"), "{folder}", f.Name,
	).Replace(stem)
	if n > 1 {
		end = "_" + strconv.Itoa(n) + end
	}
	dir, stem := path.Split(path.Join(path.Dir(job.Path), stem))
	return path.Join(safeDir(dir), safeName(stem, end))
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
	known, ok := exts[r.ContentType]
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

func safeDir(dir string) string {
	var parts []string
	for _, p := range strings.Split(dir, "/") {
		if p != "" && p != "." && p != ".." {
			parts = append(parts, safeName(p, ""))
		}
	}
	return path.Join(parts...)
}

// safeName makes one file name of stem and end: one that is no path, that the OS allows, and that is not too long.
func safeName(stem, end string) string {
	stem, end = strings.ReplaceAll(strings.ReplaceAll(stem, "/", "_"), "\x00", "_"), strings.ReplaceAll(strings.ReplaceAll(end, "/", "_"), "\x00", "_")
	if runtime.GOOS == "windows" {
		stem, end = windowsName(stem, end)
	}
	if len(stem)+len(end) > maxName {
		stem = cut(stem, maxName-len(end))
	}
	if name := stem + end; name != "" && name != "." && name != ".." && !strings.HasPrefix(name, partPrefix) {
		return name
	}
	return "_" + strings.TrimLeft(stem, ".") + end
}

// cut shortens a text to at most n bytes without cutting a character in two.
func cut(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)]
}

// windowsName replaces what Windows forbids in a name: some characters, the names of its old devices, dots and spaces at the end.
func windowsName(stem, end string) (string, string) {
	allow := func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"\|?*`, r) {
			return '_'
		}
		return r
	}
	stem, end = strings.Map(allow, stem), strings.Map(allow, end)
	if end == "" {
		stem = strings.TrimRight(stem, ". ")
	} else {
		end = strings.TrimRight(end, ". ")
	}
	device, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(stem)), ".")
	switch device {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return "_" + stem, end
	}
	if len(device) >= 4 && (device[:3] == "COM" || device[:3] == "LPT") && strings.Contains("0123456789¹²³", device[3:]) {
		return "_" + stem, end
	}
	return stem, end
}
