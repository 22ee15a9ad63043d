package console_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// browser is Chromium, or the reason to leave its tests out.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no chromium: apt-get install chromium")
	return ""
}

// shown is a page as Chromium has it after its script has run, at a width in pixels; with a
// file, also a picture of it.
func (o *office) shown(path string, width int, file string, flags ...string) string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 5*time.Minute)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + o.t.TempDir(),
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", // no request leaves the machine
		"--window-size=" + strconv.Itoa(width) + ",1000", "--hide-scrollbars", "--timeout=5000",
	}, flags...)
	if file != "" {
		args = append(args, "--screenshot="+file)
	} else {
		args = append(args, "--dump-dom")
	}
	out, err := exec.CommandContext(ctx, browser(o.t), append(args, o.url+path)...).Output()
	if err != nil {
		o.t.Fatalf("%s: %v", path, err)
	}
	return string(out)
}

// The script shows times in the reader's zone and takes up what is new.
func TestBrowserShowsPages(t *testing.T) {
	browser(t)
	o := open(t, furnished("plain"))
	page := o.shown("/", 1200, "")
	if strings.Contains(page, " UTC</time>") || !strings.Contains(page, "ago</time>") {
		t.Errorf("times are not the reader's: %s", page)
	}
	o.portals = o.portals[:1]
	if page := o.shown("/passes/run-1", 1200, ""); !strings.Contains(page, "/leads/"+member+"/17") {
		t.Errorf("the pass: %s", page)
	}
}

// TestBrowserPictures writes pictures of every page into the folder LEADSYNC_TEST_PICTURES.
func TestBrowserPictures(t *testing.T) {
	folder := os.Getenv("LEADSYNC_TEST_PICTURES")
	if folder == "" {
		t.Skip("LEADSYNC_TEST_PICTURES names no folder")
	}
	h := furnished("a text from outside")
	h.overview.Portals[0].Domain, h.portals[0].Domain = "company.bitrix24.ru", "company.bitrix24.ru"
	o := open(t, h)
	for i, path := range append([]string{"/login"}, everyPage...) {
		for _, width := range []int{1200, 500} { // Chromium's windows are not narrower than 500
			o.shown(path, width, filepath.Join(folder, strconv.Itoa(i)+"-"+strconv.Itoa(width)+".png"))
		}
	}
}
