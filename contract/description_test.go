package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// folder holds the published descriptions.
var folder = filepath.Join("..", "..", "shared", "openapi")

// contract is what both services have published.
type contract struct {
	codacy, github, ghes *description
}

// description is one published description, made strict: it allows only the names
// that it lists.
type description struct {
	service sandbox.Service
	doc     *openapi3.T
	router  routers.Router
}

// load reads the descriptions, or skips the test where they are not there.
func load(t *testing.T) *contract {
	t.Helper()
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		reason := "the published descriptions are not here: there is no folder " + folder
		fmt.Fprintf(os.Stderr, "%s: SKIPPED: %s\n", t.Name(), reason)
		t.Skip(reason)
	}
	return &contract{
		codacy: read(t, sandbox.Codacy, "codacy.json", invalidToken),
		github: read(t, sandbox.GitHub, "github.json", oneRepository, moreStores, moreDeletions),
		ghes:   read(t, sandbox.GitHub, "github.json", oneRepository, moreStores, moreDeletions, numericKeyIDs),
	}
}

func read(t *testing.T, s sandbox.Service, name string, amend ...func(*openapi3.T)) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, f := range amend {
		f(doc)
	}
	closeAll(doc)
	doc.Servers = nil // paths alone: the hosts are the sandbox's
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return &description{service: s, doc: doc, router: router}
}

// numericKeyIDs lets a GitHub Enterprise Server send key_id as a number. It accepts
// a string in return.
// https://github.com/google/go-github/blob/v60.0.0/github/actions_secrets.go
func numericKeyIDs(doc *openapi3.T) {
	for name, ref := range doc.Components.Schemas {
		if strings.HasSuffix(name, "-public-key") {
			ref.Value.Properties["key_id"] = openapi3.NewSchemaRef("", openapi3.NewIntegerSchema())
		}
	}
}

// oneRepository lets each of the three schemas of a repository have the fields of
// all of them: they overlap, and GitHub's responses differ less than they do.
func oneRepository(doc *openapi3.T) {
	kinds := []string{"minimal-repository", "repository", "full-repository"}
	for _, to := range kinds {
		properties := maps.Clone(doc.Components.Schemas[to].Value.Properties)
		for _, from := range kinds {
			for name, p := range doc.Components.Schemas[from].Value.Properties {
				if properties[name] == nil {
					properties[name] = p
				}
			}
		}
		doc.Components.Schemas[to].Value.Properties = properties
	}
}

// moreStores adds an App's permissions for the secrets of Codespaces and of agents,
// which the description omits.
// https://docs.github.com/rest/authentication/permissions-required-for-github-apps
func moreStores(doc *openapi3.T) {
	properties := doc.Components.Schemas["app-permissions"].Value.Properties
	for _, name := range []string{"codespaces_secrets", "agent_secrets"} {
		properties[name] = openapi3.NewSchemaRef("", openapi3.NewStringSchema().WithEnum("read", "write"))
	}
}

// moreDeletions adds documented operations that the description omits.
//
// https://docs.github.com/rest/codespaces/repository-secrets#delete-a-repository-secret
// https://docs.github.com/rest/agents/secrets#delete-a-repository-secret
// https://docs.github.com/rest/apps/installations#revoke-an-installation-access-token
func moreDeletions(doc *openapi3.T) {
	deleted := func(id string, parameters openapi3.Parameters) *openapi3.Operation {
		op := openapi3.NewOperation()
		op.OperationID, op.Parameters = id, parameters
		op.AddResponse(http.StatusNoContent, openapi3.NewResponse().WithDescription("Response"))
		op.Responses.Delete("default")
		return op
	}
	for _, store := range []string{"agents", "codespaces"} {
		item := doc.Paths.Value("/repos/{owner}/{repo}/" + store + "/secrets/{secret_name}")
		item.Delete = deleted(store+"/delete-repo-secret", item.Get.Parameters)
	}
	doc.Paths.Set("/installation/token", &openapi3.PathItem{Delete: deleted("apps/revoke-installation-access-token", nil)})
}

// invalidToken adds the other response to an invalid account token; see exceptions.
func invalidToken(doc *openapi3.T) {
	doc.Components.Schemas["InvalidToken"] = openapi3.NewSchemaRef("",
		openapi3.NewObjectSchema().WithProperty("error", openapi3.NewStringSchema()).WithRequired([]string{"error"}))
}

// closeAll restricts every object of the description to the properties that it
// names. A schema of parts (allOf) is merged into one, because each closed part
// would reject the others' properties.
func closeAll(doc *openapi3.T) {
	seen := map[*openapi3.Schema]bool{}
	var closed func(ref *openapi3.SchemaRef)
	content := func(c openapi3.Content) {
		for _, media := range c {
			closed(media.Schema)
		}
	}
	closed = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || seen[ref.Value] {
			return
		}
		s := ref.Value
		seen[s] = true
		for _, part := range s.AllOf {
			closed(part)
			s.Required = append(s.Required, part.Value.Required...)
			for name, p := range part.Value.Properties {
				if s.Properties == nil {
					s.Properties = openapi3.Schemas{}
				}
				s.Properties[name] = p
			}
		}
		s.AllOf = nil
		for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
			for _, part := range list {
				closed(part)
			}
		}
		for _, p := range s.Properties {
			closed(p)
		}
		closed(s.Items)
		closed(s.AdditionalProperties.Schema)
		if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			no := false
			s.AdditionalProperties.Has = &no
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				content(op.RequestBody.Value.Content)
			}
			for _, response := range op.Responses.Map() {
				content(response.Value.Content)
			}
		}
	}
	for _, ref := range doc.Components.Schemas {
		closed(ref)
	}
}

