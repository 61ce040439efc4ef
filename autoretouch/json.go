package autoretouch

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object of the API, read field by field: one that is missing, null or of another type is zero and does
// not spoil the others.
type object map[string]json.RawMessage

// text is a string, or a number or truth value as it is written.
func (o object) text(key string) string {
	raw := o[key]
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// integer is a number, also one written as a string, without its fraction.
func (o object) integer(key string) int {
	n, _ := parseInteger(o.text(key))
	return n
}

// parseInteger reads a number that may have a fraction or an exponent and rounds it down.
func parseInteger(s string) (int, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e15 {
		return 0, false
	}
	return int(math.Floor(f)), true
}

var timeForms = []string{
	time.RFC3339, // takes fractions, too
	"2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02",
}

// time is an ISO 8601 time, UTC when it names no zone.
func (o object) time(key string) time.Time {
	s := o.text(key)
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// texts is an object of strings.
func (o object) texts(key string) map[string]string {
	var fields object
	if json.Unmarshal(o[key], &fields) != nil || len(fields) == 0 {
		return nil
	}
	texts := make(map[string]string, len(fields))
	for k := range fields {
		texts[k] = fields.text(k)
	}
	return texts
}

// entries is the page of a list: what is not an object is left out.
func (o object) entries() []object {
	var raws []json.RawMessage
	json.Unmarshal(o["entries"], &raws)
	list := make([]object, 0, len(raws))
	for _, raw := range raws {
		var entry object
		if json.Unmarshal(raw, &entry) == nil && entry != nil {
			list = append(list, entry)
		}
	}
	return list
}
