# Function Mesh in Rust. `make help` lists the targets; each does its own set-up.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CARGO := cargo
# Starts test clusters and builds images; see e2e/.
E2E := target/debug/e2e
# The same without the subcommands of tests, which take minutes to compile. In the profile of the controllers, which need some of the
# same macros.
HARNESS := target/pods/e2e
# No backtraces in the output of tests.
export RUST_LIB_BACKTRACE ?= 0
export INSTA_UPDATE ?= no
# Built once and without optimisation: two minutes instead of six, for a tool that runs for a second.
DENY_VERSION := 0.18.9
MDBOOK_VERSION := 0.5.4
DENY := .cache/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
# IMAGE and PULSAR_IMAGE name other images for `make demo KUBECONFIG=...`.
ifdef KUBECONFIG
export KUBECONFIG
endif
ifdef IMAGE
export IMAGE
endif
# Cargo profile of the controllers in images: only `make image` uses the release profile.
demo e2e trouble lost-node matrix upgrade cluster-load docs-test: export CONTROLLER_PROFILE ?= pods
ifdef PULSAR_IMAGE
export PULSAR_IMAGE
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: $(HARNESS) ## Run the main scenario end to end: cluster, Pulsar, controllers, a mesh, messages in and out (KUBECONFIG=file uses an existing cluster)
	@$(HARNESS) demo

.PHONY: demo-down
demo-down: $(HARNESS) ## Delete the demo cluster and everything it started
	@$(HARNESS) down --name demo

# Tests with an API server that `make test` runs: a program, `program::module` or the name of a test; all when empty.
TESTS ?=
# API servers side by side: most tests wait rather than compute.
SERVERS ?= 3
.PHONY: test
test: $(E2E) ## Run unit, golden and API-server tests, and check that generated files are current
	$(CARGO) build --quiet --locked --workspace --bins
	target/debug/xtask generate --check
	$(CARGO) test --quiet --locked --workspace --exclude e2e
	$(CARGO) test --quiet --locked --package e2e --lib
	@$(E2E) test --name api --servers $(SERVERS) --retry $(TESTS)

.PHONY: e2e
e2e: $(E2E) ## Run the main scenario as tests with assertions, with real pods and a real Pulsar
	@$(E2E) run --name e2e -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --test-threads=1 --nocapture main_job::

.PHONY: faults
faults: $(E2E) ## Inject every fault at every write of every scenario, and outages of minutes, on a real API server (AWAY_MINUTES=5; an hour)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) test --name faults --ignored --nocapture --skip randomized

.PHONY: fuzz
fuzz: $(E2E) ## Create, change and revert objects generated from the schemas, on a real API server (N=10000)
	PROPERTY_OBJECTS=3400 $(CARGO) test --quiet --locked --package functionmesh-render --test surface properties::
	$(CARGO) build --quiet --locked --workspace --bins
	@N=$(if $(filter command line,$(origin N)),$(N),10000) $(E2E) test --name fuzz --ignored --nocapture randomized::fuzz randomized::plan randomized::fleet_plan

.PHONY: soak
soak: $(E2E) ## Apply random changes and faults to two hundred Functions, then chaos with leader election (MINUTES, SEED, SEEDS)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) test --name soak --ignored --nocapture randomized::chaos randomized::soak

.PHONY: trouble
trouble: $(E2E) ## Check the diagnosis of failures with real pods and a real Pulsar, and the recovery once fixed (CASE=name,name for some; half an hour)
	@$(E2E) run --name trouble -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --test-threads=1 --nocapture trouble::
	@$(if $(CASE),:,$(MAKE) --no-print-directory lost-node)

.PHONY: matrix
matrix: $(E2E) ## Send real messages through every runtime, package type, connector and credential (CASE=names or groups, AT_ONCE=4; half an hour)
	@$(E2E) run --name matrix -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --nocapture --ignored matrix::

.PHONY: monitoring
monitoring: $(E2E) ## Check dashboards and alerts with a real Prometheus and kube-state-metrics on a cluster with pods (ten minutes)
	@$(E2E) run --name monitor -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --test-threads=1 --nocapture monitoring::

