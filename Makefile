# The one list of developer commands. `.ci/run` is `make check` from a clean clone.

.DEFAULT_GOAL := help
.PHONY: help fmt lint test simulation mutants scale bench guard story deny deployed check serve watch invoke build alarms package

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

fmt: ## Format the code
	cargo fmt --all

lint: ## Check formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	infra/pipeline/generate.py --check
	tests/pipeline/tests/simulation/mutants.py --check

alarms: ## Write the alarms and the dashboard into template.yaml
	infra/pipeline/generate.py

test: ## Run all tests
	cargo test --workspace

HISTORIES ?= 1000
SEED ?=
simulation: ## Play many histories against the pipeline, or one again: make simulation SEED=17
	SIMULATION_HISTORIES=$(HISTORIES) $(if $(SEED),SIMULATION_SEED=$(SEED)) \
	  cargo test --workspace --profile simulation --test simulation -- --nocapture

mutants: ## Plant faults in the product, and see which history of the simulation finds each
	tests/pipeline/tests/simulation/mutants.py

IMAGES ?= 10000
RATES ?= 1,5,20
scale: ## Adopt 10,000 images, judge them by a new policy, and find a new vulnerability in all: time, calls, alerts, dollars
	cargo run --quiet --profile simulation -p ecr-warden-bench-scale -- --images $(IMAGES) --rates $(RATES) $(if $(JSON),--json)

bench: ## Measure what a finding costs in processor time, stage by stage
	cargo run --quiet --profile measured -p ecr-warden-bench-core --bin stages $(if $(JSON),-- --json)

guard: ## Count the instructions and allocations of each stage, and fail if there are more (needs valgrind)
	cargo run --quiet --profile measured -p ecr-warden-bench-core --bin guard $(if $(WRITE),-- --write)

story: ## Play the built-in story; no event may end as a dead letter
	@cargo run --quiet | awk '{ print } /^Events: .* 0 dead$$/ { well = 1 } END { exit !well }'

deny: ## Check licences, sources and bans of the dependencies, and known vulnerabilities where they can be had
	cargo deny --all-features check licenses sources bans
	@if cargo deny fetch db > /dev/null 2>&1; then cargo deny check advisories; \
	else echo "advisories: not checked, the database of vulnerabilities cannot be reached from here"; fi

deployed: ## Build, deploy and use the real functions on this machine (needs Python 3.11 and openssl)
	tests/deployed/run

check: lint test story deny deployed ## Run all that must hold of a change

serve: ## Serve the simulated AWS on port 4577, for `make watch`
	cargo run -- serve functions/*/event.json --known-exploited sim/pipeline/story/known-exploited.json

watch: ## Run all functions with cargo-lambda against `make serve`
	cargo lambda watch --invoke-address 127.0.0.1 --env-file tests/local.env

FUNCTION ?= record-push
invoke: ## Send a function its event.json: make invoke FUNCTION=record-push
	cargo lambda invoke --invoke-address 127.0.0.1 $(FUNCTION) --data-file functions/$(FUNCTION)/event.json

build: ## Build the packages that a deployment uploads
	sam build

# Where to look for rustup targets: docs/deployment.md.
package: ## Make what is deployed without SAM: a plain template, and zips for both processors
	for target in aarch64 x86_64; do \
	  cargo lambda build --release --locked --target $$target-unknown-linux-gnu --output-format zip \
	    --lambda-dir target/zips/$$target $$(printf -- '-p %s ' $$(ls functions)) || exit 1; \
	done
	infra/package.py target/package arm64=target/zips/aarch64 x86_64=target/zips/x86_64
