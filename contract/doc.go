// Package contract checks the program and the sandbox against the descriptions
// that Codacy and GitHub have published: every request of full runs, and every
// response, must fit them. So a field that is misspelled in a client can't hide
// behind the same mistake in the sandbox. Responses of the sandbox that no run of
// the program needs are checked directly.
//
// The descriptions are next to the project, in ../shared/openapi; without them,
// the tests are skipped.
package contract
