package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// tamper changes a response. It may set the status and the header, and returns the
// body.
type tamper func(r *http.Request, resp *http.Response, body []byte) []byte

func (v *virtual) tampered(f tamper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := v.RoundTripper().RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		body = f(r, resp, body)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, nil
	})
}

// victim is the repository, of three, for which a service is hostile, and victimID its
// ID in the sandbox, the second one.
const (
	victim   = "service-001"
	victimID = "500000002"
)

func forVictim(r *http.Request, method, end string) bool {
	path := r.URL.EscapedPath()
	return r.Method == method && (strings.Contains(path, "/"+victim+"/") || strings.Contains(path, "/"+victimID+"/")) && strings.HasSuffix(path, end)
}

// swap replaces the field of a JSON text.
func swap(body []byte, field, value string) []byte {
	return regexp.MustCompile(`"`+field+`": *("[^"]*"|[0-9]+)`).ReplaceAllLiteral(body, []byte(`"`+field+`":`+value))
}

// echo is the request's header, as a service in debug mode would show it.
func echo(r *http.Request) []byte {
	h, err := json.Marshal(fmt.Sprintf("%s %s with %v", r.Method, r.URL.Path, r.Header))
	if err != nil {
		panic(err)
	}
	return []byte(`{"message":` + string(h) + `}`)
}

// anotherRun is the reason of a repository whose request to create a token was
// rejected, although the token is there afterwards.
const anotherRun = "another run is working on it"

