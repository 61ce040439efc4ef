package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"gopkg.in/yaml.v3"
)

// decode sets the struct that into points to from the mapping n; what the mapping does not name stays as it is.
func (d *document) decode(path string, n *yaml.Node, into any) {
	fields := fieldsOf(reflect.ValueOf(into).Elem())
	d.eachPair(path, n, func(at, key string, value *yaml.Node) {
		f, ok := fields[key]
		if !ok {
			d.problem(at, "unknown key; %s", suggest(key, slices.Sorted(maps.Keys(fields))))
			return
		}
		d.value(at, value, f.value, f.tag)
	})
}

type field struct {
	value reflect.Value
	tag   reflect.StructTag
}

// fieldsOf returns the fields of a struct by their keys in the file.
func fieldsOf(v reflect.Value) map[string]field {
	fields := map[string]field{}
	for f, value := range v.Fields() {
		if key := f.Tag.Get("yaml"); key != "-" {
			fields[key] = field{value, f.Tag}
		}
	}
	return fields
}

// eachPair calls do with the path, key and value of each pair of the mapping n; a null is an empty one.
func (d *document) eachPair(path string, n *yaml.Node, do func(at, key string, value *yaml.Node)) {
	if n = d.resolve(path, n); n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.problem(path, "must be `key: value` lines, not %s", kindOf(n))
		return
	}
	seen := map[string]int{} // the line of each key
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+short(k.Value), ".")
		if first, ok := seen[k.Value]; ok {
			d.note(position{k.Line, k.Column}, "%sis in line %d already; remove one of the two", label(at), first)
			continue
		}
		seen[k.Value] = k.Line
		d.at[at] = position{k.Line, k.Column}
		if k.ShortTag() != "!!str" && k.ShortTag() != "!!merge" {
			d.problem(at, "a key must be text, not %s; put it in quotes", kindOf(k))
			continue
		}
		do(at, k.Value, value)
	}
}

// eachItem calls do with the path and value of each item of the list n; a null is an empty one.
func (d *document) eachItem(path string, n *yaml.Node, do func(at string, item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.problem(path, "must be a list, not %s; write it as [ ] or as lines that begin with -", kindOf(n))
		return
	}
	for i, item := range n.Content {
		do(fmt.Sprintf("%s[%d]", path, i), item)
	}
}

