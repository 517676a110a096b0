package project

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// workflow is the part of a workflow's YAML that the tests need.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Timeout     int `yaml:"timeout-minutes"`
		Environment string
		Permissions map[string]string // by name: "write-all" fails
		Env         map[string]string
		Strategy    struct{ Matrix map[string][]string }
		Steps       []workflowStep
	}
}

type workflowStep struct {
	Uses, Run string
	With, Env map[string]string
}

// usesAction reports whether the step uses this action.
func (s workflowStep) usesAction() bool {
	return strings.HasPrefix(s.Uses, "OWNER/codacy-project-tokens@")
}

// blocks are the YAML blocks of a Markdown file that hold steps: whole workflows,
// and steps of one, which become a workflow.
func blocks(t *testing.T, file string) []workflow {
	t.Helper()
	var all []workflow
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)\n```").FindAllStringSubmatch(harness.Read(t, file), -1) {
		text := m[1]
		if strings.HasPrefix(strings.TrimSpace(text), "- ") {
			text = "jobs:\n  job:\n    steps:\n" + text
		}
		if w := parseWorkflow(t, file, text); len(w.Jobs) > 0 {
			all = append(all, w)
		}
	}
	return all
}

func parseWorkflow(t *testing.T, file, text string) workflow {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return w
}

// expand replaces the expressions in a text, as GitHub does. An unknown one ends the
// test, because workflows to copy have to be simple.
func expand(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`).ReplaceAllStringFunc(text, func(m string) string {
		name := strings.TrimSpace(m[3 : len(m)-2])
		v, ok := values[name]
		if !ok {
			t.Fatalf("nothing is known of %s", m)
		}
		return v
	})
}

