package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

// pair is a key pair whose private half the test knows.
type pair struct{ public, private *[32]byte }

func newPair(t testing.TB) pair {
	t.Helper()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair{public, private}
}

// pairOf is the key pair with that private key.
func pairOf(t testing.TB, private [32]byte) pair {
	t.Helper()
	public, err := curve25519.X25519(private[:], curve25519.Basepoint)
	if err != nil {
		t.Fatal(err)
	}
	return pair{(*[32]byte)(public), &private}
}

func (p pair) encoded() string { return b64(p.public[:]) }

func (p pair) key(t testing.TB) Key {
	t.Helper()
	key, err := ParseKey(p.encoded())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open opens a box in base64 and fails the test if it can't.
func (p pair) open(t testing.TB, encoded string) string {
	t.Helper()
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("the box is not standard padded base64: %v", err)
	}
	message, ok := box.OpenAnonymous(nil, sealed, p.public, p.private)
	if !ok {
		t.Fatal("the box does not open")
	}
	return string(message)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// lowOrder are the points of low order on Curve25519 and its twist, and the
// other encodings of the same points, from https://cr.yp.to/ecdh.html#validate.
func lowOrder(t testing.TB) [][]byte {
	t.Helper()
	var points [][]byte
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		// The topmost bit does not count.
		high := bytes.Clone(point)
		high[31] |= 0x80
		points = append(points, point, high)
	}
	return points
}

func TestSealOpens(t *testing.T) {
	t.Parallel()

	p := newPair(t)
	for _, message := range []string{"t", "0123456789abcdef", "line\nline\x00\xff", strings.Repeat("x", 48<<10)} {
		sealed, err := p.key(t).Seal(secret.New(message))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.open(t, sealed); got != message {
			t.Errorf("opens to %q, want %q", got, message)
		}
	}
}

// TestSealKnownBox compares with a box that libsodium 1.0.18 made with the same
// ephemeral key; TestLibsodium creates another one where libsodium is installed.
func TestSealKnownBox(t *testing.T) {
	t.Parallel()

	recipient := pairOf(t, sha256.Sum256([]byte("recipient")))
	ephemeral := sha256.Sum256([]byte("ephemeral"))

	got, err := recipient.key(t).seal(bytes.NewReader(ephemeral[:]), secret.New("a token of Codacy"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "4p11IZEUmLg37WktEqgVh4mOCsP2II6sEGm8qC+2tjNbQ+5YSFWhU6fdeDJ+x657ky9F7EJz78YgJrpF7vn1//s="; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSealTwiceDiffers(t *testing.T) {
	t.Parallel()

	key := newPair(t).key(t)
	first, err := key.Seal(secret.New("same"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := key.Seal(secret.New("same"))
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("the same value sealed twice gives the same box")
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()

	const plain = "s3cr3t-value"
	key := newPair(t).key(t)
	tests := []struct {
		name string
		seal func() (string, error)
	}{
		{"zero key", func() (string, error) { return Key{}.Seal(secret.New(plain)) }},
		{"empty value", func() (string, error) { return key.Seal(secret.Value{}) }},
		{"no randomness", func() (string, error) {
			return key.seal(iotest.ErrReader(errors.New("dry")), secret.New(plain))
		}},
		{"too little randomness", func() (string, error) {
			return key.seal(bytes.NewReader(make([]byte, 31)), secret.New(plain))
		}},
	}
	for _, tt := range tests {
		sealed, err := tt.seal()
		if err == nil || sealed != "" {
			t.Errorf("%s: got %q, %v; want an error and no box", tt.name, sealed, err)
			continue
		}
		if strings.Contains(err.Error(), plain) {
			t.Errorf("%s: the error contains the value: %v", tt.name, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()

	good := newPair(t).public[:]
	tests := []struct{ name, in, err string }{
		{"empty", "", "0 bytes instead of 32"},
		{"one byte short", b64(good[:31]), "31 bytes instead of 32"},
		{"one byte long", b64(append(bytes.Clone(good), 1)), "33 bytes instead of 32"},
		{"no base64", "not a key!", "not standard padded base64"},
		{"unpadded", strings.TrimRight(b64(good), "="), "not standard padded base64"},
		{"URL alphabet", base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32)), "not standard padded base64"},
		{"hex", hex.EncodeToString(good), "48 bytes instead of 32"},
		{"line break at the end", b64(good) + "\n", "not standard padded base64"},
		{"line break inside", b64(good)[:20] + "\n" + b64(good)[20:], "not standard padded base64"},
		{"stray bits", b64(make([]byte, 32))[:42] + "B=", "not standard padded base64"},
	}
	for i, point := range lowOrder(t) {
		tests = append(tests, struct{ name, in, err string }{"low order " + string(rune('a'+i)), b64(point), "low order"})
	}
	for _, tt := range tests {
		key, err := ParseKey(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got error %v, want one about %q", tt.name, err, tt.err)
		}
		if key != (Key{}) {
			t.Errorf("%s: a key comes with the error", tt.name)
		}
	}
}

// FuzzParseKey: nothing makes ParseKey panic, an error comes with the zero Key,
// and a key that is accepted is the one that was written and can seal.
func FuzzParseKey(f *testing.F) {
	f.Add("")
	f.Add("RauljbtjmefEjMpGudsjz9BXItM6Tcv4l4qC2KNG4Do=")
	f.Add("RauljbtjmefEjMpGudsjz9BXItM6Tcv4l4qC2KNG4Do")
	f.Add("RauljbtjmefEjMpGudsjz9BXItM6Tcv4l4qC2KNG4Do=\n")
	for _, point := range lowOrder(f) {
		f.Add(b64(point))
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		key, err := ParseKey(encoded)
		if err != nil {
			if key != (Key{}) {
				t.Error("a key comes with the error")
			}
			if _, err := key.Seal(secret.New("x")); err == nil {
				t.Error("the zero key seals")
			}
			return
		}
		if got := b64(key.point[:]); got != encoded {
			t.Errorf("parsed %q as %q", encoded, got)
		}
		sealed, err := key.Seal(secret.New("x"))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := base64.StdEncoding.DecodeString(sealed); err != nil || len(raw) != box.AnonymousOverhead+1 {
			t.Errorf("the box has %d bytes, %v", len(raw), err)
		}
	})
}

// FuzzSeal: whatever is sealed for a key whose private half is known opens to
// what it was, and for no other key.
func FuzzSeal(f *testing.F) {
	f.Add(make([]byte, 32), "a token")
	f.Add([]byte("short"), "\x00")
	stranger := newPair(f)
	f.Fuzz(func(t *testing.T, seed []byte, message string) {
		p := pairOf(t, sha256.Sum256(seed))
		sealed, err := p.key(t).Seal(secret.New(message))
		if message == "" {
			if err == nil || sealed != "" {
				t.Fatal("an empty value was sealed")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.open(t, sealed); got != message {
			t.Errorf("opens to %q, want %q", got, message)
		}
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		if _, ok := box.OpenAnonymous(nil, raw, stranger.public, stranger.private); ok {
			t.Error("opens with a stranger's key")
		}
	})
}