// resolve notes where n stands and returns what it means: an alias is the node that it names.
func (d *document) resolve(path string, n *yaml.Node) *yaml.Node {
	d.at[path] = position{n.Line, n.Column}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// value sets v from n as v's type and tag ask for. A null leaves the default.
func (d *document) value(path string, n *yaml.Node, v reflect.Value, tag reflect.StructTag) {
	key := d.at[path]
	if n = d.resolve(path, n); n.ShortTag() == "!!null" {
		d.at[path] = key
		return
	}
	switch into := v.Addr().Interface().(type) {
	case *[]Folder:
		d.eachItem(path, n, func(at string, item *yaml.Node) {
			f := DefaultFolder()
			d.decode(at, item, &f)
			*into = append(*into, f)
		})
	case *[]string:
		*into = []string{}
		d.eachItem(path, n, func(at string, item *yaml.Node) { *into = append(*into, d.text(at, d.resolve(at, item))) })
	case *map[string]string:
		*into = map[string]string{}
		d.eachPair(path, n, func(at, key string, value *yaml.Node) { (*into)[key] = d.text(at, d.resolve(at, value)) })
	case *map[string]any:
		d.settings(path, n, into)
	case *time.Duration:
		d.duration(path, n, into, tag)
	case *int64:
		d.size(path, n, into, tag)
	case *int:
		d.number(path, n, into, tag)
	case *bool:
		if n.ShortTag() != "!!bool" || n.Decode(into) != nil {
			d.problem(path, "must be true or false, not %s", kindOf(n))
		}
	default:
		if v.Kind() == reflect.Struct {
			d.decode(path, n, into)
		} else if s := d.text(path, n); !d.bad[path] {
			v.SetString(d.checkText(path, s, tag.Get("is")))
		}
	}
}

func (d *document) text(path string, n *yaml.Node) string {
	switch {
	case n.ShortTag() == "!!str":
		return n.Value
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		d.problem(path, "must be text, not %s; put it in quotes: %q", kindOf(n), short(n.Value))
	default:
		d.problem(path, "must be text, not %s", kindOf(n))
	}
	return ""
}

func (d *document) settings(path string, n *yaml.Node, into *map[string]any) {
	err := n.Decode(into)
	if err == nil {
		_, err = json.Marshal(*into)
	}
	if err != nil {
		d.problem(path, "must be `key: value` lines that can be sent as JSON (%v)", short(err.Error()))
	}
}

func (d *document) duration(path string, n *yaml.Node, into *time.Duration, tag reflect.StructTag) {
	got, err := time.ParseDuration(n.Value)
	switch isNumber := n.ShortTag() == "!!int" || n.ShortTag() == "!!float"; {
	case isNumber:
		d.problem(path, "%s has no unit; write %ss, or another of ms, s, m, h", short(n.Value), short(n.Value))
	case n.Kind != yaml.ScalarNode || err != nil:
		d.problem(path, "must be a time span such as 500ms, 2s, 1m30s or 24h, not %s", kindOf(n))
	case got < must(time.ParseDuration(tag.Get("min"))):
		d.problem(path, "must be at least %s", tag.Get("min"))
	default:
		*into = got
	}
}

func (d *document) size(path string, n *yaml.Node, into *int64, tag reflect.StructTag) {
	got, err := humanize.ParseBytes(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || got > math.MaxInt64 || strings.Contains(n.Value, ",") { // 1,5MB is not 15MB
		d.problem(path, "must be a size such as 20MB, 512KiB or a number of bytes, not %s", kindOf(n))
		return
	}
	*into = int64(got)
}

func (d *document) number(path string, n *yaml.Node, into *int, tag reflect.StructTag) {
	var got int
	if n.ShortTag() != "!!int" || n.Decode(&got) != nil {
		d.problem(path, "must be a whole number, not %s", kindOf(n))
		return
	}
	if low := must(strconv.Atoi(tag.Get("min"))); got < low {
		d.problem(path, "must be at least %d", low)
		return
	}
	if high := tag.Get("max"); high != "" && got > must(strconv.Atoi(high)) {
		d.problem(path, "must be at most %s", high)
		return
	}
	*into = got
}

// checkText returns s as the is tag asks for it: paths absolute, the rest unchanged. Empty means not set.
func (d *document) checkText(path, s, is string) string {
	var wrong string
	switch {
	case s == "" && !strings.Contains(is, "|"):
	case is == "path":
		s, wrong = absolute(filepath.Dir(d.file), s)
	case is == "url":
		wrong = checkURL(s)
	case is == "listen":
		wrong = checkListen(s)
	case is == "server":
		wrong = checkServer(s)
	case is == "hook":
		wrong = checkHook(s)
	case is == "mail":
		wrong = checkMail(s)
	case is == "target" && isMail(s):
		wrong = checkMail(s)
	case is == "target":
		s, wrong = absolute(filepath.Dir(d.file), s)
	case is == "clock":
		wrong = checkClock(s)
	case is == "hours":
		wrong = checkHours(s)
	case strings.Contains(is, "|"):
		if words := strings.Split(is, "|"); !slices.Contains(words, s) {
			wrong = fmt.Sprintf("must be one of %s, not %q", strings.Join(words, ", "), short(s))
		}
	}
	if wrong != "" {
		d.problem(path, "%s", wrong)
	}
	return s
}

// kindOf names n as a person would.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "`key: value` lines"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + short(n.Value)
	case "!!timestamp":
		return "the date " + short(n.Value)
	}
	return strconv.Quote(short(n.Value))
}

// short keeps a message readable whatever is in the file.
func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // a tag in this package is wrong
	}
	return v
}
