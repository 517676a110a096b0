package project

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/codacy/codacy-project-tokens"

// layers are the packages of the action from the bottom to the top. A package
// imports only packages of lower layers.
var layers = [][]string{
	{"rotation", "secret"},
	{"config", "wire", "seal", "redact"},
	{"pace"},
	{"github", "codacy"},
	{"match", "outcome"},
	{"diagnosis", "provision", "report"},
	{"cli"},
	{"main"},
}

// Bounds of the action's code.
const (
	maxCLILines       = 600
	maxFunctionLines  = 60
	maxFunctionBranch = 20 // cyclomatic complexity
)

// unbounded are the functions that may exceed the bounds, with the reason.
var unbounded = map[string]string{
	"rotation.Decide": "the contract's table, one row after the other",
	"config.Inputs":   "a data table",
}

// TestHouse checks how the action's code is divided into packages and functions.
func TestHouse(t *testing.T) {
	t.Parallel()

	h := readHouse(t)
	for _, rule := range []struct {
		name  string
		check func(*testing.T, *house)
	}{
		{"rotation imports the standard library only", checkRotation},
		{"report does not import provision", forbid("report", "provision")},
		{"config does not import diagnosis", forbid("config", "diagnosis")},
		{"packages import lower layers only", checkLayers},
		{"cli is small", checkCLI},
		{"functions are short", checkLength},
		{"functions have few branches", checkBranches},
		{"no identifier shadows a builtin", checkBuiltins},
	} {
		t.Run(rule.name, func(t *testing.T) { rule.check(t, h) })
	}
}

// house is the parsed source of the module.
type house struct {
	fset     *token.FileSet
	packages map[string]*sourcePackage // by the folder in internal, or "main"
	tests    []*ast.File
}

type sourcePackage struct {
	files   []*ast.File
	imports []string // import paths, sorted
	lines   int      // lines of code
}

// readHouse parses the packages that the action consists of: main and what it
// imports. It parses the test files of all packages as well.
func readHouse(t *testing.T) *house {
	t.Helper()
	h := &house{fset: token.NewFileSet(), packages: map[string]*sourcePackage{}}
	h.add(t, "main", root)
	if len(h.packages) < 10 {
		t.Fatalf("only %d packages found", len(h.packages))
	}
	tests, err := filepath.Glob(root + "internal/*/*_test.go")
	if err != nil || len(tests) < 30 {
		t.Fatalf("%d test files, %v", len(tests), err)
	}
	for _, file := range tests {
		h.tests = append(h.tests, h.parse(t, file))
	}
	return h
}

// add parses a package and the packages of the module that it imports.
func (h *house) add(t *testing.T, name, dir string) {
	t.Helper()
	if h.packages[name] != nil {
		return
	}
	p := &sourcePackage{}
	h.packages[name] = p
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f := h.parse(t, file)
		p.files = append(p.files, f)
		p.lines += codeLines(t, file)
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			p.imports = append(p.imports, path)
			if sub, ok := strings.CutPrefix(path, module+"/internal/"); ok {
				h.add(t, sub, filepath.Join(root, "internal", sub))
			}
		}
	}
	if len(p.files) == 0 {
		t.Errorf("there is no package %s", name)
	}
	slices.Sort(p.imports)
	p.imports = slices.Compact(p.imports)
}

