package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// started is a server that a test started.
type started struct {
	t            *testing.T
	both, github string
	http         *http.Client
}

// start starts a server, reads its addresses and stops it at the test's end.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, append(args, "-github", "127.0.0.1:0"), in)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	s := &started{t: t}
	var authority strings.Builder
	lines := bufio.NewScanner(out)
	for s.github == "" && lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "listening on "):
			s.both = "https://" + strings.TrimPrefix(line, "listening on ")
		case strings.HasPrefix(line, "GitHub on "):
			s.github = "https://" + strings.TrimPrefix(line, "GitHub on ")
		default:
			authority.WriteString(line + "\n")
		}
	}
	roots := x509.NewCertPool()
	if s.both == "" || !roots.AppendCertsFromPEM([]byte(authority.String())) {
		t.Fatalf("the server did not start: %v", authority.String())
	}
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	return s
}

// do sends a request that must get the status, and decodes the response.
func (s *started) do(want int, method, address, token string, into any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	if strings.Contains(address, "/organizations/") {
		r.Header.Set("api-token", sandbox.CodacyToken)
	} else if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		s.t.Fatalf("%s %s: status %d, want %d: %s %v", method, address, resp.StatusCode, want, b, err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			s.t.Fatalf("%v in %s", err, b)
		}
	}
}

// TestServer reads the state, moves the clock, and reaches GitHub at both
// addresses.
func TestServer(t *testing.T) {
	t.Parallel()
	s := start(t, "-repositories", "2", "-stores", "actions,agents", "-manual-token", "gho_person")
	var before, after State
	s.do(200, "GET", s.both+"/state", "", &before)
	if strings.Join(before.Repositories, " ") != "service-000 service-001" || len(before.Provisioned) != 0 || before.Orphans != 0 ||
		before.Writes != 0 || len(before.Violations) != 0 || len(before.Values) != 0 || len(before.Unsettled) != 4 {
		t.Errorf("the state is %+v", before)
	}
	var clock struct{ Time time.Time }
	s.do(200, "POST", s.both+"/clock?forward=960h", "", &clock)
	s.do(200, "GET", s.both+"/state", "", &after)
	if d := clock.Time.Sub(before.Time); d < 960*time.Hour || d > 961*time.Hour || after.Time.Before(clock.Time) {
		t.Errorf("the clock moved by %s", d)
	}
	for _, bad := range []string{"", "?forward=soon", "?forward=-1h"} {
		s.do(400, "POST", s.both+"/clock"+bad, "", nil)
	}
	for _, token := range []string{sandbox.GitHubToken, "gho_person"} {
		for _, address := range []string{s.both + "/repos", s.github + "/repos", s.github + "/api/v3/repos"} {
			var list struct {
				Total   int `json:"total_count"`
				Secrets []struct{}
			}
			s.do(200, "GET", address+"/acme/service-001/agents/secrets?per_page=100", token, &list)
			if list.Total != 0 || list.Secrets == nil {
				t.Errorf("%s lists %+v", address, list)
			}
		}
	}
	var tokens struct{ Data []struct{} }
	s.do(200, "GET", s.both+"/api/v3/organizations/gh/acme/repositories/service-000/tokens", "", &tokens)
	s.do(200, "GET", s.both+"/state", "", &after)
	if len(after.Violations) != 0 {
		t.Errorf("violations: %v", after.Violations)
	}
	s.do(501, "GET", s.both+"/nowhere", "", nil)
	s.do(200, "GET", s.both+"/state", "", &after)
	if len(after.Violations) != 1 {
		t.Errorf("violations: %v", after.Violations)
	}
}

// TestState counts a repository as provisioned if each of the stores has its token.
func TestState(t *testing.T) {
	t.Parallel()
	w := sandbox.New(sandbox.Options{SecretName: secretName})
	names := []string{"all", "one", "none", "orphan"}
	for _, name := range names {
		w.Add(sandbox.Repository{Name: name})
	}
	token := sandbox.Token{Name: "codacy-project-token-1"}
	w.Provision("all", token, "actions", "agents")
	w.Provision("one", token, "actions")
	w.AddToken("orphan", token)
	w.Provision("orphan", sandbox.Token{Name: "codacy-project-token-2"}, "actions", "agents")
	for stores, want := range map[string]string{"actions,agents": "all", "actions": "all one", "agents": "all"} {
		got := server{w, names, strings.Split(stores, ",")}.state()
		if provisioned := strings.Join(got.Provisioned, " "); provisioned != want || got.Orphans != 1 || len(got.Values) != 4 {
			t.Errorf("%s: %s are provisioned, want %s; %+v", stores, provisioned, want, got)
		}
	}
}

