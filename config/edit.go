package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// ErrByHand is why a file is not changed here: it is written in a way that only a person, or an editor, can add to.
var ErrByHand = errors.New("this file can only be changed by hand")

// SetOrganization returns the file's content with account.organization, which must be missing or empty, and nothing else changed.
func SetOrganization(data []byte, id string) ([]byte, error) {
	return edit(data, func(root *yaml.Node) (change, bool) { return setText(root, id, "account", "organization") },
		func(was map[string]any) { child(was, "account")["organization"] = id })
}

// SetWorkflow returns the file's content with the workflow, which must be missing or empty, of the hot folder at index.
func SetWorkflow(data []byte, index int, id string) ([]byte, error) {
	return edit(data, func(root *yaml.Node) (change, bool) {
		list := valueOf(root, "folders")
		if list == nil || list.Kind != yaml.SequenceNode || index >= len(list.Content) {
			return change{}, false
		}
		return setText(list.Content[index], id, "workflow")
	}, func(was map[string]any) {
		if list, ok := was["folders"].([]any); ok && index < len(list) {
			if folder, ok := list[index].(map[string]any); ok {
				folder["workflow"] = id
			}
		}
	})
}

// AddFolder returns the file's content with one more hot folder after the last one.
func AddFolder(data []byte, f NewFolder) ([]byte, error) {
	var folder any
	return edit(data, func(root *yaml.Node) (change, bool) {
		list := valueOf(root, "folders")
		if list == nil || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0 {
			return change{}, false
		}
		text := f.block(list.Column - 1)
		var parsed []any
		if yaml.Unmarshal([]byte(text), &parsed) != nil {
			return change{}, false
		}
		folder = parsed[0]
		return change{line: lastLine(list) + 1, text: "\n" + text}, true
	}, func(was map[string]any) {
		list, _ := was["folders"].([]any)
		was["folders"] = append(list, folder)
	})
}

// change is text to put in at a place, or instead of the old text there.
type change struct {
	line, column int // from 1; column 0: whole lines, before that line
	old, text    string
}

// edit makes a change and sees that the file then says what it said before, with what expect changes in that, and nothing else.
func edit(data []byte, find func(root *yaml.Node) (change, bool), expect func(was map[string]any)) ([]byte, error) {
	text, mark := bytes.CutPrefix(data, []byte("\ufeff"))
	was := map[string]any{}
	var doc yaml.Node
	if yaml.Unmarshal(text, &was) != nil || yaml.Unmarshal(text, &doc) != nil {
		return nil, ErrByHand
	}
	var root *yaml.Node
	if len(doc.Content) > 0 {
		root = doc.Content[0]
	}
	c, ok := find(root)
	if !ok {
		return nil, ErrByHand
	}
	edited, ok := c.in(text)
	if !ok {
		return nil, ErrByHand
	}
	expect(was)
	is := map[string]any{}
	if yaml.Unmarshal(edited, &is) != nil || !reflect.DeepEqual(was, is) {
		return nil, ErrByHand
	}
	if mark {
		edited = append([]byte("\ufeff"), edited...)
	}
	return edited, nil
}

// in makes the change in a text.
func (c change) in(text []byte) ([]byte, bool) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines[len(lines)-1]) > 0 { // no end of line at the end
		lines = append(lines, nil)
	}
	if c.line < 1 || c.line > len(lines) {
		return nil, false
	}
	at := len(bytes.Join(lines[:c.line-1], nil))
	if c.column > 0 {
		runes := []rune(string(lines[c.line-1]))
		if c.column-1 > len(runes) {
			return nil, false
		}
		at += len(string(runes[:c.column-1]))
	} else if at > 0 && text[at-1] != '\n' {
		c.text = "\n" + c.text
	}
	rest, ok := bytes.CutPrefix(text[at:], []byte(c.old))
	if !ok {
		return nil, false
	}
	if bytes.Contains(text, []byte("\r\n")) {
		c.text = strings.ReplaceAll(c.text, "\n", "\r\n")
	}
	return slices.Concat(text[:at], []byte(c.text), rest), true
}

// setText finds where a text goes that is missing or empty, in the mapping n or one in it.
func setText(n *yaml.Node, text string, keys ...string) (change, bool) {
	if n == nil && len(keys) == 2 { // an empty file
		return change{line: 1, text: lines(0, text, keys...)}, true
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return change{}, false
	}
	key, value := pair(n, keys[0])
	switch {
	case key == nil:
		return addPair(n, text, keys...)
	case value.ShortTag() == "!!null" && value.Value == "" && len(keys) > 1:
		return change{line: key.Line + 1, text: lines(key.Column+1, text, keys[1:]...)}, true
	case value.Kind == yaml.MappingNode && len(keys) > 1:
		return setText(value, text, keys[1:]...)
	case len(keys) > 1 || value.Kind != yaml.ScalarNode:
		return change{}, false
	case value.ShortTag() == "!!null" && value.Value == "":
		return change{line: key.Line, column: key.Column + len(key.Value), old: ":", text: ": " + quote(text)}, true
	case value.ShortTag() == "!!null":
		return change{line: value.Line, column: value.Column, old: value.Value, text: quote(text)}, true
	case value.Value == "" && value.Style&yaml.DoubleQuotedStyle != 0:
		return change{line: value.Line, column: value.Column, old: `""`, text: quote(text)}, true
	case value.Value == "" && value.Style&yaml.SingleQuotedStyle != 0:
		return change{line: value.Line, column: value.Column, old: `''`, text: quote(text)}, true
	}
	return change{}, false
}

// addPair finds where a key goes that a mapping does not have: after its first text or number, or else before all.
func addPair(n *yaml.Node, text string, keys ...string) (change, bool) {
	if n.Style&yaml.FlowStyle != 0 {
		if len(keys) > 1 {
			return change{}, false
		}
		pair := keys[0] + ": " + quote(text)
		if len(n.Content) > 0 {
			pair += ", "
		}
		return change{line: n.Line, column: n.Column, old: "{", text: "{" + pair}, true
	}
	if len(keys) > 1 { // a section of its own
		return change{line: n.Content[0].Line, text: lines(n.Content[0].Column-1, text, keys...) + "\n"}, true
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key, value := n.Content[i], n.Content[i+1]; value.Kind == yaml.ScalarNode && value.Line == key.Line {
			return change{line: key.Line + 1, text: lines(key.Column-1, text, keys...)}, true
		}
	}
	return change{}, false
}

// lines writes keys, each in the one before, the last with a text.
func lines(indent int, text string, keys ...string) string {
	var b strings.Builder
	for i, key := range keys {
		b.WriteString(strings.Repeat(" ", indent+2*i) + key + ":")
		if i == len(keys)-1 {
			b.WriteString(" " + quote(text))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func pair(n *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

func valueOf(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	_, value := pair(n, name)
	return value
}

func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, inner := range n.Content {
		line = max(line, lastLine(inner))
	}
	return line
}

func child(m map[string]any, key string) map[string]any {
	inner, ok := m[key].(map[string]any)
	if !ok {
		inner = map[string]any{}
		m[key] = inner
	}
	return inner
}

var plainText = regexp.MustCompile(`^[\pL/][\pL\pN_./-]*( [\pL\pN_./-]+)*$|^[\pL\pN-]+$`)

// quote writes a text as YAML: as it is where that means the text, in single quotes, in which \ is a \, or in double ones.
func quote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		b, _ := json.Marshal(s) // a string always can be
		return string(b)
	}
	var v any
	if plainText.MatchString(s) && yaml.Unmarshal([]byte(s), &v) == nil && v == any(s) {
		return s
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", "''"))
}
