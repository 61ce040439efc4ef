package installer

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// launchdJob reads what a launchd job's property list says of account, program and configuration.
func launchdJob(plist []byte) (Info, error) {
	i := Info{Account: "root"}
	var key string
	var words []string
	for d := xml.NewDecoder(bytes.NewReader(plist)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return i, fmt.Errorf("the service's property list: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "key" && start.Name.Local != "string" {
			continue
		}
		var text string
		if err := d.DecodeElement(&text, &start); err != nil {
			return i, fmt.Errorf("the service's property list: %w", err)
		}
		switch {
		case start.Name.Local == "key":
			key = text
		case key == "UserName":
			i.Account = text
		case key == "ProgramArguments":
			words = append(words, text)
		}
	}
	if len(words) > 0 {
		i.command(words[0], words[1:])
	}
	return i, nil
}

// launchdState reads what `launchctl print` tells of a job: lines KEY = VALUE, of which those of the job itself are indented by one tab.
func launchdState(text string) (is Status, pid int) {
	value := map[string]string{}
	for line := range strings.Lines(text) {
		if own, ok := strings.CutPrefix(line, "\t"); ok && !strings.HasPrefix(own, "\t") {
			key, v, _ := strings.Cut(strings.TrimRight(own, "\n"), " = ")
			value[key] = v
		}
	}
	pid, _ = strconv.Atoi(value["pid"]) // none while it does not run
	code, _, _ := strings.Cut(value["last exit code"], ":")
	failed := code != "" && code != "0" && code != "(never exited)"
	switch {
	case value["state"] == "running":
		return Running, pid
	case failed || value["last terminating signal"] != "":
		return Failed, pid
	case value["state"] == "not running":
		return Stopped, pid
	}
	return Starting, pid // "spawn scheduled" and the like
}