// TestHelp: the help says what the program does, has an example, and lists each flag.
func TestHelp(t *testing.T) {
	t.Parallel()
	var help strings.Builder
	if err := serve(t.Context(), []string{"-help"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{
		"Serves a sandbox over HTTPS", "\nExample: sandbox -listen 127.0.0.1:8443 >ca.pem\n", "CODACY_API_TOKEN=" + sandbox.CodacyToken + " ",
		"\n  -listen address\n", "\n  -secret-role role\n", "docs/sandbox.md",
	} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("no %q in\n%s", want, help.String())
		}
	}
}

// TestRepositories: patterns for topics and visibility can be tried.
func TestRepositories(t *testing.T) {
	t.Parallel()
	s := start(t, "-repositories", "4")
	var list []struct {
		Name, Visibility string
		Topics           []string
	}
	s.do(200, "GET", s.github+"/orgs/acme/repos?per_page=100", sandbox.GitHubToken, &list)
	var got []string
	for _, r := range list {
		got = append(got, fmt.Sprint(r.Name, r.Topics, r.Visibility))
	}
	slices.Sort(got)
	want := []string{"service-000[backend]private", "service-001[frontend]public", "service-002[backend]public", "service-003[frontend]private"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFlags has each flag set its option, and mistakes reported.
func TestFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flag string
		is   func(config) bool
	}{
		{"-name-taken=422", func(c config) bool { return c.options.NameTaken == 422 }},
		{"-creation=exact", func(c config) bool { return c.options.CreationDay == nil && !c.options.NoCreationDates }},
		{"-creation=midnight", func(c config) bool { return c.options.CreationDay == time.UTC }},
		{"-creation=missing", func(c config) bool { return c.options.NoCreationDates }},
		{"-hide-expired", func(c config) bool { return c.options.HideExpired }},
		{"-account-tokens=shown", func(c config) bool { return c.options.AccountTokenValues == sandbox.ShowValues }},
		{"-account-tokens=masked", func(c config) bool { return c.options.AccountTokenValues == sandbox.MaskValues }},
		{"-account-tokens=missing", func(c config) bool { return c.options.AccountTokenValues == sandbox.OmitValues }},
		{"-rate-headers=limited", func(c config) bool { return c.options.RateHeaders == sandbox.RateIfLimited }},
		{"-rate-headers=always", func(c config) bool { return c.options.RateHeaders == sandbox.RateAlways }},
		{"-rate-headers=never", func(c config) bool { return c.options.RateHeaders == sandbox.RateNever }},
		{"-numeric-key-ids", func(c config) bool { return c.options.NumericKeyIDs }},
		{"-no-id-addresses", func(c config) bool { return c.options.NoIDAddresses }},
		{"-secret-role=write", func(c config) bool { return c.options.SecretRole == "write" }},
		{"-legacy", func(c config) bool { return c.options.Legacy }},
		{"-revoke-after=864h", func(c config) bool { return c.options.RevokeAfter == 864*time.Hour }},
		{"-latency=1s", func(c config) bool { return c.options.Latency == time.Second }},
		{"-address=192.0.2.1", func(c config) bool { return len(c.addresses) == 1 && c.addresses[0].String() == "192.0.2.1" }},
		{"-stores=agents,actions", func(c config) bool { return strings.Join(c.stores, " ") == "agents actions" }},
		{"-manual-token=x", func(c config) bool { return len(c.options.Credentials) == 2 && c.options.Credentials[1].Manual }},
	} {
		c, err := parse([]string{test.flag}, io.Discard)
		if err != nil || !test.is(c) {
			t.Errorf("%s: %+v, %v", test.flag, c, err)
		}
	}
	for _, args := range []string{"-creation=now", "-rate-headers=x", "-address=x", "-stores=pages", "-stores=", "-unknown", "more", "-listen=x"} {
		if err := serve(t.Context(), []string{args}, io.Discard); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
