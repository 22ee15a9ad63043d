// Command growth keeps the figures of docs/performance.md's "How it grows", and draws them. With
// arguments it runs them as a command and takes over the figures that the command logs; without,
// it only draws. It is started in the repository's folder.
//
//	go run ./docs/growth
//	go run ./docs/growth go test -count=1 -v -run TestIdlePortals ./cmd/leadsync -idle-portals 1,10,100
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), ".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

// Figure is a value that was measured.
type Figure struct {
	What    string  `json:"what"`
	Size    int     `json:"size"` // of leads or portals
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Date    string  `json:"date"`
	Command string  `json:"command"`
}

// run measures, if there is a command, and draws. root is the repository's folder.
func run(ctx context.Context, root string, command []string, out io.Writer) error {
	figuresFile, pictureFile := filepath.Join(root, "docs", "growth", "figures.json"), filepath.Join(root, "docs", "images", "growth.svg")
	figures, err := read(figuresFile)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		measured, err := measure(ctx, command, out)
		if err != nil {
			return err
		}
		figures = merge(figures, measured)
		if err := write(figuresFile, figures); err != nil {
			return err
		}
	}
	return os.WriteFile(pictureFile, draw(figures), 0o600)
}

// read returns the figures that are kept; none where there is no file.
func read(path string) (figures []Figure, err error) {
	data, err := os.ReadFile(path) //nolint:gosec // the repository's own
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &figures); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return figures, nil
}

// write keeps figures, one in a line.
func write(path string, figures []Figure) error {
	var text bytes.Buffer
	for i, f := range figures {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		separator := ",\n"
		if i == 0 {
			separator = "[\n"
		}
		text.WriteString(separator)
		text.Write(line)
	}
	text.WriteString("\n]\n")
	return os.WriteFile(path, text.Bytes(), 0o600)
}

// measure runs a command and returns the figures that it logs. Where it fails none is taken over.
func measure(ctx context.Context, command []string, out io.Writer) ([]Figure, error) {
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the operator's own command
	cmd.Stdout, cmd.Stderr = io.MultiWriter(out, &log), out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	figures, err := collect(log.String())
	if err == nil && len(figures) == 0 {
		err = fmt.Errorf("%s: logs no figure, want lines with %q", strings.Join(command, " "), mark)
	}
	for i := range figures {
		figures[i].Date, figures[i].Command = time.Now().Format(time.DateOnly), strings.Join(command, " ")
	}
	return figures, err
}

// mark stands before the figures in the log of a test.
const mark = "figure: "

func collect(log string) (figures []Figure, err error) {
	for line := range strings.Lines(log) {
		_, text, found := strings.Cut(line, mark)
		if !found {
			continue
		}
		var f Figure
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return nil, fmt.Errorf("figure %q: %w", strings.TrimSpace(text), err)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// merge replaces figures that were measured again, and sorts them.
func merge(kept, measured []Figure) []Figure {
	same := func(f Figure) func(Figure) bool {
		return func(other Figure) bool { return other.What == f.What && other.Size == f.Size }
	}
	for _, f := range measured {
		kept = append(slices.DeleteFunc(kept, same(f)), f)
	}
	slices.SortFunc(kept, func(a, b Figure) int {
		if c := strings.Compare(a.What, b.What); c != 0 {
			return c
		}
		return a.Size - b.Size
	})
	return kept
}
