package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// BenchmarkFirstRun is 80 new repositories at 40 ms a request: 16 at a time over
// one after the other, as a ratio of the time that the program takes.
func BenchmarkFirstRun(b *testing.B) {
	run := func(concurrency int) time.Duration {
		w := sandbox.New(sandbox.Options{Latency: 40 * time.Millisecond})
		for _, n := range names(80) {
			w.Add(sandbox.Repository{Name: n})
		}
		codacy, github, shut := w.Serve()
		defer shut()
		began := time.Now()
		out, err := programWith(b.Context(), b.TempDir(), map[string]string{
			"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
			"codacy-api-url": codacy, "github-api-url": github, "writes-per-minute": "0",
			"concurrency": fmt.Sprint(concurrency),
		}).CombinedOutput()
		if err != nil || strings.Count(string(out), "created  ") != 80 {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(began)
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
