package e2e

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// terminal is the program on a pseudo-terminal of 100 columns.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.ReadWriteCloser
	done chan struct{}
	mu   sync.Mutex
	raw  strings.Builder
}

// atTerminal starts the program as somebody would who has a terminal.
func (f *fixture) atTerminal(env []string, args ...string) *terminal {
	f.t.Helper()
	x := &terminal{t: f.t, done: make(chan struct{})}
	x.cmd = exec.CommandContext(f.t.Context(), program, args...)
	x.cmd.Dir = f.t.TempDir()
	x.cmd.Env = append(env, "TERM=xterm", "GITHUB_API_URL="+f.github,
		"CODACY_API_TOKEN="+sandbox.CodacyToken, "GH_TOKEN="+sandbox.GitHubToken)
	in, err := pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if errors.Is(err, pty.ErrUnsupported) {
		f.t.Skip("there are no pseudo-terminals on this system")
	}
	if err != nil {
		f.t.Fatal(err)
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

// sees waits until the terminal has shown a text.
func (x *terminal) sees(text string) {
	x.t.Helper()
	for until := time.Now().Add(20 * time.Second); !strings.Contains(x.shown(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			x.t.Fatalf("the terminal does not show %q:\n%s", text, x.shown())
		}
	}
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.raw.String()
}

func (x *terminal) types(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.in, text); err != nil {
		x.t.Fatal(err)
	}
}

// ends waits for the program's end, and returns what the terminal was sent.
func (x *terminal) ends(w *sandbox.World, code int) string {
	x.t.Helper()
	<-x.done
	_ = x.cmd.Wait() // its exit code tells
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit code %d, want %d\n%s", got, code, x.shown())
	}
	noLeak(x.t, w, false, map[string]string{"terminal": x.shown()})
	return x.shown()
}

var (
	escape = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")
	erase  = regexp.MustCompile("\x1b\\[[02]?K")
)

// screen is what stands on the terminal in the end: what was written over or
// erased is gone. Lines of one outcome, whose order is chance, are sorted.
func screen(raw string) string {
	var all []string
	for text := range strings.Lines(strings.ReplaceAll(raw, "\r\n", "\n")) {
		text = strings.TrimSuffix(text, "\n")
		if i := strings.LastIndex(text, "\r"); i >= 0 {
			text = text[i+1:]
		}
		if at := erase.FindAllStringIndex(text, -1); at != nil {
			text = text[at[len(at)-1][1]:]
		}
		all = append(all, strings.TrimRight(escape.ReplaceAllString(text, ""), " "))
	}
	begin := 0
	for i := range len(all) + 1 {
		if i == len(all) || !strings.HasPrefix(all[i], "created ") {
			slices.Sort(all[begin:i])
			begin = i + 1
		}
	}
	return regexp.MustCompile(`\d{4}-\d\d-\d\d`).ReplaceAllString(strings.Join(all, "\n"), "DATE") + "\n"
}

// TestNewcomer is the way of somebody new, on a terminal: the help, a plan that is
// answered with no, the same applied, and once more, when there is nothing to do.
func TestNewcomer(t *testing.T) {
	t.Parallel()

	f := serve(t, sandbox.Options{Latency: 60 * time.Millisecond})
	for _, name := range []string{"api", "billing", "docs", "legacy", "site", "web"} {
		f.Add(sandbox.Repository{Name: name, Archived: name == "legacy"})
	}
	f.Provision("web", aged(f.World, 1, 300, 65), "actions")
	f.Provision("docs", aged(f.World, 1, 10, 355), "actions")
	flags := []string{"--organization", "acme", "--codacy-api-url", f.codacy, "--concurrency", "2"}
	began := time.Now()
	show := func(name, raw string) { golden(t, filepath.Join("testdata", "terminal", name+".txt"), screen(raw)) }

	help := f.atTerminal(nil, "--help").ends(f.World, 0)
	show("help", help)
	// A terminal of 24 lines has one for the prompt.
	for i, line := range strings.Split(strings.TrimSuffix(screen(help), "\n"), "\n") {
		if i >= 23 || utf8.RuneCountInString(line) > 80 {
			t.Errorf("line %d of the help doesn't fit 24 lines of 80 columns: %q", i+1, line)
		}
	}

	x := f.atTerminal(nil, flags...)
	x.sees("[y/N] ")
	x.types("n\n")
	show("no", x.ends(f.World, 0))
	if n := f.Writes(); n != 0 {
		t.Errorf("%d writes after a no", n)
	}

	x = f.atTerminal(nil, flags...)
	x.sees("[y/N] ")
	x.types("y\n")
	raw := x.ends(f.World, 0)
	show("yes", raw)
	if !strings.Contains(raw, "\x1b[32mcreated\x1b[0m") {
		t.Errorf("no colour:\n%q", raw)
	}
	if !regexp.MustCompile(`[0-9]/6\D`).MatchString(raw) || !strings.Contains(raw, "repositories/") {
		t.Errorf("no bar with its rate:\n%q", raw)
	}
	for _, name := range []string{"api", "billing", "site"} {
		f.provisioned(name)
	}

	x = f.atTerminal(nil, flags...)
	show("again", x.ends(f.World, 0))

	f.Add(sandbox.Repository{Name: "late"})
	x = f.atTerminal([]string{"NO_COLOR=1"}, append(flags, "--yes")...)
	raw = x.ends(f.World, 0)
	if !strings.Contains(raw, "created  acme/late") || strings.Contains(raw, "\x1b[3") {
		t.Errorf("colour, in spite of NO_COLOR, or nothing that had any:\n%q", raw)
	}
	t.Logf("help, plan, apply, once more, and without colour: %v", time.Since(began).Round(time.Millisecond))
	f.Check(t)
}

// TestInterruptAtTerminal: one Ctrl-C ends the run well, two end it at once.
func TestInterruptAtTerminal(t *testing.T) {
	t.Parallel()

	for name, hang := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := serve(t, sandbox.Options{Latency: 20 * time.Millisecond})
			for _, name := range names(30) {
				f.Add(sandbox.Repository{Name: name})
			}
			f.Hook(func(r sandbox.Request) sandbox.Effect {
				if hang && r.Kind == sandbox.KindPutSecret && f.Count(sandbox.KindPutSecret) > 3 {
					return sandbox.Effect{End: sandbox.Hang}
				}
				return sandbox.Effect{}
			})
			x := f.atTerminal(nil, "--organization", "acme", "--codacy-api-url", f.codacy, "--concurrency", "2", "--yes", "--writes-per-minute", "0")
			x.sees("created")
			if hang {
				for f.Count(sandbox.KindPutSecret) <= 3 {
					time.Sleep(5 * time.Millisecond)
				}
			}
			began := time.Now()
			x.types("\x03")
			x.sees("another Ctrl-C ends it at once")
			if !hang {
				raw := x.ends(f.World, 3)
				if !strings.Contains(raw, "the run was interrupted") || !strings.Contains(raw, "deferred") {
					t.Errorf("it does not tell how it ended:\n%s", raw)
				}
				for _, name := range names(30) {
					if orphans := f.Orphans(name); len(orphans) > 0 {
						t.Errorf("%s: an orphan is left", name)
					}
				}
				f.Check(t)
				return
			}
			x.types("\x03")
			x.ends(f.World, -1)
			if status, ok := x.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", x.cmd.ProcessState)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}
