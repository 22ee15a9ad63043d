// Command leadsync keeps Bitrix24 leads in SQL and proves that nothing is missing.
// This package reads arguments and environment, wires the parts together and stops them
// in order; everything else is in the packages it imports.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
