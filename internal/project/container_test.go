package project

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestContainer runs the action as a runner runs a step, with its environment, mounts
// and signals, over HTTPS with a private authority in SSL_CERT_FILE.
//
// .ci/container names the images of the action and of the sandbox in CONTAINER_IMAGE
// and CONTAINER_SANDBOX. Both then run as containers on a private network, where the
// sandbox has the services' real names, so that the action's own defaults lead to it.
// Without images the bare program is run. Tests that wait long for an unreachable
// service run only with CONTAINER=all.
func TestContainer(t *testing.T) {
	t.Parallel()

	r := &runner{
		image: os.Getenv("CONTAINER_IMAGE"), sandboxImage: os.Getenv("CONTAINER_SANDBOX"),
		label: os.Getenv("CONTAINER_LABEL"), server: filepath.Join(t.TempDir(), "server"),
	}
	if r.image == "" {
		build := exec.Command("go", "build", "-o", r.server, "../sandbox/server")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the sandbox's server: %v\n%s", err, out)
		}
	}
	// They run concurrently, because most of their time is waiting.
	tests := containerFaults()
	tests["main job"] = containerMainJob
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		tests[signal.String()] = func(t *testing.T, r *runner) { containerInterrupt(t, r, signal) }
	}
	var wg sync.WaitGroup
	for name, test := range tests {
		wg.Go(func() { t.Run(name, func(t *testing.T) { test(t, r) }) })
	}
	wg.Wait()
}

// containerMainJob: a first run stores valid tokens, a second changes nothing. The
// runner finds outputs, summary, masks and the report.
func containerMainJob(t *testing.T, r *runner) {
	s := r.services(t)
	first := s.step(t, stepOptions{in: harness.Inputs{"report-file": "report.json"}}).run()
	s.want(t, first, 0, "created=5")
	state := s.state(t)
	if got := state.Provisioned; len(got) != 5 || state.Orphans != 0 || state.Writes != 10 {
		t.Errorf("%d of 5 secrets contain a valid token, %d orphans, %d writes, want 10", len(got), state.Orphans, state.Writes)
	}
	for _, value := range state.Values {
		if !slices.Contains(first.Log.Masks, value) {
			t.Error("a token was not masked")
		}
	}
	for _, name := range state.Repositories {
		for where, text := range map[string]string{"log": first.Log.Shown, "summary": first.Summary, "report": first.Report} {
			if !strings.Contains(text, name) {
				t.Errorf("the %s does not name %s", where, name)
			}
		}
	}
	if _, err := time.Parse(time.RFC3339, first.Outputs["next-expiry"]); err != nil {
		t.Errorf("next-expiry: %v", err)
	}

	second := s.step(t, stepOptions{}).run()
	s.want(t, second, 0, "current=5")
	if again := s.state(t); again.Writes != state.Writes {
		t.Errorf("the second run sent %d writes", again.Writes-state.Writes)
	}
}

// containerInterrupt: a runner sends SIGINT, `docker stop` SIGTERM. Repositories in
// progress are finished within the seconds that a runner waits, the rest is deferred.
func containerInterrupt(t *testing.T, r *runner, signal syscall.Signal) {
	s := r.services(t, "-repositories=40", "-latency=250ms")
	step := s.step(t, stepOptions{in: harness.Inputs{"concurrency": "2"}})
	step.begin()
	step.await("\ncreated ")
	sent := time.Now()
	step.signal(signal)
	got := step.end()
	if took := time.Since(sent); took > 7500*time.Millisecond { // a runner's SIGTERM, and Docker's kill at 10 s
		t.Errorf("ended after %v", took)
	}
	state := s.state(t)
	n := len(state.Provisioned)
	s.want(t, got, 3, fmt.Sprintf("created=%d deferred=%d", n, 40-n))
	if n == 0 || n == 40 || state.Orphans != 0 {
		t.Errorf("%d of 40 secrets contain a valid token, and there are %d orphans", n, state.Orphans)
	}
	if !strings.Contains(got.Summary, "interrupted") || !strings.Contains(got.Annotations("warning"), "interrupted") {
		t.Errorf("neither summary nor warning say so:\n%s\n%s", got.Summary, got.Log.Shown)
	}
}

