package config_test

import (
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

func TestMatch(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		patterns, name string
		want           bool
	}{
		{"*", "anything.at-all_1", true},
		{"api", "API", true},
		{"API-*", "api-users", true},
		{"api-*", "web-api-users", false},
		{"web,api", "api", true},
		{"web-?", "web-12", false},
		{"[A-C]x", "bX", true},
		{"[^a]x", "ax", false},
		{`a\*`, "ab", false},
		{".github", ".github", true},
	} {
		c, err := config.Parse(nil, runner(env{"repositories": tt.patterns, "exclude-repositories": tt.patterns}).get)
		if err != nil {
			t.Errorf("%s: %v", tt.patterns, err)
			continue
		}
		if got := c.Repositories.Match(config.Selectable{Name: tt.name}); got != tt.want {
			t.Errorf("%s matches %s: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
		if got := c.ExcludeRepositories.Match(config.Selectable{Name: tt.name}); got != tt.want {
			t.Errorf("%s excludes %s: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
	}
	if config.Patterns(nil).Match(config.Selectable{Name: "a"}) {
		t.Error("no pattern matches something")
	}
}

func TestMatchTopicAndVisibility(t *testing.T) {
	t.Parallel()

	repository := config.Selectable{Name: "api", Topics: []string{"backend", "Coverage"}, Visibility: "internal"}
	for patterns, want := range map[string]bool{
		"topic:coverage": true, "Topic:BACK*": true, "topic:front*": false, "topic:*": true,
		"visibility:internal": true, "visibility:private": false, "VISIBILITY:Internal": true,
		"visibility:private, topic:backend": true, "web-*, topic:none": false,
	} {
		c, err := config.Parse(nil, runner(env{"repositories": patterns}).get)
		if err != nil {
			t.Errorf("%s: %v", patterns, err)
			continue
		}
		if got := c.Repositories.Match(repository); got != want {
			t.Errorf("%s: %v, want %v", patterns, got, want)
		}
		if got, want := c.Repositories.NeedTraits(), strings.Contains(patterns, ":"); got != want {
			t.Errorf("%s: needs traits: %v, want %v", patterns, got, want)
		}
	}
	if (config.Patterns{"topic:*", "visibility:public"}).Match(config.Selectable{Name: "hidden"}) {
		t.Error("a repository that GitHub does not show has a topic or a visibility")
	}
	for _, patterns := range []string{"topic:", "topic:a b", "topic:acme/x", "visibility:secret", "visibility:", "visibility:pub*"} {
		if _, err := config.Parse(nil, runner(env{"repositories": patterns}).get); err == nil {
			t.Errorf("%s: no error", patterns)
		}
	}
}
