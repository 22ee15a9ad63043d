# make help lists the targets.
GO ?= go
GREMLINS = $(GO) run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0
PROMTOOL = $(GO) run github.com/prometheus/prometheus/cmd/promtool@v0.316.0
PKG ?= ./leads
# The newest goreleaser that Go 1.26 builds.
GORELEASER = $(GO) run github.com/goreleaser/goreleaser/v2@v2.16.0
LINTER = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LINT = $(GO) run $(LINTER)

.DEFAULT_GOAL := help
.PHONY: help build check test race test-sqlserver test-faults test-clients test-browser test-scale test-subscribers test-replicas test-upgrade test-cluster monitoring-check chart chart-check release-check release-ready release image freeze-migrations package-check windows-check compose-check mutants lint fmt demo bench bench-import bench-ingest bench-peers bench-pace bench-lag growth fuzz
WINDOWS_ON ?= amd64 arm64
GROWTH_LEADS ?= 10000 100000 1000000
GROWTH_PORTALS ?= 1,10,100

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build ./bin/leadsync
	$(GO) build -o bin/leadsync ./cmd/leadsync

check: lint test ## everything that must pass before a commit

test: ## the whole suite, on SQLite
	$(GO) test -shuffle on ./...

race: ## the whole suite under the race detector
	$(GO) test -race -shuffle on -timeout 20m ./...

test-sqlserver: ## the database suite on the server of LEADSYNC_TEST_SQLSERVER_URL; LEADSYNC_TEST_HOSTILE=1 opens sessions with unusual options
	LEADSYNC_TEST_REQUIRE=1 $(GO) test -count=1 -timeout 40m -run 'TestSQLServer' ./repo/...

test-faults: ## 200 kills of real processes, three to six minutes
	$(GO) test -count=1 -v -timeout 60m -run '^TestFaults$$' ./cmd/leadsync -faults=200

test-clients: ## Bitrix24's own SDK against the emulator, example subscribers, AsyncAPI's parser; needs node and npm
	npm ci --silent --prefix bitrix24/emulator/testdata/clients
	npm ci --silent --prefix examples/subscribers/node
	npm ci --silent --prefix docs/testdata/asyncapi
	npm test --silent --prefix docs/testdata/asyncapi
	LEADSYNC_TEST_CLIENTS=1 $(GO) test ./bitrix24/emulator -run TestClients -count=1 -v
	LEADSYNC_TEST_CLIENTS=1 $(GO) test ./examples/subscribers -run 'TestNode|TestPython' -count=1 -v

test-browser: ## the operators' pages in Chromium, with axe-core; needs chromium and npm
	npm ci --silent --prefix handlers/console/testdata/axe
	LEADSYNC_TEST_BROWSER=1 $(GO) test -count=1 -run Browser ./handlers/console ./cmd/leadsync

test-scale: ## large imports and backlogs, 100,000 sabotaged leads, 1,000,000 compared, as many notices worked off, look-ups among as many; half an hour
	LEADSYNC_TEST_SCALE=1 $(GO) test -count=1 -v -run 'FewestRequests|AMillionLeads|Sparingly' ./bitrix24 ./cmd/leadsync
	$(GO) test -count=1 -v -timeout 60m -run TestSabotage ./cmd/leadsync -scale 100000
	$(GO) test -count=1 -v -timeout 60m -run TestMemoryStaysConstant ./cmd/leadsync -million 1000000
	$(GO) test -count=1 -v -timeout 60m -run TestMemoryUnderABacklog ./cmd/leadsync -backlog 1000000
	LEADSYNC_TEST_SCALE=1 $(GO) test -count=1 -v -timeout 60m -run 'AmongAMillion|LookupTimes' ./repo ./handlers

test-subscribers: ## each example subscriber reads 100,000 leads and 1,000 changes, embedded, from one server, from a cluster; needs node and npm
	npm ci --silent --prefix examples/subscribers/node
	LEADSYNC_TEST_SCALE=1 LEADSYNC_TEST_CLIENTS=1 $(GO) test ./examples/subscribers -run LargePortal -count=1 -v -timeout 60m
	LEADSYNC_TEST_SCALE=1 $(GO) test ./examples/subscribers -run LargePortal -count=1 -v -timeout 60m -servers 1
	LEADSYNC_TEST_SCALE=1 $(GO) test ./examples/subscribers -run LargePortal -count=1 -v -timeout 60m -servers 3

test-replicas: ## three replicas with short-lived tokens for five minutes; the owner is killed at random
	LEADSYNC_TEST_REPLICAS=5m $(GO) test -count=1 -v -timeout 15m -run ReplicasShare ./cmd/leadsync

test-upgrade: ## replicas of the version OLD=v0.1.0 are replaced by this one and back again, on one database and one NATS server
	rm -rf .upgrade && git worktree add --force --detach .upgrade $(OLD) && (cd .upgrade && $(GO) build -o leadsync-old ./cmd/leadsync)
	LEADSYNC_TEST_OLD=$(CURDIR)/.upgrade/leadsync-old $(GO) test -count=1 -v -run '^TestRollingUpgrade$$' ./cmd/leadsync
	git worktree remove --force .upgrade

test-cluster: ## three NATS servers and three services, killed, stopped and cut off for ten minutes; a minute with a wrong password
	$(GO) test -count=1 -v -timeout 30m -run '^TestClusterDrill$$' ./cmd/leadsync -cluster 10m
	$(GO) test -count=1 -v -timeout 15m -run '^TestRotatedPassword' ./cmd/leadsync -rotation 1m

