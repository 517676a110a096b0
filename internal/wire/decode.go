package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	// maxObject bounds a response that isn't a list, in bytes.
	maxObject = 1 << 20
	// maxValues bounds the values on a page of a list, whatever they are. 100
	// repositories of GitHub have about 14,000.
	maxValues = 1 << 16
	// maxPooled bounds a buffer that is kept for the next page, in bytes.
	maxPooled = 2 << 20
)

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
	}
	return unmarshal(raw, v)
}

// errTooManyValues is the error of a page with more than maxValues.
var errTooManyValues = errors.New("the list has too many items")

// pages holds *bytes.Buffers for pages. One of GitHub's is half a megabyte.
var pages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// DecodePage decodes one page of a list into v, which may be a part of it. The caller
// bounds the bytes; the number of values is bounded here, because each may become an
// item, and an empty one takes three bytes in the response but a hundred in memory.
func DecodePage(r io.Reader, v any) error {
	page := pages.Get().(*bytes.Buffer)
	defer func() {
		if page.Cap() <= maxPooled {
			pages.Put(page)
		}
	}()
	page.Reset()
	if _, err := page.ReadFrom(r); err != nil {
		return err
	}
	if bytes.Count(page.Bytes(), []byte(",")) >= maxValues {
		return errTooManyValues
	}
	return unmarshal(page.Bytes(), v)
}

// unmarshal is json.Unmarshal, but without a value the error is io.EOF.
func unmarshal(raw []byte, v any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return io.EOF
	}
	return json.Unmarshal(raw, v)
}

// DecodeError returns the error of a 2xx response that could not be decoded. An
// error of its connection stays what it is.
func DecodeError(service, op string, status int, h http.Header, err error) error {
	var e *Error
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &e), errors.Is(err, ErrTooLarge):
		return Failed(service, op, err)
	case errors.Is(err, errTooManyValues):
		return Malformed(service, op, status, h, err.Error())
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Malformed(service, op, status, h, "the response is not JSON")
	}
	return Malformed(service, op, status, h, "the response does not fit its description")
}
