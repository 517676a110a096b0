// Package seal creates libsodium sealed boxes, the form in which GitHub accepts
// secrets: a box is sealed with a public key, and only the holder of the private
// key can open it.
// https://docs.github.com/rest/guides/encrypting-secrets-for-the-rest-api
package seal

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const keySize = 32

// Key is a valid public key: 32 bytes, and not a point of low order. Only ParseKey
// returns one; the zero Key can't seal.
type Key struct {
	point *[keySize]byte
}

// ParseKey parses a public key in standard padded base64.
func ParseKey(encoded string) (Key, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	// Compare with the encoding, because the decoder ignores line breaks and stray
	// bits.
	if err != nil || base64.StdEncoding.EncodeToString(raw) != encoded {
		return Key{}, errors.New("public key: not standard padded base64")
	}
	if len(raw) != keySize {
		return Key{}, fmt.Errorf("public key: %d bytes instead of %d", len(raw), keySize)
	}
	if err := checkOrder(raw); err != nil {
		return Key{}, err
	}
	return Key{point: (*[keySize]byte)(raw)}, nil
}

// probe is the private key that checkOrder uses. Any scalar will do, even zero: X25519
// turns it into a multiple of the cofactor, which takes a point of low order to zero,
// and ECDH rejects that.
var probe = sync.OnceValues(func() (*ecdh.PrivateKey, error) {
	return ecdh.X25519().NewPrivateKey(make([]byte, keySize))
})

// checkOrder rejects points of low order, such as 32 zero bytes. With these, every
// private key gives the same shared secret, so that the box protects nothing.
func checkOrder(point []byte) error {
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	private, err := probe()
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	if _, err := private.ECDH(public); err != nil {
		return errors.New("public key: a point of low order, which protects nothing")
	}
	return nil
}

// Seal seals v and returns the box in standard padded base64. Each call returns a
// different box. An empty value is an error, because storing one is always a
// mistake.
func (k Key) Seal(v secret.Value) (string, error) {
	return k.seal(rand.Reader, v)
}

func (k Key) seal(random io.Reader, v secret.Value) (string, error) {
	if k.point == nil {
		return "", errors.New("seal: no public key")
	}
	if v.IsZero() {
		return "", errors.New("seal: the value is empty")
	}
	sealed, err := box.SealAnonymous(nil, []byte(v.Reveal()), k.point, random)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}