monitoring-check: ## promtool over the alerts of deployments/monitoring, their tests, and the dashboard's queries on real metrics; the first time it is built, which takes minutes
	cd deployments/monitoring && $(PROMTOOL) check config --syntax-only prometheus.yml && $(PROMTOOL) check rules rules.yml && $(PROMTOOL) test rules rules_test.yml
	LEADSYNC_TEST_PROMTOOL="$(PROMTOOL)" $(GO) test -count=1 -run TestDashboardHasResults ./service

chart: ## copy the alerts into the Helm chart
	cp deployments/monitoring/rules.yml deployments/helm/leadsync/files/rules.yml

chart-check: ## helm lint, helm template compared with the schemas of Kubernetes by kubeconform, and the chart's tests; the first time it is built, which takes minutes
	cd deployments/helm/charttest && $(GO) test -count=1 ./...

release-check: ## build everything of a release twice, without publishing, compare, check and list it; the first time goreleaser is built, too
	deployments/packages/release-check "$(GORELEASER)"

release-ready: ## check what must be true of a release (VERSION=v0.1.0)
	deployments/packages/release-ready "$(VERSION)"

release: ## build a release and upload it as a draft; the workflow runs this for a tag
	$(GORELEASER) release --clean

image: ## make the container image of the binaries in dist/, and read it back
	deployments/image/build

freeze-migrations: ## list all migrations as released: from then on a test keeps them as they are
	cd sql && { grep '^#' released.txt; sha256sum sqlite/migrations/*.sql sqlserver/migrations/*.sql; } > released.new && mv released.new released.txt

package-check: ## run the image in a chroot; install, start, upgrade, remove and purge the Debian package in a small Debian; needs root and debootstrap
	SNAPSHOT=0.1.0-try.1 $(GORELEASER) release --snapshot --clean --skip sbom,archive
	mkdir -p bin && cp dist/leadsync_*_amd64.deb bin/
	SNAPSHOT=0.1.0-try.2 $(GORELEASER) release --snapshot --clean --skip sbom,archive
	deployments/image/build && deployments/image/try dist/leadsync_0.1.0-try.2_image.oci.tar
	deployments/packages/try-deb bin/leadsync_0.1.0~try.1_amd64.deb dist/leadsync_0.1.0~try.2_amd64.deb

windows-check: ## compile and vet for Windows, also the tests; lint what is for Windows alone
	for arch in $(WINDOWS_ON); do echo "$$arch"; GOOS=windows GOARCH=$$arch $(GO) vet ./... || exit 1; done
	GOBIN=$(CURDIR)/bin $(GO) install $(LINTER)
	GOOS=windows bin/golangci-lint run ./winservice

compose-check: ## compose.yaml read by docker compose's own library, as docker compose config does
	LEADSYNC_TEST_COMPOSE=1 $(GO) test -count=1 ./deployments

mutants: ## mutate one package (PKG=./leads), list the mutants its tests miss and count them; takes minutes
	$(GREMLINS) unleash --timeout-coefficient 20 --output-statuses lt $(PKG)

lint: ## golangci-lint; it also checks which package may import which
	$(LINT) run ./...

fmt: ## gofumpt and goimports
	$(LINT) fmt ./...

demo: ## run the demonstration
	$(GO) run ./cmd/leadsync demo

bench: ## benchmarks; compare the ratios, not the times; needs minutes and 3 GB of disk
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

bench-import: ## import 100,000 leads, compared with 2,000 written one by one; takes minutes
	$(GO) test -run '^$$' -bench 'BenchmarkImport|BenchmarkLoad' -benchtime 1x -timeout 60m ./repo -import-leads 100000

bench-ingest: ## callbacks beside bare publishing, then at shares of the full rate; a minute and a half, on a quiet machine
	$(GO) test -count=1 -v -run TestIngest ./cmd/leadsync -ingest 5s

bench-peers: ## 20,000 leads by Bitrix24's own SDK, our reader alone and a whole import, in turn; needs node and npm, ten minutes, a quiet machine
	npm ci --silent --prefix bitrix24/emulator/testdata/clients
	$(GO) test -count=1 -v -timeout 60m -run TestPeers ./cmd/leadsync -peers 20000

bench-pace: ## an import beside our reader alone, where the portal answers late, in turn; ten minutes, a quiet machine
	$(GO) test -count=1 -v -timeout 60m -run TestImportAtThePortalsPace ./cmd/leadsync -pace 40000

bench-lag: ## where the time goes between a lone edit and the row and the topic
	$(GO) test -count=1 -v -run TestHopsOfALoneEdit ./cmd/leadsync -lag 60

growth: ## import, pass and idle portals at each of GROWTH_LEADS and GROWTH_PORTALS, into docs/growth and the picture; an hour, on a quiet machine
	for leads in $(GROWTH_LEADS); do \
		$(GO) run ./docs/growth $(GO) test -count=1 -v -timeout 60m -run '^TestMemoryStaysConstant$$' ./cmd/leadsync -million $$leads || exit 1; done
	$(GO) run ./docs/growth $(GO) test -count=1 -v -timeout 60m -run '^TestIdlePortals$$' ./cmd/leadsync -idle-portals $(GROWTH_PORTALS)

fuzz: ## each fuzz target for a minute
	$(GO) test -run '^$$' -fuzz FuzzParseForm -fuzztime 1m ./bitrix24
	$(GO) test -run '^$$' -fuzz FuzzParseCallback -fuzztime 1m ./bitrix24
	$(GO) test -run '^$$' -fuzz FuzzReadBatches -fuzztime 1m ./bitrix24
	$(GO) test -run '^$$' -fuzz FuzzParse -fuzztime 1m ./leads
	$(GO) test -run '^$$' -fuzz FuzzParts -fuzztime 1m ./leads/parts
	$(GO) test -run '^$$' -fuzz FuzzPhones -fuzztime 1m ./leads
	$(GO) test -run '^$$' -fuzz FuzzReadRecords -fuzztime 1m ./events/spool
