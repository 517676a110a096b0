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

func TestDecodeList(t *testing.T) {
	t.Parallel()

	deep := strings.Repeat("[", 1<<20)
	for name, tt := range map[string]struct {
		body, field string
		want        int // items; -1: an error
		missing     bool
		message     string
	}{
		"a list":             {`[{"id":1},{"id":2}]`, "", 2, false, ""},
		"an empty list":      {` [ ] `, "", 0, false, ""},
		"null":               {`null`, "", 0, true, ""},
		"null items":         {`[null,{"id":2}]`, "", 2, false, ""},
		"a field":            {`{"a":{"b":[1]},"data":[{"id":1}],"total":7,"z":"}"}`, "data", 1, false, ""},
		"another spelling":   {`{"Data":[{"id":1}]}`, "data", 1, false, ""},
		"no field":           {`{"total":7}`, "data", 0, true, ""},
		"a null field":       {`{"data":null}`, "data", 0, true, ""},
		"the largest number": {`[` + strings.Repeat(`{"id":1},`, 9) + `{"id":1}]`, "", 10, false, ""},
		"one too many":       {`[` + strings.Repeat(`{"id":1},`, 10) + `{"id":1}]`, "", -1, false, "the list has too many items"},
		"nothing":            {``, "", -1, false, "the response is not JSON"},
		"blanks":             {"  ", "data", -1, false, "the response is not JSON"},
		"cut off":            {`[{"id":1},`, "", -1, false, "the response is not JSON"},
		"cut off in an item": {`{"data":[{"id":`, "data", -1, false, "the response is not JSON"},
		"HTML":               {`<html>`, "", -1, false, "the response is not JSON"},
		"two values":         {`[][]`, "", -1, false, "the response is not JSON"},
		"two objects":        {`{"data":[]}{}`, "data", -1, false, "the response is not JSON"},
		"an object":          {`{"id":1}`, "", -1, false, "the response does not fit its description"},
		"a list for a field": {`[]`, "data", -1, false, "the response does not fit its description"},
		"a text for a list":  {`{"data":"x"}`, "data", -1, false, "the response does not fit its description"},
		"a wrong item":       {`[{"id":"1"}]`, "", -1, false, "the response does not fit its description"},
		"a number":           {`[7]`, "", -1, false, "the response does not fit its description"},
		"a wrong other":      {`{"total":"x","data":[]}`, "data", -1, false, "the response does not fit its description"},
		"great depth":        {deep, "", -1, false, "the response is not JSON"},
		"depth in an item":   {`[` + deep, "", -1, false, "the response is not JSON"},
		"depth in a field":   {`{"a":` + deep, "data", -1, false, "the response is not JSON"},
	} {
		var total int
		items, found, err := DecodeList[numbered](strings.NewReader(tt.body), 10, tt.field, map[string]any{"total": &total})
		if tt.want < 0 {
			e := asError(t, DecodeError("Service", "the operation", 200, nil, err))
			if items != nil || found || e.Message != tt.message || !e.Malformed || e.Disposition != Indeterminate {
				t.Errorf("%s: %v, %#v", name, items, e)
			}
			continue
		}
		if err != nil || len(items) != tt.want || found == tt.missing {
			t.Errorf("%s: %d items, found: %t, %v; expected %d", name, len(items), found, err, tt.want)
		}
		if name == "a field" && (total != 7 || items[0].ID != 1) {
			t.Errorf("%s: total %d, items %v", name, total, items)
		}
	}
}

// The memory that a page takes is bounded by the number of its items. 16 MiB of
// empty ones would otherwise become several hundred MiB.
func TestDecodeListMemory(t *testing.T) {
	body := "[" + strings.Repeat("{},", MaxBody/3) + "{}]"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := DecodeList[struct{ A [20]numbered }](strings.NewReader(body), 1_000, "", nil)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errTooManyItems) {
		t.Errorf("got %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("it took %d KiB", took>>10)
	}
}

// An error of the connection stays what it is.
func TestDecodeConnectionErrors(t *testing.T) {
	t.Parallel()

	cut := &Error{Service: "Service", Disposition: Indeterminate, Message: "the response was cut off"}
	for _, decode := range []func(io.Reader) error{
		func(r io.Reader) error { _, _, err := DecodeList[numbered](r, 10, "", nil); return err },
		func(r io.Reader) error { _, _, err := DecodeList[numbered](r, 10, "data", nil); return err },
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
		n, err := io.Copy(io.Discard, g.Reader(strings.NewReader(strings.Repeat("x", 40<<10))))
		if tooLarge := errors.Is(err, ErrTooLarge); tooLarge != (i == 2) || !tooLarge && (err != nil || n != 40<<10) {
			t.Errorf("page %d: %d bytes, %v", i, n, err)
		}
		if i == 2 && err.Error() != "the list is larger than 100 KiB" {
			t.Errorf("the error is %q", err)
		}
	}
}

// FuzzDecodeList gives any text: never a panic, and either an error or at most the
// allowed number of items.
func FuzzDecodeList(f *testing.F) {
	for _, body := range []string{`[{"id":1}]`, `{"data":[{"id":1}],"total":1}`, `{"data":null}`, `[`, `{"data":[{}`, `{"a":1,"data":[]}x`, "null", `{"data":[],"data":[{}]}`} {
		f.Add(body, "")
		f.Add(body, "data")
	}
	f.Fuzz(func(t *testing.T, body, field string) {
		items, found, err := DecodeList[numbered](strings.NewReader(body), 3, field, map[string]any{"total": new(int)})
		if len(items) > 3 || err != nil && (items != nil || found) || !found && len(items) > 0 {
			t.Errorf("%d items, found %t, %v", len(items), found, err)
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
	for field, text := range map[string]string{"": "[" + blanks + "1]", "data": `{"data":[` + blanks + "1]}"} {
		done := make(chan error, 1)
		go func() {
			items, _, err := DecodeList[int](iotest.OneByteReader(strings.NewReader(text)), 10, field, nil)
			if err == nil && len(items) != 1 {
				err = fmt.Errorf("%d items", len(items))
			}
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%q: %v", field, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%q: it takes more than 30 s", field)
		}
	}
}