# PREVIOUS names the commit to upgrade from.
.PHONY: upgrade
upgrade: $(E2E) ## Upgrade the controllers from an earlier commit and back, while messages flow and users edit (PREVIOUS=commit; ten minutes)
	@$(E2E) run --name upgrade -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --ignored --nocapture upgrade::

.PHONY: lost-node
lost-node: $(E2E) ## Lose, drain, cordon and restore a node of a cluster with two nodes (ten minutes)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) run --name nodes --nodes 2 -- $(CARGO) test --quiet --locked --package e2e --test pulsar -- --ignored --nocapture a_lost_node

.PHONY: instances
instances: toolchain ## Check rendered commands with the parsers of Pulsar's own instances, for all supported versions (RECORD=1 writes their tables)
	@mkdir -p .cache/instance-arguments
	@INSTANCE_ARGUMENTS=$(CURDIR)/.cache/instance-arguments $(CARGO) test --quiet --locked --package functionmesh-render --test surface instances::
	@INSTANCE_ARGUMENTS=$(CURDIR)/.cache/instance-arguments $(CARGO) test --quiet --locked --package e2e --test pulsar -- --ignored --nocapture instances::

# The pages to execute, such as docs/migrate.md; all when empty. CLUSTER=1 executes also what needs pods.
PAGES ?=
.PHONY: docs-test
docs-test: $(E2E) ## Execute the shell blocks of the documentation on API servers (CLUSTER=1 on a cluster with pods, PAGES=files)
	$(CARGO) build --quiet --locked --workspace --bins
	@$(E2E) docs-test $(if $(CLUSTER),--cluster) $(PAGES)

MDBOOK := .cache/tools/mdbook-$(MDBOOK_VERSION)/bin/mdbook
.PHONY: docs
docs: $(MDBOOK) ## Build the documentation as a site in target/book, and check its links
	@$(MDBOOK) build docs
	@# Files outside of docs/ are not in the site: links to them become text.
	@sed -i -E 's#<a href="\.\./[^"]*">(([^<]|</?code>)*)</a>#\1#g' target/book/*.html
	@sed -i -E 's#<a href="\.\./\.\./[^"]*">(([^<]|</?code>)*)</a>#\1#g' target/book/*/*.html
	@$(CARGO) xtask site target/book
	@echo "target/book/index.html"

.PHONY: e2e-full
e2e-full: test docs-test instances e2e upgrade trouble matrix monitoring faults fuzz soak ## Run all tests
	$(MAKE) --no-print-directory docs-test CLUSTER=1

# A folder with recordings of the Go operator and their comparator `parity.py`.
CORPUS ?=
.PHONY: parity
parity: toolchain ## Compare rendered manifests with recordings of the Go operator (CORPUS=folder)
	@test -f "$(CORPUS)/parity.py" || { echo "parity: no parity.py in '$(CORPUS)'; name the folder of the recordings: make parity CORPUS=folder" >&2; exit 1; }
	@command -v python3 >/dev/null || { echo "missing: python3 (Debian: apt-get install python3 python3-yaml)" >&2; exit 1; }
	@python3 -c 'import yaml' 2>/dev/null || { echo "installing PyYAML"; python3 -m pip install --quiet pyyaml || apt-get install -qq -y python3-yaml; }
	$(CARGO) build --quiet --locked --release --package kubectl-fmesh
	python3 e2e/parity.py "$(CORPUS)/parity.py" --cli target/release/kubectl-fmesh --accept "$(CORPUS)/deliberate.txt" \
		--accept docs/differences.txt "$(CORPUS)/public"

# N=200 for a quick look; only the whole run, with N=1000, writes docs/benchmarks.md.
N ?= 1000
BENCHED := function-controller source-controller sink-controller mesh-controller e2e
.PHONY: bench
bench: toolchain ## Measure controller overhead compared with the theoretical minimum (N=number of Functions)
	$(CARGO) build --quiet --locked --release --bins $(addprefix --package ,$(BENCHED))
	@$(or $(CARGO_TARGET_DIR),target)/release/e2e bench --number $(N) $(if $(filter 1000,$(N)),--write,--rounds 1 --idle 60)

