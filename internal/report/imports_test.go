package report

import (
	"go/build"
	"path"
	"slices"
	"testing"
)

// The report shows results. It imports no package that produces them.
func TestImports(t *testing.T) {
	t.Parallel()

	const module = "github.com/codacy/codacy-project-tokens/internal/"
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(pkg.Imports, module+"outcome") {
		t.Fatalf("the imports are %v", pkg.Imports)
	}
	for _, p := range pkg.Imports {
		if p == module+path.Base(p) && slices.Contains([]string{"provision", "diagnosis", "cli", "config", "pace", "wire", "github", "codacy"}, path.Base(p)) {
			t.Errorf("report imports %s", p)
		}
	}
}
