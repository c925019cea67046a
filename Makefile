# Everything a developer does here. `make` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO        ?= go
BIN       := bin/cleat
# Tools are built once, from the versions that tools/go.mod pins.
TOOLS     := .tools
LINT      := $(TOOLS)/golangci-lint
GOFUMPT   := $(TOOLS)/gofumpt
BENCHSTAT := $(TOOLS)/benchstat
# Packages of the main module.
ALL       := ./...
P         ?= ./internal/...
EXAMPLE   ?= examples/echo
ARGS      ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/cleat
	$(GO) build -o $(BIN) ./cmd/cleat

.PHONY: dev
dev: build node-example ## Build Cleat and run it on an example (EXAMPLE=examples/chat, ARGS="--port 4000")
	$(BIN) dev $(EXAMPLE) $(ARGS)

.PHONY: node-example
node-example: # the example's own npm packages, once
	@if [ -f $(EXAMPLE)/package.json ] && [ ! -d $(EXAMPLE)/node_modules ]; then \
		echo "installing the example's npm packages"; \
		npm --prefix $(EXAMPLE) ci --no-fund --no-audit --loglevel=error; fi

.PHONY: setup
setup: $(LINT) $(GOFUMPT) $(BENCHSTAT) ## Build the pinned tools into .tools
	$(GO) mod download

$(LINT): tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(GOFUMPT): tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o ../$@ mvdan.cc/gofumpt
$(BENCHSTAT): tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o ../$@ golang.org/x/perf/cmd/benchstat

.PHONY: test
test: ## Run the tests: no network, no docker, no credentials
	$(GO) test $(ALL)
	cd examples && $(GO) test ./...

.PHONY: race
race: ## Run the tests under the race detector
	$(GO) test -race $(ALL)

.PHONY: lint
lint: $(LINT) ## Check style and the usual mistakes; other platforms must compile
	$(LINT) run $(ALL)
	cd examples && ../$(LINT) run -c ../.golangci.yml ./...
	GOOS=darwin $(GO) build -o /dev/null ./cmd/cleat
	GOOS=windows $(GO) build -o /dev/null ./cmd/cleat

.PHONY: fmt
fmt: $(LINT) ## Format the code
	$(LINT) fmt $(ALL)

.PHONY: tidy
tidy: # go.mod must be as `go mod tidy` leaves it
	$(GO) mod tidy -diff
	cd examples && $(GO) mod tidy -diff

.PHONY: conformance
conformance: ## Hold both engines to RFC 6455 and RFC 7692, and show the table: make conformance [ONLY=6.4]
	$(GO) test ./test/conformance -count 1 -v -run TestConformance $(if $(ONLY),-args -only $(ONLY))

.PHONY: fuzz
fuzz: ## Fuzz for 30 s each: make fuzz [T=FuzzName] [P=./internal/frame] [D=30s]
	tools/fuzz.sh "$(if $(filter command line,$(origin P)),$(P),./...)" "$(T)" "$(or $(D),30s)"

# Seconds that all fuzz targets together may take: with more than 28 of them each gets less than 30.
FUZZ_TOTAL := 420

.PHONY: fuzz-ci
fuzz-ci: # every fuzz target, in a bounded time
	tools/fuzz.sh ./... "" 30s $(FUZZ_TOTAL)

.PHONY: soak
soak: ## A store killed 300 times, and 10,000 clients that misbehave for five minutes: make soak [KILLS=50] [D=20s] [N=2000] [SEED=7]
	$(GO) test -count 1 -timeout 30m -v -run TestKill ./internal/store/natskv -args -kills $(or $(KILLS),300)
	$(GO) test -tags soak -count 1 -timeout 1h -v ./test/soak -args $(if $(D),-d $(D)) $(if $(N),-n $(N)) $(if $(SEED),-seed $(SEED))

.PHONY: bench
bench: ## Cleat alone in all of the bench's scenarios, in five minutes: make bench [ARGS="-only push -rounds 3"]
	$(GO) run ./bench/peers -servers cleat,direct,echo,node -rounds 1 $(ARGS)

.PHONY: bench-peers
bench-peers: ## Cleat beside the servers that do a similar job, in 30 minutes; writes docs/benchmarks.md (installs them; as root for Debian's)
	$(GO) run ./bench/peers $(ARGS)

.PHONY: bench-guard
bench-guard: ## Hold what operations cost Cleat to bounds, against a bare echo, in a minute (bench/guard/bounds.go)
	$(GO) run ./bench/peers -guard -rounds 5 $(ARGS)

.PHONY: bench-million
bench-million: ## A million live connections on this machine (2 cores, 24 GB): make bench-million [ARGS="-n 50000 -write=false"]
	$(GO) run ./bench/million $(ARGS)

.PHONY: bench-go
bench-go: $(BENCHSTAT) ## Ten runs of the Go benchmarks of P (P=./internal/expr)
	$(GO) test -run '^$$' -bench . -benchmem -count 10 $(P) | tee .tools/bench.txt
	$(BENCHSTAT) .tools/bench.txt

# Packages whose benchmarks docs/benchmarks.md shows under "Pieces".
MICRO := $(addprefix ./internal/,authorizer awsapi eventlog expr gateway iampolicy integration jsonpath lambdaevent listen \
	logformat meter metrics model route throttle usageplan vtl)

.PHONY: bench-micro
bench-micro: $(BENCHSTAT) ## The medians of all the pieces in docs/benchmarks.md, in two minutes
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 100ms -count 6 $(MICRO) | tee .tools/bench-micro.txt
	$(BENCHSTAT) -table goarch -row pkg,.fullname -filter '.unit:(sec/op OR allocs/op)' .tools/bench-micro.txt

.PHONY: compat
compat: ## Show the scenarios of test/compat side by side (ARGS="-target aws=@targets.txt -sign", see test/compat/README.md)
	$(GO) run ./test/compat/cmd/compat $(ARGS)

.PHONY: generate
generate: ## Make docs/compatibility.md from its source and the scenarios
	$(GO) run ./test/compat/cmd/compat page

.PHONY: e2e
e2e: build ## Drive the binary with wscat, the AWS CLI, the SDKs for JavaScript, Python and Go, CDK, osls and Chromium (installs them)
	test/e2e/setup.sh
	$(GO) test -tags e2e -count 1 -timeout 15m ./test/e2e/...

.PHONY: check
check: tidy lint test race bench-guard e2e fuzz-ci soak ## Everything that CI runs, in its order

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin $(TOOLS)
