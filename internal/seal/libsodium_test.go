package seal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// TestLibsodium crosses boxes with libsodium itself, which is what opens them
// at GitHub: in both directions, and byte by byte. It needs a C compiler and
// libsodium's headers (Debian: gcc, libsodium-dev) and is skipped without;
// LIBSODIUM=required makes that a failure.
func TestLibsodium(t *testing.T) {
	t.Parallel()
	program := buildLibsodium(t)

	t.Run("it opens boxes of the action", func(t *testing.T) {
		t.Parallel()
		sodium := startLibsodium(t, program)
		public, private, _ := strings.Cut(sodium.ask(t, "pair"), " ")
		key, err := ParseKey(public)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range messages(t) {
			sealed, err := key.Seal(secret.New(message))
			if err != nil {
				t.Fatal(err)
			}
			if got := sodium.ask(t, "open", public, private, sealed); got != b64([]byte(message)) {
				t.Errorf("%d bytes: opens to %.60q", len(message), got)
			}
		}
	})

	t.Run("we open its", func(t *testing.T) {
		t.Parallel()
		sodium := startLibsodium(t, program)
		p := newPair(t)
		for _, message := range messages(t) {
			sealed := sodium.ask(t, "seal", p.encoded(), b64([]byte(message)))
			if got := p.open(t, sealed); got != message {
				t.Errorf("%d bytes: opens to %.60q", len(message), got)
			}
		}
	})

	t.Run("the same ephemeral key, the same box", func(t *testing.T) {
		t.Parallel()
		sodium := startLibsodium(t, program)
		ephemeral := sha256.Sum256([]byte("ephemeral"))
		if got := sodium.ask(t, "fixed", b64(ephemeral[:])); got != "ok" {
			t.Fatalf("fixed: %q", got)
		}
		p := newPair(t)
		for _, message := range messages(t) {
			ours, err := p.key(t).seal(bytes.NewReader(ephemeral[:]), secret.New(message))
			if err != nil {
				t.Fatal(err)
			}
			if its := sodium.ask(t, "seal", p.encoded(), b64([]byte(message))); its != ours {
				t.Errorf("%d bytes:\nours %.60q\nits  %.60q", len(message), ours, its)
			}
		}
	})

	t.Run("both refuse points of low order", func(t *testing.T) {
		t.Parallel()
		sodium := startLibsodium(t, program)
		for _, point := range lowOrder(t) {
			if got := sodium.ask(t, "seal", b64(point), b64([]byte("x"))); got != "refused" {
				t.Errorf("libsodium seals for %x", point)
			}
			if _, err := ParseKey(b64(point)); err == nil {
				t.Errorf("ParseKey takes %x", point)
			}
		}
	})

	t.Run("both refuse a box that was changed", func(t *testing.T) {
		t.Parallel()
		sodium := startLibsodium(t, program)
		p := newPair(t)
		sealed, err := p.key(t).Seal(secret.New("a token"))
		if err != nil {
			t.Fatal(err)
		}
		for at := range box.AnonymousOverhead + len("a token") {
			raw, _ := base64.StdEncoding.DecodeString(sealed)
			// The lowest bit: the topmost of a public key does not count.
			raw[at] ^= 1
			if _, ok := box.OpenAnonymous(nil, raw, p.public, p.private); ok {
				t.Errorf("byte %d: we open it", at)
			}
			if got := sodium.ask(t, "open", p.encoded(), b64(p.private[:]), b64(raw)); got != "refused" {
				t.Errorf("byte %d: libsodium opens it", at)
			}
		}
	})
}

// messages are values of every length around the block sizes, and one as long
// as a secret may be.
func messages(t *testing.T) []string {
	t.Helper()
	random := make([]byte, 48<<10)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	all := []string{string(random)}
	for n := 1; n <= 130; n++ {
		all = append(all, string(random[:n]))
	}
	return all
}

// buildLibsodium compiles testdata/libsodium.c, or skips the test.
func buildLibsodium(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "libsodium")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "cc", "-Wall", "-Wextra", "-Werror", "-o", program,
		filepath.Join("testdata", "libsodium.c"), "-lsodium").CombinedOutput()
	if err == nil {
		return program
	}
	if os.Getenv("LIBSODIUM") == "required" {
		t.Fatalf("building testdata/libsodium.c: %v\n%s", err, out)
	}
	t.Skipf("no libsodium to compare with (it needs a C compiler and libsodium's headers): %v\n%s", err, out)
	return ""
}

// libsodium is a running testdata/libsodium.c.
type libsodium struct {
	in  io.Writer
	out *bufio.Reader
}

func startLibsodium(t *testing.T, program string) *libsodium {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &libsodium{in: in, out: bufio.NewReader(out)}
}

// ask sends one line and returns the reply.
func (s *libsodium) ask(t *testing.T, words ...string) string {
	t.Helper()
	if _, err := io.WriteString(s.in, strings.Join(words, " ")+"\n"); err != nil {
		t.Fatalf("%s: %v", words[0], err)
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: libsodium's side ended: %v", words[0], err)
	}
	return strings.TrimSuffix(answer, "\n")
}
