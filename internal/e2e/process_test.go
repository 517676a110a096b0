package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// strayServer responds to every request with a complete response, followed by bytes
// that belong to no response: workflow commands and the request's own header.
func strayServer(t *testing.T) (address string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				requests.Add(1)
				body := `{"data":{"id":1},"type":"Organization","login":"acme"}`
				if strings.Contains(req.URL.Path, "repo") {
					body = `{"data":[]}`
				}
				stray := "\n::error::stray command\n##[error]stray command " + req.Header.Get("Api-Token") + req.Header.Get("Authorization")
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+
					strconv.Itoa(len(body))+"\r\n\r\n"+body+stray)
				_, _ = io.Copy(io.Discard, c) // until the client closes the connection
			}()
		}
	}()
	return "http://" + l.Addr().String(), requests
}

// TestStrayBytes: the standard library logs stray bytes after a response through the
// log package. Nothing of them gets to the process's output.
func TestStrayBytes(t *testing.T) {
	t.Parallel()

	codacy, requests := strayServer(t)
	github, _ := strayServer(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := harness.Command(ctx, dir, harness.Inputs{
		"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
		"codacy-api-url": codacy + "/api/v3", "github-api-url": github + "/api/v3",
	})
	cmd.Env = append(cmd.Env, "GODEBUG=http2debug=2")
	out, err := cmd.CombinedOutput()
	if harness.IgnoreExit(err) != nil || cmd.ProcessState.ExitCode() < 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	if requests.Load() < 2 {
		t.Errorf("%d requests only: the connections were not reused", requests.Load())
	}
	for _, part := range []string{"stray", "Unsolicited", "http2", sandbox.CodacyToken, sandbox.GitHubToken} {
		if strings.Contains(string(out), part) {
			t.Errorf("the output contains %q:\n%s", part, out)
		}
	}
}

// TestHTTP2Debug: GODEBUG can't make the HTTP/2 client print requests.
func TestHTTP2Debug(t *testing.T) {
	t.Parallel()

	w := sandbox.New(sandbox.Options{})
	w.Add(sandbox.Repository{Name: "web"})
	codacy, github, authority, shut := w.ServeTLS()
	t.Cleanup(shut)
	dir := t.TempDir()
	file := filepath.Join(dir, "authority.pem")
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := harness.Command(t.Context(), dir, harness.Inputs{
		"codacy-api-token": sandbox.CodacyToken, "github-token": sandbox.GitHubToken, "organization": "acme",
		"codacy-api-url": codacy, "github-api-url": github,
	})
	cmd.Env = append(cmd.Env, "GODEBUG=http2debug=2", "SSL_CERT_FILE="+file)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || !strings.Contains(stdout.String(), "created") {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	if all := stdout.String() + stderr.String(); strings.Contains(all, "http2:") {
		t.Errorf("the output contains the HTTP/2 client's log:\n%s", all)
	}
	harness.NoLeak(t, w, true, map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}, sandbox.CodacyToken, sandbox.GitHubToken)
}

// TestSignals: a closed terminal and a closed pipe are interrupts: the repository in
// progress is finished.
func TestSignals(t *testing.T) {
	t.Parallel()

	for name, end := range map[string]func(*exec.Cmd, *os.File) error{
		"SIGHUP": func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGHUP) },
		"SIGHUP twice": func(cmd *exec.Cmd, _ *os.File) error {
			if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
				return err
			}
			time.Sleep(300 * time.Millisecond)
			return cmd.Process.Signal(syscall.SIGHUP)
		},
		"SIGPIPE": func(_ *exec.Cmd, reader *os.File) error { return reader.Close() },
	} {
		for _, runner := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " on a runner", false: " on the command line"}[runner], func(t *testing.T) {
				t.Parallel()

				f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "web"})
				stored := make(chan struct{})
				var once sync.Once
				f.Hook(func(r sandbox.Request) (e sandbox.Effect) {
					if r.Kind == sandbox.KindPutSecret {
						once.Do(func() { close(stored) })
						e.Delay = 2 * time.Second
					}
					return e
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd, _ := f.Start(ctx, nil)
				if !runner {
					cmd = exec.CommandContext(ctx, harness.Program, "--organization", "acme", "--yes", "--codacy-api-url", f.Codacy, "--github-api-url", f.GitHub)
					cmd.Env = []string{"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken}
				}
				reader, writer, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer reader.Close()
				cmd.Stdout, cmd.Stderr = writer, io.Discard
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				_ = writer.Close() // the program has it
				<-stored
				if err := end(cmd, reader); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // the test compares the exit code
				// A pipe that is closed is noticed when the result is written, after the run.
				if code := cmd.ProcessState.ExitCode(); name != "SIGPIPE" && code != 3 || code < 0 {
					t.Errorf("exit code %d, %v", code, cmd.ProcessState)
				}
				f.Check(t)
				f.Provisioned("web")
			})
		}
	}
}

// TestClosedPipe: a run whose output is read no longer ends like an interrupted one,
// and doesn't write every repository first.
func TestClosedPipe(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{})
	names := harness.Names(40)
	for _, name := range names {
		f.Add(sandbox.Repository{Name: name})
	}
	stored := make(chan struct{})
	var once sync.Once
	f.Hook(func(r sandbox.Request) (e sandbox.Effect) {
		if r.Kind == sandbox.KindPutSecret {
			once.Do(func() { close(stored) })
			e.Delay = 100 * time.Millisecond
		}
		return e
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _ := f.Start(ctx, harness.Inputs{"concurrency": "1"})
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close() // the program has it
	<-stored
	_ = reader.Close() // the program's next line fails
	_ = cmd.Wait()     // the test compares the exit code
	written := 0
	for _, name := range names {
		if _, ok := f.Secret(name, "actions", harness.SecretName); ok {
			written++
			f.Provisioned(name)
		} else if n := len(f.ValidTokens(name)); n > 0 {
			t.Errorf("%s: %d tokens are in no secret", name, n)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 3 || written == 0 || written > len(names)/2 {
		t.Errorf("exit code %d, %v, and %d repositories were written", code, cmd.ProcessState, written)
	}
}

// TestServerHangsUp: a write to a connection that the server closed sends SIGPIPE to
// the process. It interrupts no run.
func TestServerHangsUp(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "web"}, sandbox.Repository{Name: "api"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, _ := f.Start(ctx, nil)
	ready := make(chan struct{})
	var signaled atomic.Int64
	f.Hook(func(sandbox.Request) sandbox.Effect {
		<-ready
		if cmd.Process.Signal(syscall.SIGPIPE) == nil {
			signaled.Add(1)
		}
		return sandbox.Effect{}
	})
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(ready)
	if err := harness.IgnoreExit(cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 || signaled.Load() == 0 {
		t.Errorf("exit code %d after %d signals\n%s", code, signaled.Load(), out.String())
	}
	f.Provisioned("web")
	f.Provisioned("api")
}

// TestInvalidProxy: an invalid address of a proxy is an error that names the
// variable. The standard library would ignore it and connect directly.
func TestInvalidProxy(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Record: true}, sandbox.Repository{Name: "web"})
	cmd, _ := f.Start(t.Context(), nil)
	cmd.Env = append(cmd.Env, "https_proxy=http://me:s3cret%zz@proxy:3128")
	cmd.Stdout, cmd.Stderr = nil, nil
	out, err := cmd.CombinedOutput()
	if harness.IgnoreExit(err) != nil || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "https_proxy: must be") || strings.Contains(string(out), "s3cret") {
		t.Errorf("the output is\n%s", out)
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
