package report

import (
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
)

// headline describes the whole run: what is not well first, then how many
// repositories are up to date, and the next expiry.
func (r *Report) headline() string {
	parts := append(r.troubles(), r.standing()...)
	text := strings.Join(parts, "; ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// troubles lists what is not well.
func (r *Report) troubles() []string {
	var parts []string
	for _, m := range r.unwritten {
		what, _, _ := strings.Cut(m.text, ":")
		parts = append(parts, what)
	}
	if text := r.ending(); text != "" {
		parts = append(parts, text)
	} else if n := r.tally.Count(outcome.Failed); n > 0 {
		parts = append(parts, number(n)+" of "+count(r.tally.Len(), "repository", "repositories")+" failed")
	}
	if n := r.tally.ExpiringSoon(r.o.Now()); n > 0 {
		parts = append(parts, count(n, "deferred repository has a token that expires", "deferred repositories have tokens that expire")+" within 7 days")
	}
	if n := len(r.warnings) + r.tally.Warned(); n > 0 && r.ending() == "" {
		parts = append(parts, count(n, "warning", "warnings"))
	}
	return parts
}

// ending says that a run did not come to its end, with the counts of what it changed
// and left; empty if it did.
func (r *Report) ending() string {
	text, shown := "", []outcome.Outcome{outcome.Failed, outcome.Deferred, outcome.Created, outcome.Renewed}
	switch {
	case r.declined && !r.interrupted:
		return ""
	case r.interrupted:
		text, shown = "interrupted", []outcome.Outcome{outcome.Created, outcome.Renewed, outcome.Failed, outcome.Deferred}
	case len(r.errors) > 0 && r.tally.Len() == 0:
		return "not started; nothing changed"
	case len(r.errors) > 0 && r.tally.Count(outcome.Deferred) > 0:
		text = "stopped early"
	case len(r.errors) > 0 && r.tally.Count(outcome.Failed) == 0:
		text = "run failed"
	default:
		return ""
	}
	if counts := r.countsText(", ", shown); counts != "" {
		return text + ": " + counts
	}
	return text + "; nothing changed"
}

// standing says where the repositories are, for a run that came to its end.
func (r *Report) standing() []string {
	var parts []string
	upToDate, deferred := r.tally.UpToDate(), r.tally.Count(outcome.Deferred)-r.tally.ExpiringSoon(r.o.Now())
	switch {
	case r.ending() != "":
		return nil
	case r.declined:
		return []string{"plan not applied; nothing changed"}
	case r.o.DryRun:
		return []string{r.dryRunText()}
	}
	noun := func() string { // only the first number has one
		if len(parts) == 0 && r.tally.Healthy(r.o.Now()) {
			return " " + plural(max(deferred, upToDate), "repository", "repositories")
		}
		return ""
	}
	if deferred > 0 {
		parts = append(parts, number(deferred)+noun()+" deferred to the next run")
	}
	if upToDate > 0 {
		parts = append(parts, number(upToDate)+noun()+" up to date")
	}
	if len(parts) == 0 && r.tally.Healthy(r.o.Now()) {
		parts = append(parts, "nothing to do")
	}
	if text := r.nextExpiryText(); text != "" {
		parts = append(parts, text)
	}
	return parts
}

// dryRunText says what a run would change.
func (r *Report) dryRunText() string {
	if texts := effectTexts(slices.Collect(r.tally.Results()), "will be"); len(texts) > 0 {
		return "dry run: " + strings.Join(texts, ", ") + "; nothing changed"
	}
	return "dry run: nothing to change"
}

// nextExpiryText names the next expiry, and by when the token is renewed if that is
// still ahead and the run manages the token.
func (r *Report) nextExpiryText() string {
	next := r.tally.NextToExpire()
	renewal := next.ExpiresAt.Add(-r.o.RenewBefore)
	switch {
	case next.ExpiresAt.IsZero():
		return ""
	case !next.ExpiresAt.After(r.o.Now()):
		return "a token expired on " + date(next.ExpiresAt)
	case r.o.RenewBefore > 0 && renewal.After(r.o.Now()) && !next.NeedsAttention(r.o.Now()) && next.Outcome != outcome.Failed:
		return "next token expires " + date(next.ExpiresAt) + " (renewed by " + date(renewal) + ")"
	}
	return "next token expires " + date(next.ExpiresAt)
}

// icon shows the headline at a glance.
func (r *Report) icon() string {
	switch {
	case r.tally.Problems(r.o.Now()) > 0 || len(r.errors)+len(r.unwritten) > 0:
		return "❌"
	case r.interrupted || len(r.warnings)+r.tally.Warned() > 0:
		return "⚠️"
	case r.o.DryRun:
		return "🔎"
	case r.tally.Count(outcome.Deferred) > 0:
		return "⏳"
	}
	return "✅"
}