// TestHostileToOne: hostile responses for one repository end in one clear failure of
// that repository. The others get their tokens, the victim has no orphaned token, and
// nothing leaks.
func TestHostileToOne(t *testing.T) {
	t.Parallel()

	key := func(value string) tamper {
		return func(r *http.Request, _ *http.Response, body []byte) []byte {
			if forVictim(r, "GET", "/public-key") {
				return swap(body, "key", `"`+value+`"`)
			}
			return body
		}
	}
	low := func(hexadecimal string) string {
		b, err := hex.DecodeString(hexadecimal)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	value := func(value string) tamper {
		return func(r *http.Request, _ *http.Response, body []byte) []byte {
			if forVictim(r, "POST", "/tokens") {
				return swap(body, "token", value)
			}
			return body
		}
	}
	fails := func(method, end string, status int, text func(r *http.Request, body []byte) []byte) tamper {
		return func(r *http.Request, resp *http.Response, body []byte) []byte {
			if forVictim(r, method, end) {
				resp.StatusCode = status
				return text(r, body)
			}
			return body
		}
	}
	echoed := func(r *http.Request, _ []byte) []byte { return echo(r) }
	redirect := func(to string) tamper {
		return func(r *http.Request, resp *http.Response, body []byte) []byte {
			if forVictim(r, "PUT", "") {
				resp.StatusCode = http.StatusTemporaryRedirect
				resp.Header.Set("Location", to)
			}
			return body
		}
	}
	const unusable = "the response contains no valid token"
	for name, c := range map[string]struct {
		tamper tamper
		want   string // in the victim's line
	}{
		"a key of 31 bytes":       {key(base64.StdEncoding.EncodeToString(make([]byte, 31))), "31 bytes instead of 32"},
		"a key of 33 bytes":       {key(base64.StdEncoding.EncodeToString(make([]byte, 33))), "33 bytes instead of 32"},
		"an empty key":            {key(""), "the response contains no key"},
		"a key that is no base64": {key("***"), "not standard padded base64"},
		"a key of zeros":          {key(low(strings.Repeat("00", 32))), "a point of low order"},
		"the key 1":               {key(low("01" + strings.Repeat("00", 31))), "a point of low order"},
		"a key of order 8":        {key(low("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")), "a point of low order"},
		"another key of order 8":  {key(low("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")), "a point of low order"},
		"the key p-1":             {key(low("ec" + strings.Repeat("ff", 30) + "7f")), "a point of low order"},
		"the key p":               {key(low("ed" + strings.Repeat("ff", 30) + "7f")), "a point of low order"},
		"the key p+1":             {key(low("ee" + strings.Repeat("ff", 30) + "7f")), "a point of low order"},
		"a key's id that is an object": {
			func(r *http.Request, _ *http.Response, body []byte) []byte {
				if forVictim(r, "GET", "/public-key") {
					return swap(body, "key_id", `{"a":1}`)
				}
				return body
			}, "the key's ID is neither a string nor a number",
		},

		"an empty token":            {value(`""`), unusable},
		"a token of a blank":        {value(`" "`), unusable},
		"a token of two lines":      {value(`"first-half-of-it\nsecond-half-of-it"`), unusable},
		"a token that is a command": {value(`"x\r\n::set-output name=x::y"`), unusable},
		"a token with a NUL":        {value(`"first-half\u0000second-half"`), unusable},
		"a token of 900 kB":         {value(`"` + strings.Repeat("x", 900<<10) + `"`), unusable},
		"a token beyond ASCII":      {value(`"tökén-of-a-repository"`), unusable},
		"a token that is a number":  {value(`12345678`), unusable},
		"a token's id with slashes": {
			func(r *http.Request, _ *http.Response, body []byte) []byte {
				if forVictim(r, "POST", "/tokens") {
					return swap(body, "id", `"1/../../2"`)
				}
				return body
			}, "does not fit its description",
		},

		"an error that echoes the header, listing tokens": {fails("GET", "/tokens", 400, echoed), "status 400"},
		"an error that echoes the header, making one":     {fails("POST", "/tokens", 422, echoed), anotherRun},
		"an error that echoes the header, at the key":     {fails("GET", "/public-key", 400, echoed), "status 400"},
		"an error that echoes the header, writing":        {fails("PUT", "", 422, echoed), "status 422"},
		"an error that echoes the new token": {
			fails("POST", "/tokens", 400, func(_ *http.Request, body []byte) []byte {
				var made struct{ Data struct{ Token string } }
				if json.Unmarshal(body, &made) != nil || made.Data.Token == "" {
					return body
				}
				v := made.Data.Token
				return []byte(fmt.Sprintf(`{"message":"could not keep %s, %x, %X, %s","error":"%[1]s"}`, v, v, v, base64.StdEncoding.EncodeToString([]byte(v))))
			}), anotherRun,
		},
		"an error with commands": {
			fails("PUT", "", 400, func(*http.Request, []byte) []byte {
				return []byte(`{"message":"x\n::stop-commands::y\r##[error]\u001b[31m\u202e<script>|@all =cmd()"}`)
			}), `x; ::stop-commands::y ##\[error]�[31m�<script>|@all =cmd()`,
		},
		"an error of 10 MB": {fails("PUT", "", 400, func(*http.Request, []byte) []byte {
			return []byte(`{"message":"` + strings.Repeat("long ", 2<<20) + `"}`)
		}), "status 400: "},
		"JSON of a great depth":       {fails("GET", "/public-key", 200, func(*http.Request, []byte) []byte { return bytes.Repeat([]byte(`{"a":[`), 100<<10) }), "the response is not JSON"},
		"a response of 17 MB":         {fails("GET", "/public-key", 200, func(*http.Request, []byte) []byte { return make([]byte, 17<<20) }), "the response is larger than 1 MiB"},
		"to another host":             {redirect("https://evil.test/x"), "redirected from https://github.test:443 to https://evil.test:443"},
		"to another port":             {redirect("https://github.test:8443/x"), "redirected from https://github.test:443 to https://github.test:8443"},
		"to another scheme":           {redirect("http://github.test/x"), "redirected from https://github.test:443 to http://github.test:80"},
		"to a similar host":           {redirect("https://github.test.evil.test/x"), "to https://github.test.evil.test:443"},
		"to one behind a user":        {redirect("https://github.test@evil.test/x"), "to https://evil.test:443"},
		"to a host that is a command": {redirect("https://%23%23%5Bx%5D.test/x"), "status 307"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(3)...)
				code, out := v.start(t.Context(), nil, rand.New(rand.NewPCG(1, 2)), v.tampered(c.tamper))
				prefix, wantCode := "failed   acme/", 1
				if c.want == anotherRun {
					prefix, wantCode = "deferred acme/", 0
				}
				if line := lineOf(out, prefix+victim+": "); code != wantCode || !strings.Contains(line, c.want) {
					t.Errorf("exit code %d, want %d and %q\n%.3000s", code, wantCode, c.want, out)
				}
				if n := strings.Count(out, "::error"); n != wantCode {
					t.Errorf("%d errors, want %d\n%.3000s", n, wantCode, out)
				}
				for _, name := range harness.Names(3) {
					if name != victim {
						v.provisioned(name)
					}
				}
				for _, tok := range v.ValidTokens(victim) {
					// After a rejection no token is listed: a 4xx says that none was created.
					// A 307 without a target is indeterminate.
					if !slices.Contains([]string{"an error that echoes the new token", "an error that echoes the header, making one", "to a host that is a command"}, name) {
						t.Errorf("%s is still valid", tok.Name)
					}
				}
				noCommands(t, out)
			})
		})
	}
}

