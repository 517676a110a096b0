package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestContainer runs the image as a runner does, with the files that it mounts
// and the working directory that it sets, on the host's network, where the
// sandbox is. .ci/container builds the image and names it in CONTAINER_IMAGE.
func TestContainer(t *testing.T) {
	t.Parallel()

	image := os.Getenv("CONTAINER_IMAGE")
	if image == "" {
		t.Skip("no image in CONTAINER_IMAGE; .ci/container runs this")
	}
	f := serve(t, sandbox.Options{})
	for _, name := range names(3) {
		f.Add(sandbox.Repository{Name: name})
	}
	run := func() result {
		t.Helper()
		dir := t.TempDir()
		commands, workspace := filepath.Join(dir, "file_commands"), filepath.Join(dir, "workspace")
		output, summary := filepath.Join(commands, "output"), filepath.Join(commands, "summary")
		for _, d := range []string{commands, workspace} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{output, summary} { // as the runner: they are there already
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		in := inputs{
			"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
			"codacy-api-url": f.codacy, "github-api-url": f.github, "report-file": "report.json",
		}
		env := []string{
			"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=/github/workspace",
			"GITHUB_OUTPUT=/github/file_commands/output", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
		}
		for name, value := range in {
			env = append(env, "INPUT_"+strings.ToUpper(name)+"="+value)
		}
		args := []string{
			"run", "--rm", "--network", "host", "--workdir", "/github/workspace",
			"--volume", commands + ":/github/file_commands", "--volume", workspace + ":/github/workspace",
		}
		for _, e := range env { // the names alone: values are not for the command line
			name, _, _ := strings.Cut(e, "=")
			args = append(args, "--env", name)
		}
		cmd := exec.CommandContext(t.Context(), "docker", append(args, image)...)
		cmd.Env = slices.Concat(os.Environ(), env)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); err != nil && !asExit(err, &exit) {
			t.Fatal(err)
		}
		r := result{
			code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(),
			outputs: readOutputs(t, output), summary: read(t, summary), report: read(t, filepath.Join(workspace, "report.json")),
		}
		noLeak(t, f.World, true, written(t, dir, r.stdout, r.stderr, ""), secretsOf(in)...)
		f.Check(t)
		return r
	}

	first := run()
	f.want(first, 0, "created=3")
	each(names(3), func(name string) { f.provisioned(name) })
	if got := len(f.entries(first)); got != 3 {
		t.Errorf("%d repositories in the report, want 3", got)
	}
	if !strings.Contains(first.summary, names(1)[0]) {
		t.Errorf("the summary does not name %s:\n%s", names(1)[0], first.summary)
	}
	f.want(run(), 0, "current=3")
}
