//go:build !linux

package main

// protectMemory does nothing: the action runs on Linux.
func protectMemory() {}