// TestHostileToApp: the App's JWT and its tokens are not printed if an error echoes
// them.
func TestHostileToApp(t *testing.T) {
	t.Parallel()
	harness.AppKeys()

	for _, end := range []string{"/installation", "/access_tokens", "/installation/repositories", "/public-key"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, harness.AppOptions(), harness.Names(3)...)
				code, out := v.start(t.Context(), appInputs(nil), rand.New(rand.NewPCG(1, 2)), v.tampered(func(r *http.Request, resp *http.Response, body []byte) []byte {
					if !strings.HasSuffix(r.URL.Path, end) {
						return body
					}
					resp.StatusCode = 400
					return echo(r)
				}))
				if code == 0 || !strings.Contains(out, "Authorization:[Bearer ***]") && end != "/access_tokens" {
					t.Errorf("exit code %d\n%s", code, out)
				}
				noAppSecret(t, out)
			})
		})
	}
}

// TestKeyChanges: a store's public key changes between reading it and the PUT. The
// key is read again, and the secret is stored in the same run; a key that changes
// each time fails the repository, without an orphan.
func TestKeyChanges(t *testing.T) {
	t.Parallel()

	for name, kind := range map[string]sandbox.Kind{"once": sandbox.KindCreateToken, "each time": sandbox.KindPutSecret} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(3)...)
				v.Hook(func(r sandbox.Request) sandbox.Effect {
					if r.Kind == kind && r.Repository == victim {
						v.RotateKey(victim, "actions")
					}
					return sandbox.Effect{}
				})
				code, out := v.run(nil)
				if kind == sandbox.KindCreateToken {
					if code != 0 {
						t.Errorf("exit code %d\n%s", code, out)
					}
					v.provisioned(victim)
					return
				}
				if line := lineOf(out, "failed   acme/"+victim+": "); code != 1 || !strings.Contains(line, "status 422") {
					t.Errorf("exit code %d\n%s", code, out)
				}
				if n := len(v.ValidTokens(victim)); n > 0 {
					t.Errorf("%d tokens are left", n)
				}
				if n := v.Count(sandbox.KindPutSecret); n != 4 {
					t.Errorf("%d PUTs, want 4: one more for a rejected one", n)
				}
				v.Hook(nil)
				time.Sleep(time.Hour)
				if code, out := v.run(nil); code != 0 {
					t.Errorf("the next run: exit code %d\n%s", code, out)
				}
				v.provisioned(victim)
			})
		})
	}
}

// TestHostileNames: a list with invalid names. Names that could become another address
// are skipped. The others are escaped in all output.
func TestHostileNames(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		name, want  string
		inResponses bool // the sandbox uses another name
	}{
		"another address":  {"../../x", "skipped  acme/../../x: invalid repository name", false},
		"one that is not":  {"..", "skipped  acme/..: invalid repository name", false},
		"escaped":          {"..%2f..%2fx", "skipped  acme/..%2f..%2fx: invalid repository name", false},
		"of 7 MB":          {strings.Repeat("x", 7<<20), "xxx…: invalid repository name", true},
		"of two lines":     {"x\n::error::y", "skipped  acme/x ::error::y: invalid repository name", false},
		"stop-commands":    {"##[stop-commands]", `created  acme/##\[stop-commands]: `, false},
		"a formula":        {"=cmd()", "created  acme/=cmd(): ", false},
		"a query":          {"x?y=z#w", "created  acme/x?y=z#w: ", false},
		"Markdown":         {"<b>|`x`|[y](https://evil.test)@all", "skipped  ", false},
		"an account token": {sandbox.CodacyToken, "created  acme/***: ", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(2)...)
				transport := v.RoundTripper()
				if c.inResponses {
					v.Add(sandbox.Repository{Name: "placeholder"})
					from, to := []byte(`"name":"placeholder"`), []byte(`"name":"`+c.name+`"`)
					answers := v.tampered(func(_ *http.Request, _ *http.Response, body []byte) []byte {
						return bytes.ReplaceAll(bytes.ReplaceAll(body, []byte(`"name": "`), []byte(`"name":"`)), from, to)
					})
					transport = roundTrip(func(r *http.Request) (*http.Response, error) {
						out := r.Clone(r.Context())
						out.URL.Path, out.URL.RawPath = strings.ReplaceAll(r.URL.Path, c.name, "placeholder"), ""
						return answers.RoundTrip(out)
					})
				} else {
					v.Add(sandbox.Repository{Name: c.name})
				}
				code, out := v.start(t.Context(), nil, rand.New(rand.NewPCG(1, 2)), transport)
				if code != 0 || !strings.Contains(out, c.want) {
					t.Errorf("exit code %d, want 0 and %q\n%.2000s", code, c.want, out)
				}
				if len(out) > 20_000 {
					t.Errorf("the log has %d bytes", len(out))
				}
				harness.Each(harness.Names(2), func(name string) { v.provisioned(name) })
				noCommands(t, out)
				for path, text := range harness.Files(t, v.dir) {
					if len(text) > 30_000 || strings.Contains(text, "<b>") || strings.Contains(text, "\n=cmd") || strings.Contains(text, "@all") && strings.HasSuffix(path, "summary") && !strings.Contains(text, "@\u200ball") {
						t.Errorf("%s, %d bytes:\n%.2000s", path, len(text), text)
					}
				}
			})
		})
	}
}

