# Function Mesh in Rust. `make help` lists the targets; each does all of its own set-up.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO := cargo
# The test cluster and the images, see e2e/.
E2E := target/debug/e2e
# Tests print what failed, not where in the standard library.
export RUST_LIB_BACKTRACE ?= 0
export INSTA_UPDATE ?= no
# Built once, unoptimised: two minutes instead of six, and it runs for a second.
DENY_VERSION := 0.18.9
DENY := .cache/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
# IMAGE and PULSAR_IMAGE name other images for `make demo KUBECONFIG=...`.
ifdef KUBECONFIG
export KUBECONFIG
endif
ifdef IMAGE
export IMAGE
endif
# cargo's profile of the controllers in images: that of releases for `make image` only.
demo e2e trouble lost-node cluster-load: export CONTROLLER_PROFILE ?= pods
ifdef PULSAR_IMAGE
export PULSAR_IMAGE
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: $(E2E) ## The main job on real input: cluster, Pulsar, controllers, a mesh, messages in and out (KUBECONFIG=file uses that cluster)
	@$(E2E) demo

.PHONY: demo-down
demo-down: $(E2E) ## Take the demo's cluster down and leave nothing behind
	@$(E2E) down --name demo

# Tests with an API server that `make test` runs: a program, `program::module` or the name of a test; all when empty.
TESTS ?=
.PHONY: test
test: $(E2E) ## Unit, golden and real-API-server tests; generated files are current
	$(CARGO) build --quiet --locked --workspace --bins
	$(CARGO) xtask generate --check
	$(CARGO) test --quiet --locked --workspace --exclude e2e
	$(CARGO) test --quiet --locked --package e2e --lib
	@$(E2E) test --name api --retry $(TESTS)

.PHONY: e2e
e2e: $(E2E) ## The main job as tests with assertions, with real pods and a real Pulsar
	@$(E2E) run --name e2e -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --test-threads=1 --nocapture main_job::

.PHONY: faults
faults: $(E2E) ## Every fault at every write of every scenario, and outages of minutes, on a real API server (AWAY_MINUTES=5; an hour)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) test --name faults --ignored --nocapture --skip randomized

.PHONY: fuzz
fuzz: $(E2E) ## Objects from the schemas, created, changed and changed back, on a real API server (N=10000)
	$(CARGO) build --quiet --locked --workspace --bins
	@N=$(if $(filter command line,$(origin N)),$(N),10000) $(E2E) test --name fuzz --ignored --nocapture randomized::fuzz

.PHONY: soak
soak: $(E2E) ## A random mix of changes and faults for two hundred Functions; then chaos with leader election (MINUTES, SEED, SEEDS)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) test --name soak --ignored --nocapture randomized::chaos randomized::soak

.PHONY: trouble
trouble: $(E2E) ## What goes wrong with real pods and a real Pulsar says why, and recovers once mended (CASE=name for one; half an hour)
	@$(E2E) run --name trouble -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --test-threads=1 --nocapture trouble::
	@$(if $(CASE),:,$(MAKE) --no-print-directory lost-node)

.PHONY: lost-node
lost-node: $(E2E) ## A node is lost, drained, cordoned and back, on a cluster of two nodes (ten minutes)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) run --name nodes --nodes 2 -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --ignored --nocapture a_lost_node

.PHONY: instances
instances: toolchain ## The parsers of Pulsar's own instances, of all supported lines, read what is rendered (RECORD=1 writes their tables)
	@mkdir -p .cache/instance-arguments
	@INSTANCE_ARGUMENTS=$(CURDIR)/.cache/instance-arguments $(CARGO) test --quiet --locked --package functionmesh-render --test surface instances::
	@INSTANCE_ARGUMENTS=$(CURDIR)/.cache/instance-arguments $(CARGO) test --quiet --locked --package e2e --test pulsar -- --ignored --nocapture instances::

.PHONY: e2e-full
e2e-full: test instances e2e trouble faults fuzz soak ## Everything that there is to test

# A folder with recordings of the Go operator and their comparator `parity.py`.
CORPUS ?=
.PHONY: parity
parity: toolchain ## Compare what is rendered with recordings of the Go operator (CORPUS=folder)
	@test -f "$(CORPUS)/parity.py" || { echo "parity: no parity.py in '$(CORPUS)'; name the folder of the recordings: make parity CORPUS=folder" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "missing: python3 (Debian: apt-get install python3 python3-yaml)" >&2; exit 1; }
	@python3 -c 'import yaml' 2>/dev/null || { echo "installing PyYAML"; python3 -m pip install --quiet pyyaml || apt-get install -qq -y python3-yaml; }
	$(CARGO) build --quiet --locked --release --package kubectl-fmesh
	python3 "$(CORPUS)/parity.py" --cli target/release/kubectl-fmesh --accept "$(CORPUS)/deliberate.txt" \
		--accept docs/differences.txt "$(CORPUS)/public"

# N=200 for a quick look; only the whole run, with N=1000, writes docs/benchmarks.md.
N ?= 1000
BENCHED := function-controller source-controller sink-controller mesh-controller e2e
.PHONY: bench
bench: toolchain ## What the controllers cost, beside the least that is possible (N=number of Functions)
	$(CARGO) build --quiet --locked --release --bins $(addprefix --package ,$(BENCHED))
	@$(or $(CARGO_TARGET_DIR),target)/release/e2e bench --number $(N) $(if $(filter 1000,$(N)),--write,--rounds 1 --idle 60)

.PHONY: bench-render
bench-render: toolchain ## What lowering, rendering and hashing one Function costs
	$(CARGO) bench --quiet --locked --package functionmesh-render --bench render

.PHONY: lint
lint: toolchain $(DENY) ## Format, lints, docs, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --workspace --no-deps
	$(DENY) --log-level error check bans licenses sources

.PHONY: generate
generate: toolchain ## Write CRDs, RBAC and the reference anew from the code
	$(CARGO) xtask generate

.PHONY: image
image: $(E2E) ## Build the image of the controllers as an archive below .cache/images
	@$(E2E) image

.PHONY: cluster-up
cluster-up: $(E2E) ## Bring a cluster up and leave it running (NAME=name)
	@$(E2E) up --name $(or $(NAME),dev)

.PHONY: cluster-load
cluster-load: $(E2E) ## Make the images known to a running cluster (NAME=name)
	@$(E2E) load --name $(or $(NAME),dev)

.PHONY: cluster-down
cluster-down: $(E2E) ## Take a cluster down (NAME=name)
	@$(E2E) down --name $(or $(NAME),dev)

.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null || { echo "missing: install Rust (rustup or cargo 1.89 or newer)" >&2; exit 1; }

# Always asked: cargo knows best whether it is current.
.PHONY: $(E2E)
$(E2E): toolchain
	@$(CARGO) build --quiet --locked --package e2e --bins

$(DENY): | toolchain
	@echo "building cargo-deny $(DENY_VERSION) (some minutes the first time)"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked --root .cache/tools/cargo-deny-$(DENY_VERSION) \
		--target-dir target/tools cargo-deny@$(DENY_VERSION)
