package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
)

// checkBinary looks whether a binary is for its architecture and needs no library: the image has none.
func checkBinary(r io.Reader, arch string) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%s: the binary: %w", arch, err)
	}
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if file.Machine != machine {
		return fmt.Errorf("%s: the binary is for %s, want %s", arch, file.Machine, machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s: the binary needs libraries, want a static one", arch)
		}
	}
	return nil
}
