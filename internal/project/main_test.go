package project

import (
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
