package provision

import (
	"context"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"strings"
)

func (r *Run) revocable(t *task, renewed bool) []rotation.Token {
	return rotation.Revocable(t.observation, r.Policy, r.codacyNow(), renewed)
}

// revoke deletes the replaced tokens whose time has come. One that can't be
// deleted is a warning: the next run tries again.
func (r *Run) revoke(ctx context.Context, t *task, renewed bool, result *outcome.Result) {
	var gone []string
	for _, old := range r.revocable(t, renewed) {
		if ctx.Err() != nil {
			break
		}
		if err := r.deleteToken(ctx, t, old.ID); err != nil {
			result.Warning = joinReasons(result.Warning, old.Name+" could not be revoked, the next run tries again: "+err.Error())
			break
		}
		gone = append(gone, old.Name)
	}
	if len(gone) > 0 {
		result.Reason = joinReasons(result.Reason, "revoked "+strings.Join(gone, ", "))
	}
}