// actionInputs are the inputs that the runner passes to the action in a step: the
// inputs of the step, and the defaults of absent ones.
func actionInputs(t *testing.T, s workflowStep, values map[string]string) harness.Inputs {
	t.Helper()
	var action struct {
		Inputs map[string]struct{ Default string }
	}
	if err := yaml.Unmarshal([]byte(harness.Read(t, root+"action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	in := harness.Inputs{}
	for name, input := range action.Inputs {
		in[name] = expand(t, input.Default, values)
	}
	for name, text := range s.With {
		if _, ok := in[name]; !ok {
			t.Errorf("the action has no input %s", name)
		}
		in[name] = expand(t, text, values)
	}
	return in
}

// runStep runs the program as the runner does for a step of this action. Only Codacy's
// address differs.
func runStep(f *harness.Fixture, s workflowStep, values map[string]string) harness.Result {
	f.T.Helper()
	known := map[string]string{
		"github.repository_owner": "acme", "github.api_url": f.GitHub,
		"secrets.CODACY_API_TOKEN": sandbox.CodacyToken, "secrets.SECRETS_TOKEN": sandbox.GitHubToken,
		"inputs.dry-run": "", // by a schedule
	}
	maps.Copy(known, values)
	in := actionInputs(f.T, s, known)
	in["codacy-api-url"] = f.Codacy
	if in["report-file"] != "" {
		in["report-file"] = filepath.Join(f.T.TempDir(), in["report-file"])
	}
	return f.Run(in)
}

// appValues are the values in workflows with an App.
func appValues() map[string]string {
	return map[string]string{"vars.TOKENS_APP_ID": harness.AppID, "secrets.TOKENS_APP_PRIVATE_KEY": harness.AppPEM(harness.AppKeys()[0])}
}

// TestReadmeWorkflow runs README's workflow unchanged: manually as a dry run and not,
// then by its schedule. It runs the step with an App as well.
func TestReadmeWorkflow(t *testing.T) {
	t.Parallel()

	all := blocks(t, root+"README.md")
	if len(all) != 2 {
		t.Fatalf("README has %d blocks with steps, want a workflow and the step with an App", len(all))
	}
	var steps []workflowStep
	for _, w := range all {
		for _, job := range w.Jobs {
			steps = append(steps, job.Steps...)
		}
	}
	if len(steps) != 2 || !steps[0].usesAction() || !steps[1].usesAction() {
		t.Fatalf("README's steps are %+v, want one and one of this action", steps)
	}
	if all[0].Permissions == nil || len(all[0].Permissions) != 0 {
		t.Errorf("the workflow has the permissions %v, want {}", all[0].Permissions)
	}

	t.Run("token", func(t *testing.T) {
		t.Parallel()
		f := harness.Serve(t, sandbox.Options{})
		for _, name := range harness.Names(3) {
			f.Add(sandbox.Repository{Name: name})
		}
		f.Want(runStep(f, steps[0], map[string]string{"inputs.dry-run": "true"}), 0, "created=3")
		if n := f.Writes(); n != 0 {
			t.Errorf("%d writes in a dry run", n)
		}
		f.Want(runStep(f, steps[0], map[string]string{"inputs.dry-run": "false"}), 0, "created=3")
		harness.Each(harness.Names(3), func(name string) { f.Provisioned(name) })
		// A schedule has no inputs: they are empty.
		f.Want(runStep(f, steps[0], map[string]string{"inputs.dry-run": ""}), 0, "current=3")
	})
	t.Run("App", func(t *testing.T) {
		t.Parallel()
		f := harness.Serve(t, harness.AppOptions())
		for _, name := range harness.Names(3) {
			f.Add(sandbox.Repository{Name: name, Private: true})
		}
		values := appValues()
		values["inputs.dry-run"] = "" // by the schedule
		f.Want(runStep(f, steps[1], values), 0, "created=3")
		harness.Each(harness.Names(3), func(name string) { f.Provisioned(name) })
	})
}

// TestDocsSteps: each step in the docs that uses the action passes the input dry-run, so
// that the advice to preview can be followed.
func TestDocsSteps(t *testing.T) {
	t.Parallel()

	found := 0
	for _, file := range docs(t) {
		for _, w := range blocks(t, file) {
			for _, job := range w.Jobs {
				for _, s := range job.Steps {
					if !s.usesAction() {
						continue
					}
					found++
					if s.With["dry-run"] != "${{ inputs.dry-run }}" {
						t.Errorf("%s: a step without dry-run: %v", file, s.With)
					}
				}
			}
		}
	}
	if found < 4 {
		t.Errorf("%d steps, want at least 4", found)
	}
}

// TestExamplesRun runs each step of the examples that uses the action unchanged, over
// ten repositories, and checks their secrets.
func TestExamplesRun(t *testing.T) {
	t.Parallel()

	const kept = "service-001"                    // has a secret that this action did not create
	ran := map[string]bool{"uninstall.yml": true} // by TestLeave
	for _, c := range []struct {
		file, job string
		options   sandbox.Options
		values    map[string]string
		want      string   // the counts
		stores    []string // the stores that hold the same token at the end, except in kept repositories
		kept      bool
		untouched bool
	}{
		{file: "schedule-token.yml", job: "tokens", want: "created=10", stores: []string{"actions"}},
		{file: "schedule-token.yml", job: "tokens", values: map[string]string{"inputs.dry-run": "true"}, want: "created=10", untouched: true},
		{file: "schedule-app.yml", job: "tokens", options: harness.AppOptions(), values: appValues(), want: "created=10", stores: []string{"actions"}},
		{file: "dependabot.yml", job: "tokens", options: harness.AppOptions(), values: appValues(), want: "created=10", stores: []string{"actions", "dependabot"}},
		{file: "dry-run-approval.yml", job: "plan", want: "created=10", untouched: true},
		{file: "dry-run-approval.yml", job: "tokens", want: "created=10", stores: []string{"actions"}},
		{
			file: "first-run.yml", job: "tokens", values: map[string]string{"inputs.repositories": "service-*", "inputs.dry-run": "true"},
			want: "created=9 kept=1", untouched: true,
		},
		{
			file: "first-run.yml", job: "tokens", values: map[string]string{"inputs.repositories": "service-*", "inputs.dry-run": "false"},
			want: "created=9 kept=1", stores: []string{"actions"}, kept: true,
		},
		{file: "self-hosted.yml", job: "tokens", options: sandbox.Options{Provider: "ghe"}, want: "created=10", stores: []string{"actions"}},
		{file: "shards.yml", job: "tokens", options: harness.AppOptions(), values: appValues(), want: "", stores: []string{"actions"}},
	} {
		ran[c.file] = true
		t.Run(c.file+" "+c.job+" "+c.values["inputs.dry-run"], func(t *testing.T) {
			t.Parallel()
			f := harness.Serve(t, c.options)
			for _, name := range harness.Names(10) {
				f.Add(sandbox.Repository{Name: name, Private: true})
			}
			f.SetSecret(kept, "actions", harness.SecretName, "manual")
			job := parseWorkflow(t, c.file, harness.Read(t, root+"examples/"+c.file)).Jobs[c.job]
			i := slices.IndexFunc(job.Steps, workflowStep.usesAction)
			if i < 0 {
				t.Fatalf("the job %s does not use the action", c.job)
			}
			if parts := job.Strategy.Matrix["part"]; parts != nil {
				created := 0
				for _, part := range parts {
					values := maps.Clone(c.values)
					values["matrix.part"], values["strategy.job-total"] = part, fmt.Sprint(len(parts))
					r := runStep(f, job.Steps[i], values)
					n := 0
					if _, err := fmt.Sscan(r.Outputs["created"], &n); err != nil || r.Code != 0 {
						t.Errorf("part %s ended with %d and created %q", part, r.Code, r.Outputs["created"])
					}
					created += n
				}
				if created != 10 {
					t.Errorf("the parts created %d, want 10 in all", created)
				}
			} else {
				f.Want(runStep(f, job.Steps[i], c.values), 0, c.want)
			}
			if c.untouched {
				if n := f.Writes(); n != 0 {
					t.Errorf("%d writes", n)
				}
				return
			}
			for _, name := range harness.Names(10) {
				if c.kept && name == kept {
					if v, _ := f.Secret(name, "actions", harness.SecretName); v != "manual" {
						t.Errorf("%s does not hold what it held", name)
					}
					continue
				}
				f.Provisioned(name, c.stores...)
			}
		})
	}
	files, err := filepath.Glob(root + "examples/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !ran[filepath.Base(file)] {
			t.Errorf("%s is not run", filepath.Base(file))
		}
	}
}

// TestWorkflows checks the project's workflows and the examples. Each job lists its
// permissions with their reasons. Every action is pinned to a commit with its version,
// everywhere the same. Values of expressions get into scripts only through the
// environment, and secrets into single steps. Who starts an example manually can
// choose a dry run. The project's workflows use the Go version of the Dockerfile. The
// README of the examples lists each of them.
func TestWorkflows(t *testing.T) {
	t.Parallel()

	var files []string
	for _, pattern := range []string{".github/workflows/*", "examples/*.yml"} {
		found, err := filepath.Glob(root + pattern)
		if err != nil || len(found) < 5 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	grant := regexp.MustCompile(`(?m)^ +[a-z-]+: (read|write)\b(.*)$`)
	use := regexp.MustCompile(`(?m)uses: (\S+)(.*)$`)
	pin := regexp.MustCompile(`^(\S+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
	image := regexp.MustCompile(`(?m)^FROM .*\bgolang:(\d+\.\d+)-`).FindStringSubmatch(harness.Read(t, root+"Dockerfile"))
	if image == nil || !strings.Contains(harness.Read(t, root+"go.mod"), "\ngo "+image[1]+".") {
		t.Fatalf("the Dockerfile builds with another Go than go.mod's: %q", image)
	}
	pins := map[string]string{}
	for _, file := range files {
		text, name := harness.Read(t, file), filepath.Base(file)
		bad := func(what string, args ...any) {
			t.Helper()
			t.Errorf("%s: "+what, append([]any{name}, args...)...)
		}
		w := parseWorkflow(t, file, text)
		if w.Permissions == nil || len(w.Permissions) > 0 {
			bad("its permissions are %v, want {}", w.Permissions)
		}
		if strings.Contains(text, "pull_request_target") || strings.Contains(text, "workflow_run") {
			bad("it runs code of forks with the repository's secrets")
		}
		for _, g := range grant.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(g[2], " # ") {
				bad("a permission without its reason: %s", g[0])
			}
		}
		for _, u := range use.FindAllStringSubmatch(text, -1) {
			if u[1] == "./" || u[1] == "OWNER/codacy-project-tokens@v1" && strings.Contains(file, "examples") {
				continue
			}
			m := pin.FindStringSubmatch(u[1] + u[2])
			if m == nil {
				bad("not pinned to a commit, with its version: %s", u[0])
				continue
			}
			project := strings.Join(strings.SplitN(m[1], "/", 3)[:2], "/")
			if was, now := pins[project], m[2]+" "+m[3]; was != "" && was != now {
				bad("%s is pinned to %s, and elsewhere to %s", project, now, was)
			}
			pins[project] = m[2] + " " + m[3]
		}
		for id, job := range w.Jobs {
			if job.Timeout == 0 {
				bad("the job %s has no timeout", id)
			}
			for name, value := range job.Env {
				if strings.Contains(value, "secrets.") {
					bad("every step of the job %s can read %s", id, name)
				}
			}
			for _, s := range job.Steps {
				if s.usesAction() && strings.Contains(text, "workflow_dispatch:") && s.With["dry-run"] != "${{ inputs.dry-run }}" {
					bad("a step does not pass the input dry-run: %v", s.With)
				}
				if strings.Contains(s.Run, "${{") {
					bad("an expression inside a script: %s", s.Run)
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
					bad("a checkout leaves its credential behind")
				}
				if strings.HasPrefix(s.Uses, "actions/setup-go@") && (s.With["go-version"] != image[1]+".x" || s.With["check-latest"] != "true") {
					bad("not the newest Go of the Dockerfile's: %v", s.With)
				}
			}
		}
		if !strings.Contains(file, "examples") {
			continue
		}
		if !strings.Contains(harness.Read(t, root+"examples/README.md"), "]("+name+")") {
			bad("examples/README.md does not list it")
		}
	}
}
