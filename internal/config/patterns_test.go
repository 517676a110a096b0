package config_test

import (
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
		if got := c.Repositories.Match(tt.name); got != tt.want {
			t.Errorf("%s matches %s: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
		if got := c.ExcludeRepositories.Match(tt.name); got != tt.want {
			t.Errorf("%s excludes %s: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
	}
	if config.Patterns(nil).Match("a") {
		t.Error("no pattern matches something")
	}
}
