package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// entry is a file or, without content, a directory; its name has no slash in front.
type entry struct {
	name     string
	mode     int64
	uid, gid int
	content  []byte
}

// entries are what one COPY brings. The Dockerfile takes certificates and time zones from Debian; here they
// come from modules and from Go, whose versions are pinned, so that every machine builds the same image.
func (c copied) entries(binary string) ([]entry, error) {
	to := strings.TrimPrefix(c.to, "/")
	var uid, gid int
	if c.owner != "" {
		user, group, _ := strings.Cut(c.owner, ":")
		var err, err2 error
		uid, err = strconv.Atoi(user)
		gid, err2 = strconv.Atoi(group)
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("owner %q, want numbers like 65532:65532, because the image has no names", c.owner)
		}
	}
	switch c.from {
	case "/etc/ssl/certs/ca-certificates.crt":
		return []entry{{name: to, mode: 0o644, content: certificates()}}, nil
	case "/usr/share/zoneinfo":
		return zones(to)
	case "/out/data":
		return []entry{{name: to + "/", mode: 0o700, uid: uid, gid: gid}}, nil
	case "/out/leadsync":
		content, err := os.ReadFile(binary)
		if err != nil {
			return nil, fmt.Errorf("read the binary: %w", err)
		}
		return []entry{{name: to, mode: 0o755, content: content}}, nil
	default:
		return nil, fmt.Errorf("COPY %s: not known where to take this from: teach it to deployments/image", c.from)
	}
}

// certificates are Mozilla's roots. Some are trusted with constraints that a file of certificates cannot
// express; Debian's file has them, too.
func certificates() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
	}
	return all.Bytes()
}

// zones are the time zones that Go brings.
func zones(to string) ([]entry, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go's time zones: %w", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, fmt.Errorf("read Go's time zones: %w", err)
	}
	defer archive.Close()
	var all []entry
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		content, err := readZipped(f)
		if err != nil {
			return nil, fmt.Errorf("read Go's time zones: %w", err)
		}
		all = append(all, entry{name: path.Join(to, f.Name), mode: 0o644, content: content})
	}
	return all, nil
}

func readZipped(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// tarball has the entries and the directories above them, in the order given.
func (b *builder) tarball(all []entry) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	seen := map[string]bool{}
	for _, e := range all {
		if err := b.parents(w, seen, e.name); err != nil {
			return nil, err
		}
		kind := byte(tar.TypeReg)
		if strings.HasSuffix(e.name, "/") {
			kind = tar.TypeDir
		}
		header := tar.Header{Typeflag: kind, Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.gid, Size: int64(len(e.content)), ModTime: b.created}
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buffer.Bytes(), err
}

func (b *builder) parents(w *tar.Writer, seen map[string]bool, name string) error {
	dir := path.Dir(strings.TrimSuffix(name, "/"))
	if dir == "." || seen[dir] {
		return nil
	}
	if err := b.parents(w, seen, dir); err != nil {
		return err
	}
	seen[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: b.created})
}
