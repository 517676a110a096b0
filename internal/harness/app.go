package harness

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"sync"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// The App that AppOptions installs.
const (
	AppID     = "1234567"
	AppClient = "Iv23liABCDEF"
)

// AppKeys returns the App's key and another one. They are generated once, because
// that is slow.
var AppKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

// AppPEM is the key as GitHub lets its owner download it.
func AppPEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// AppOptions describes a World with the App installed and no other credential.
func AppOptions() sandbox.Options {
	return sandbox.Options{
		Credentials: []sandbox.Credential{},
		App:         &sandbox.App{ID: 1234567, ClientID: AppClient, PublicKey: &AppKeys()[0].PublicKey, InstallationID: 42},
	}
}
