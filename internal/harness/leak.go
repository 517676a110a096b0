package harness

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// NoLeak searches what a run wrote for every credential and token that the World
// ever knew, and for the given ones.
func NoLeak(t testing.TB, w *sandbox.World, runner bool, written map[string]string, more ...string) {
	t.Helper()
	for _, found := range sandbox.Leaks(runner, written, append(w.Secrets(), more...)) {
		t.Errorf("a leak: %s", found)
	}
}

// Files returns the content of every file in a directory, by path.
func Files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}
