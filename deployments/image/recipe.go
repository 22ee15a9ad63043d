package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// recipe is what the last stage of a Dockerfile says.
type recipe struct {
	config v1.Config
	copies []copied
}

// copied is a COPY from an earlier stage.
type copied struct{ from, to, owner string }

func readRecipe(path string) (recipe, error) {
	file, err := os.Open(path)
	if err != nil {
		return recipe{}, fmt.Errorf("read the Dockerfile: %w", err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		return recipe{}, fmt.Errorf("read the Dockerfile: %w", err)
	}
	var r recipe
	for _, node := range parsed.AST.Children {
		if strings.EqualFold(node.Value, "FROM") {
			r = recipe{} // only the last stage is the image
		}
		if err := r.instruction(node, words(node)); err != nil && isLast(parsed.AST.Children, node) {
			return recipe{}, fmt.Errorf("%s:%d: %w", path, node.StartLine, err)
		}
	}
	return r, nil
}

// isLast tells whether an instruction belongs to the last stage.
func isLast(all []*parser.Node, node *parser.Node) bool {
	after := all[slices.Index(all, node)+1:]
	return !slices.ContainsFunc(after, func(n *parser.Node) bool { return strings.EqualFold(n.Value, "FROM") })
}

func words(node *parser.Node) []string {
	var all []string
	for n := node.Next; n != nil; n = n.Next {
		all = append(all, n.Value)
	}
	return all
}

func (r *recipe) instruction(node *parser.Node, w []string) error {
	switch name := strings.ToUpper(node.Value); name {
	case "FROM":
		if len(w) == 0 || w[0] != "scratch" {
			return errors.New("the last stage begins with another image, want scratch")
		}
	case "COPY":
		return r.copy(node.Flags, w)
	case "ENV": // name, value and separator by turns
		for i := 0; i+1 < len(w); i += 3 {
			r.config.Env = append(r.config.Env, w[i]+"="+w[i+1])
		}
	case "USER":
		r.config.User = w[0]
	case "VOLUME":
		r.config.Volumes = set(w, "")
	case "EXPOSE":
		r.config.ExposedPorts = set(w, "/tcp")
	case "ENTRYPOINT":
		r.config.Entrypoint = w
	case "CMD":
		r.config.Cmd = w
	case "HEALTHCHECK":
		return r.healthcheck(node.Flags, w)
	default:
		return fmt.Errorf("%s is not known here: teach it to deployments/image", name)
	}
	if form := strings.ToUpper(node.Value); (form == "ENTRYPOINT" || form == "CMD") && !node.Attributes["json"] {
		return fmt.Errorf("%s needs a shell, which the image lacks: write it as a JSON list", form)
	}
	return nil
}

func (r *recipe) copy(flags, w []string) error {
	if len(w) != 2 {
		return errors.New("COPY with several sources is not known here")
	}
	c := copied{from: w[0], to: w[1]}
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, "=")
		switch name {
		case "--from":
		case "--chown":
			c.owner = value
		default:
			return fmt.Errorf("COPY %s is not known here", name)
		}
	}
	if strings.HasSuffix(c.to, "/") {
		c.to += c.from[strings.LastIndexByte(c.from, '/')+1:]
	}
	r.copies = append(r.copies, c)
	return nil
}

func (r *recipe) healthcheck(flags, w []string) error {
	h := &v1.HealthConfig{Test: w}
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, "=")
		var err error
		switch name {
		case "--interval":
			h.Interval, err = time.ParseDuration(value)
		case "--timeout":
			h.Timeout, err = time.ParseDuration(value)
		case "--start-period":
			h.StartPeriod, err = time.ParseDuration(value)
		case "--retries":
			_, err = fmt.Sscan(value, &h.Retries)
		default:
			err = errors.New("not known here")
		}
		if err != nil {
			return fmt.Errorf("HEALTHCHECK %s: %w", flag, err)
		}
	}
	r.config.Healthcheck = h
	return nil
}

func set(words []string, suffix string) map[string]struct{} {
	all := make(map[string]struct{}, len(words))
	for _, w := range words {
		if suffix != "" && !strings.Contains(w, "/") {
			w += suffix
		}
		all[w] = struct{}{}
	}
	return all
}
