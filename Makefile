# Two commands: `make demo` (real prompts to real tokens through four services) and `make test` (every test).
SHELL := /bin/bash
.DEFAULT_GOAL := help

BUILD := swift build
RELEASE := $(BUILD) -c release

.PHONY: help setup build release demo test test-unit test-integration test-clients clients-latest test-compose test-cuda-image chaos chaos-short sanitize lint format bench-engine bench-codec bench-grpc bench-hop bench-line bench-scale bench-guard bench-compose bench-claims fuzz fuzz-short fuzz-frames clean

help: ## Show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: apt packages, libllama, the model (cached outside the checkout)
	@scripts/setup.sh all

build: setup ## Debug build of everything
	$(BUILD)

release: setup ## Release build of the services and tools
	$(RELEASE)

demo: release ## Start four services on loopback, send real prompts, show answers, hops, cost; audit; stop
	@scripts/demo.sh

test: setup test-unit test-integration ## Every test but the containers'

# A crash is told in few lines, and what failed is told again at the end, where whoever sees only that finds it.
test-unit: export SWIFT_BACKTRACE ?= threads=crashed,registers=none,images=none,limit=12
test-unit: setup
	@mkdir -p .build; set -o pipefail; swift test --parallel 2>&1 | tee .build/unit-tests.log || \
	  { grep -E 'recorded an issue|^✘|crashed:|error:' .build/unit-tests.log | tail -n 20; exit 1; }

test-integration: release
	scripts/test-integration.sh

test-clients: release ## Other people's client libraries and load generators against the door, pinned versions
	scripts/test-clients.sh

clients-latest: release ## The same with the newest versions
	scripts/test-clients.sh --latest

test-compose: ## The container test; needs only a Docker engine at DOCKER_HOST
	scripts/test-compose.sh

test-cuda-image: ## The CUDA image: builds it (an hour), looks at its backend, serves; needs only a Docker engine
	scripts/test-cuda-image.sh

chaos: release ## Kills, stops, full disks and rude clients under load, then every bill is checked (SECONDS=60 SEED=n ARGS=...)
	scripts/chaos.sh --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) $(ARGS)

# Every kind of fault once or twice; the seed stays, so that CI does the same each time.
chaos-short: release ## The same for a minute with one seed: what CI runs
	scripts/chaos.sh --seconds 60 --every 1.1 --seed $(or $(SEED),31) $(ARGS)

sanitize: setup ## Address Sanitizer over the unit tests, Thread Sanitizer over Transport and Station tests (TARGETS="thread")
	scripts/sanitize.sh $(TARGETS)

lint: ## Check format, shell scripts, Python, modules and their imports, versions (CHECKS="shell python")
	scripts/lint.sh $(CHECKS)

format: ## Apply the format
	swift format format --in-place --recursive --parallel Package.swift Shared Services Tools Tests Benchmarks/Package.swift Benchmarks/Sources

bench-engine: release ## Cluster's tokens per second against a bare libllama loop, one run
	scripts/bench-engine.sh

bench-codec: setup ## The wire format against swift-protobuf and JSON (ARGS="--rounds 21 --json FILE")
	$(RELEASE) --package-path Benchmarks --product codec-bench
	Benchmarks/.build/release/codec-bench $(ARGS)

bench-grpc: setup ## One hop of the line against grpc-swift-2 (ARGS="--rounds 7 --sizes 64 1024 --json FILE")
	$(RELEASE) --package-path Benchmarks --product grpc-bench
	Benchmarks/.build/release/grpc-bench $(ARGS)

bench-hop: release ## One hop against a bare libzmq ping-pong and gRPC (ARGS="--transport tcp --html FILE")
	$(RELEASE) --package-path Benchmarks --product grpc-bench
	.build/release/hopbench hop $(ARGS)

bench-line: release ## The whole line, hop by hop, against a bare C relay chain (ARGS="--html FILE")
	.build/release/hopbench line $(ARGS)

bench-scale: release ## Tokens per second, CPU cost by service, many simulated workers (ARGS="--rounds 3")
	.build/release/hopbench scale $(ARGS)

bench-guard: release ## Fails if a ratio of a quick run is beyond Benchmarks/baseline.json's limits
	.build/release/hopbench guard $(ARGS)

bench-claims: release ## What an idempotency key adds to latency, at both doors (ROUNDS=7 REQUESTS=1000 STREAMS="1 16")
	scripts/bench-claims.sh

bench-compose: release ## hopbench line against containers; needs a Docker engine at DOCKER_HOST
	scripts/bench-compose.sh $(ARGS)

fuzz: setup ## libFuzzer with Address Sanitizer on all that others may damage (SECONDS=n for each target, TARGETS="wire ...")
	scripts/fuzz.sh --seconds $(or $(SECONDS),600) $(TARGETS)

fuzz-short: setup ## The same, 20 seconds for each target
	scripts/fuzz.sh --seconds 20

fuzz-frames: ## Many more damaged frames than the ordinary tests send (FRAMES=n SEED=n)
	TOKENFACTORY_FUZZ_FRAMES=$(or $(FRAMES),100000000) TOKENFACTORY_FUZZ_SEED=$(SEED) swift test --filter WireTests

clean: ## Remove build output and the demo's state, not the cache
	rm -rf .build .run Benchmarks/.build