// containerFaults: errors in the environment of the action are reported, with the
// right exit code.
func containerFaults() map[string]func(*testing.T, *runner) {
	tests := map[string]func(*testing.T, *runner){}
	for name, c := range map[string]struct {
		o       stepOptions
		code    int
		error   string // in an ::error, the only one
		warning string
		changed bool // the tokens are stored nevertheless
		slow    bool
	}{
		"no network": {
			o: stepOptions{noNetwork: true}, code: 1, slow: true,
			error: "Codacy: GET /user: no connection: ",
		},
		"no CA": {
			o: stepOptions{noCA: true}, code: 1, slow: true,
			error: "x509: certificate signed by unknown authority",
		},
		"a CA that isn't there": {
			o: stepOptions{env: []string{"SSL_CERT_FILE=/nowhere.pem"}}, code: 1, slow: true,
			error: "x509: certificate signed by unknown authority",
		},
		"no inputs at all":    {o: stepOptions{noInputs: true}, code: 2, error: "codacy-api-token"},
		"no token for GitHub": {o: stepOptions{in: harness.Inputs{"github-token": ""}}, code: 2, error: "github-token"},
		"a read-only workspace": {
			o: stepOptions{readOnly: true, in: harness.Inputs{"report-file": "report.json"}}, code: 2,
			error: "report-file: can't create \"report.json\": ",
		},
		"a summary that can't be written": {
			o: stepOptions{unwritable: "summary"}, code: 0, warning: "the summary could not be written: ", changed: true,
		},
		"outputs that can't be written": {
			o: stepOptions{unwritable: "output"}, code: 1, error: "the outputs could not be written: ", changed: true,
		},
	} {
		if c.slow && os.Getenv("CONTAINER") != "all" {
			continue
		}
		tests[name] = func(t *testing.T, r *runner) {
			s := r.services(t)
			began := time.Now()
			got := s.step(t, c.o).run()
			if took := time.Since(began); took > time.Minute {
				t.Errorf("reported after %v", took)
			}
			if got.Code != c.code {
				t.Errorf("exit code %d, want %d\n%s", got.Code, c.code, got.Log.Shown)
			}
			for kind, want := range map[string]string{"error": c.error, "warning": c.warning} {
				if said := got.Annotations(kind); (want == "") != (said == "") || !strings.Contains(said, want) {
					t.Errorf("::%s %q, want %q\n%s", kind, said, want, got.Log.Shown)
				}
			}
			done := 0
			if c.changed {
				done = 5
			}
			if state := s.state(t); len(state.Provisioned) != done || state.Orphans != 0 || state.Writes != 2*done {
				t.Errorf("%d of 5 secrets contain a valid token, %d orphans, %d writes", len(state.Provisioned), state.Orphans, state.Writes)
			}
		}
	}
	return tests
}

// runner starts the action, in a container or bare.
type runner struct {
	image, sandboxImage, label string
	server                     string // the bare sandbox's
}

// services is a sandbox that is served over HTTPS, and what leads to it.
type services struct {
	*runner
	network, container string // where it is in a container
	address            string // host and port, as seen from here
	authority          []byte
}

// services starts a sandbox with the arguments.
func (r *runner) services(t *testing.T, args ...string) *services {
	t.Helper()
	s := &services{runner: r}
	var cmd *exec.Cmd
	if r.image == "" {
		cmd = exec.Command(r.server, args...)
	} else {
		s.container = fmt.Sprintf("sandbox-%d-%d", os.Getpid(), time.Now().UnixNano())
		s.network = s.container
		s.docker(t, "network", "create", "--internal", "--label", r.label, s.network)
		t.Cleanup(func() { s.docker(t, "network", "rm", s.network) })
		cmd = exec.Command("docker", slices.Concat([]string{
			"run", "--rm", "--name", s.container, "--label", r.label, "--network", s.network,
			"--network-alias", "app.codacy.com", "--network-alias", "api.github.com",
			r.sandboxImage, "-listen", ":443",
		}, args)...)
	}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.container != "" {
			s.docker(t, "stop", "--time", "5", s.container)
		} else if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the sandbox: %v", err)
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			s.address = address
			break
		}
		s.authority = append(s.authority, lines.Text()+"\n"...)
	}
	if s.address == "" {
		t.Fatal("the sandbox does not listen")
	}
	if s.container != "" {
		ip := s.docker(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", s.container)
		s.address = net.JoinHostPort(ip, "443")
	}
	return s
}

