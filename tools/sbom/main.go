// Command sbom reads from released programs which modules they contain. It
// writes a bill of materials in CycloneDX's format and the licenses of these
// modules. The same programs give the same files, byte for byte.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	project := flags.String("project", "..", "`folder` of the programs' module")
	version := flags.String("version", "", "version of the programs, for the bill of materials")
	output := flags.String("output", "", "`file` for the bill of materials")
	notices := flags.String("notices", "", "`file` for the licenses")
	if err := flags.Parse(args); err != nil {
		return err
	}
	materials, err := read(*project, flags.Args())
	if err != nil {
		return err
	}
	if *output != "" {
		bom, err := encode(materials, *version)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*output, bom, 0o644); err != nil {
			return err
		}
	}
	if *notices != "" {
		return os.WriteFile(*notices, notice(materials), 0o644)
	}
	return nil
}

// notice returns the licenses as text. It leaves out versions, so that an update
// of a module changes the text only if its license changes.
func notice(m *materials) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, `Third-party software in %s

The programs and the image contain the modules below, each under its own license.
The image also contains Mozilla's list of certificate authorities as Debian
packages it (ca-certificates), under the Mozilla Public License 2.0:
https://www.mozilla.org/MPL/2.0/
`, m.main.path)
	for _, c := range slices.Concat([]component{m.std}, m.modules) {
		fmt.Fprintf(&text, "\n%s\n%s (%s)\n", strings.Repeat("=", 80), c.path, strings.Join(c.licenses, ", "))
		for _, f := range c.files {
			fmt.Fprintf(&text, "%s\n%s:\n\n%s\n", strings.Repeat("-", 80), f.name, strings.TrimSpace(f.text))
		}
	}
	return bytes.ReplaceAll(text.Bytes(), []byte("\r\n"), []byte("\n"))
}
