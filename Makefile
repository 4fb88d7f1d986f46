PYTHON ?= python3
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help setup report test lab arm64 bench onedir dist lock clean setup-dev

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' Makefile

setup:  ## set up .venv to run the program (PYTHON=python3.12 picks the python)
	@sh packaging/setup run '$(PYTHON)'

setup-dev:
	@sh packaging/setup dev '$(PYTHON)'

report: setup  ## print this machine's report; fails only when there is none
	@.venv/bin/nodediag report || case $$? in 1|3) ;; *) exit $$?;; esac

test: setup-dev  ## every test, lint, format, type and layer check
	@.venv/bin/python -m pytest

lab: setup-dev  ## the tests on whole nodes alone: booted here, as root, and broken
	@.venv/bin/python -m pytest tests/lab

arm64: setup-dev  ## the tests of folder, package and image for arm64, built and run by qemu where need be
	@.venv/bin/python -m pytest --arch=arm64 tests/packaging/test_image.py tests/packaging/test_onedir.py \
	  tests/packaging/test_deb.py

bench: setup-dev  ## the benchmarks
	@.venv/bin/python -I -m nodediag.host.prepare
	@.venv/bin/python benchmarks/run.py
	@.venv/bin/python benchmarks/logs.py
	@.venv/bin/python benchmarks/redact.py
	@.venv/bin/python benchmarks/bundle.py
	@.venv/bin/python benchmarks/sos.py
	@.venv/bin/python benchmarks/sos_bundle.py
	@.venv/bin/python benchmarks/watch.py 2

onedir:  ## dist/nodediag: one folder that runs on any Linux, with its own interpreter
	@PYTHON='$(PYTHON)' packaging/onedir/build dist/nodediag

dist:  ## what a release holds: the folder as a tar, and the Debian package
	@PYTHON='$(PYTHON)' packaging/onedir/tar dist
	@PYTHON='$(PYTHON)' packaging/deb/build dist

lock:  ## lock the dependencies anew; packaging/lock --upgrade takes newer ones
	@PYTHON='$(PYTHON)' sh packaging/lock

clean:  ## remove all that set-up and tools made
	@rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@find agent tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
