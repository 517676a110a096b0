package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// encode returns the bill of materials in CycloneDX's JSON format. It contains
// neither a time nor anything of the machine.
func encode(m *materials, version string) ([]byte, error) {
	main := m.main
	main.version = version
	root, err := main.cyclonedx(cyclonedx.ComponentTypeApplication)
	if err != nil {
		return nil, err
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &root}
	components := []cyclonedx.Component{}
	refs := []string{}
	for _, c := range append([]component{m.std}, m.modules...) {
		library, err := c.cyclonedx(cyclonedx.ComponentTypeLibrary)
		if err != nil {
			return nil, err
		}
		components, refs = append(components, library), append(refs, library.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: root.BOMRef, Dependencies: &refs}}

	// GitHub's attestations require a serial number, which is unique as long as
	// it depends on everything else. Its form is that of a UUID of version 8.
	content, err := marshal(bom)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(content)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
	return marshal(bom)
}

func marshal(bom *cyclonedx.BOM) ([]byte, error) {
	var text bytes.Buffer
	err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return text.Bytes(), err
}

func (c component) cyclonedx(kind cyclonedx.ComponentType) (cyclonedx.Component, error) {
	// https://github.com/package-url/purl-spec: the version is part of the path.
	url := "pkg:golang/" + c.path + "@" + strings.ReplaceAll(c.version, "+", "%2B")
	out := cyclonedx.Component{BOMRef: url, Type: kind, Name: c.path, Version: c.version, PackageURL: url}
	licenses := cyclonedx.Licenses{}
	for _, id := range c.licenses {
		licenses = append(licenses, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	out.Licenses = &licenses
	if c.sum == "" {
		return out, nil
	}
	// The sum in go.sum is a SHA-256 in base64.
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.sum, "h1:"))
	if err != nil || len(sum) != sha256.Size {
		return out, fmt.Errorf("%s: %q is no sum of go.sum", c.path, c.sum)
	}
	out.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	return out, nil
}
