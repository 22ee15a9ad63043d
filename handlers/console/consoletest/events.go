package consoletest

import (
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// Events are what happens in a tab: what a test looks for, and faults.
type Events struct {
	mu       sync.Mutex
	faults   []string
	expected []string
	received strings.Builder // by streams
}

// Faults are what went wrong in the page so far, but for what is expected.
func (e *Events) Faults() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var faults []string
	for _, fault := range e.faults {
		if !e.isExpected(fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}

func (e *Events) isExpected(fault string) bool {
	for _, part := range e.expected {
		if strings.Contains(fault, part) {
			return true
		}
	}
	return false
}

// Expect takes what contains a text for no fault.
func (e *Events) Expect(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.expected = append(e.expected, text)
}

// Received tells whether a stream of the page has brought a text.
func (e *Events) Received(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Contains(e.received.String(), text)
}

// watch notes faults among what happens in the tab.
func (e *Events) watch(event any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fault := ""
	switch what := event.(type) {
	case *network.EventRequestWillBeSent:
		if !local(what.Request.URL) {
			fault = "a request leaves the machine: " + what.Request.URL
		}
	case *network.EventEventSourceMessageReceived:
		e.received.WriteString(what.Data)
	case *network.EventWebSocketCreated:
		fault = "a web socket: " + what.URL
	case *runtime.EventExceptionThrown:
		fault = "the script has an error: " + describe(what.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if what.Type == runtime.ConsoleAPICalledTypeError || what.Type == runtime.ConsoleAPICalledTypeWarning || what.Type == runtime.ConsoleAPICalledTypeAssert {
			fault = fmt.Sprint("the script complains: ", what.Type)
		}
	case *log.EventEntryAdded:
		if what.Entry.Level == log.EntryLevelError || what.Entry.Level == log.EntryLevelWarning {
			fault = "the browser complains: " + what.Entry.Text + " " + what.Entry.URL
		}
	}
	if fault != "" {
		e.faults = append(e.faults, fault)
	}
}

func describe(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}

// local tells addresses that need no network.
func local(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "127.0.0.1" || u.Scheme == "data" || u.Scheme == "about" || u.Scheme == "blob")
}
