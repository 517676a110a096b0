package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// maxClockRequests is the number of requests sent to learn a service's clock, where
// its first responses contradict each other.
const maxClockRequests = 5

// settleClocks sends the cheapest request of a service until that many responses
// agree on its clock. The error names the service whose responses contradict each
// other.
func (s *session) settleClocks(ctx context.Context, responses int) error {
	for _, service := range []struct {
		name    string
		clock   *wire.Clock
		request func(context.Context) error
	}{
		{"Codacy", s.codacyClock, s.codacy.User},
		{"GitHub", s.githubClock, func(ctx context.Context) error {
			return s.github.Probe(ctx, s.owner.Scope, s.Organization)
		}},
	} {
		var last error
		for sent := 0; service.clock.Agreeing() < responses; sent++ {
			if sent == maxClockRequests {
				return errors.Join(last, fmt.Errorf("%s's responses contradict each other about the time (Date header); a proxy may change it", service.name))
			}
			if last = service.request(ctx); ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}
