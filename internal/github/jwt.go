package github

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/codacy/codacy-project-tokens/internal/secret"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// jwtPast is how long ago a JWT was issued, according to its claims. With
	// jwtLife, which is below GitHub's ten minutes, it allows for clock skew up to
	// the first response, which shows GitHub's time.
	jwtPast = time.Minute
	jwtLife = 6 * time.Minute
)

// signer authenticates requests as an App, each with a JWT of its own.
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
type signer struct {
	id       string
	key      secret.Value
	clock    *wire.Clock
	onSecret func(secret.Value)
	signedAt atomic.Int64 // the clock's offset at the last signature
}

// authorize adds a JWT to a request. It is called for each request just before the
// request is sent, so the JWT is fresh, and never copied to a redirected request.
func (s *signer) authorize(req *http.Request) error {
	token, err := s.sign()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", bearer(token))
	return nil
}

// sign returns a new JWT. Its times are on GitHub's clock.
func (s *signer) sign() (secret.Value, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(s.key.Reveal()))
	if err != nil {
		return secret.Value{}, err
	}
	offset := s.clock.Offset()
	s.signedAt.Store(int64(offset))
	issued := time.Now().Add(offset - jwtPast)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    s.id,
		IssuedAt:  jwt.NewNumericDate(issued),
		ExpiresAt: jwt.NewNumericDate(issued.Add(jwtLife)),
	}).SignedString(key)
	token := secret.New(signed)
	s.onSecret(token)
	return token, err
}

// outdated reports whether the last JWT was signed with a wrong estimate of
// GitHub's clock.
func (s *signer) outdated() bool {
	return (s.clock.Offset() - time.Duration(s.signedAt.Load())).Abs() > jwtPast/2
}
