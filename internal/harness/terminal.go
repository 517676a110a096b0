package harness

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// Terminal is the program on a pseudo-terminal of 100 columns.
type Terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.ReadWriteCloser
	done chan struct{}
	mu   sync.Mutex
	raw  strings.Builder
}

// AtTerminal starts the program on a terminal, with credentials in its environment.
func (f *Fixture) AtTerminal(env []string, args ...string) *Terminal {
	f.T.Helper()
	x := &Terminal{t: f.T, done: make(chan struct{})}
	x.cmd = exec.CommandContext(f.T.Context(), Program, args...)
	x.cmd.Dir = f.T.TempDir()
	x.cmd.Env = append(env, "TERM=xterm", "GITHUB_API_URL="+f.GitHub,
		"CODACY_API_TOKEN="+sandbox.CodacyToken, "GH_TOKEN="+sandbox.GitHubToken)
	in, err := pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if errors.Is(err, pty.ErrUnsupported) {
		f.T.Skip("there are no pseudo-terminals on this system")
	}
	if err != nil {
		f.T.Fatal(err)
	}
	x.in = in
	go func() {
		defer close(x.done)
		b := make([]byte, 4096)
		for {
			n, err := in.Read(b) // an error is the end: the program has closed its side
			x.mu.Lock()
			x.raw.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

// Sees waits until the terminal has shown a text.
func (x *Terminal) Sees(text string) {
	x.t.Helper()
	for until := time.Now().Add(20 * time.Second); !strings.Contains(x.Shown(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			x.t.Fatalf("the terminal does not show %q:\n%s", text, x.Shown())
		}
	}
}

// Shown is what the terminal received until now.
func (x *Terminal) Shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.raw.String()
}

// Types sends a text to the program.
func (x *Terminal) Types(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.in, text); err != nil {
		x.t.Fatal(err)
	}
}

// Ends waits for the program's end, asserts its exit code and returns everything
// that the terminal received.
func (x *Terminal) Ends(w *sandbox.World, code int) string {
	x.t.Helper()
	<-x.done
	if err := IgnoreExit(x.cmd.Wait()); err != nil {
		x.t.Error(err)
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, want %d\n%s", got, code, x.Shown())
	}
	NoLeak(x.t, w, false, map[string]string{"terminal": x.Shown()})
	return x.Shown()
}

// State is the state of the program after it ended.
func (x *Terminal) State() *os.ProcessState { return x.cmd.ProcessState }