// docker runs the client and returns what it printed.
func (r *runner) docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	if err != nil {
		t.Errorf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// state is what the sandbox's server returns.
type state struct {
	Repositories, Provisioned []string
	Orphans, Writes           int
	Violations, Values        []string
}

// state reads the state of the secrets. A broken guarantee fails the test.
func (s *services) state(t *testing.T) state {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	resp, err := client.Get("https://" + s.address + "/state")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all state
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all.Violations {
		t.Error(v)
	}
	return all
}

// want is Fixture.Want, and asserts that nothing leaked.
func (s *services) want(t *testing.T, r harness.Result, code int, counts string) {
	t.Helper()
	(&harness.Fixture{T: t}).Want(r, code, counts)
	written := map[string]string{"log": r.Log.Shown, "outputs": fmt.Sprint(r.Outputs), "summary": r.Summary, "report": r.Report}
	for _, found := range sandbox.Leaks(false, written, append(s.state(t).Values, sandbox.CodacyToken, sandbox.GitHubToken)) {
		t.Errorf("a leak: %s", found)
	}
}

// stepOptions are inputs and environment of a step, and what it has to do without.
type stepOptions struct {
	in                                  harness.Inputs
	env                                 []string // of the job
	noNetwork, noCA, noInputs, readOnly bool
	unwritable                          string // the runner's file that can't be written
}

// step is one run of the action.
type step struct {
	*services
	t         *testing.T
	cmd       *exec.Cmd
	container string
	dir       string // what a runner mounts as /github
	workspace string
	log       harness.Buffer
	cancel    context.CancelFunc
}

// step prepares one.
func (s *services) step(t *testing.T, o stepOptions) *step {
	t.Helper()
	p := &step{services: s, t: t, dir: t.TempDir()}
	p.workspace = filepath.Join(p.dir, "workspace")
	for _, d := range []string{"workspace", "home", "workflow", "file_commands", "runner_temp"} {
		if err := os.Mkdir(filepath.Join(p.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{ // a runner creates them before the step
		"file_commands/output": "", "file_commands/summary": "", "file_commands/state": "", "file_commands/env": "",
		"file_commands/path": "", "workflow/event.json": "{}", "runner_temp/ca.pem": string(s.authority),
	}
	for name, content := range files {
		path := filepath.Join(p.dir, name)
		var err error
		if filepath.Base(name) == o.unwritable {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	github := "/github" // where the action finds what is in dir
	codacyURL, gitHubURL := "https://app.codacy.com/api/v3", "https://api.github.com"
	if s.image == "" {
		github = p.dir
		codacyURL, gitHubURL = "https://"+s.address+"/api/v3", "https://"+s.address
		if o.noNetwork {
			codacyURL, gitHubURL = "https://127.0.0.1:1/api/v3", "https://127.0.0.1:1"
		}
		if o.readOnly {
			p.workspace = "/proc" // root writes to any other
		}
	}
	env := []string{
		"CI=true", "HOME=" + github + "/home", "GITHUB_ACTIONS=true", "GITHUB_ACTION=tokens", "GITHUB_ACTOR=octocat",
		"GITHUB_API_URL=https://api.github.com", "GITHUB_EVENT_NAME=schedule", "GITHUB_EVENT_PATH=" + github + "/workflow/event.json",
		"GITHUB_GRAPHQL_URL=https://api.github.com/graphql", "GITHUB_JOB=tokens", "GITHUB_REF=refs/heads/main",
		"GITHUB_REPOSITORY=acme/tokens", "GITHUB_REPOSITORY_OWNER=acme", "GITHUB_RUN_ID=1", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_WORKFLOW=tokens", "GITHUB_WORKSPACE=" + github + "/workspace",
		"GITHUB_OUTPUT=" + github + "/file_commands/output", "GITHUB_STEP_SUMMARY=" + github + "/file_commands/summary",
		"GITHUB_STATE=" + github + "/file_commands/state", "GITHUB_ENV=" + github + "/file_commands/env",
		"GITHUB_PATH=" + github + "/file_commands/path",
		"RUNNER_ARCH=X64", "RUNNER_OS=Linux", "RUNNER_NAME=runner", "RUNNER_ENVIRONMENT=github-hosted",
		"RUNNER_TEMP=" + github + "/runner_temp", "RUNNER_TOOL_CACHE=/opt/hostedtoolcache",
		"ACTIONS_RUNTIME_TOKEN=runtime", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=request",
	}
	if !o.noCA {
		env = append(env, "SSL_CERT_FILE="+github+"/runner_temp/ca.pem")
	}
	env = append(env, o.env...)
	if !o.noInputs {
		// A runner passes the inputs of the workflow and the defaults of action.yml,
		// with expressions evaluated.
		in := harness.Inputs{
			"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
			"codacy-api-url": codacyURL, "github-api-url": gitHubURL, "repositories": "*", "concurrency": "16", "dry-run": "false",
		}
		maps.Copy(in, o.in)
		for name, value := range in {
			env = append(env, "INPUT_"+strings.ToUpper(name)+"="+value)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	p.cancel = cancel
	if s.image == "" {
		p.cmd = exec.CommandContext(ctx, harness.Program)
		p.cmd.Dir, p.cmd.Env = p.workspace, env
	} else {
		p.container = fmt.Sprintf("action-%d-%d", os.Getpid(), time.Now().UnixNano())
		network, mode := s.network, ""
		if o.noNetwork {
			network = "none"
		}
		if o.readOnly {
			mode = ":ro"
		}
		args := []string{
			"run", "--name", p.container, "--label", s.label, "--workdir", "/github/workspace", "--rm", "--network", network,
			"--volume", filepath.Join(p.dir, "workspace") + ":/github/workspace" + mode,
		}
		for _, d := range []string{"home", "workflow", "file_commands", "runner_temp"} {
			args = append(args, "--volume", filepath.Join(p.dir, d)+":/github/"+d)
		}
		for _, e := range env { // only the names, because command lines are public
			name, _, _ := strings.Cut(e, "=")
			args = append(args, "--env", name)
		}
		p.cmd = exec.CommandContext(ctx, "docker", append(args, s.image)...)
		p.cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH")}, dockerEnv(), env)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log // a runner reads both
	return p
}

// dockerEnv is what the client needs to find its engine.
func dockerEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return !strings.HasPrefix(e, "DOCKER_") })
}

func (p *step) begin() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// await waits until the log contains the text.
func (p *step) await(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(p.log.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.cancel()
			p.t.Fatalf("the log does not say %q:\n%s", text, p.log.String())
		}
	}
}

// signal sends the signal as it comes to the container's first process: SIGTERM
// from `docker stop`, which kills after ten seconds.
func (p *step) signal(s syscall.Signal) {
	p.t.Helper()
	switch {
	case p.container == "":
		if err := p.cmd.Process.Signal(s); err != nil {
			p.t.Error(err)
		}
	case s == syscall.SIGTERM:
		p.docker(p.t, "stop", p.container)
	default:
		p.docker(p.t, "kill", "--signal", fmt.Sprint(int(s)), p.container)
	}
}

// end waits for the end and reads what the runner would.
func (p *step) end() harness.Result {
	p.t.Helper()
	defer p.cancel()
	if err := harness.IgnoreExit(p.cmd.Wait()); err != nil {
		p.t.Fatal(err)
	}
	r := harness.Result{Code: p.cmd.ProcessState.ExitCode(), Stdout: p.log.String(), Report: harness.Read(p.t, filepath.Join(p.workspace, "report.json"))}
	return harness.AsRunner(p.t, r, p.file("output"), p.file("summary"))
}

func (p *step) run() harness.Result {
	p.t.Helper()
	p.begin()
	return p.end()
}

// file is the content of one of the runner's files, empty if it was unwritable.
func (p *step) file(name string) string {
	path := filepath.Join(p.dir, "file_commands", name)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return ""
	}
	return harness.Read(p.t, path)
}
