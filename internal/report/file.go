package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/outcome"
	"github.com/codacy/codacy-project-tokens/internal/rotation"
)

// stdoutFile is the path that means standard output.
const stdoutFile = "-"

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

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON encodes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	members := make([][]byte, 0, len(o))
	for _, m := range o {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		members = append(members, fmt.Appendf(nil, "%q:%s", m.name, value))
	}
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}")), nil
}

// writeFile writes the report, as JSON or CSV by the path's extension: completely
// or not at all.
func (r *Report) writeFile() (err error) {
	if r.o.File == stdoutFile {
		return r.writeJSON(r.stdout)
	}
	defer func() { // an error names the file that the user named, not the temporary one
		if path, link := (*fs.PathError)(nil), (*os.LinkError)(nil); errors.As(err, &path) {
			err = fmt.Errorf("%s: %w", r.o.File, path.Err)
		} else if errors.As(err, &link) {
			err = fmt.Errorf("%s: %w", r.o.File, link.Err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(r.o.File), ".report-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close() // closed already on success
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to report
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
	for res := range r.tally.Results() {
		entries = append(entries, r.newEntry(res))
	}
	return enc.Encode(struct {
		Summary      object  `json:"summary"`
		Repositories []entry `json:"repositories"`
	}{r.fileSummary(), entries})
}

// fileSummary returns the summary of the JSON report.
func (r *Report) fileSummary() object {
	summary := object{
		{"organization", r.o.Organization},
		{"secret", r.o.SecretName},
		{"dry_run", r.o.DryRun},
		{"version", r.o.Version},
		{"interrupted", r.interrupted},
		{"selected", r.selected},
		{"not_added", r.skipped.NotAdded},
		{"excluded", r.skipped.Excluded},
		{"other_shards", r.skipped.OtherShards},
	}
	for _, o := range outcome.All() {
		summary = append(summary, member{string(o), r.tally.Count(o)})
	}
	return append(summary, object{
		{"next_expiry", optionalTime(r.tally.NextExpiry())},
		{"errors", plainAll(slices.Concat(r.errors, r.unwritten))},
		{"warnings", plainAll(r.warnings)},
	}...)
}

func (r *Report) newEntry(res *outcome.Result) entry {
	e := entry{
		Repository: plain(res.Repository()), Outcome: res.Outcome, Reason: plain(r.explain(res)),
		Stores: res.Stores, ExpiresAt: optionalTime(res.ExpiresAt),
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
	return e
}

func (r *Report) writeCSV(w io.Writer) error {
	rows := [][]string{{"repository", "outcome", "reason", "stores", "token_id", "token_name", "expires_at"}}
	for res := range r.tally.Results() {
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
			cell(res.Repository()), string(res.Outcome), cell(r.explain(res)), strings.Join(stores, " "),
			id, cell(res.TokenName), expires,
		})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

func optionalTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

func plainAll(messages []message) []string {
	all := make([]string, 0, len(messages))
	for _, m := range messages {
		all = append(all, plain(strings.TrimSuffix(m.text+": "+m.hint, ": ")))
	}
	return all
}
