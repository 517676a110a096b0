package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a runner makes of a step's log and files, as far as the action uses it.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
const (
	maxAnnotations = 10      // of each kind, a step
	maxMessage     = 4096    // characters of an annotation
	maxOutputs     = 1 << 20 // bytes, a job
	maxStepSummary = 1 << 20 // bytes, a step
)

// runnerLog is a step's log as the runner understands it.
type runnerLog struct {
	shown       string              // what people see: masked, and without the commands that were carried out
	masks       []string            // in the order in which they were asked for
	annotations map[string][]string // the messages that are kept, by kind
	faults      []string            // what the action must never print
}

// A command is "::name properties::data" at the beginning of a line, or
// "##[name properties]data" anywhere in it; a line holds one at most.
var (
	newCommand = regexp.MustCompile(`^\s*::([^\s:]+)(?: ([^:]*))?::(.*)$`)
	oldCommand = regexp.MustCompile(`##\[([^\s\]]+)(?: ([^\]]*))?\](.*)$`)
)

// commandNames are those that a runner carries out; anything else that looks
// like a command is text to it.
var commandNames = map[string]bool{
	"add-mask": true, "error": true, "warning": true, "notice": true, "group": true, "endgroup": true,
	"debug": false, "echo": false, "stop-commands": false,
	"add-matcher": false, "remove-matcher": false, "save-state": false, "set-env": false, "set-output": false, "add-path": false,
}

// readLog reads what a step printed.
func readLog(printed string) runnerLog {
	l := runnerLog{annotations: map[string][]string{}}
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
			l.shown += l.mask(line) + "\n"
			continue
		}
		// The action's commands have no properties; one with them, or of
		// another kind, is somebody's text.
		if !meant || command[2] != "" || !strings.HasPrefix(line, "::") {
			l.faults = append(l.faults, line)
		}
		kind, data := strings.ToLower(command[1]), unescape(command[3])
		if kind == "add-mask" {
			if strings.TrimSpace(data) == "" {
				l.faults = append(l.faults, "a mask of nothing")
			}
			for part := range strings.Lines(data) {
				if part = strings.TrimSpace(part); part != "" {
					l.masks = append(l.masks, part)
				}
			}
			continue
		}
		if kind == "group" || kind == "endgroup" { // a fold, no annotation
			l.shown += l.mask(data) + "\n"
			continue
		}
		data = l.mask(data)
		l.shown += kind + ": " + data + "\n"
		if len(l.annotations[kind]) < maxAnnotations {
			l.annotations[kind] = append(l.annotations[kind], string([]rune(data)[:min(len([]rune(data)), maxMessage)]))
		}
	}
	return l
}

func (l *runnerLog) mask(text string) string {
	for _, m := range l.masks {
		text = strings.ReplaceAll(text, m, "***")
	}
	return text
}

