package sandbox

import (
	_ "embed"
	"encoding/json"
)

//go:embed organization.json
var organizationJSON []byte

// CodacyOrganization returns the name of Codacy's own organization on GitHub, and
// the names of its public repositories in November 2026.
func CodacyOrganization() (name string, repositories []string) {
	var data struct {
		Organization string
		Repositories []string
	}
	must(json.Unmarshal(organizationJSON, &data))
	return data.Organization, data.Repositories
}
