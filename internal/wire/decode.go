package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	}
	return unmarshal(raw, v)
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
	case errors.As(err, &syntax), errors.Is(err, io.EOF):
		return Malformed(service, op, status, h, "the response is not JSON")
	}
	return Malformed(service, op, status, h, "the response does not fit its description")
}