// unescapeData turns the escapes of a command's data back, "%" last.
func unescapeData(s string) string {
	for _, e := range [][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// unescapeOld is that of the old form.
func unescapeOld(s string) string {
	for _, e := range [][2]string{{"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// readOutputs reads an output file. A value that holds a mask is dropped.
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
			return nil, fmt.Errorf("a line that is no output: %q", line)
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

// readSummary is what a job's page shows of a step's summary.
func readSummary(text string) (string, error) {
	if len(text) > maxStepSummary {
		return "", fmt.Errorf("%d bytes of summary, more than %d: nothing is shown", len(text), maxStepSummary)
	}
	return text, nil
}

// asRunner reads what a run left behind as the runner does. An output or a
// summary that it would not take, and a command that the action never gives,
// fail the test.
func asRunner(t *testing.T, r result, outputs, summary string) result {
	t.Helper()
	r.log = readLog(r.stdout + r.stderr)
	for _, f := range r.log.faults {
		t.Errorf("the action does not give this command: %q", f)
	}
	var err error
	if r.outputs, err = readOutputs(outputs, r.log.masks); err != nil {
		t.Errorf("the outputs: %v", err)
	}
	if r.summary, err = readSummary(summary); err != nil {
		t.Errorf("the summary: %v", err)
	}
	return r
}

func TestReadLog(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in   string
		want runnerLog
	}{
		"a mask counts from then on": {
			"early s3cr3t\n::add-mask::s3cr3t\nlate s3cr3t\n::error::no s3cr3t\n",
			runnerLog{
				shown: "early s3cr3t\nlate ***\nerror: no ***\n", masks: []string{"s3cr3t"},
				annotations: map[string][]string{"error": {"no ***"}},
			},
		},
		"several lines are masked line by line": {
			"::add-mask::one%0Atwo\none and two\n",
			runnerLog{shown: "*** and ***\n", masks: []string{"one", "two"}},
		},
		"escapes": {
			"::warning::50%25 of it%0Anext%250A\n",
			runnerLog{
				shown: "warning: 50% of it\nnext%0A\n", annotations: map[string][]string{"warning": {"50% of it\nnext%0A"}},
			},
		},
		"commands of others": {
			"  ::error::blanks before it\n::error file=a.go::with properties\n::stop-commands::x\ntext ##[error]anywhere%5D\na\r::error::return\n",
			runnerLog{
				shown: "error: blanks before it\nerror: with properties\nstop-commands: x\nerror: anywhere]\na\nerror: return\n",
				annotations: map[string][]string{
					"error": {"blanks before it", "with properties", "anywhere]", "return"}, "stop-commands": {"x"},
				},
				faults: []string{"  ::error::blanks before it", "::error file=a.go::with properties", "::stop-commands::x", "text ##[error]anywhere%5D"},
			},
		},
		"no commands": {
			"text ::error::not at the beginning\n::nonsense::x\n##\\[error]neutralised\n",
			runnerLog{shown: "text ::error::not at the beginning\n::nonsense::x\n##\\[error]neutralised\n"},
		},
		"a mask of nothing": {
			"::add-mask::\ntext\n", runnerLog{shown: "text\n", faults: []string{"a mask of nothing"}},
		},
		"ten of a kind are kept, and 4096 characters": {
			strings.Repeat("::error::"+strings.Repeat("ä", 4097)+"\n", 11),
			runnerLog{
				shown:       strings.Repeat("error: "+strings.Repeat("ä", 4097)+"\n", 11),
				annotations: map[string][]string{"error": strings.Split(strings.Repeat(strings.Repeat("ä", 4096)+" ", 10)[:10*8193-1], " ")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if c.want.annotations == nil {
				c.want.annotations = map[string][]string{}
			}
			if diff := cmp.Diff(c.want, readLog(c.in), cmp.AllowUnexported(runnerLog{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReadOutputs(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in   string
		want map[string]string // nil: the runner takes none of it
	}{
		"both forms":        {"a=1\nb<<END\nx=y\n\nEND\n\nc=\n", map[string]string{"a": "1", "b": "x=y\n", "c": ""}},
		"the first counts":  {"a=1<<2\nb<<=END\n1\n=END\n", map[string]string{"a": "1<<2", "b": "1"}},
		"the last wins":     {"a=1\na=2\n", map[string]string{"a": "2"}},
		"masked":            {"a=a s3cr3t\nb<<E\ns3cr3t\nE\nc=open\n", map[string]string{"c": "open"}},
		"no delimiter":      {"a<<END\n1\n", nil},
		"an empty one":      {"a<<\n1\n\n", nil},
		"neither":           {"a\n", nil},
		"no name":           {"=1\n", nil},
		"more than a MiB":   {"a=" + strings.Repeat("x", 1<<20) + "\n", nil},
		"an old one's echo": {"::set-output name=a::1\n", map[string]string{"::set-output name": "a::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := readOutputs(c.in, []string{"s3cr3t"})
			if (err == nil) != (c.want != nil) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := readSummary(strings.Repeat("x", 1<<20+1)); err == nil {
		t.Error("a summary of more than 1 MiB is shown")
	}
}
