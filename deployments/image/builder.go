package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var architectures = []string{"amd64", "arm64"}

// builder collects an image for each architecture.
type builder struct {
	recipe  recipe
	version string
	created time.Time // of every file, so that two builds are equal
	images  []mutate.IndexAddendum
}

// add makes the image of one architecture; each COPY is a layer, so an upgrade brings only a new binary.
func (b *builder) add(arch, binary string) error {
	config := b.recipe.config
	config.Labels = map[string]string{"org.opencontainers.image.title": "leadsync", "org.opencontainers.image.licenses": "MIT", "org.opencontainers.image.version": b.version}
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: b.created}, Config: config, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return err
	}
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, c := range b.recipe.copies {
		layer, err := b.layer(c, binary)
		if err != nil {
			return err
		}
		history := v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "COPY " + c.from + " " + c.to}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: history, MediaType: types.OCILayer}); err != nil {
			return err
		}
	}
	b.images = append(b.images, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	return nil
}

func (b *builder) layer(c copied, binary string) (v1.Layer, error) {
	entries, err := c.entries(binary)
	if err != nil {
		return nil, err
	}
	content, err := b.tarball(entries)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// write writes the OCI archive: a layout, as a tar file.
func (b *builder) write(out string) (err error) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), b.images...)
	store, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	// One entry that leads to both architectures: tools take the first entry for the image.
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version})
	if err := store.AppendIndex(index, name); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(b.pack(dir, file), file.Close())
}

func (b *builder) pack(dir string, to io.Writer) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(content)), ModTime: b.created}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	return errors.Join(err, w.Close())
}
