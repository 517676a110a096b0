package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

const secretName = "CODACY_PROJECT_TOKEN"

// program is the path of the built program.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "codacy-project-tokens")
	build := exec.Command("go", append([]string{"build", "-o", program}, append(buildFlags, "../..")...)...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// fixture is a World that is served, and the program's environment for it.
type fixture struct {
	*sandbox.World
	t      *testing.T
	codacy string
	github string
	dir    string
}

func serve(t *testing.T, o sandbox.Options, repositories ...sandbox.Repository) *fixture {
	t.Helper()
	w := sandbox.New(o)
	for _, r := range repositories {
		w.Add(r)
	}
	codacy, github, shut := w.Serve()
	t.Cleanup(shut)
	return &fixture{World: w, t: t, codacy: codacy, github: github, dir: t.TempDir()}
}

// result is what a run of the program left behind.
type result struct {
	code           int
	stdout, stderr string
	log            runnerLog
	outputs        map[string]string
	summary        string
	report         string // as it stands in the file; empty if there is none
}

// inputs are the action's inputs that differ from the fixture's.
type inputs map[string]string

// start prepares a run as the runner would start it.
func (f *fixture) start(ctx context.Context, in inputs) (*exec.Cmd, func() result) {
	f.t.Helper()
	dir, err := os.MkdirTemp(f.dir, "run-")
	if err != nil {
		f.t.Fatal(err)
	}
	all := inputs{
		"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken,
		"organization": "acme", "codacy-api-url": f.codacy, "github-api-url": f.github,
		"writes-per-minute": "0", "report-file": filepath.Join(dir, "report.json"),
	}
	for k, v := range in {
		all[k] = v
	}
	cmd := programWith(ctx, dir, all)
	outputs, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary.md")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, func() result {
		r := asRunner(f.t, result{
			code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(),
			report: read(f.t, all["report-file"]),
		}, read(f.t, outputs), read(f.t, summary))
		noLeak(f.t, f.World, true, written(f.t, dir, stdout.String(), stderr.String(), all["report-file"]), secretsOf(all)...)
		return r
	}
}

// written is all that a run wrote: into its directory, and a report elsewhere.
func written(t testing.TB, dir, stdout, stderr, report string) map[string]string {
	t.Helper()
	all := files(t, dir)
	all["stdout"], all["stderr"] = stdout, stderr
	if report != "" {
		b, err := os.ReadFile(report)
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		all["report"] = string(b)
	}
	return all
}

// secretsOf are the credentials among the inputs.
func secretsOf(in inputs) []string {
	return []string{in["codacy-api-token"], in["github-token"], in["github-app-private-key"]}
}

// programWith is the program in a directory, with the inputs as a runner gives
// them; outputs and summary go into the directory.
func programWith(ctx context.Context, dir string, in inputs) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = dir
	cmd.Env = []string{
		"GITHUB_ACTIONS=true", "GITHUB_OUTPUT=" + filepath.Join(dir, "output"),
		"GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary.md"), "PATH=" + os.Getenv("PATH"),
	}
	for k, v := range in {
		cmd.Env = append(cmd.Env, "INPUT_"+strings.ToUpper(k)+"="+v)
	}
	return cmd
}

// run runs the program as the runner would, and checks what must hold after
// every run: no promise broken, nothing leaked.
func (f *fixture) run(in inputs) result {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	cmd, finish := f.start(ctx, in)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !asExit(err, &exit) {
		f.t.Fatal(err)
	}
	r := finish()
	f.Check(f.t)
	return r
}

// byHand runs the program as somebody would in a terminal's window, without being
// there to be asked.
func (f *fixture) byHand(env []string, args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), program, args...)
	cmd.Dir, cmd.Env = f.t.TempDir(), env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its exit code tells
	noLeak(f.t, f.World, false, written(f.t, cmd.Dir, out.String(), errs.String(), ""))
	f.Check(f.t)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func asExit(err error, target **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*target = e
	return ok
}

// want asserts the exit code, and the counts as outputs: "created=3 failed=1";
// those not named are 0.
func (f *fixture) want(r result, code int, counts string) {
	f.t.Helper()
	if r.code != code {
		f.t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	want := map[string]string{}
	for _, o := range strings.Fields("created renewed current kept skipped deferred failed") {
		want[o] = "0"
	}
	for _, c := range strings.Fields(counts) {
		k, v, _ := strings.Cut(c, "=")
		want[k] = v
	}
	for k, v := range want {
		if r.outputs[k] != v {
			f.t.Errorf("output %s = %q, want %q\n%s", k, r.outputs[k], v, r.stdout)
		}
	}
}

// provisioned asserts that each store of the repository holds the same living
// token of its own, and that no token of ours lives on beside it.
func (f *fixture) provisioned(repository string, stores ...string) {
	f.t.Helper()
	provisioned(f.t, f.World, repository, stores)
}

func (v *virtual) provisioned(repository string, stores ...string) {
	v.t.Helper()
	provisioned(v.t, v.World, repository, stores)
}

func provisioned(t *testing.T, w *sandbox.World, repository string, stores []string) {
	t.Helper()
	if len(stores) == 0 {
		stores = []string{"actions"}
	}
	first := ""
	for _, s := range stores {
		value, ok := w.Secret(repository, s, secretName)
		switch {
		case !ok:
			t.Errorf("%s: no secret in %s", repository, s)
		case !w.TokenValid(repository, value):
			t.Errorf("%s: the secret in %s holds no living token of the repository", repository, s)
		case first != "" && value != first:
			t.Errorf("%s: %s holds another token than %s", repository, s, stores[0])
		}
		first = value
	}
	if orphans := w.Orphans(repository); len(orphans) > 0 {
		t.Errorf("%s: %d orphans, the first is %s", repository, len(orphans), orphans[0].Name)
	}
}

// entry is a repository in the JSON report.
type entry struct {
	Repository, Outcome, Reason string
	Stores                      []string
	TokenID                     int64      `json:"token_id"`
	TokenName                   string     `json:"token_name"`
	ExpiresAt                   *time.Time `json:"expires_at"`
}

// entries reads the JSON report, by the repositories' names.
func (f *fixture) entries(r result) map[string]entry {
	f.t.Helper()
	var report struct {
		Summary      map[string]any
		Repositories []entry
	}
	if err := json.Unmarshal([]byte(r.report), &report); err != nil {
		f.t.Fatalf("the report: %v\n%s", err, r.stdout)
	}
	all := map[string]entry{}
	for _, e := range report.Repositories {
		_, name, _ := strings.Cut(e.Repository, "/")
		if _, twice := all[name]; twice {
			f.t.Errorf("%s stands twice in the report", name)
		}
		all[name] = e
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// names makes n names.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("service-%03d", i)
	}
	return all
}

// each calls f for every element, side by side.
func each[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() { f(v) })
	}
	wg.Wait()
}
