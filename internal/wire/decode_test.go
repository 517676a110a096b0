package wire

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

type numbered struct {
	ID int `json:"id"`
}

// page is a page of a list that is the response itself, or a part of it.
type page struct {
	Data  []numbered `json:"data"`
	Total int        `json:"total"`
}

func newGuard() *PageGuard { return &PageGuard{MaxItems: 1 << 20, MaxBytes: MaxBody * 2} }

func TestDecodePage(t *testing.T) {
	t.Parallel()

	deep := strings.Repeat("[", 1<<20)
	for name, tt := range map[string]struct {
		body    string
		part    bool // the list is a part of the response
		want    int  // items; -1: there is no list
		message string
	}{
		"a list":             {`[{"id":1},{"id":2}]`, false, 2, ""},
		"an empty list":      {` [ ] `, false, 0, ""},
		"null":               {`null`, false, -1, ""},
		"null items":         {`[null,{"id":2}]`, false, 2, ""},
		"a part":             {`{"a":{"b":[1]},"data":[{"id":1}],"total":7,"z":"}"}`, true, 1, ""},
		"another spelling":   {`{"Data":[{"id":1}]}`, true, 1, ""},
		"no list":            {`{"total":7}`, true, -1, ""},
		"null for the list":  {`{"data":null}`, true, -1, ""},
		"the largest number": {`[` + strings.Repeat(`{},`, maxValues-1) + `{}]`, false, maxValues, ""},
		"one too many":       {`[` + strings.Repeat(`{},`, maxValues) + `{}]`, false, 0, "the list has too many items"},
		"too many elsewhere": {`{"a":[` + strings.Repeat(`1,`, maxValues) + `1],"data":[]}`, true, 0, "the list has too many items"},
		"nothing":            {``, false, 0, "the response is not JSON"},
		"blanks":             {"  ", true, 0, "the response is not JSON"},
		"cut off":            {`[{"id":1},`, false, 0, "the response is not JSON"},
		"cut off in an item": {`{"data":[{"id":`, true, 0, "the response is not JSON"},
		"HTML":               {`<html>`, false, 0, "the response is not JSON"},
		"two values":         {`[][]`, false, 0, "the response is not JSON"},
		"two objects":        {`{"data":[]}{}`, true, 0, "the response is not JSON"},
		"an object":          {`{"id":1}`, false, 0, "the response does not fit its description"},
		"a list for a part":  {`[]`, true, 0, "the response does not fit its description"},
		"a text for a list":  {`{"data":"x"}`, true, 0, "the response does not fit its description"},
		"a wrong item":       {`[{"id":"1"}]`, false, 0, "the response does not fit its description"},
		"a number":           {`[7]`, false, 0, "the response does not fit its description"},
		"a wrong other":      {`{"total":"x","data":[]}`, true, 0, "the response does not fit its description"},
		"great depth":        {deep, false, 0, "the response is not JSON"},
		"depth in an item":   {`[` + deep, false, 0, "the response is not JSON"},
		"depth in a part":    {`{"a":` + deep, true, 0, "the response is not JSON"},
	} {
		var p page
		v := any(&p.Data)
		if tt.part {
			v = &p
		}
		err := newGuard().Decode(strings.NewReader(tt.body), v)
		if tt.message != "" {
			e := asError(t, DecodeError("Service", "the operation", 200, nil, err))
			if e.Message != tt.message || !e.Malformed || e.Disposition != Indeterminate {
				t.Errorf("%s: %#v", name, e)
			}
			continue
		}
		if err != nil || len(p.Data) != max(tt.want, 0) || (p.Data == nil) != (tt.want < 0) {
			t.Errorf("%s: %d items, %v; expected %d", name, len(p.Data), err, tt.want)
		}
		if name == "a part" && (p.Total != 7 || p.Data[0].ID != 1) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// The memory that a page takes is bounded by the number of its values: beyond it, only
// the bytes are read. 8 MiB of empty items would otherwise become half a gigabyte.
func TestDecodePageMemory(t *testing.T) {
	body := "[" + strings.Repeat("{},", MaxBody/3) + "{}]"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var items []struct{ A [20]numbered }
	err := newGuard().Decode(strings.NewReader(body), &items)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errTooManyValues) {
		t.Errorf("got %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 10*MaxBody {
		t.Errorf("it took %d MiB", took>>20)
	}
}

// An error of the connection stays what it is.
func TestDecodeConnectionErrors(t *testing.T) {
	t.Parallel()

	cut := &Error{Service: "Service", Disposition: Indeterminate, Message: "the response was cut off"}
	for _, decode := range []func(io.Reader) error{
		func(r io.Reader) error { return newGuard().Decode(r, &page{}) },
		func(r io.Reader) error { return DecodeObject(r, &numbered{}) },
	} {
		for _, text := range []string{"", " "} {
			err := decode(io.MultiReader(strings.NewReader(text), failingReader{cut}))
			if e := asError(t, DecodeError("Service", "the operation", 200, nil, err)); e.Message != cut.Message || e.Malformed || e.Op != "the operation" {
				t.Errorf("%q: got %#v", text, e)
			}
		}
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestDecodeObject(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		body string
		want string // the error
	}{
		"an object":         {`{"id":7}`, ""},
		"the largest":       {`{"id":7}` + strings.Repeat(" ", maxObject-8), ""},
		"larger":            {`{"id":7}` + strings.Repeat(" ", maxObject-7), "the response is larger than 1 MiB"},
		"an empty response": {"", "the response is not JSON"},
		"blanks":            {" \n", "the response is not JSON"},
		"two objects":       {`{"id":7}{}`, "the response is not JSON"},
		"a wrong type":      {`{"id":"7"}`, "the response does not fit its description"},
	} {
		var v numbered
		err := DecodeObject(strings.NewReader(tt.body), &v)
		if (err != nil) != (tt.want != "") || err == nil && v.ID != 7 {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		if err != nil {
			if e := asError(t, DecodeError("Service", "the operation", 200, nil, err)); e.Message != tt.want || !e.Malformed {
				t.Errorf("%s: got %#v", name, e)
			}
		}
	}
	if err := DecodeObject(strings.NewReader(" "), &numbered{}); err != io.EOF {
		t.Errorf("an empty response is %v", err)
	}
}

// A list's pages are bounded together, in bytes.
func TestPageGuardBytes(t *testing.T) {
	t.Parallel()

	g := &PageGuard{MaxItems: 100, MaxBytes: 100 << 10}
	for i := range 3 {
		err := g.Decode(strings.NewReader("[]"+strings.Repeat(" ", 40<<10-2)), &[]numbered{})
		if tooLarge := errors.Is(err, ErrTooLarge); tooLarge != (i == 2) || !tooLarge && err != nil {
			t.Errorf("page %d: %v", i, err)
		}
		if i == 2 && err.Error() != "the list is larger than 100 KiB" {
			t.Errorf("the error is %q", err)
		}
	}
}

// A page of a list that is short by nature may have fewer values.
func TestPageGuardValues(t *testing.T) {
	t.Parallel()

	for values, want := range map[int]error{8: nil, 9: errTooManyValues} {
		g := &PageGuard{MaxItems: 1, MaxBytes: MaxBody}
		if err := g.Decode(strings.NewReader("["+strings.Repeat("{},", values-1)+"{}]"), &[]numbered{}); err != want {
			t.Errorf("%d values: %v", values, err)
		}
	}
}

// FuzzDecodePage gives any text: never a panic, and an error that says what is wrong.
func FuzzDecodePage(f *testing.F) {
	for _, body := range []string{`[{"id":1}]`, `{"data":[{"id":1}],"total":1}`, `{"data":null}`, `[`, `{"data":[{}`, `{"a":1,"data":[]}x`, "null", `{"data":[],"data":[{}]}`} {
		f.Add(body, false)
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, body string, part bool) {
		var p page
		v := any(&p.Data)
		if part {
			v = &p
		}
		err := newGuard().Decode(strings.NewReader(body), v)
		if n := strings.Count(body, ",") + 1; len(p.Data) > n {
			t.Errorf("%d items of %d", len(p.Data), n)
		}
		if err != nil {
			if e := asError(t, DecodeError("Service", "the operation", 200, nil, err)); !e.Malformed || len(e.Message) > 310 {
				t.Errorf("got %#v", e)
			}
		}
	})
}

// TestBlanks: a long row of blanks is read in linear time, however small the parts are
// in which it arrives. In quadratic time it would take minutes.
func TestBlanks(t *testing.T) {
	t.Parallel()

	blanks := strings.Repeat(" ", 1<<20)
	done := make(chan error, 1)
	go func() {
		var p page
		err := newGuard().Decode(iotest.OneByteReader(strings.NewReader(`{"data":[`+blanks+"{}]}")), &p)
		if err == nil && len(p.Data) != 1 {
			err = fmt.Errorf("%d items", len(p.Data))
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it takes more than 30 s")
	}
}
