package project

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
)

const (
	releaseImage  = "ghcr.io/acme/tokens"
	releaseDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// TestRelease runs the shell steps of release.yml line by line and unchanged, each
// with its environment, in a clone of a repository on disk, with fakes for gh and go.
func TestRelease(t *testing.T) {
	t.Parallel()

	r := newRelease(t)
	r.run("v1.2.3")
	r.tagged("v1.2.3", "v1", "release/v1.2.3")
	if changed := r.git("diff", "--name-only", "origin/main", "v1.2.3"); changed != "action.yml" {
		t.Errorf("the release changes %q", changed)
	}
	want := strings.Replace(harness.Read(t, root+"action.yml"), "image: Dockerfile", "image: docker://"+releaseImage+"@"+releaseDigest, 1)
	if got := r.git("show", "v1.2.3:action.yml") + "\n"; got != want {
		t.Errorf("action.yml of the release:\n%s", got)
	}
	sums := harness.Read(t, filepath.Join(r.dir, "dist/SHA256SUMS"))
	programs := 0
	for line := range strings.Lines(sums) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content := harness.Read(t, filepath.Join(r.dir, "dist", file))
		if fmt.Sprintf("%x", sha256.Sum256([]byte(content))) != sum {
			t.Errorf("%s has another checksum", file)
		}
		if strings.Contains(content, " build -trimpath -buildvcs=false -ldflags -s -w -X main.version=v1.2.3 ") {
			programs++
		}
	}
	if programs != 6 || !strings.Contains(sums, ".cdx.json") || !strings.Contains(sums, "THIRD_PARTY_NOTICES.txt") {
		t.Errorf("%d programs of the version, want 6, with their materials and licenses:\n%s", programs, sums)
	}
	calls := r.calls()
	about := " --repo Acme/Tokens --source-ref refs/heads/main --source-digest " + r.git("rev-parse", "origin/main") +
		" --signer-workflow Acme/Tokens/.github/workflows/release.yml --deny-self-hosted-runners"
	for _, want := range []string{
		"gh attestation verify oci://" + releaseImage + "@" + releaseDigest + about + "\n",
		"gh attestation verify oci://" + releaseImage + "@" + releaseDigest + about + " --predicate-type https://cyclonedx.org/bom\n",
		"gh attestation verify dist/codacy-project-tokens-linux-arm64" + about + "\n",
		"gh attestation verify dist/codacy-project-tokens-windows-amd64.exe" + about + "\n",
		"gh attestation verify dist/codacy-project-tokens.cdx.json" + about + "\n",
		"gh release create v1.2.3 --verify-tag --title v1.2.3 --notes-file - dist/SHA256SUMS dist/codacy-project-tokens-darwin-amd64 ",
		"notes: What 1.2.3 brings.\n",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("no call %q in:\n%s", want, calls)
		}
	}
	security := harness.Read(t, root+"SECURITY.md")
	for _, flag := range []string{"--signer-workflow", "--source-ref refs/heads/main", "--deny-self-hosted-runners"} {
		if !strings.Contains(security, flag) || !strings.Contains(about, flag) {
			t.Errorf("a release is verified with %s, or SECURITY.md says so, but not both", flag)
		}
	}
	if strings.LastIndex(calls, "gh attestation verify") > strings.Index(calls, "gh release create") {
		t.Error("something was shown before it was verified")
	}

	// A step that failed after the push can be repeated. The tag doesn't move.
	before := r.git("ls-remote", "origin")
	r.git("reset", "--hard", "--quiet", "origin/main")
	if out, err := r.step("publish", `.ci/release publish "$VERSION" "$IMAGE" "$DIGEST"`, "v1.2.3"); err != nil {
		t.Errorf("repeated: %v\n%s", err, out)
	}
	if after := r.git("ls-remote", "origin"); after != before {
		t.Errorf("repeated, it changed the tags:\n%s\n%s", before, after)
	}
	// Another image under the same version is rejected.
	r.git("reset", "--hard", "--quiet", "origin/main")
	r.values["DIGEST"] = strings.Replace(releaseDigest, "0", "f", 1)
	if _, err := r.step("publish", `.ci/release publish "$VERSION" "$IMAGE" "$DIGEST"`, "v1.2.3"); err == nil {
		t.Error("a version was published twice")
	}
	if after := r.git("ls-remote", "origin"); after != before {
		t.Errorf("a version that is there was overwritten:\n%s\n%s", before, after)
	}
}

