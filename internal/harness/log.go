package harness

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// What a runner does with a step's log and files, as far as the action uses them.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
const (
	maxAnnotations = 10      // of each kind, a step
	maxMessage     = 4096    // characters of an annotation
	maxOutputs     = 1 << 20 // bytes, a job
	maxStepSummary = 1 << 20 // bytes, a step
)

// Log is a step's log as a runner interprets it.
type Log struct {
	Shown       string              // the text on the log's page: masked, without workflow commands
	Masks       []string            // in the order of their commands
	Annotations map[string][]string // the messages that the runner keeps, by kind
	Unexpected  []string            // commands that the action never prints itself
}

// A command is "::name properties::data" at the start of a line, or
// "##[name properties]data" anywhere in it; a line holds one at most.
var (
	newCommand = regexp.MustCompile(`^\s*::([^\s:]+)(?: ([^:]*))?::(.*)$`)
	oldCommand = regexp.MustCompile(`##\[([^\s\]]+)(?: ([^\]]*))?\](.*)$`)
)

// commandNames are the commands that a runner runs, true for the action's own
// commands. To a runner, any other name makes the line plain text.
var commandNames = map[string]bool{
	"add-mask": true, "error": true, "warning": true, "notice": true, "group": true, "endgroup": true,
	"debug": false, "echo": false, "stop-commands": false,
	"add-matcher": false, "remove-matcher": false, "save-state": false, "set-env": false, "set-output": false, "add-path": false,
}

// readLog interprets what a step printed.
func readLog(printed string) Log {
	l := Log{Annotations: map[string][]string{}}
	for line := range strings.Lines(strings.ReplaceAll(printed, "\r", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		command, unescape := newCommand.FindStringSubmatch(line), unescapeData
		if command == nil {
			command, unescape = oldCommand.FindStringSubmatch(line), unescapeOld
		}
		meant, known := false, false
		if command != nil {
			meant, known = commandNames[strings.ToLower(command[1])]
		}
		if !known {
			l.Shown += l.mask(line) + "\n"
			continue
		}
		// The action's commands have no properties. A command that has some, or
		// is of another kind, comes from a server's text.
		if !meant || command[2] != "" || !strings.HasPrefix(line, "::") {
			l.Unexpected = append(l.Unexpected, line)
		}
		kind, data := strings.ToLower(command[1]), unescape(command[3])
		if kind == "add-mask" {
			if strings.TrimSpace(data) == "" {
				l.Unexpected = append(l.Unexpected, "a mask of nothing")
			}
			for part := range strings.Lines(data) {
				if part = strings.TrimSpace(part); part != "" {
					l.Masks = append(l.Masks, part)
				}
			}
			continue
		}
		if kind == "group" || kind == "endgroup" { // groups lines, without an annotation
			l.Shown += l.mask(data) + "\n"
			continue
		}
		data = l.mask(data)
		l.Shown += kind + ": " + data + "\n"
		if len(l.Annotations[kind]) < maxAnnotations {
			l.Annotations[kind] = append(l.Annotations[kind], string([]rune(data)[:min(len([]rune(data)), maxMessage)]))
		}
	}
	return l
}

func (l *Log) mask(text string) string {
	for _, m := range l.Masks {
		text = strings.ReplaceAll(text, m, "***")
	}
	return text
}

// unescapeData reverts the escapes in a command's data, "%" last.
func unescapeData(s string) string {
	for _, e := range [][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// unescapeOld is unescapeData for the old form.
func unescapeOld(s string) string {
	for _, e := range [][2]string{{"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// readOutputs reads an output file. An output that contains a mask is dropped.
func readOutputs(text string, masks []string) (map[string]string, error) {
	if len(text) > maxOutputs {
		return nil, fmt.Errorf("%d bytes of outputs, more than %d", len(text), maxOutputs)
	}
	outputs := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		var name, value string
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			name, value = line[:equals], line[equals+1:]
		case heredoc >= 0:
			name = line[:heredoc]
			delimiter := line[heredoc+2:]
			begin := i + 1
			for i++; i < len(lines) && lines[i] != delimiter; i++ { //nolint:revive // counts
			}
			if delimiter == "" || i >= len(lines) {
				return nil, fmt.Errorf("no matching delimiter for %q", line)
			}
			value = strings.Join(lines[begin:i], "\n")
		default:
			return nil, fmt.Errorf("a line without an output: %q", line)
		}
		if name == "" {
			return nil, fmt.Errorf("an output without a name: %q", line)
		}
		masked := false
		for _, m := range masks {
			masked = masked || strings.Contains(value, m)
		}
		if !masked {
			outputs[name] = value
		}
	}
	return outputs, nil
}

// readSummary returns what a job's page shows of a step's summary.
func readSummary(text string) (string, error) {
	if len(text) > maxStepSummary {
		return "", fmt.Errorf("%d bytes of summary, more than %d: nothing is shown", len(text), maxStepSummary)
	}
	return text, nil
}

// AsRunner reads what a run left behind as a runner does. Outputs or a summary that
// a runner rejects fail the test, and so does a command that the action never prints.
func AsRunner(t *testing.T, r Result, outputs, summary string) Result {
	t.Helper()
	r.Log = readLog(r.Stdout + r.Stderr)
	for _, f := range r.Log.Unexpected {
		t.Errorf("this command is not the action's: %q", f)
	}
	var err error
	if r.Outputs, err = readOutputs(outputs, r.Log.Masks); err != nil {
		t.Errorf("the outputs: %v", err)
	}
	if r.Summary, err = readSummary(summary); err != nil {
		t.Errorf("the summary: %v", err)
	}
	return r
}
