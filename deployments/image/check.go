package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// wanted are settings that the image must have, whatever the Dockerfile says: outside of a container leadsync
// listens on this machine alone, and keeps its data in the current directory.
var wanted = []string{"LEADSYNC_HTTP_ADDR=:8080", "LEADSYNC_DATA_DIR=/data"}

// checkArchive reads an archive back, as a container engine would, and lists what it has.
func checkArchive(path string, r recipe, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unpack(path, dir); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	images, err := imagesOf(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var found []string
	for _, img := range images {
		config, err := checkImage(img, r)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, config.Architecture)
		fmt.Fprintf(stdout, "linux/%s: user %s, %s %s, %s\n", config.Architecture, config.Config.User,
			strings.Join(config.Config.Entrypoint, " "), strings.Join(config.Config.Cmd, " "), strings.Join(config.Config.Env, " "))
	}
	if !slices.Equal(found, architectures) {
		return fmt.Errorf("%s: architectures %v, want %v", path, found, architectures)
	}
	return nil
}

// imagesOf finds the images that the first entry of a layout leads to.
func imagesOf(dir string) ([]v1.Image, error) {
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	if err := validate.Index(top); err != nil { // every digest and size
		return nil, err
	}
	entries, err := top.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(entries.Manifests) != 1 {
		return nil, fmt.Errorf("%d entries, want 1", len(entries.Manifests))
	}
	index, err := top.ImageIndex(entries.Manifests[0].Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var all []v1.Image
	for _, m := range manifest.Manifests {
		img, err := index.Image(m.Digest)
		if err != nil {
			return nil, err
		}
		all = append(all, img)
	}
	return all, nil
}

func checkImage(img v1.Image, r recipe) (*v1.ConfigFile, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	got := config.Config
	got.Labels = nil
	if !reflect.DeepEqual(got, r.config) {
		return nil, fmt.Errorf("%s: settings %+v, want what the Dockerfile says, %+v", config.Architecture, got, r.config)
	}
	for _, w := range wanted {
		if !slices.Contains(got.Env, w) {
			return nil, fmt.Errorf("%s: the environment lacks %s", config.Architecture, w)
		}
	}
	return config, checkFiles(img, config)
}

// checkFiles looks for what leadsync needs in a file system that has nothing else.
func checkFiles(img v1.Image, config *v1.ConfigFile) error {
	want := map[string]string{
		"data":                                "drwx------ 65532:65532",
		"usr/local/bin/leadsync":              "-rwxr-xr-x 0:0",
		"etc/ssl/certs/ca-certificates.crt":   "-rw-r--r-- 0:0",
		"usr/share/zoneinfo/Europe/Moscow":    "-rw-r--r-- 0:0",
		"usr/share/zoneinfo/Asia/Vladivostok": "-rw-r--r-- 0:0",
	}
	files := mutate.Extract(img)
	defer files.Close()
	reader := tar.NewReader(files)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(header.Name, "/")
		got := fmt.Sprintf("%s %d:%d", header.FileInfo().Mode(), header.Uid, header.Gid)
		if mode, ok := want[name]; ok && mode != got {
			return fmt.Errorf("%s: %s is %s, want %s", config.Architecture, name, got, mode)
		}
		if name == "usr/local/bin/leadsync" {
			if err := checkBinary(reader, config.Architecture); err != nil {
				return err
			}
		}
		delete(want, name)
	}
	if len(want) > 0 {
		return fmt.Errorf("%s: files are missing: %v", config.Architecture, want)
	}
	return nil
}

func unpack(path, dir string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := tar.NewReader(file)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("a file called %q, want one below the archive", header.Name)
		}
		to := filepath.Join(dir, header.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
}
