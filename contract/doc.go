// Package contract holds the program and the sandbox against the descriptions
// that Codacy and GitHub have published: every request of full runs, and every
// answer, must fit them. So a field that is misspelt in a client cannot hide
// behind the same mistake in the sandbox.
//
// The descriptions stand beside the project, in ../shared/openapi; where they
// don't, the tests are skipped.
package contract
