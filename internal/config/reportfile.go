package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// stdoutFile is the report file that means standard output.
const stdoutFile = "-"

// reportFile parses the path of the report file. Whether it can be created is
// checked now, because the report is written after all the work.
func reportFile(c *Config, text string) []invalid {
	requirement := "a path that ends in .json or .csv"
	if !c.Runner {
		requirement += ", or - for standard output"
	}
	ext := strings.ToLower(filepath.Ext(text))
	switch {
	case text == stdoutFile && !c.Runner:
	case ext != ".json" && ext != ".csv" || strings.ContainsFunc(text, unicode.IsControl):
		return []invalid{{requirement: requirement}}
	default:
		if err := canCreate(text); err != nil {
			hint := "Create its folder first, or choose a path that can be written"
			if errors.Is(err, errFolder) {
				hint = "Choose the path of a file"
			}
			return []invalid{{problem: "can't create " + valuePlaceholder + ": " + err.Error(), hint: hint}}
		}
	}
	c.ReportFile = text
	return nil
}

var errFolder = errors.New("it is a folder")

// canCreate returns why a file can't be created or replaced; nil if it can. It leaves
// nothing behind, and an existing file as it is.
func canCreate(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errFolder
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return withoutPath(err)
	}
	return withoutPath(errors.Join(f.Close(), os.Remove(f.Name())))
}

// withoutPath drops the name of a temporary file from an error.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
