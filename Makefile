# Convenience targets; the build itself is Meson's. `make help` lists them.
BUILD ?= build
SETUP = $(if $(GLISSADE_NO_SETUP),true,sh scripts/setup.sh)
DESTDIR ?=

.DEFAULT_GOAL := all
.PHONY: all setup configure demo tests test test-slow python wheel theory experiments bench asan clang fuzz format format-check lint howto roots wheel-roots arm64 docs deb deb-roots install help info clean

all: configure ## build the libraries and the commands build/glissade, build/glissade64
	@ninja -C $(BUILD)

setup: ## install the Debian packages that are missing (root or sudo)
	@$(SETUP)

configure: setup
	@sh scripts/configure.sh $(BUILD)

demo: configure ## build the command, train several methods on generated data and show the result (about a minute)
	@ninja -C $(BUILD) glissade
	@sh scripts/demo.sh $(BUILD)

tests: all
	@ninja -C $(BUILD) meson-test-prereq

test: tests ## build and pass the tests (at most five minutes); ends with `N passed, N failed`
	@python3 scripts/test.py $(BUILD) fast

test-slow: tests ## the long checks
	@python3 scripts/test.py $(BUILD) slow

python: ## build the Python package in an environment outside the repository (GLISSADE_PYTHON_ENV) and pass its tests
	@$(SETUP) --python
	@sh scripts/python.sh test

wheel: ## build a wheel of the Python package into build/wheel
	@$(SETUP) --python
	@sh scripts/python.sh wheel

theory: tests ## every theorem as a check at full length; writes the tables of docs/theory.md
	@python3 scripts/theory.py $(BUILD)

experiments: configure ## the papers' experiments at scale quick (resumable); writes their results and docs/experiments.md
	@ninja -C $(BUILD) glissade
	@python3 scripts/experiments.py $(BUILD)/glissade --jobs $$(nproc)

bench: all ## benchmarks, side by side with their peers
	@ninja -C $(BUILD) benchmarks
	@sh bench/run.sh $(BUILD)

asan: setup ## the tests under the address and undefined-behaviour sanitizers
	@sh scripts/configure.sh build-asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dbench=false
	@ninja -C build-asan all meson-test-prereq
	@python3 scripts/test.py build-asan fast

clang: setup ## a build with clang, warnings as errors (not optimised: it looks at the code only)
	@CC=clang sh scripts/configure.sh build-clang -Doptimization=0 -Dclones=false
	@ninja -C build-clang all meson-test-prereq benchmarks

fuzz: setup ## libFuzzer targets (clang) in build-fuzz/; FUZZ_SECONDS=600 also runs each so long
	@CC=clang sh scripts/configure.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false
	@ninja -C build-fuzz fuzzers
	@[ -z "$(FUZZ_SECONDS)" ] || sh scripts/fuzz.sh build-fuzz $(FUZZ_SECONDS)

format: ## clang-format every source
	@git ls-files '*.c' '*.h' | xargs clang-format -i

format-check:
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

lint: tests format-check ## formatting, exported names, file-scope state, includes between rooms
	@sh scripts/lint.sh $(BUILD)

howto: setup ## follow docs/howto-add-*.md literally in a copy and run the tests they add
	@python3 scripts/follow_howto.py build-howto docs/howto-add-*.md

roots: ## the README's two commands in bare roots of Debian 12 and 13 (root, debootstrap and a network; 15 minutes)
	@sh scripts/roots.sh

deb: ## build the Debian packages of the committed state into build/deb
	@$(SETUP) --deb
	@sh scripts/deb.sh

deb-roots: ## build the packages in bare roots of Debian 12 and 13, install them in clean ones, run the demo there
	@sh scripts/roots.sh --packages

wheel-roots: wheel ## the wheel in a bare root of Debian 13 without any -dev package: its tests alone, then beside PyTorch (root; 5 GB)
	@sh scripts/roots.sh --wheel trixie

arm64: ## cross build for 64-bit ARM in a bare root of Debian 12; its fast tests, in single precision, run under emulation (root, debootstrap)
	@sh scripts/roots.sh --arm64 bookworm

docs: all ## one site of guides, C interface and commands, with search, in build/site
	@$(SETUP) --docs
	@sh scripts/docs.sh $(BUILD)

install: all ## install: make install PREFIX=/usr/local DESTDIR=
	@$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(PREFIX) && ninja -C $(BUILD))
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

info: configure ## what was found, with versions, and how the build is configured
	@sed -n '/^  Found$$/,/^$$/p' $(BUILD)/meson-logs/meson-log.txt
	@meson introspect $(BUILD) --buildoptions | python3 -c "import json,sys; [print('   ', o['name'], '=', o['value']) for o in json.load(sys.stdin) if o['section'] == 'user' and ':' not in o['name'] or o['name'] in ('buildtype', 'b_sanitize')]"

clean:
	@rm -rf build build-asan build-clang build-fuzz build-howto

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'
