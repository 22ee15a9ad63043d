package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// exportArchive writes the file system of this machine's image as a tar file, and prints user, command and
// environment, one on each line: what an engine needs to run it.
func exportArchive(archive, out string, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unpack(archive, dir); err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	images, err := imagesOf(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return err
		}
		if config.Architecture != runtime.GOARCH {
			continue
		}
		file, err := os.Create(out)
		if err != nil {
			return err
		}
		files := mutate.Extract(img)
		defer files.Close()
		if _, err := io.Copy(file, files); err != nil {
			return errors.Join(err, file.Close())
		}
		c := config.Config
		fmt.Fprintf(stdout, "%s\n%s\n%s\n", c.User, strings.Join(append(c.Entrypoint, c.Cmd...), " "), strings.Join(c.Env, "\n"))
		return file.Close()
	}
	return fmt.Errorf("%s: no image for %s", archive, runtime.GOARCH)
}
