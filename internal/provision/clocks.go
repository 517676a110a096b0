package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/codacy/codacy-project-tokens/internal/wire"
)

const (
	// DecidingResponses of each service have to agree on its clock before anything is
	// decided, and deletingResponses before a token that an earlier run created is
	// deleted.
	DecidingResponses = 2
	deletingResponses = 3
	// maxClockRequests is the number of requests sent to learn a service's clock, where
	// its first responses contradict each other.
	maxClockRequests = 5
)

// ClockSource is a service's clock, and the cheapest request to learn more of it.
type ClockSource struct {
	Service string
	Clock   *wire.Clock
	Request func(context.Context) error
}

// SettleClocks sends requests until that many responses of each service agree on its
// clock. The error names the service whose responses contradict each other.
func SettleClocks(ctx context.Context, responses int, sources ...ClockSource) error {
	for _, s := range sources {
		var last error
		for sent := 0; s.Clock.Agreeing() < responses; sent++ {
			if sent == maxClockRequests {
				return errors.Join(last, fmt.Errorf("%s's responses contradict each other about the time (Date header); a proxy may change it", s.Service))
			}
			if last = s.Request(ctx); ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}
