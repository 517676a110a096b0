package contract

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// facts are facts that the services do not document. Undeclared are the ones that
// the published descriptions do not allow, either.
var facts = map[string]struct {
	options    sandbox.Options
	undeclared bool
}{
	"as documented":                      {sandbox.Options{}, false},
	"a taken name gets 422":              {sandbox.Options{NameTaken: 422}, false},
	"a taken name gets 400":              {sandbox.Options{NameTaken: 400}, false},
	"creation dates in UTC":              {sandbox.Options{CreationDay: time.UTC}, false},
	"creation dates in another zone":     {sandbox.Options{CreationDay: time.FixedZone("", 7*60*60)}, false},
	"no creation times":                  {sandbox.Options{NoCreationDates: true}, false},
	"creation times under another name":  {sandbox.Options{CreationField: "created"}, true},
	"expiry dates":                       {sandbox.Options{ExpiryDay: time.UTC}, false},
	"creation and expiry dates":          {sandbox.Options{CreationDay: time.UTC, ExpiryDay: time.UTC}, false},
	"expired tokens are hidden":          {sandbox.Options{HideExpired: true}, false},
	"the list of tokens has pages":       {sandbox.Options{TokenPageSize: 1}, true},
	"the list of tokens has values":      {sandbox.Options{ListValues: true}, false},
	"account tokens are masked":          {sandbox.Options{AccountTokenValues: sandbox.MaskValues}, false},
	"account tokens have no values":      {sandbox.Options{AccountTokenValues: sandbox.OmitValues}, false},
	"no addresses by ID":                 {sandbox.Options{NoIDAddresses: true}, false},
	"rate-limit headers as github.com":   {sandbox.Options{RateHeaders: sandbox.RateAlways}, false},
	"no rate-limit headers":              {sandbox.Options{RateHeaders: sandbox.RateNever}, false},
	"a new secret gets 204":              {sandbox.Options{PutNoContent: true}, false},
	"numeric key IDs":                    {sandbox.Options{NumericKeyIDs: true}, true}, // on GHES only
	"the role write suffices":            {sandbox.Options{SecretRole: "write"}, false},
	"a long lifetime is shortened a bit": {sandbox.Options{MaxLifetime: 364 * day, CapLifetime: true}, false},
}

// TestFacts runs the program over five years, once for each undocumented fact: all
// runs succeed, runs without need write nothing, no token is revoked too soon, and
// in the end each store has the newest token and there is no orphan.
func TestFacts(t *testing.T) {
	t.Parallel()

	published := load(t)
	for name, fact := range facts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var p *play
			synctest.Test(t, func(t *testing.T) {
				fact.options.RevokeAfter = 864 * time.Hour
				p = newPlay(t, fact.options)
				p.add(names(3)...)
				for _, named := range []bool{false, true} {
					p.AddToken("service-000", sandbox.OldToken(named))
				}
				in := inputs{"secret-stores": allStores, "revoke-after-hours": "864"}
				for i, pause := range []time.Duration{
					0, time.Hour, day, 280 * day, day, 40 * day, 300 * day, 38 * day, 1000 * day, 40 * day,
				} {
					p.Advance(pause)
					before := p.Writes()
					p.run(0, in)
					if n := p.Writes() - before; (i == 1 || i == 2) && n > 0 {
						t.Errorf("%d writes in run %d, without need", n, i+1)
					}
				}
				p.CheckSettled(t, sandbox.Stores()...)
				if n := len(p.ValidTokens("service-000")); n != 3 {
					t.Errorf("%d tokens are valid, want the newest and the two old ones", n)
				}
			})
			if fact.undeclared {
				return
			}
			for v := range published.verdicts(p.exchanges) {
				for _, finding := range v.findings {
					t.Error(finding)
				}
			}
		})
	}
}
