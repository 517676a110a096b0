package harness

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadLog(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in   string
		want Log
	}{
		"a mask counts after its command": {
			"early s3cr3t\n::add-mask::s3cr3t\nlate s3cr3t\n::error::no s3cr3t\n",
			Log{
				Shown: "early s3cr3t\nlate ***\nerror: no ***\n", Masks: []string{"s3cr3t"},
				Annotations: map[string][]string{"error": {"no ***"}},
			},
		},
		"several lines are masked line by line": {
			"::add-mask::one%0Atwo\none and two\n",
			Log{Shown: "*** and ***\n", Masks: []string{"one", "two"}},
		},
		"escapes": {
			"::warning::50%25 of it%0Anext%250A\n",
			Log{
				Shown: "warning: 50% of it\nnext%0A\n", Annotations: map[string][]string{"warning": {"50% of it\nnext%0A"}},
			},
		},
		"commands in a server's text": {
			"  ::error::blanks before it\n::error file=a.go::with properties\n::stop-commands::x\ntext ##[error]anywhere%5D\na\r::error::return\n",
			Log{
				Shown: "error: blanks before it\nerror: with properties\nstop-commands: x\nerror: anywhere]\na\nerror: return\n",
				Annotations: map[string][]string{
					"error": {"blanks before it", "with properties", "anywhere]", "return"}, "stop-commands": {"x"},
				},
				Unexpected: []string{"  ::error::blanks before it", "::error file=a.go::with properties", "::stop-commands::x", "text ##[error]anywhere%5D"},
			},
		},
		"no commands": {
			"text ::error::not at the start\n::unknown::x\n##\\[error]neutralised\n",
			Log{Shown: "text ::error::not at the start\n::unknown::x\n##\\[error]neutralised\n"},
		},
		"a mask of nothing": {
			"::add-mask::\ntext\n", Log{Shown: "text\n", Unexpected: []string{"a mask of nothing"}},
		},
		"10 of a kind are kept, 4096 characters of each": {
			strings.Repeat("::error::"+strings.Repeat("ä", 4097)+"\n", 11),
			Log{
				Shown:       strings.Repeat("error: "+strings.Repeat("ä", 4097)+"\n", 11),
				Annotations: map[string][]string{"error": strings.Split(strings.Repeat(strings.Repeat("ä", 4096)+" ", 10)[:10*8193-1], " ")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if c.want.Annotations == nil {
				c.want.Annotations = map[string][]string{}
			}
			if diff := cmp.Diff(c.want, readLog(c.in)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReadOutputs(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		in   string
		want map[string]string // nil: the runner rejects the file
	}{
		"both forms":       {"a=1\nb<<END\nx=y\n\nEND\n\nc=\n", map[string]string{"a": "1", "b": "x=y\n", "c": ""}},
		"the first counts": {"a=1<<2\nb<<=END\n1\n=END\n", map[string]string{"a": "1<<2", "b": "1"}},
		"the last wins":    {"a=1\na=2\n", map[string]string{"a": "2"}},
		"masked":           {"a=a s3cr3t\nb<<E\ns3cr3t\nE\nc=open\n", map[string]string{"c": "open"}},
		"no delimiter":     {"a<<END\n1\n", nil},
		"an empty one":     {"a<<\n1\n\n", nil},
		"neither":          {"a\n", nil},
		"no name":          {"=1\n", nil},
		"more than a MiB":  {"a=" + strings.Repeat("x", 1<<20) + "\n", nil},
		"the old command":  {"::set-output name=a::1\n", map[string]string{"::set-output name": "a::1"}},
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
