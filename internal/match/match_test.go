package match

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/codacy"
	"github.com/codacy/codacy-project-tokens/internal/github"
)

// all selects everything.
var all = Selection{
	Include: func(github.Repository) bool { return true }, Exclude: func(github.Repository) bool { return false },
	Index: 1, Count: 1,
}

func onGitHub(id int64, name string) github.Repository {
	return github.Repository{ID: id, Owner: "acme", Name: name}
}

// onCodacy is an added repository; an ID of 0 stands for no ID.
func onCodacy(id int64, name string) codacy.Repository {
	r := codacy.Repository{Name: name, Added: true}
	if id != 0 {
		r.RemoteID = strconv.FormatInt(id, 10)
	}
	return r
}

func matcher(gh []github.Repository, co []codacy.Repository) *Matcher {
	m := New("acme")
	for _, r := range gh {
		m.AddGitHub(r)
	}
	for _, r := range co {
		m.AddCodacy(r)
	}
	return m
}

func TestMatch(t *testing.T) {
	t.Parallel()

	found := func(co, gh string, id int64) Target { return Target{Codacy: co, GitHub: onGitHub(id, gh)} }
	missing := func(name, why string) Target {
		return Target{Codacy: name, GitHub: github.Repository{Owner: "acme", Name: name}, Skip: why, NotVisible: true}
	}
	skipped := func(co string, gh github.Repository, why string) Target {
		return Target{Codacy: co, GitHub: gh, Skip: why}
	}
	archivedOne := github.Repository{ID: 1, Owner: "acme", Name: "api", Archived: true}
	disabledOne := github.Repository{ID: 1, Owner: "acme", Name: "api", Disabled: true}
	long := strings.Repeat("x", 256)

	for _, tt := range []struct {
		name   string
		github []github.Repository
		codacy []codacy.Repository
		want   []Target
	}{
		{"by id", []github.Repository{onGitHub(1, "api")}, []codacy.Repository{onCodacy(1, "api")}, []Target{found("api", "api", 1)}},
		{
			"listed twice, with and without its id",
			[]github.Repository{onGitHub(1, "api")},
			[]codacy.Repository{{Name: "API", Added: true}, onCodacy(1, "api")},
			[]Target{found("api", "api", 1)},
		},
		{"by id above 32 bits", []github.Repository{onGitHub(1<<40, "api")}, []codacy.Repository{onCodacy(1<<40, "api")}, []Target{found("api", "api", 1<<40)}},
		{"renamed", []github.Repository{onGitHub(1, "new")}, []codacy.Repository{onCodacy(1, "old")}, []Target{found("old", "new", 1)}},
		{
			"renamed, and a stranger has the old name",
			[]github.Repository{onGitHub(2, "old"), onGitHub(1, "new")},
			[]codacy.Repository{onCodacy(1, "old")},
			[]Target{found("old", "new", 1)},
		},
		{
			"two that changed names",
			[]github.Repository{onGitHub(1, "b"), onGitHub(2, "a")},
			[]codacy.Repository{onCodacy(1, "a"), onCodacy(2, "b")},
			[]Target{found("b", "a", 2), found("a", "b", 1)},
		},
		{"an impostor", []github.Repository{onGitHub(2, "api")}, []codacy.Repository{onCodacy(1, "api")}, []Target{missing("api", differentRepository)}},
		{"an impostor with different capitalization", []github.Repository{onGitHub(2, "API")}, []codacy.Repository{onCodacy(1, "api")}, []Target{missing("api", differentRepository)}},
		{"nowhere", nil, []codacy.Repository{onCodacy(1, "api"), onCodacy(0, "web")}, []Target{missing("api", notOnGitHub), missing("web", notOnGitHub)}},
		{"by name, where there is no id", []github.Repository{onGitHub(1, "Api")}, []codacy.Repository{onCodacy(0, "aPI")}, []Target{found("aPI", "Api", 1)}},
		{"not by name, where there is one", []github.Repository{onGitHub(1, "api")}, []codacy.Repository{onCodacy(7, "api")}, []Target{missing("api", differentRepository)}},
		{
			"an id beats a name",
			[]github.Repository{onGitHub(1, "new")},
			[]codacy.Repository{onCodacy(0, "new"), onCodacy(1, "old")},
			[]Target{missing("new", differentRepository), found("old", "new", 1)},
		},
		{
			"invalid IDs",
			[]github.Repository{onGitHub(1, "api")},
			[]codacy.Repository{
				{Name: "a", RemoteID: "x", Added: true},
				{Name: "b", RemoteID: "1.0", Added: true},
				{Name: "c", RemoteID: "0", Added: true},
				{Name: "d", RemoteID: "-1", Added: true},
				{Name: "e", RemoteID: "99999999999999999999", Added: true},
				{Name: "api", RemoteID: "{}", Added: true},
			},
			[]Target{
				missing("a", notOnGitHub), missing("api", differentRepository), missing("b", notOnGitHub), missing("c", notOnGitHub),
				missing("d", notOnGitHub), missing("e", notOnGitHub),
			},
		},
		{"another owner's", []github.Repository{{ID: 1, Owner: "other", Name: "api"}}, []codacy.Repository{onCodacy(1, "api")}, []Target{missing("api", notOnGitHub)}},
		{"the owner with different capitalization", []github.Repository{{ID: 1, Owner: "ACME", Name: "api"}}, []codacy.Repository{onCodacy(1, "api")}, []Target{{Codacy: "api", GitHub: github.Repository{ID: 1, Owner: "ACME", Name: "api"}}}},
		{"archived", []github.Repository{archivedOne}, []codacy.Repository{onCodacy(1, "api")}, []Target{skipped("api", archivedOne, archived)}},
		{"disabled", []github.Repository{disabledOne}, []codacy.Repository{onCodacy(1, "api")}, []Target{skipped("api", disabledOne, disabled)}},
		{
			"on two pages",
			[]github.Repository{onGitHub(1, "api"), onGitHub(2, "web"), onGitHub(1, "api")},
			[]codacy.Repository{onCodacy(1, "api"), onCodacy(2, "web"), onCodacy(1, "api"), onCodacy(0, "lib"), onCodacy(0, "LIB")},
			[]Target{found("api", "api", 1), missing("lib", notOnGitHub), found("web", "web", 2)},
		},
		{
			// Renamed between two pages: the old name is redirected to the new one.
			"on two pages under two names",
			[]github.Repository{onGitHub(1, "api"), onGitHub(1, "new")},
			[]codacy.Repository{onCodacy(1, "api"), onCodacy(1, "new")},
			[]Target{found("api", "api", 1)},
		},
		{
			"names that are no element of a path",
			[]github.Repository{onGitHub(1, "."), onGitHub(2, ".."), onGitHub(3, "x"), onGitHub(4, ""), onGitHub(5, "y")},
			[]codacy.Repository{onCodacy(1, "a"), onCodacy(2, ".."), onCodacy(3, "."), onCodacy(4, "b"), onCodacy(5, long)},
			[]Target{
				skipped("b", onGitHub(4, ""), invalidName), skipped("a", onGitHub(1, "."), invalidName), skipped("..", onGitHub(2, ".."), invalidName),
				skipped(".", onGitHub(3, "x"), invalidName), skipped(long, onGitHub(5, "y"), invalidName),
			},
		},
		{
			"names that a server could take apart",
			[]github.Repository{onGitHub(1, "../../x"), onGitHub(2, "a"), onGitHub(3, "b"), onGitHub(4, "c"), onGitHub(5, "##[stop-commands]"), onGitHub(6, "=cmd()")},
			[]codacy.Repository{
				onCodacy(1, "../../x"), onCodacy(2, "..%2f"), onCodacy(3, `..\x`), onCodacy(4, "c\n"),
				onCodacy(5, "##[stop-commands]"), onCodacy(6, "=cmd()"),
			},
			[]Target{
				found("##[stop-commands]", "##[stop-commands]", 5), skipped("../../x", onGitHub(1, "../../x"), invalidName), found("=cmd()", "=cmd()", 6),
				skipped("..%2f", onGitHub(2, "a"), invalidName), skipped(`..\x`, onGitHub(3, "b"), invalidName), skipped("c\n", onGitHub(4, "c"), invalidName),
			},
		},
		{
			// Their tokens can't be asked for either.
			"such names nowhere", nil,
			[]codacy.Repository{onCodacy(1, "."), onCodacy(0, "..")},
			[]Target{
				{Codacy: ".", GitHub: github.Repository{Owner: "acme", Name: "."}, Skip: notOnGitHub},
				{Codacy: "..", GitHub: github.Repository{Owner: "acme", Name: ".."}, Skip: notOnGitHub},
			},
		},
		{"names of dots that are well", []github.Repository{onGitHub(1, ".github"), onGitHub(2, "...")}, []codacy.Repository{onCodacy(1, ".github"), onCodacy(2, "...")}, []Target{found("...", "...", 2), found(".github", ".github", 1)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, counts := matcher(tt.github, tt.codacy).Select(all)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if counts != (Counts{}) {
				t.Errorf("counted %+v", counts)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()

	m := matcher(
		[]github.Repository{onGitHub(1, "api-new"), onGitHub(2, "web"), onGitHub(3, "docs"), {ID: 4, Owner: "other", Name: "x"}, onGitHub(6, "api-six")},
		[]codacy.Repository{
			onCodacy(1, "old"), onCodacy(2, "web"), onCodacy(3, "docs"), onCodacy(9, "api-gone"), onCodacy(6, "docs-old"),
			{Name: "listed", RemoteID: "5"},
			{Name: "listed-2"},
		},
	)
	s := all
	s.Include = func(r github.Repository) bool {
		name := r.Name
		return strings.HasPrefix(name, "api-") || name == "docs"
	}
	s.Exclude = func(r github.Repository) bool {
		name := r.Name
		return name == "docs" || name == "api-six" || name == "old"
	}
	targets, counts := m.Select(s)
	var got []string
	for _, target := range targets {
		got = append(got, target.GitHub.Name)
	}
	// The patterns are for GitHub's name; where GitHub shows none, for Codacy's.
	if want := []string{"api-gone", "api-new"}; !slices.Equal(got, want) {
		t.Errorf("selected %q, want %q", got, want)
	}
	if want := (Counts{NotAdded: 2, Excluded: 3}); counts != want {
		t.Errorf("counted %+v, want %+v", counts, want)
	}
	if m.GitHubCount() != 4 {
		t.Errorf("GitHub shows %d of the owner's repositories, want 4", m.GitHubCount())
	}
}

// One that Codacy has not added takes nothing away from one that it has.
func TestNotAddedTakesNothing(t *testing.T) {
	t.Parallel()

	m := matcher([]github.Repository{onGitHub(1, "api")}, []codacy.Repository{{Name: "other", RemoteID: "1"}, onCodacy(0, "api")})
	targets, counts := m.Select(all)
	if len(targets) != 1 || targets[0].GitHub.ID != 1 || counts.NotAdded != 1 {
		t.Errorf("got %+v, %+v", targets, counts)
	}
}

// world makes lists with everything that lists have.
func world(seed uint64, size int) (gh []github.Repository, co []codacy.Repository) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range size {
		id, name := int64(500_000_000+r.IntN(1<<30)*size+i), fmt.Sprintf("service-%d", i)
		if r.IntN(10) > 0 {
			repo := onGitHub(id, name)
			repo.Archived, repo.Disabled = r.IntN(20) == 0, r.IntN(20) == 0
			if r.IntN(10) == 0 {
				repo.Name = "renamed-" + name
			}
			gh = append(gh, repo)
		}
		if r.IntN(10) > 0 {
			c := onCodacy(id, name)
			switch r.IntN(8) {
			case 0:
				c.RemoteID = ""
			case 1:
				c.RemoteID = strconv.Itoa(i + 1) // of another repository
			case 2:
				c.Added = false
			}
			co = append(co, c)
		}
	}
	return gh, co
}

// Whatever the lists are: no two targets are one repository, every repository of
// Codacy's list is accounted for once, and the order of the pages is all the same.
func TestSelectProperties(t *testing.T) {
	t.Parallel()

	for seed := range uint64(50) {
		gh, co := world(seed, 80)
		targets, counts := matcher(gh, co).Select(all)
		taken := map[int64]bool{}
		for _, target := range targets {
			if id := target.GitHub.ID; id != 0 && taken[id] {
				t.Errorf("seed %d: %+v is selected twice", seed, target)
			}
			taken[target.GitHub.ID] = true
			if target.Skip == "" && (target.GitHub.ID == 0 || target.NotVisible) {
				t.Errorf("seed %d: %+v can't be written", seed, target)
			}
		}
		if len(targets)+counts.NotAdded != len(co) {
			t.Errorf("seed %d: of %d are %d selected, %+v", seed, len(co), len(targets), counts)
		}

		r := rand.New(rand.NewPCG(seed, 1))
		gh = append(gh, gh[r.IntN(len(gh))]) // twice on the list
		co = append(co, co[r.IntN(len(co))])
		r.Shuffle(len(gh), func(i, j int) { gh[i], gh[j] = gh[j], gh[i] })
		r.Shuffle(len(co), func(i, j int) { co[i], co[j] = co[j], co[i] })
		again, countsAgain := matcher(gh, co).Select(all)
		if diff := cmp.Diff(targets, again); diff != "" || counts != countsAgain {
			t.Errorf("seed %d: in another order: %+v, then %+v\n%s", seed, counts, countsAgain, diff)
		}
	}
}

// The shards together select what one alone does, each repository once, whatever
// their credentials see of GitHub.
func TestShards(t *testing.T) {
	t.Parallel()

	for _, count := range []int{1, 2, 3, 7, 16} {
		gh, co := world(uint64(count), 200)
		whole, wholeCounts := matcher(gh, co).Select(all)
		var got []string
		for index := 1; index <= count; index++ {
			r := rand.New(rand.NewPCG(uint64(index), 0))
			visible := slices.DeleteFunc(slices.Clone(gh), func(github.Repository) bool { return r.IntN(5) == 0 })
			r.Shuffle(len(co), func(i, j int) { co[i], co[j] = co[j], co[i] })
			s := all
			s.Index, s.Count = index, count
			targets, counts := matcher(visible, co).Select(s)
			for _, target := range targets {
				got = append(got, target.Codacy)
			}
			if len(targets)+counts.OtherShards != len(whole) || counts.NotAdded != wholeCounts.NotAdded {
				t.Errorf("shard %d/%d: %d selected, %+v; in all %d", index, count, len(targets), counts, len(whole))
			}
		}
		var want []string
		for _, target := range whole {
			want = append(want, target.Codacy)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d shards: -whole +shards:\n%s", count, diff)
		}
	}
}

// What is added later, or taken away, moves nothing else to another shard.
func TestShardsAreStable(t *testing.T) {
	t.Parallel()

	gh, co := world(1, 200)
	s := all
	s.Index, s.Count = 2, 5
	before, _ := matcher(gh, co).Select(s)
	after, _ := matcher(gh, co[:100]).Select(s)
	first := map[string]bool{}
	for _, c := range co[:100] {
		first[c.Name] = true
	}
	before = slices.DeleteFunc(before, func(target Target) bool { return !first[target.Codacy] })
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("-with others +without:\n%s", diff)
	}
}

// Consecutive ids and alike names are spread evenly.
func TestShardsAreBalanced(t *testing.T) {
	t.Parallel()

	const repositories = 20_000
	for kind, key := range map[string]func(i int) codacy.Repository{
		"ids":         func(i int) codacy.Repository { return onCodacy(int64(700_000_000+i), "x") },
		"ids by tens": func(i int) codacy.Repository { return onCodacy(int64(10*i+1), "x") },
		"names":       func(i int) codacy.Repository { return onCodacy(0, fmt.Sprint("service-", i)) },
	} {
		for _, count := range []int{2, 3, 4, 8, 10, 16} {
			sizes := make([]int, count)
			for i := range repositories {
				sizes[shardKey(key(i))%uint64(count)]++
			}
			even := repositories / count
			if least, most := slices.Min(sizes), slices.Max(sizes); least < even*9/10 || most > even*11/10 {
				t.Errorf("%s over %d shards: from %d to %d, even would be %d", kind, count, least, most, even)
			}
		}
	}
}

// The key of a shard is a promise: two versions of the action may share a matrix.
func TestShardKeyIsFixed(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		r    codacy.Repository
		want uint64
	}{
		{onCodacy(123456789, "api"), 435},
		{onCodacy(0, "api"), 325},
		{onCodacy(0, "API"), 325},
	} {
		if got := shardKey(tt.r) % 1000; got != tt.want {
			t.Errorf("%+v is in shard %d of 1000, want %d", tt.r, got+1, tt.want+1)
		}
	}
}

// TestSameID: where Codacy lists an ID twice, the added entry counts; of two added
// ones, the one with GitHub's name, otherwise both are in conflict.
func TestSameID(t *testing.T) {
	t.Parallel()

	notAdded := func(r codacy.Repository) codacy.Repository {
		r.Added = false
		return r
	}
	for _, tt := range []struct {
		name   string
		codacy []codacy.Repository
		want   []string // Codacy's name, GitHub's ID and conflict of each target
		counts Counts
	}{
		{"not added, then added", []codacy.Repository{notAdded(onCodacy(1, "old")), onCodacy(1, "web")}, []string{"web 1"}, Counts{}},
		{"added, then not added", []codacy.Repository{onCodacy(1, "old"), notAdded(onCodacy(1, "web"))}, []string{"old 1"}, Counts{}},
		{"neither added", []codacy.Repository{notAdded(onCodacy(1, "old")), notAdded(onCodacy(1, "web"))}, nil, Counts{NotAdded: 1}},
		{"both added, one with GitHub's name", []codacy.Repository{onCodacy(1, "old"), onCodacy(1, "WEB")}, []string{"WEB 1"}, Counts{}},
		{"both added, neither with GitHub's name", []codacy.Repository{onCodacy(1, "old"), onCodacy(1, "older")}, []string{"old conflict", "older conflict"}, Counts{}},
		{"both added, not on GitHub", []codacy.Repository{onCodacy(7, "old"), onCodacy(7, "older")}, []string{"old conflict", "older conflict"}, Counts{}},
		{"the same entry on two pages", []codacy.Repository{onCodacy(1, "web"), onCodacy(1, "web")}, []string{"web 1"}, Counts{}},
		{"the same entry, added meanwhile", []codacy.Repository{notAdded(onCodacy(1, "web")), onCodacy(1, "web")}, []string{"web 1"}, Counts{}},
		{"added without an ID behind one that is not", []codacy.Repository{notAdded(onCodacy(1, "web")), onCodacy(0, "web")}, []string{"web 1"}, Counts{NotAdded: 1}},
		{"once more without an ID", []codacy.Repository{onCodacy(0, "web"), onCodacy(1, "web")}, []string{"web 1"}, Counts{}},
		{"not added, once more without an ID", []codacy.Repository{notAdded(onCodacy(1, "web")), notAdded(onCodacy(0, "web"))}, nil, Counts{NotAdded: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			targets, counts := matcher([]github.Repository{onGitHub(1, "web"), onGitHub(2, "api")}, tt.codacy).Select(all)
			var got []string
			for _, target := range targets {
				text := fmt.Sprintf("%s %d", target.Codacy, target.GitHub.ID)
				if target.Conflict {
					text = target.Codacy + " conflict"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if counts != tt.counts {
				t.Errorf("counts %+v, want %+v", counts, tt.counts)
			}
		})
	}
}
