package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxObject bounds a response that isn't a list, in bytes.
const maxObject = 1 << 20

// sizeError is the error of something that exceeds its bound.
type sizeError struct {
	what  string
	limit int64 // in bytes
}

func (e *sizeError) Error() string {
	if e.limit < 1<<20 {
		return fmt.Sprintf("%s is larger than %d KiB", e.what, e.limit>>10)
	}
	return fmt.Sprintf("%s is larger than %d MiB", e.what, e.limit>>20)
}

// Is reports whether target is ErrTooLarge, which stands for all of them.
func (e *sizeError) Is(target error) bool {
	_, ok := target.(*sizeError)
	return ok
}

// DecodeObject decodes a response that isn't a list into v. An empty response is
// io.EOF.
func DecodeObject(r io.Reader, v any) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxObject+1))
	switch {
	case err != nil:
		return err
	case len(raw) > maxObject:
		return &sizeError{"the response", maxObject}
	case len(bytes.TrimSpace(raw)) == 0:
		return io.EOF
	}
	return json.Unmarshal(raw, v)
}

// errTooManyItems is the error of a page with more items than its list can have.
var errTooManyItems = errors.New("the list has too many items")

// filled fills the whole buffer with each Read. A json.Decoder scans blanks from their
// start again after each Read and doubles its buffer, so that small reads of a long row
// of blanks would take quadratic time.
type filled struct{ r io.Reader }

func (f filled) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// DecodeList decodes a list item by item, so that the memory it takes is bounded by
// limit, not by the size of the response. The list is the response itself, or the
// given field of an object, whose other fields are decoded into the others. A missing
// list, or null, is not found.
func DecodeList[T any](r io.Reader, limit int, field string, others map[string]any) (items []T, found bool, err error) {
	dec := json.NewDecoder(filled{r})
	if field == "" {
		items, found, err = decodeArray[T](dec, limit)
	} else {
		err = decodeFields(dec, func(name string) error {
			if strings.EqualFold(name, field) {
				items, found, err = decodeArray[T](dec, limit)
				return err
			}
			for other, v := range others {
				if strings.EqualFold(name, other) {
					return dec.Decode(v)
				}
			}
			return dec.Decode(new(json.RawMessage))
		})
	}
	if err != nil {
		return nil, false, err
	}
	switch _, err := dec.Token(); {
	case err == nil:
		return nil, false, errNotOneValue
	case err != io.EOF:
		return nil, false, err
	}
	return items, found, nil
}

// The errors of a response that isn't one JSON value of the described form.
var (
	errNotOneValue = errors.New("more than one value")
	errWrongType   = errors.New("not an object or not a list")
)

// decodeFields decodes an object, and calls decode for the value of each field.
func decodeFields(dec *json.Decoder, decode func(name string) error) error {
	start, err := dec.Token()
	if err != nil {
		return err
	}
	if start != json.Delim('{') {
		return errWrongType
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := decode(name.(string)); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func decodeArray[T any](dec *json.Decoder, limit int) (items []T, found bool, err error) {
	start, err := dec.Token()
	switch {
	case err != nil:
		return nil, false, err
	case start == nil:
		return nil, false, nil
	case start != json.Delim('['):
		return nil, false, errWrongType
	}
	for dec.More() {
		if len(items) == limit {
			return nil, false, errTooManyItems
		}
		var item T
		if err := dec.Decode(&item); err != nil {
			return nil, false, err
		}
		items = append(items, item)
	}
	_, err = dec.Token()
	return items, true, err
}

// DecodeError returns the error of a 2xx response that could not be decoded. An
// error of its connection stays what it is.
func DecodeError(service, op string, status int, h http.Header, err error) error {
	var e *Error
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &e), errors.Is(err, ErrTooLarge):
		return Failed(service, op, err)
	case errors.Is(err, errTooManyItems):
		return Malformed(service, op, status, h, err.Error())
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errNotOneValue):
		return Malformed(service, op, status, h, "the response is not JSON")
	}
	return Malformed(service, op, status, h, "the response does not fit its description")
}