.PHONY: bench-large
bench-large: toolchain ## Measure ten thousand Functions, shards, and meshes of 500 and 1,000 (N=number; half an hour)
	$(CARGO) build --quiet --locked --release --bins $(addprefix --package ,$(BENCHED))
	@$(or $(CARGO_TARGET_DIR),target)/release/e2e bench --large $(if $(filter command line,$(origin N)),--number $(N),--number 10000 --write)

.PHONY: bench-render
bench-render: toolchain ## Measure the time to lower, render and hash one Function
	$(CARGO) bench --quiet --locked --package functionmesh-render --bench render

.PHONY: lint
lint: toolchain $(DENY) ## Check format, lints, structure, documentation and dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(CARGO) xtask structure
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --workspace --no-deps
	$(DENY) --log-level error check bans licenses sources
	$(MAKE) --no-print-directory docs

# Not part of `make lint`: it needs the database of advisories, and fails without a change of this repository.
.PHONY: advisories
advisories: toolchain $(DENY) ## Check the dependencies for known vulnerabilities
	$(DENY) --log-level error check advisories

.PHONY: generate
generate: toolchain ## Regenerate CRDs, RBAC and the reference from the code
	$(CARGO) xtask generate

# IMAGE names another image of the controllers.
.PHONY: install.yaml
install.yaml: toolchain ## Write target/install.yaml: CRDs, roles and controllers in one file (IMAGE=name)
	$(CARGO) xtask manifest target/install.yaml $(if $(IMAGE),--image $(IMAGE))

.PHONY: image
image: $(HARNESS) ## Build the image of the controllers as an archive below .cache/images
	@$(HARNESS) image

# IMAGE and DOWNLOADS name where the image and the files will be published.
.PHONY: release
release: $(HARNESS) ## Build what is published for a version, for two architectures, in target/dist (IMAGE=repository, DOWNLOADS=URL)
	@$(HARNESS) release $(if $(IMAGE),--image $(IMAGE)) $(if $(DOWNLOADS),--downloads $(DOWNLOADS))

.PHONY: cluster-up
cluster-up: $(HARNESS) ## Start a cluster and leave it running (NAME=name)
	@$(HARNESS) up --name $(or $(NAME),dev)

.PHONY: cluster-load
cluster-load: $(HARNESS) ## Load the images into a running cluster (NAME=name)
	@$(HARNESS) load --name $(or $(NAME),dev)

.PHONY: cluster-down
cluster-down: $(HARNESS) ## Delete a cluster (NAME=name)
	@$(HARNESS) down --name $(or $(NAME),dev)

.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null || { echo "missing: install Rust (rustup or cargo 1.89 or newer)" >&2; exit 1; }

# The first build takes a while and shows what it does.
QUIET = $(if $(wildcard $@),--quiet)

# Always run: cargo decides whether it is up to date.
.PHONY: $(E2E)
$(E2E): toolchain
	@$(CARGO) build $(QUIET) --locked --package e2e --bins

.PHONY: $(HARNESS)
$(HARNESS): toolchain
	@$(CARGO) build $(QUIET) --locked --package e2e --bin e2e --no-default-features --profile pods

$(DENY): | toolchain
	@echo "building cargo-deny $(DENY_VERSION) (some minutes the first time)"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked --root .cache/tools/cargo-deny-$(DENY_VERSION) \
		--target-dir target/tools cargo-deny@$(DENY_VERSION)

$(MDBOOK): | toolchain
	@echo "building mdBook $(MDBOOK_VERSION) (some minutes the first time)"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked --root .cache/tools/mdbook-$(MDBOOK_VERSION) \
		--target-dir target/tools --no-default-features --features search mdbook@$(MDBOOK_VERSION)
