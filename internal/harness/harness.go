// Package harness runs the program as its users do, for the tests of other
// packages: as a step on a GitHub runner, on the command line and on a terminal,
// against a sandbox over HTTP. It reads what a run left behind as a runner would,
// and searches all of it for credentials and tokens.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// SecretName is the default of the input secret-name.
const SecretName = "CODACY_PROJECT_TOKEN"

// Program is the path of the program that Main built.
var Program string

// Thorough is the flag -thorough: every case of the tests that try many combinations,
// in place of some of each kind.
var Thorough = flag.Bool("thorough", false, "try every combination, in place of some of each kind")

// Main builds the program, runs the tests of a package and removes the program.
// The TestMain of a package that runs the program calls it.
func Main(m *testing.M) {
	flag.Parse()
	waitSideBySide()
	debug.SetGCPercent(400) // many short runs in one process
	dir, err := os.MkdirTemp("", "harness-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	Program = filepath.Join(dir, "codacy-project-tokens")
	build := exec.Command("go", append([]string{"build", "-o", Program}, append(buildFlags, "../..")...)...)
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

// waitSideBySide runs more tests at once than there are processors, unless -parallel
// gives a number: a test of the real program waits for most of its time.
func waitSideBySide() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
}

// Fixture is a World that is served over HTTP for one test.
type Fixture struct {
	*sandbox.World
	T              *testing.T
	Codacy, GitHub string // URLs of both APIs
	Dir            string // for the files of the runs
}

// Serve serves a new World with the repositories until the test ends.
func Serve(t *testing.T, o sandbox.Options, repositories ...sandbox.Repository) *Fixture {
	t.Helper()
	w := sandbox.New(o)
	for _, r := range repositories {
		w.Add(r)
	}
	codacy, github, shut := w.Serve()
	t.Cleanup(shut)
	return &Fixture{World: w, T: t, Codacy: codacy, GitHub: github, Dir: t.TempDir()}
}

// Result is what a run of the program left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
	Log            Log
	Outputs        map[string]string
	Summary        string
	Report         string // the content of the report file, empty without a report file
}

// Inputs are action inputs by their names.
type Inputs map[string]string

// Start prepares a step of the action. The inputs override the defaults for this
// fixture. The caller starts the command and, after its end, calls the function,
// which reads the results and searches them for leaks.
func (f *Fixture) Start(ctx context.Context, in Inputs) (*exec.Cmd, func() Result) {
	f.T.Helper()
	dir, err := os.MkdirTemp(f.Dir, "run-")
	if err != nil {
		f.T.Fatal(err)
	}
	all := Inputs{
		"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken,
		"organization": "acme", "codacy-api-url": f.Codacy, "github-api-url": f.GitHub,
		"writes-per-minute": "0", "revoke-after-hours": "24", "report-file": filepath.Join(dir, "report.json"),
	}
	for k, v := range in {
		all[k] = v
	}
	cmd := Command(ctx, dir, all)
	outputs, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary.md")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, func() Result {
		r := AsRunner(f.T, Result{
			Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String(),
			Report: Read(f.T, all["report-file"]),
		}, Read(f.T, outputs), Read(f.T, summary))
		NoLeak(f.T, f.World, true, written(f.T, dir, stdout.String(), stderr.String(), all["report-file"]), Credentials(all)...)
		return r
	}
}

// written is everything that a run wrote, by file: its output, the files in its
// directory, and a report that may be outside of it.
func written(t testing.TB, dir, stdout, stderr, report string) map[string]string {
	t.Helper()
	all := Files(t, dir)
	all["stdout"], all["stderr"] = stdout, stderr
	if report != "" {
		all["report"] = Read(t, report)
	}
	return all
}

// Credentials returns the credentials among the inputs.
func Credentials(in Inputs) []string {
	return []string{in["codacy-api-token"], in["github-token"], in["github-app-private-key"]}
}

// Command is the program in a directory, with the inputs as a runner passes them.
// Outputs and summary go into the directory.
func Command(ctx context.Context, dir string, in Inputs) *exec.Cmd {
	cmd := exec.CommandContext(ctx, Program)
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

// Run runs the action as a step, and checks what must be true after every run: no
// guarantee was broken and nothing leaked.
func (f *Fixture) Run(in Inputs) Result {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), 2*time.Minute)
	defer cancel()
	cmd, finish := f.Start(ctx, in)
	if err := IgnoreExit(cmd.Run()); err != nil {
		f.T.Fatal(err)
	}
	r := finish()
	f.Check(f.T)
	return r
}