// exchange is one request with its response; Status is 0 without a response.
type exchange struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   string

	Status         int
	ResponseHeader http.Header
	Response       string
	Cut            bool // the response's body is incomplete
}

// verdict is the result of checking an exchange.
type verdict struct {
	operation string
	findings  []string
	exception *undeclared // the status is not declared, but listed
}

// check checks an exchange against the description of its service. Redirected is
// true if GitHub sent the client to that address.
func (c *contract) check(x exchange, redirected bool) verdict {
	d, u := c.codacy, *x.URL
	if !strings.Contains(u.Host, "codacy") {
		d = c.github
	}
	path, versioned := strings.CutPrefix(u.EscapedPath(), "/api/v3")
	switch {
	case d == c.github && versioned:
		d = c.ghes
	case d == c.codacy && !versioned:
		return verdict{findings: []string{"the path does not start with /api/v3"}}
	}
	// A repository's address by its ID is the target of GitHub's redirects, for the
	// same operations. Reads may also be sent there directly; a write may not, since
	// a write to the name shows whether the name still belongs to the repository.
	// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
	byID := redirected || x.Method == http.MethodGet
	if rest, ok := strings.CutPrefix(path, "/repositories/"); ok && byID && d.service == sandbox.GitHub {
		_, rest, _ = strings.Cut(rest, "/")
		path = strings.TrimSuffix("/repos/owner/repo/"+rest, "/")
	}
	return d.check(x, path)
}

func (d *description) check(x exchange, path string) verdict {
	ctx := context.Background()
	v := verdict{operation: x.Method + " " + path}
	find := func(format string, args ...any) {
		v.findings = append(v.findings, v.operation+": "+fmt.Sprintf(format, args...))
	}
	r, err := http.NewRequestWithContext(ctx, x.Method, path+"?"+x.URL.RawQuery, strings.NewReader(x.Body))
	if err != nil {
		find("%v", err)
		return v
	}
	r.Header = x.Header.Clone()
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		find("no such operation: %v", err)
		return v
	}
	v.operation = route.Operation.OperationID
	options := &openapi3filter.Options{
		MultiError: true, RejectWhenRequestBodyNotSpecified: true, IncludeResponseStatus: true, SkipSettingDefaults: true,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.DisableSchemaErrorDetails()},
		AuthenticationFunc: func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
			if x.Header.Get(in.SecurityScheme.Name) == "" {
				return errors.New("the request has no header " + in.SecurityScheme.Name)
			}
			return nil
		},
	}
	// GitHub's description declares no security; its documentation does.
	if d.service == sandbox.GitHub && !strings.HasPrefix(x.Header.Get("Authorization"), "Bearer ") {
		find("the request has no bearer token")
	}
	for name := range r.URL.Query() {
		if !slices.ContainsFunc(route.Operation.Parameters, func(p *openapi3.ParameterRef) bool {
			return p.Value.In == openapi3.ParameterInQuery && p.Value.Name == name
		}) {
			find("the request's parameter %q is not declared", name)
		}
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
		find("the request: %v", err)
	}
	if x.Status == 0 {
		return v
	}

	declared := route.Operation.Responses.Status(x.Status)
	if declared == nil {
		if v.exception = exceptionFor(d.service, v.operation, x.Status); v.exception == nil {
			find("the status %d is not declared", x.Status)
			return v
		}
		declared = jsonResponse(d.doc.Components.Schemas[v.exception.schema])
		route.Operation = openapi3.NewOperation()
		route.Operation.AddResponse(x.Status, declared.Value)
	}
	if len(declared.Value.Content) == 0 && x.Response != "" {
		find("the response %d has a body, and none is declared", x.Status)
	}
	if x.Cut {
		return v
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: x.Status, Header: x.ResponseHeader,
		Body: io.NopCloser(strings.NewReader(x.Response)), Options: options,
	}
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		find("the response %d: %v", x.Status, err)
	}
	// kin-openapi does not check the body of a redirect.
	if x.Status == http.StatusMovedPermanently || x.Status == http.StatusTemporaryRedirect {
		var body any
		if err := json.Unmarshal([]byte(x.Response), &body); err != nil {
			find("the response %d: %v", x.Status, err)
		} else if err := declared.Value.Content.Get("application/json").Schema.Value.VisitJSON(body); err != nil {
			find("the response %d: %v", x.Status, err)
		}
		if x.ResponseHeader.Get("Location") == "" {
			find("the response %d has no Location", x.Status)
		}
	}
	return v
}

// jsonResponse is a declared response with a JSON body.
func jsonResponse(schema *openapi3.SchemaRef) *openapi3.ResponseRef {
	return &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("").WithJSONSchemaRef(schema)}
}