// TestHostileLists: malformed lists end the run before anything is written.
func TestHostileLists(t *testing.T) {
	t.Parallel()

	gitHub := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/orgs/acme/repos") }
	codacy := func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/organizations/gh/acme/repositories")
	}
	page := func(at func(*http.Request) bool, change func(r *http.Request, resp *http.Response, body []byte) []byte) tamper {
		return func(r *http.Request, resp *http.Response, body []byte) []byte {
			if at(r) {
				return change(r, resp, body)
			}
			return body
		}
	}
	status := func(code int, location string) func(*http.Request, *http.Response, []byte) []byte {
		return func(_ *http.Request, resp *http.Response, _ []byte) []byte {
			resp.StatusCode = code
			resp.Header.Set("Location", location)
			return nil
		}
	}
	for name, c := range map[string]struct {
		tamper tamper
		want   string
	}{
		"Codacy: the same cursor": {page(codacy, func(_ *http.Request, resp *http.Response, _ []byte) []byte {
			resp.StatusCode = 200
			return []byte(`{"data":[],"pagination":{"cursor":"again"}}`)
		}), "the list does not end: a page points back"},
		"Codacy: more than its total": {page(codacy, func(r *http.Request, resp *http.Response, _ []byte) []byte {
			at := 0
			resp.StatusCode = 200
			_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &at)
			one := `{"name":"a","remoteIdentifier":"1","addedState":"Added"}`
			return []byte(fmt.Sprintf(`{"data":[%s],"pagination":{"total":120,"limit":100,"cursor":"%d"}}`, one+strings.Repeat(","+one, 99), at+1))
		}), "the list does not end: it continues after 300 items, but states 120"},
		"GitHub: a page that points back": {page(gitHub, func(r *http.Request, resp *http.Response, body []byte) []byte {
			resp.Header.Set("Link", `<https://github.test/orgs/acme/repos?page=1>; rel="next"`)
			return body
		}), "the list does not end"},
		"GitHub: beyond the last page": {page(gitHub, func(r *http.Request, resp *http.Response, body []byte) []byte {
			at := 0
			_, _ = fmt.Sscan(r.URL.Query().Get("page"), &at)
			resp.Header.Set("Link", fmt.Sprintf(`<https://github.test/x?page=%d>; rel="next", <https://github.test/x?page=2>; rel="last"`, at+1))
			return body
		}), "the list does not end"},
		"Codacy: to another host": {
			page(codacy, status(302, "https://evil.test/repositories")),
			"redirected from https://codacy.test:443 to https://evil.test:443; credentials are not sent there",
		},
		"GitHub: to another scheme": {
			page(gitHub, status(301, "http://github.test/orgs/acme/repos")),
			"redirected from https://github.test:443 to http://github.test:80; credentials are not sent there",
		},
		"Codacy: to another port": {
			page(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/user") }, status(307, "https://codacy.test:8443/api/v3/user")),
			"redirected from https://codacy.test:443 to https://codacy.test:8443; credentials are not sent there",
		},
		"Codacy: in a circle": {page(codacy, status(302, "/api/v3/organizations/gh/acme/repositories")), "redirected more than five times"},
		"GitHub: ids with slashes": {page(gitHub, func(_ *http.Request, _ *http.Response, body []byte) []byte {
			return swap(body, "id", `"1/2"`)
		}), "the response does not fit its description"},
		"Codacy: a great depth": {page(codacy, func(*http.Request, *http.Response, []byte) []byte { return bytes.Repeat([]byte("["), 1<<20) }), "the response is not JSON"},
		"GitHub: 17 MB":         {page(gitHub, func(*http.Request, *http.Response, []byte) []byte { return bytes.Repeat([]byte(" "), 17<<20) }), "larger than 8 MiB"},
		"Codacy: the header echoed": {page(codacy, func(r *http.Request, resp *http.Response, _ []byte) []byte {
			resp.StatusCode = 403
			return echo(r)
		}), "Api-Token:[***]"},
		"GitHub: the header echoed": {page(gitHub, func(r *http.Request, resp *http.Response, _ []byte) []byte {
			resp.StatusCode = 403
			return echo(r)
		}), "Authorization:[Bearer ***]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := bubble(t, sandbox.Options{}, harness.Names(3)...)
				code, out := v.start(t.Context(), nil, rand.New(rand.NewPCG(1, 2)), v.tampered(c.tamper))
				want := 1
				if strings.Contains(name, "echoed") { // a rejection of the credential
					want = 2
				}
				if line := lineOf(out, "::error::"); code != want || !strings.Contains(line, c.want) || strings.Count(out, "::error::") != 1 {
					t.Errorf("exit code %d, want %d and one error with %q\n%.3000s", code, want, c.want, out)
				}
				if v.Count(sandbox.KindCreateToken)+v.Count(sandbox.KindPutSecret) > 0 {
					t.Error("something was written")
				}
				noCommands(t, out)
			})
		})
	}
}

