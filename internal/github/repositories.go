package github

import (
	"context"
	"encoding/json"
	"unique"

	"github.com/codacy/codacy-project-tokens/internal/pace"
	"github.com/codacy/codacy-project-tokens/internal/wire"
)

// maxName bounds the part of a name that is kept, in bytes. It is longer than any valid
// name.
const maxName = 256

// Repository is what the action needs to know of a repository.
type Repository struct {
	ID                          int64
	Owner, Name                 string
	Archived, Disabled, Private bool
	// Traits are only kept if the Client's KeepTraits is set, because they take memory.
	Traits *Traits
}

// Traits are what a repository can be selected by, in addition to its name.
type Traits struct {
	// Visibility is public, private or internal; empty if GitHub doesn't say.
	Visibility string
	Topics     []string
}

// maxTopics is the number of topics of a repository that are kept. GitHub allows 20.
// https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/classifying-your-repository-with-topics
const maxTopics = 100

// item is a repository in a list.
type item struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner struct {
		Login string `json:"login"`
	} `json:"owner"`
	Archived bool `json:"archived"`
	Disabled bool `json:"disabled"`
	Private  bool `json:"private"`
}

// itemWithTraits is a repository in a list whose traits are kept. They make decoding
// a fifth slower.
type itemWithTraits struct {
	item
	Visibility string   `json:"visibility"`
	Topics     []string `json:"topics"`
}

// traits returns the traits to keep of a repository.
func (c *Client) traits(it itemWithTraits) *Traits {
	if !c.KeepTraits {
		return nil
	}
	topics := make([]string, 0, min(maxTopics, len(it.Topics)))
	for _, t := range it.Topics[:cap(topics)] {
		topics = append(topics, unique.Make(wire.Truncate(t, maxName)).Value())
	}
	return &Traits{Visibility: unique.Make(wire.Truncate(it.Visibility, maxName)).Value(), Topics: topics}
}

// Probe sends the cheapest request, for a further response by which to estimate
// GitHub's clock: a list of one repository.
func (c *Client) Probe(ctx context.Context, scope Scope, owner string) error {
	_, err := pace.Do(ctx, c.start, func(ctx context.Context) (struct{}, error) {
		_, err := c.get(ctx, listOp, listPath(scope, owner)+"per_page=1", new(json.RawMessage))
		return struct{}{}, err
	})
	return err
}
