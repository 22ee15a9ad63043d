// Command image makes the container image of leadsync without a container engine: an OCI archive for
// linux/amd64 and linux/arm64. What the image is like is said in deployments/Dockerfile alone, whose last
// stage this reads; an instruction that it does not know is an error. With -check it reads an archive back.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	dockerfile := flags.String("dockerfile", "../Dockerfile", "the Dockerfile whose last stage describes the image")
	out := flags.String("out", "", "the OCI archive to write")
	check := flags.String("check", "", "an OCI archive to read back and compare with the Dockerfile")
	export := flags.String("export", "", "beside -check: write the image's file system as a tar file, and print user, command and environment")
	version := flags.String("version", "", "the version, for the image's labels")
	created := flags.Int64("created", 0, "the time of everything in the image, in seconds since 1970")
	binaries := map[string]*string{
		"amd64": flags.String("amd64", "", "the binary for linux/amd64"),
		"arm64": flags.String("arm64", "", "the binary for linux/arm64"),
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	recipe, err := readRecipe(*dockerfile)
	if err != nil {
		return err
	}
	if *check != "" && *export != "" {
		return exportArchive(*check, *export, stdout)
	}
	if *check != "" {
		return checkArchive(*check, recipe, stdout)
	}
	if *out == "" {
		return errors.New("neither -out nor -check, want one of them")
	}
	b := builder{recipe: recipe, version: *version, created: time.Unix(*created, 0).UTC()}
	for _, arch := range architectures {
		if err := b.add(arch, *binaries[arch]); err != nil {
			return fmt.Errorf("linux/%s: %w", arch, err)
		}
	}
	return b.write(*out)
}
