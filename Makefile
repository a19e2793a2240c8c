# Every target does its own set-up and skips what is done. NERONE_SKIP_SYSTEM_PACKAGES=1 leaves apt alone;
# NERONE_TESTS=sample runs one test per folder.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
export TF_CPP_MIN_LOG_LEVEL ?= 3
SAMPLE := $(filter sample,$(NERONE_TESTS))

.PHONY: help setup develop demo test test-cpp test-python bench fuzz fuzz-cpp soak lint format asan tsan arm64 wheels nerone-run fresh docs clean

help:
	@echo "make demo [DATA=folder of CT volumes] | test | bench | fuzz [MINUTES=10] | fuzz-cpp [MINUTES=10] | soak [MINUTES=10] | lint | format | asan | tsan | arm64 | wheels | nerone-run | fresh | docs | clean"

packages:
	@[[ -n "$$NERONE_SKIP_SYSTEM_PACKAGES" ]] || scripts/install_system_packages.sh scripts/system_packages.txt
.PHONY: packages

venv: packages
	@scripts/make_venv.sh $(VENV) requirements/dev.txt requirements/alone.txt
.PHONY: venv

# The extension and the software DPU, installed editable into the virtual environment.
develop: venv
	@$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .

setup: develop

demo: develop
	$(BIN)/nerone demo --output demo-output $(if $(DATA),--data "$(DATA)")

test: test-cpp test-python

test-cpp: packages
	cmake --preset test
	cmake --build --preset test --parallel $(JOBS)
	ctest --test-dir build/test --output-on-failure --parallel $(JOBS) $(if $(SAMPLE),--tests-regex "$$(scripts/one_test_per_folder.py build/test)")

test-python: develop
	$(BIN)/python -m pytest $(if $(SAMPLE),--one-per-folder)

bench: develop
	$(BIN)/python -m pytest benchmarks --benchmark-only

fuzz: develop
	$(BIN)/python -m tests.fuzz.campaign $(DOORS) --minutes $(or $(MINUTES),10)

# The C++ doors under the sanitizers, with libFuzzer where there is clang: MINUTES= each.
fuzz-cpp: packages
	scripts/fuzz_cpp.sh $$(( $(or $(MINUTES),10) * 60 )) $(DOORS)

soak: develop
	cmake --preset test
	cmake --build --preset test --parallel $(JOBS) --target nerone_misbehaving_runner
	$(BIN)/python -m tests.soak.campaign --minutes $(or $(MINUTES),10)

lint: develop
	scripts/lint.sh

format: venv
	$(BIN)/ruff check --fix python tests benchmarks scripts
	$(BIN)/ruff format python tests benchmarks scripts
	git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

asan tsan: packages
	cmake --preset $@
	cmake --build --preset $@ --parallel $(JOBS)
	ctest --test-dir build/$@ --output-on-failure --parallel $(JOBS)

arm64: develop
	scripts/arm64.sh

# For this machine and each CPython on PATH, or make wheels ARCHS="x86_64 aarch64" PYTHONS="3.9 3.10 /path/to/python3.12".
wheels: venv
	$(BIN)/python scripts/wheels.py $(ARCHS:%=--arch %) $(PYTHONS:%=--python %)

# nerone-run for the boards, with glibc 2.31 and newer: build/nerone-run-aarch64.tar.gz.
nerone-run: venv
	$(BIN)/python scripts/nerone_run.py

# The README's commands on a new Debian 12, as root and as an ordinary user.
fresh:
	@[[ -n "$$NERONE_SKIP_SYSTEM_PACKAGES" ]] || scripts/install_system_packages.sh scripts/fresh_packages.txt
	scripts/fresh.sh root user

docs: develop
	$(BIN)/mkdocs build --strict
	@echo "build/site/index.html"

clean:
	rm -rf build demo-output
