// Command leadsync keeps Bitrix24 leads in SQL and proves that nothing is missing.
// This package reads arguments and environment, wires the parts together and stops them
// in order; everything else is in the packages it imports.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"leadsync/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], surroundings{
		called: os.Args[0], environment: os.Environ(), settings: settings.DefaultFile(os.LookupEnv), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		zone: func(zone *time.Location) { time.Local = zone }, // as Go does for TZ of the environment
	})
	stop()
	os.Exit(code)
}
