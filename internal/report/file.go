package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/match"
)

// entry is a repository in the report file.
type entry struct {
	Repository string           `json:"repository"`
	Outcome    outcome.Outcome  `json:"outcome"`
	Reason     string           `json:"reason"`
	Stores     []rotation.Store `json:"stores"`
	TokenID    *int64           `json:"token_id"`
	TokenName  *string          `json:"token_name"`
	ExpiresAt  *string          `json:"expires_at"`
}

// head is the summary of the JSON report.
type head struct {
	Organization string `json:"organization"`
	Secret       string `json:"secret"`
	DryRun       bool   `json:"dry_run"`
	Version      string `json:"version"`
	Selected     int    `json:"selected"`
	match.Counts
	Created    int      `json:"created"`
	Renewed    int      `json:"renewed"`
	Current    int      `json:"current"`
	Kept       int      `json:"kept"`
	Skipped    int      `json:"skipped"`
	Deferred   int      `json:"deferred"`
	Failed     int      `json:"failed"`
	NextExpiry *string  `json:"next_expiry"`
	Errors     []string `json:"errors"`
	Warnings   []string `json:"warnings"`
}

// writeFile writes the report, as JSON or CSV by the file's ending: whole or
// not at all.
func (r *Report) writeFile() (err error) {
	f, err := os.CreateTemp(filepath.Dir(r.o.File), ".report-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close() // closed already where all went well
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	write := r.writeJSON
	if strings.EqualFold(filepath.Ext(r.o.File), ".csv") {
		write = r.writeCSV
	}
	out := r.o.Redactor.Writer(f)
	if err = write(out); err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), r.o.File)
}

func (r *Report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	entries := make([]entry, 0, r.tally.Len())
	for _, res := range r.tally.Results() {
		e := entry{
			Repository: plain(res.Repository()), Outcome: res.Outcome, Reason: plain(res.Reason),
			Stores: res.Stores, ExpiresAt: optional(res.ExpiresAt),
		}
		if e.Stores == nil {
			e.Stores = []rotation.Store{}
		}
		if res.TokenID != 0 {
			e.TokenID = &res.TokenID
		}
		if res.TokenName != "" {
			name := plain(res.TokenName)
			e.TokenName = &name
		}
		entries = append(entries, e)
	}
	return enc.Encode(struct {
		Summary      head    `json:"summary"`
		Repositories []entry `json:"repositories"`
	}{head{
		Organization: r.o.Organization, Secret: r.o.SecretName, DryRun: r.o.DryRun, Version: r.o.Version,
		Selected: r.selected, Counts: r.left,
		Created: r.tally.Count(outcome.Created), Renewed: r.tally.Count(outcome.Renewed),
		Current: r.tally.Count(outcome.Current), Kept: r.tally.Count(outcome.Kept),
		Skipped: r.tally.Count(outcome.Skipped), Deferred: r.tally.Count(outcome.Deferred),
		Failed: r.tally.Count(outcome.Failed), NextExpiry: optional(r.tally.NextExpiry()),
		Errors: plainAll(r.errors), Warnings: plainAll(r.warnings),
	}, entries})
}

func (r *Report) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"repository", "outcome", "reason", "stores", "token_id", "token_name", "expires_at"}}
	for _, res := range r.tally.Results() {
		var stores []string
		for _, s := range res.Stores {
			stores = append(stores, string(s))
		}
		id, expires := "", ""
		if res.TokenID != 0 {
			id = fmt.Sprint(res.TokenID)
		}
		if !res.ExpiresAt.IsZero() {
			expires = stamp(res.ExpiresAt)
		}
		rows = append(rows, []string{
			cell(res.Repository()), string(res.Outcome), cell(res.Reason), strings.Join(stores, " "),
			id, cell(res.TokenName), expires,
		})
	}
	return out.WriteAll(rows)
}

func optional(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

func plainAll(notes []message) []string {
	all := make([]string, 0, len(notes))
	for _, n := range notes {
		all = append(all, plain(strings.TrimSuffix(n.text+": "+n.hint, ": ")))
	}
	return all
}