// CommandLine runs the program on the command line, without a terminal.
func (f *Fixture) CommandLine(env []string, args ...string) (code int, stdout, stderr string) {
	f.T.Helper()
	cmd := exec.CommandContext(f.T.Context(), Program, args...)
	cmd.Dir, cmd.Env = f.T.TempDir(), env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := IgnoreExit(cmd.Run()); err != nil {
		f.T.Fatal(err)
	}
	NoLeak(f.T, f.World, false, written(f.T, cmd.Dir, out.String(), errs.String(), ""))
	f.Check(f.T)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// IgnoreExit returns nil for the error of a program that ran and exited with a
// code other than 0, because tests compare exit codes themselves.
func IgnoreExit(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// Want asserts the exit code and the counts among the outputs, for example
// "created=3 failed=1". Counts that are not named must be 0.
func (f *Fixture) Want(r Result, code int, counts string) {
	f.T.Helper()
	if r.Code != code {
		f.T.Errorf("exit code %d, want %d\n%s%s", r.Code, code, r.Stdout, r.Stderr)
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
		if r.Outputs[k] != v {
			f.T.Errorf("output %s = %q, want %q\n%s", k, r.Outputs[k], v, r.Stdout)
		}
	}
}

// Provisioned asserts that each store of the repository (actions by default) holds
// the same valid token of this repository, and that there are no orphaned tokens.
func (f *Fixture) Provisioned(repository string, stores ...string) {
	f.T.Helper()
	Provisioned(f.T, f.World, repository, stores)
}

// Provisioned is Fixture.Provisioned for a World that isn't served.
func Provisioned(t *testing.T, w *sandbox.World, repository string, stores []string) {
	t.Helper()
	if len(stores) == 0 {
		stores = []string{"actions"}
	}
	first := ""
	for _, s := range stores {
		value, ok := w.Secret(repository, s, SecretName)
		switch {
		case !ok:
			t.Errorf("%s: no secret in %s", repository, s)
		case !w.TokenValid(repository, value):
			t.Errorf("%s: the secret in %s holds no valid token of the repository", repository, s)
		case first != "" && value != first:
			t.Errorf("%s: %s holds another token than %s", repository, s, stores[0])
		}
		first = value
	}
	if orphans := w.Orphans(repository); len(orphans) > 0 {
		t.Errorf("%s: %d orphans, the first is %s", repository, len(orphans), orphans[0].Name)
	}
}

// Entry is a repository in the JSON report.
type Entry struct {
	Repository, Outcome, Reason string
	Stores                      []string
	TokenID                     int64      `json:"token_id"`
	TokenName                   string     `json:"token_name"`
	ExpiresAt                   *time.Time `json:"expires_at"`
}

// Entries reads the JSON report. The keys are the repositories' names.
func (f *Fixture) Entries(r Result) map[string]Entry {
	f.T.Helper()
	var report struct {
		Summary      map[string]any
		Repositories []Entry
	}
	if err := json.Unmarshal([]byte(r.Report), &report); err != nil {
		f.T.Fatalf("the report: %v\n%s", err, r.Stdout)
	}
	all := map[string]Entry{}
	for _, e := range report.Repositories {
		_, name, _ := strings.Cut(e.Repository, "/")
		if _, twice := all[name]; twice {
			f.T.Errorf("%s is in the report twice", name)
		}
		all[name] = e
	}
	return all
}

// Read returns the content of a file; empty if it doesn't exist.
func Read(t testing.TB, path string) string {
	t.Helper()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) && !errors.Is(err, syscall.ENOTDIR) {
		t.Fatal(err)
	}
	return string(b)
}

// Names returns n names of repositories.
func Names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("service-%03d", i)
	}
	return all
}

// Each calls f for every element, concurrently.
func Each[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() { f(v) })
	}
	wg.Wait()
}

// Aged is a managed token that was created the given number of days ago and has
// the given number of days left.
func Aged(w *sandbox.World, number, days, left int) sandbox.Token {
	return sandbox.Token{
		Name:    fmt.Sprintf("codacy-project-token-%d", number),
		Created: w.Time().AddDate(0, 0, -days), Expires: w.Time().AddDate(0, 0, left),
	}
}

// Annotations returns the messages of one kind that a runner keeps, one per line.
func (r Result) Annotations(kind string) string {
	return strings.Join(r.Log.Annotations[kind], "\n")
}

// All is everything that the run wrote, as one text.
func (r Result) All() string {
	return r.Stdout + r.Stderr + r.Summary + r.Report + fmt.Sprint(r.Outputs)
}
