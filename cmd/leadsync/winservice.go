package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"leadsync/service"
	"leadsync/winservice"
)

// serviceCmd is leadsync as a service of Windows.
type serviceCmd struct {
	Install   serviceInstallCmd   `cmd:"" help:"Register the service, make its directories and keep everybody else out of them." example:"leadsync service install" more:"docs/windows.md"`
	Uninstall serviceUninstallCmd `cmd:"" help:"Stop the service and remove its registration. Data, settings and logs stay." example:"leadsync service uninstall" more:"docs/windows.md"`
	Start     serviceStartCmd     `cmd:"" help:"Start the service and wait until it runs." example:"leadsync service start" more:"docs/windows.md"`
	Stop      serviceStopCmd      `cmd:"" help:"Stop the service and wait for its end." example:"leadsync service stop" more:"docs/windows.md"`
	Status    serviceStatusCmd    `cmd:"" help:"Say how the service is. Exit code 0: it runs." example:"leadsync service status" more:"docs/windows.md"`
	Run       serviceRunCmd       `cmd:"" hidden:"" help:"Be the service; only the service manager of Windows starts this."`
}

type serviceInstallCmd struct {
	Account      string `default:"${virtual_account}" placeholder:"ACCOUNT" help:"The account of the service: DOMAIN\\user, or DOMAIN\\name$ for a managed account; otherwise one of its own without a password."`
	PasswordFile string `name:"password-file" placeholder:"FILE" complete:"file" help:"A file with the password of DOMAIN\\user."`
}

// Run registers what `service run` does. The settings file is named, so that a start without it fails.
func (c serviceInstallCmd) Run(a *app) error {
	i, err := c.installation()
	if err != nil {
		return err
	}
	if i.Places, i.Profiles, err = winservice.ThisMachine(); err != nil {
		return err
	}
	if i.Binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find leadsync itself: %w", err)
	}
	i.Args = []string{"--config", i.Places.Settings, "service", "run"}
	if err := i.CheckPlace(); err != nil {
		return usageError{err}
	}
	if err := winservice.Install(i); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "The service leadsync is installed and does not run yet. Its account is %s; only that account and administrators read %s.\nNext: leadsync init, where there are no settings yet, then leadsync service start\n", c.Account, i.Places.Root)
	return nil
}

// installation is what the flags say.
func (c serviceInstallCmd) installation() (winservice.Installation, error) {
	i := winservice.Installation{Account: c.Account}
	if c.PasswordFile != "" {
		password, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return i, usageError{fmt.Errorf("--password-file: %w", err)}
		}
		i.Password = strings.TrimRight(string(password), "\r\n")
	}
	if err := i.CheckAccount(); err != nil {
		return i, usageError{err}
	}
	return i, nil
}

type serviceUninstallCmd struct{}

// Run removes the registration.
func (serviceUninstallCmd) Run(a *app) error {
	a.wait.Begin("Stopping and removing the service")
	if err := winservice.Uninstall(); err != nil {
		return err
	}
	places, _, err := winservice.ThisMachine()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "The service leadsync is removed. Data, settings and logs stay in %s\n", places.Root)
	return err
}

type serviceStartCmd struct{}

// Run starts the service.
func (serviceStartCmd) Run(a *app) error {
	a.wait.Begin("Waiting until the service runs")
	return winservice.StartService()
}

type serviceStopCmd struct{}

// Run stops the service.
func (serviceStopCmd) Run(a *app) error {
	a.wait.Begin("Waiting until the service has stopped")
	return winservice.StopService()
}

type serviceStatusCmd struct{}

// Run says how the service is.
func (serviceStatusCmd) Run(a *app) error {
	words, running, err := winservice.State()
	switch {
	case err != nil:
		return err
	case !running:
		return errors.New("the service leadsync is " + words)
	}
	_, err = fmt.Fprintln(a.stdout, words)
	return err
}

type serviceRunCmd struct{}

// Run serves until the service manager stops it.
func (serviceRunCmd) Run(ctx context.Context, a *app) error {
	return winservice.Run(ctx, func(ctx context.Context, log winservice.Log) error {
		cfg, err := a.config()
		if err != nil {
			return err
		}
		return serve(ctx, cfg, slog.New(log.Handler(service.NewLog(log.File, cfg).Handler())))
	})
}
