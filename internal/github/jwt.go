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
	onSecret func(secret.Value)
	offset   atomic.Int64 // how far GitHub's clock is ahead, as far as JWTs show
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

// sign returns a new JWT.
func (s *signer) sign() (secret.Value, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(s.key.Reveal()))
	if err != nil {
		return secret.Value{}, err
	}
	issued := time.Now().Add(time.Duration(s.offset.Load()) - jwtPast)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    s.id,
		IssuedAt:  jwt.NewNumericDate(issued),
		ExpiresAt: jwt.NewNumericDate(issued.Add(jwtLife)),
	}).SignedString(key)
	token := secret.New(signed)
	s.onSecret(token)
	return token, err
}

// onUnauthorized signs again after a rejection: immediately if GitHub's clock shows
// that the times of the JWT were wrong, otherwise later. One response is evidence
// enough, because nothing but the next JWT depends on it.
func (s *signer) onUnauthorized(_ *http.Request, e *wire.Error) (again bool, after time.Duration) {
	before := s.offset.Swap(int64(e.Offset))
	if (e.Offset - time.Duration(before)).Abs() > jwtPast/2 {
		return true, 0
	}
	return true, 2 * time.Second
}