// TestReleaseRights checks that libraries which are not part of the action run in
// a job that can only read: a job that may sign or push runs nothing but the Go
// compiler, git and gh. What signs or publishes does so in an environment.
func TestReleaseRights(t *testing.T) {
	t.Parallel()

	w := parseWorkflow(t, "release.yml", harness.Read(t, root+".github/workflows/release.yml"))
	for name, job := range w.Jobs {
		var writes []string
		for scope, access := range job.Permissions {
			if access != "read" {
				writes = append(writes, scope)
			}
		}
		if (len(writes) > 0) != (job.Environment != "") {
			t.Errorf("the job %s may write %v, and its environment is %q", name, writes, job.Environment)
		}
		for _, s := range job.Steps {
			if foreign := s.Run == ".ci/run" || strings.HasPrefix(s.Run, ".ci/release sbom "); foreign && len(writes) > 0 {
				t.Errorf("the job %s may write %v and runs %q", name, writes, s.Run)
			}
		}
	}
	if len(w.Jobs) < 4 {
		t.Errorf("only %d jobs", len(w.Jobs))
	}
}

// TestReleaseTags: the tag of the major version follows the highest version.
func TestReleaseTags(t *testing.T) {
	t.Parallel()

	r := newRelease(t)
	for _, c := range []struct{ version, major string }{
		{"v1.9.0", "v1.9.0"}, {"v1.10.0-rc.1", "v1.9.0"}, {"v1.10.0", "v1.10.0"}, {"v1.9.1", "v1.10.0"}, {"v2.0.0", "v1.10.0"},
	} {
		r.git("reset", "--hard", "--quiet", "origin/main")
		r.values["DIGEST"] = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(c.version)))
		if out, err := r.step("publish", `.ci/release publish "$VERSION" "$IMAGE" "$DIGEST"`, c.version); err != nil {
			t.Fatalf("%s: %v\n%s", c.version, err, out)
		}
		r.tagged(c.version, "release/"+c.version)
		if r.git("rev-parse", "v1") != r.git("rev-parse", c.major) {
			t.Errorf("after %s v1 is not %s", c.version, c.major)
		}
	}
}

// TestReleaseRejected: an invalid release is rejected before anything is pushed.
func TestReleaseRejected(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		version string
		prepare func(*release)
		at      string // the part that fails
	}{
		"no version":        {version: "1.2.3", at: "check"},
		"a leading zero":    {version: "v01.2.3", at: "check"},
		"a shell's word":    {version: "v1.2.3; touch x", at: "check"},
		"no changes":        {version: "v1.2.4", at: "check"},
		"released already":  {version: "v1.2.3", at: "check", prepare: func(r *release) { r.git("push", "--quiet", "origin", "HEAD:refs/tags/v1.2.3") }},
		"not main's head":   {version: "v1.2.3", at: "check", prepare: func(r *release) { r.git("checkout", "--quiet", "--detach", "HEAD~1") }},
		"not attested":      {version: "v1.2.3", at: "verify", prepare: func(r *release) { r.values["GH_FAILS"] = "predicate-type" }},
		"one not attested":  {version: "v1.2.3", at: "verify", prepare: func(r *release) { r.values["GH_FAILS"] = "linux-arm64" }},
		"no digest":         {version: "v1.2.3", at: "verify", prepare: func(r *release) { r.values["DIGEST"] = "" }},
		"a tag as a digest": {version: "v1.2.3", at: "verify", prepare: func(r *release) { r.values["DIGEST"] = "v1.2.3" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := newRelease(t)
			if c.prepare != nil {
				c.prepare(r)
			}
			before := r.git("ls-remote", "origin")
			for _, s := range r.steps {
				out, err := r.step(s.job, s.line, c.version)
				refused := strings.HasPrefix(s.line, ".ci/release "+c.at+" ")
				if (err != nil) != refused {
					t.Fatalf("%s: %v\n%s", s.line, err, out)
				}
				if refused {
					break
				}
			}
			if after := r.git("ls-remote", "origin"); after != before {
				t.Errorf("something was pushed:\n%s", after)
			}
			if strings.Contains(r.calls(), "gh release create") {
				t.Error("a release was created")
			}
		})
	}
}

// release is a clone to release from, and the steps that do it.
type release struct {
	t        *testing.T
	dir, bin string
	log      string
	steps    []releaseStep
	values   map[string]string // values of the workflow's expressions
}

// releaseStep is a step of release.yml that runs a line of shell.
type releaseStep struct {
	job, line string
	env       []string
}

