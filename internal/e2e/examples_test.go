package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

// TestExamples sees that each use of the action, in examples and README, gives
// it inputs that there are, and those that have to be.
func TestExamples(t *testing.T) {
	t.Parallel()

	examples, err := filepath.Glob(root + "examples/*.yml")
	if err != nil || len(examples) < 7 {
		t.Fatalf("%d examples: %v", len(examples), err)
	}
	var known []string
	for _, in := range config.Inputs() {
		known = append(known, in.Name)
	}
	list := read(t, root+"examples/README.md")
	for _, file := range examples {
		if name := filepath.Base(file); !strings.Contains(list, "]("+name+")") {
			t.Errorf("examples/README.md does not name %s", name)
		}
		text := read(t, file)
		if !strings.Contains(text, "\npermissions: {}") {
			t.Errorf("%s: no permissions: {}", file)
		}
		for _, ref := range regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(ref[1], "OWNER/") && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(ref[1]) {
				t.Errorf("%s: %s is not pinned to a commit", file, ref[1])
			}
		}
		uses := actionUses(text)
		if len(uses) == 0 {
			t.Errorf("%s does not use the action", file)
		}
		for _, with := range uses {
			for _, name := range with {
				if !slices.Contains(known, name) {
					t.Errorf("%s: the action has no input %s", file, name)
				}
			}
			token, app := slices.Contains(with, "github-token"), slices.Contains(with, "github-app-id")
			if !slices.Contains(with, "codacy-api-token") || token == app || app != slices.Contains(with, "github-app-private-key") {
				t.Errorf("%s: it gives the action the credentials %v", file, with)
			}
		}
	}
}

// actionUses are the names of the inputs at each use of the action.
func actionUses(workflow string) [][]string {
	var uses [][]string
	lines := strings.Split(workflow, "\n")
	for i, line := range lines {
		at := strings.Index(line, "uses: OWNER/codacy-project-tokens@v1")
		if at < 0 {
			continue
		}
		// The step's other keys stand where "uses" does, its inputs two further.
		var with []string
		section := ""
		for _, l := range lines[i+1:] {
			indent := len(l) - len(strings.TrimLeft(l, " "))
			if l != "" && indent < at {
				break
			}
			key, _, isKey := strings.Cut(strings.TrimSpace(l), ":")
			switch {
			case isKey && indent == at:
				section = key
			case isKey && indent == at+2 && section == "with":
				with = append(with, key)
			}
		}
		uses = append(uses, with)
	}
	return uses
}
