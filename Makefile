# The front door; the build itself is Meson's. `make help` lists the doors.
BUILD ?= build
SETUP = $(if $(GLISSADE_NO_SETUP),true,sh scripts/setup.sh)

.DEFAULT_GOAL := all
.PHONY: all setup configure demo test test-slow theory bench asan clang fuzz format format-check lint howto install help info clean

all: configure ## build the libraries and the commands build/glissade, build/glissade64
	@ninja -C $(BUILD)

setup: ## install the Debian packages that are missing (root or sudo)
	@$(SETUP)

configure: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null

demo: all ## train several methods on generated data and show the result (about a minute)
	@sh scripts/demo.sh $(BUILD)

test: all ## build and pass the tests (at most five minutes); ends with `N passed, N failed`
	@python3 scripts/test.py $(BUILD) fast

test-slow: all ## the long checks
	@python3 scripts/test.py $(BUILD) slow

theory: all ## every theorem as a check at full length; writes the tables of docs/theory.md
	@python3 scripts/theory.py $(BUILD)

bench: all ## benchmarks, side by side with their peers
	@sh bench/run.sh $(BUILD)

asan: setup ## the tests under the address and undefined-behaviour sanitizers
	@test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dbench=false >/dev/null
	@ninja -C build-asan
	@python3 scripts/test.py build-asan fast

clang: setup ## a build with clang, warnings as errors
	@test -f build-clang/build.ninja || CC=clang meson setup build-clang >/dev/null
	@ninja -C build-clang

fuzz: setup ## libFuzzer targets (clang) in build-fuzz/
	@test -f build-fuzz/build.ninja || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false >/dev/null
	@ninja -C build-fuzz

format: ## clang-format every source
	@git ls-files '*.c' '*.h' | xargs clang-format -i

format-check:
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

lint: all format-check ## formatting, exported names, file-scope state, includes between rooms
	@sh scripts/lint.sh $(BUILD)

howto: setup ## follow docs/howto-add-*.md literally in a copy and run the tests they add
	@python3 scripts/follow_howto.py build-howto docs/howto-add-*.md

install: all ## install below PREFIX as configured (meson configure build -Dprefix=...)
	@meson install -C $(BUILD) --no-rebuild

info: configure ## what was found and chosen
	@meson introspect $(BUILD) --dependencies | python3 -c "import json,sys; [print(d['name'], d['version']) for d in json.load(sys.stdin)]"

clean:
	@rm -rf build build-asan build-clang build-fuzz build-howto

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'