func newRelease(t *testing.T) *release {
	t.Helper()
	for _, tool := range []string{"bash", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("a release needs %s, as .ci/run does, which runs this test too: %v", tool, err)
		}
	}
	dir := t.TempDir()
	r := &release{
		t: t, dir: filepath.Join(dir, "clone"), bin: filepath.Join(dir, "bin"), log: filepath.Join(dir, "calls"),
		steps:  releaseSteps(t),
		values: map[string]string{"IMAGE": releaseImage, "DIGEST": releaseDigest, "GH_TOKEN": "token"},
	}
	// Files that gh would download from another job are in dist already.
	r.write("../bin/gh", `#!/bin/sh
echo "gh $*" >>"$CALLS"
case "$*" in *"${GH_FAILS:-nothing at all}"*) exit 1 ;; esac
case "$*" in *"--notes-file -"*) echo "notes: $(cat | xargs)" >>"$CALLS" ;; esac
`)
	r.write("../bin/go", `#!/bin/sh
for arg; do [ "$last" != -o ] && [ "$last" != -output ] || out=$arg; last=$arg; done
echo "$GOOS $GOARCH $*" >"$out"
`)
	for _, file := range []string{"action.yml", ".ci/release", "THIRD_PARTY_NOTICES.txt"} {
		r.write(file, harness.Read(t, root+file))
	}
	r.write("CHANGELOG.md", "# Changelog\n\n## 1.2.30\n\nAnother.\n\n## 1.2.3 - today\n\nWhat 1.2.3 brings.\n\n## 1.2.2\n\nOld.\n")
	origin := filepath.Join(dir, "origin")
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", origin},
		{"init", "--quiet", "--initial-branch", "main"},
		{"config", "user.name", "Test"},
		{"config", "user.email", "test@example.com"},
		{"remote", "add", "origin", origin},
		{"commit", "--quiet", "--allow-empty", "--message", "Before"},
		{"add", "."},
		{"commit", "--quiet", "--message", "All"},
		{"push", "--quiet", "origin", "main"},
		{"fetch", "--quiet"},
	} {
		r.git(args...)
	}
	return r
}

func (r *release) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// git runs git in the clone, without any user's settings.
func (r *release) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.dir, r.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *release) env() []string {
	return []string{
		"PATH=" + r.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "CALLS=" + r.log, "HOME=" + filepath.Dir(r.dir),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "LC_ALL=C",
	}
}

// releaseSteps reads release.yml: its steps that run a line of .ci/release or gh, in
// their order, each with the names of its variables.
func releaseSteps(t *testing.T) []releaseStep {
	t.Helper()
	var steps []releaseStep
	job, inEnv := "", false
	for line := range strings.Lines(harness.Read(t, root+".github/workflows/release.yml")) {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		key, _, _ := strings.Cut(text, ":")
		command, runs := strings.CutPrefix(strings.TrimPrefix(text, "- "), "run: ")
		switch {
		case indent == 2:
			job = key
		case strings.Contains(text, "run: |"):
			t.Errorf("a script of several lines, which no test runs: %s", line)
		case runs:
			steps = append(steps, releaseStep{job: job, line: command})
			inEnv = false
		case strings.HasPrefix(text, "- "):
			inEnv = false
		case text == "env:":
			inEnv = true
		case inEnv && indent > 8:
			last := &steps[len(steps)-1]
			last.env = append(last.env, key)
		}
	}
	if len(steps) < 8 {
		t.Fatalf("only %d steps are found in release.yml", len(steps))
	}
	return steps
}

// step runs one of them, as a runner does.
func (r *release) step(job, line, version string) (string, error) {
	r.t.Helper()
	if line == ".ci/run" { // it is running this test
		return "", nil
	}
	env := append(r.env(), "GITHUB_REPOSITORY=Acme/Tokens", "GITHUB_RUN_ID=1", "GITHUB_OUTPUT="+r.log+".output",
		"GITHUB_SHA="+r.git("rev-parse", "origin/main"), "GH_FAILS="+r.values["GH_FAILS"])
	r.values["VERSION"] = version
	found := false
	for _, s := range r.steps {
		if s.job != job || s.line != line {
			continue
		}
		found = true
		for _, name := range s.env {
			value, ok := r.values[name]
			if !ok {
				r.t.Errorf("%s: what is %s?", line, name)
			}
			env = append(env, name+"="+value)
		}
	}
	if !found {
		r.t.Fatalf("release.yml has no step %q in its job %s", line, job)
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", line)
	cmd.Dir, cmd.Env = r.dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs all steps.
func (r *release) run(version string) {
	r.t.Helper()
	for _, s := range r.steps {
		if out, err := r.step(s.job, s.line, version); err != nil {
			r.t.Fatalf("%s: %v\n%s", s.line, err, out)
		}
	}
	if got, want := harness.Read(r.t, r.log+".output"), "name="+releaseImage+"\n"; got != want {
		r.t.Errorf("the output of the job's step is %q, want %q", got, want)
	}
}

// tagged asserts that each ref on origin is a commit on top of main that names the
// image by its digest.
func (r *release) tagged(refs ...string) {
	r.t.Helper()
	r.git("fetch", "--quiet", "--tags", "--force", "origin")
	for _, ref := range refs {
		if strings.HasPrefix(ref, "release/") {
			ref = "origin/" + ref
		}
		if got, want := r.git("rev-parse", ref+"^"), r.git("rev-parse", "origin/main"); got != want {
			r.t.Errorf("%s is not on top of main", ref)
		}
		if image := r.git("show", ref+":action.yml"); !strings.Contains(image, "\n  image: docker://"+releaseImage+"@"+r.values["DIGEST"]) {
			r.t.Errorf("%s does not name the image", ref)
		}
	}
}

// calls are the calls of gh.
func (r *release) calls() string { return harness.Read(r.t, r.log) }
