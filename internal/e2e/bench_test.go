package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// BenchmarkFirstRun compares 16 repositories at a time with one at a time, for 80 new
// repositories at 40 ms per request: the ratio of the times.
func BenchmarkFirstRun(b *testing.B) {
	run := func(concurrency int) time.Duration {
		w := sandbox.New(sandbox.Options{Latency: 40 * time.Millisecond})
		for _, n := range harness.Names(80) {
			w.Add(sandbox.Repository{Name: n})
		}
		codacy, github, shut := w.Serve()
		defer shut()
		started := time.Now()
		out, err := harness.Command(b.Context(), b.TempDir(), map[string]string{
			"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
			"codacy-api-url": codacy, "github-api-url": github, "writes-per-minute": "0",
			"concurrency": fmt.Sprint(concurrency),
		}).CombinedOutput()
		if err != nil || strings.Count(string(out), "created  ") != 80 {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(started)
	}
	var one, many time.Duration
	for b.Loop() {
		one += run(1)
		many += run(16)
	}
	b.ReportMetric(float64(many)/float64(one), "ratio")
	b.ReportMetric(one.Seconds()/float64(b.N), "s/one-by-one")
	b.ReportMetric(many.Seconds()/float64(b.N), "s/16-at-once")
}

// BenchmarkNothingToDo measures the program with 20,000 repositories that are up to
// date: its peak resident memory and its CPU time. The sandbox runs in the process of
// the test and is not measured.
func BenchmarkNothingToDo(b *testing.B) {
	const n = 20_000
	w := sandbox.New(sandbox.Options{})
	for i := range n {
		name := fmt.Sprintf("service-%05d", i)
		w.Add(sandbox.Repository{Name: name})
		w.Provision(name, sandbox.Token{
			Name: "codacy-project-token-1", Created: w.Time().AddDate(0, 0, -10), Expires: w.Time().AddDate(0, 0, 355),
		}, "actions")
	}
	codacy, github, shut := w.Serve()
	defer shut()
	peak, cpu := 0, time.Duration(0)
	for b.Loop() {
		cmd := harness.Command(b.Context(), b.TempDir(), map[string]string{
			"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
			"codacy-api-url": codacy, "github-api-url": github, "writes-per-minute": "0", "max-duration": "1h",
		})
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			// ru_maxrss would start at the test's own peak.
			for kib := 0; kib >= 0; kib = highWater(cmd.Process.Pid) {
				peak = max(peak, kib)
				time.Sleep(20 * time.Millisecond)
			}
		}()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		<-done
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
	b.ReportMetric(cpu.Seconds()/float64(b.N)/(n/10_000), "cpu-s/10k")
}

// highWater is the peak of a process's resident memory in KiB, -1 after its end.
func highWater(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return -1
	}
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); !found || err != nil {
		return -1 // a zombie has no such line
	}
	return kib
}