func (h *house) parse(t *testing.T, file string) *ast.File {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(h.fset, file, bytes.TrimRight(src, "\n"), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// codeLines counts the lines of a file that are neither empty nor a comment.
func codeLines(t *testing.T, file string) int {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func checkRotation(t *testing.T, h *house) {
	p := h.packages["rotation"]
	if p == nil {
		t.Fatal("the action has no package rotation")
	}
	for _, path := range p.imports {
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			t.Errorf("rotation imports %s", path)
		}
	}
}

// forbid returns the check that one package does not import another.
func forbid(importer, imported string) func(*testing.T, *house) {
	return func(t *testing.T, h *house) {
		p := h.packages[importer]
		if p == nil || h.packages[imported] == nil {
			t.Fatalf("the action has no package %s or %s", importer, imported)
		}
		if slices.Contains(p.imports, module+"/internal/"+imported) {
			t.Errorf("%s imports %s", importer, imported)
		}
	}
}

func checkLayers(t *testing.T, h *house) {
	layer := map[string]int{}
	for i, names := range layers {
		for _, name := range names {
			layer[name] = i
			if h.packages[name] == nil {
				t.Errorf("the action has no package %s", name)
			}
		}
	}
	for name, p := range h.packages {
		if _, ok := layer[name]; !ok {
			t.Errorf("%s is in no layer", name)
			continue
		}
		for _, path := range p.imports {
			imported, ok := strings.CutPrefix(path, module+"/internal/")
			if ok && layer[imported] >= layer[name] {
				t.Errorf("%s, in layer %d, imports %s, in layer %d", name, layer[name]+1, imported, layer[imported]+1)
			}
		}
	}
}

func checkCLI(t *testing.T, h *house) {
	if p := h.packages["cli"]; p == nil || p.lines > maxCLILines {
		t.Errorf("cli has %d lines of code, want at most %d", p.lines, maxCLILines)
	}
}

func checkLength(t *testing.T, h *house) {
	h.bounded(t, "lines", maxFunctionLines, func(f *ast.FuncDecl) int {
		return h.fset.Position(f.End()).Line - h.fset.Position(f.Pos()).Line + 1
	})
}

func checkBranches(t *testing.T, h *house) {
	h.bounded(t, "branches", maxFunctionBranch, cyclomatic)
}

// bounded asserts that no function exceeds a bound.
func (h *house) bounded(t *testing.T, unit string, most int, measure func(*ast.FuncDecl) int) {
	t.Helper()
	missing := maps.Clone(unbounded)
	for pkg, p := range h.packages {
		for _, file := range p.files {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok {
					continue
				}
				name := pkg + "." + f.Name.Name
				delete(missing, name)
				if n := measure(f); n > most && unbounded[name] == "" {
					t.Errorf("%s: %s has %d %s, want at most %d", h.fset.Position(f.Pos()), name, n, unit, most)
				}
			}
		}
	}
	for name := range missing {
		t.Errorf("there is no function %s", name)
	}
}

// cyclomatic is the cyclomatic complexity of a function: 1 plus its decisions.
func cyclomatic(f *ast.FuncDecl) int {
	n := 1
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// checkBuiltins checks everything that a package or a function declares. Fields
// and methods are always qualified, so they can't shadow anything.
func checkBuiltins(t *testing.T, h *house) {
	files := slices.Clone(h.tests)
	for _, p := range h.packages {
		files = append(files, p.files...)
	}
	for _, file := range files {
		for _, id := range declared(file) {
			if types.Universe.Lookup(id.Name) != nil {
				t.Errorf("%s: %s shadows a builtin", h.fset.Position(id.Pos()), id.Name)
			}
		}
	}
}

// declared are the identifiers that a file declares, without fields and methods.
func declared(file *ast.File) []*ast.Ident {
	var all []*ast.Ident
	fields := func(lists ...*ast.FieldList) {
		for _, list := range lists {
			if list == nil {
				continue
			}
			for _, f := range list.List {
				all = append(all, f.Names...)
			}
		}
	}
	idents := func(list ...ast.Expr) {
		for _, e := range list {
			if id, ok := e.(*ast.Ident); ok {
				all = append(all, id)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil {
				all = append(all, n.Name)
			}
			fields(n.Recv)
		case *ast.FuncType:
			fields(n.TypeParams, n.Params, n.Results)
		case *ast.TypeSpec:
			all = append(all, n.Name)
			fields(n.TypeParams)
		case *ast.ValueSpec:
			all = append(all, n.Names...)
		case *ast.ImportSpec:
			if n.Name != nil {
				all = append(all, n.Name)
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				idents(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				idents(n.Key, n.Value)
			}
		}
		return true
	})
	return all
}

// TestMeasures checks the measures of TestHouse with a function of known size.
func TestMeasures(t *testing.T) {
	t.Parallel()

	const src = `package p

func f(max int, ch chan int) (len int) {
	for i := range max {
		if i > 0 && i < 9 || i == 11 {
			return
		}
	}
	for new := 0; new < 1; {
		switch {
		case true:
		case false, new == 1:
		default:
		}
	}
	select {
	case v := <-ch:
		_ = func() bool { return v > 0 && true }
	default:
	}
	var cap, fine = 1, 2
	return cap + fine
}

type t struct{ min int }

func (t) close() {}
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	f := file.Decls[0].(*ast.FuncDecl)
	// for, if, &&, ||, for, two cases, one communication, && in the literal.
	if got, want := cyclomatic(f), 1+9; got != want {
		t.Errorf("complexity %d, want %d", got, want)
	}
	var got []string
	for _, id := range declared(file) {
		if types.Universe.Lookup(id.Name) != nil {
			got = append(got, id.Name)
		}
	}
	slices.Sort(got)
	if want := "[cap len max new]"; fmt.Sprint(got) != want {
		t.Errorf("%v shadow builtins, want %s", got, want)
	}
}