// TestNamesOfOtherMeaning: a name with the characters of an address stays one part of
// it, and an owner that a spreadsheet would take for a formula does not become one.
func TestNamesOfOtherMeaning(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{Organization: "-acme"}, sandbox.Repository{Name: "x?y=z#w"}, sandbox.Repository{Name: "web"})
	r := f.Run(harness.Inputs{"organization": "-acme", "report-file": filepath.Join(f.Dir, "report.csv")})
	f.Want(r, 0, "created=2")
	f.Provisioned("x?y=z#w")
	f.Provisioned("web")
	rows, err := csv.NewReader(strings.NewReader(r.Report)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Errorf("%v\n%s", err, r.Report)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@|%") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}

// TestLongText: a text from elsewhere is cut, wherever it is from: here the path of the
// summary, which can't be opened.
func TestLongText(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "web"})
	cmd, finish := f.Start(t.Context(), nil)
	cmd.Env = append(cmd.Env, "GITHUB_STEP_SUMMARY=/"+strings.Repeat("x", 5000))
	if err := harness.IgnoreExit(cmd.Run()); err != nil {
		t.Fatal(err)
	}
	r := finish()
	if text := r.Annotations("warning"); !strings.Contains(text, "the summary could not be written") || len(text) > 1500 {
		t.Errorf("%d bytes\n%s", len(text), r.Stdout)
	}
}

// TestInvalidIDs: an ID from Codacy is compared with GitHub's. It never becomes a part
// of an address.
func TestInvalidIDs(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"},
		sandbox.Repository{Name: "beta", RemoteID: "1/../2"}, sandbox.Repository{Name: "gamma", RemoteID: "-1"},
		sandbox.Repository{Name: "delta", RemoteID: "9999999999999999999999"})
	r := f.Run(nil)
	f.Want(r, 0, "created=1 skipped=3")
	f.Provisioned("alpha")
}

// TestCompressionBomb: 64 MiB of zeros, compressed to less than one, over a real
// connection, as a public key and as an error.
func TestCompressionBomb(t *testing.T) {
	t.Parallel()

	var bomb bytes.Buffer
	z, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{200, 400} {
		f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "alpha"}, sandbox.Repository{Name: victim})
		f.Hook(func(r sandbox.Request) sandbox.Effect {
			if r.Kind != sandbox.KindPublicKey || r.Repository != victim {
				return sandbox.Effect{}
			}
			return sandbox.Effect{Skip: true, Status: status, Body: bomb.Bytes(), Header: http.Header{"Content-Encoding": {"gzip"}}}
		})
		r := f.Run(nil)
		f.Want(r, 1, "created=1 failed=1")
		want := map[int]string{200: "larger than 1 MiB", 400: "status 400: Bad Request"}[status]
		if got := f.Entries(r)[victim].Reason; !strings.Contains(got, want) {
			t.Errorf("%d: %q", status, got)
		}
	}
}

// lineOf is the line of a log with the given prefix.
func lineOf(log, begin string) string {
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	return ""
}

// noCommands asserts that a log contains no workflow command except the action's own.
func noCommands(t *testing.T, log string) {
	t.Helper()
	own := regexp.MustCompile(`^::(add-mask|error|warning|group|endgroup)::[^\r]*\n$`)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "##[") || strings.HasPrefix(strings.TrimSpace(line), "::") && !own.MatchString(line) || strings.ContainsAny(line, "\x1b\u202e\r") {
			t.Errorf("a command, or worse: %.300q", line)
		}
	}
}
