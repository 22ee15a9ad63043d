package main

import (
	"context"

	"leadsync/repo"
)

func (a *app) preflight(context.Context, *repo.DB, string) error { return nil }
