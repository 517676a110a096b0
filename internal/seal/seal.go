// Package seal makes libsodium sealed boxes, the form in which GitHub takes
// secrets: whoever has a public key can seal, and only the holder of the
// private key can open.
// See https://docs.github.com/en/rest/guides/encrypting-secrets-for-the-rest-api.
package seal

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/box"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const keySize = 32

// Key is a public key that has been looked at: 32 bytes and no point of low
// order. Only ParseKey makes one; the zero Key seals nothing.
type Key struct {
	point *[keySize]byte
}

// ParseKey reads a public key in standard padded base64.
func ParseKey(encoded string) (Key, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	// Encoded again, because the decoder lets line breaks and stray bits pass.
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

// checkOrder refuses the points of low order. With these, all-zero bytes among
// them, every private key gives the same shared secret, so that anybody could
// open the box.
func checkOrder(point []byte) error {
	curve := ecdh.X25519()
	public, err := curve.NewPublicKey(point)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	// Any scalar will do, zeros too: X25519 makes it a multiple of the cofactor,
	// which takes a point of low order to zero, and ECDH refuses that.
	probe, err := curve.NewPrivateKey(make([]byte, keySize))
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	if _, err := probe.ECDH(public); err != nil {
		return errors.New("public key: a point of low order, which protects nothing")
	}
	return nil
}

// Seal seals v and returns the box in standard padded base64. Each call gives
// another box. An empty value is an error: it is never what somebody wants to
// store.
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
