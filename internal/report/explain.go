package report

import (
	"slices"
	"strings"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// maxNames is the number of revoked tokens that a line names.
const maxNames = 3

// label names what happened to a repository: its outcome, or in a dry run the action
// that will be taken.
func (r *Report) label(res *outcome.Result) string {
	if r.isPlanned(res) {
		return string(res.Action())
	}
	return string(res.Outcome)
}

// why explains the label.
func (r *Report) why(res *outcome.Result) string {
	if r.isPlanned(res) {
		return planNote(res)
	}
	return r.explain(res)
}

// isPlanned reports whether a result of a dry run is an action that a run will take.
func (r *Report) isPlanned(res *outcome.Result) bool {
	return r.o.DryRun && res.Action() != "" && res.Outcome != outcome.Failed
}

// explain returns what happened to a repository and why, or in a dry run what will
// happen: the destructive effect first, then the reason and the revoked tokens.
func (r *Report) explain(res *outcome.Result) string {
	overwrote, revoked := "overwrote an existing secret", "revoked "
	if r.o.DryRun {
		overwrote, revoked = "will overwrite an existing secret", "will revoke "
	}
	var parts []string
	stores := res.Overwritten()
	if len(stores) > 0 {
		if len(res.Writes) > 1 {
			overwrote += " in " + storeNames(stores)
		}
		parts = append(parts, overwrote)
	}
	// That a repository has no token is the normal reason to create one.
	if res.Reason != "" && (len(stores) == 0 || res.Outcome != outcome.Created) {
		parts = append(parts, shortReason(res))
	}
	if len(res.Revoked) > 0 {
		parts = append(parts, revoked+tokenNames(res.Revoked))
	}
	return strings.Join(parts, "; ")
}

// planNote explains a planned result next to its action, and says which secrets are
// not this action's.
func planNote(res *outcome.Result) string {
	var parts []string
	switch stores := res.Overwritten(); {
	case len(stores) > 0 && len(res.Writes) > 1:
		parts = append(parts, "secret in "+storeNames(stores)+" not created by this action")
	case len(stores) > 0:
		parts = append(parts, "secret not created by this action")
	case res.Action() != outcome.ActionRevoke && res.Reason != "":
		parts = append(parts, shortReason(res))
	}
	if len(res.Revoked) > 0 {
		text := tokenNames(res.Revoked)
		if res.Action() != outcome.ActionRevoke {
			text = "revoke " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// shortReason returns the reason without the repository's name, for lines that
// contain the name already.
func shortReason(res *outcome.Result) string {
	return strings.NewReplacer(" of "+res.Repository()+" (", " (", " of "+res.Name+": ", ": ").Replace(res.Reason)
}

func storeNames(stores []rotation.Store) string {
	var names []string
	for _, s := range stores {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func tokenNames(names []string) string {
	if len(names) > maxNames+1 {
		return strings.Join(names[:maxNames], ", ") + " and " + number(len(names)-maxNames) + " more"
	}
	return strings.Join(names, ", ")
}

// effectTexts describes the secrets that results write and the tokens that they
// revoke, destructive effects first: "4 existing secrets overwritten, 6 new secrets
// created, 2 renewed". With aux, such as "will be", it is about the future.
func effectTexts(results []*outcome.Result, aux string) []string {
	effects := outcome.Effects(results)
	revoked := 0
	for _, res := range results {
		revoked += len(res.Revoked)
	}
	var texts []string
	add := func(n int, one, many, verb string) {
		if n == 0 {
			return
		}
		noun := ""
		if len(texts) == 0 || one != "secret" { // "4 secrets created, 2 renewed"
			noun = " " + plural(n, one, many)
		}
		text := number(n) + noun + " "
		if len(texts) == 0 && aux != "" {
			text += aux + " "
		}
		texts = append(texts, text+verb)
	}
	add(effects[outcome.Overwrite], "existing secret", "existing secrets", "overwritten")
	add(revoked, "replaced token", "replaced tokens", "revoked")
	add(effects[outcome.Add], "new secret", "new secrets", "created")
	add(effects[outcome.Renew], "secret", "secrets", "renewed")
	return texts
}

// countsLine counts all results: by outcome, or in a dry run by action.
func (r *Report) countsLine(separator string) string {
	if r.o.DryRun {
		return strings.Join(r.labelCounts(slices.Collect(r.tally.Results())), separator)
	}
	return r.countsText(separator, outcome.All())
}

// countsText lists the outcomes that there were with their counts.
func (r *Report) countsText(separator string, outcomes []outcome.Outcome) string {
	var counts []string
	for _, o := range outcomes {
		if n := r.tally.Count(o); n > 0 {
			counts = append(counts, number(n)+" "+string(o))
		}
	}
	return strings.Join(counts, separator)
}
