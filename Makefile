# What is documented in `make help` is supported, the rest is how it is done.
# A line `target: ## text` is what help prints.

PYTHON  = /usr/bin/python3
PREFIX  = /usr/local
DESTDIR =
JOBS    = $(shell nproc 2>/dev/null || echo 2)
ARGS    =

V      = .venv/bin/python
SHELLS = $(shell awk 'FNR == 1 && /^\#!\/bin\/(ba)?sh/ {print FILENAME}' \
	$$(find bin tools examples bench tests .ci -type f ! -name '*.py*'))

export PYTHON

.PHONY: help demo test check lint bench soak test-vm man completion formats install uninstall clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: ## run two jobs in a queue made for the occasion, and look at them
	@tools/setup packages core demo
	@examples/demo

test: .venv/ready ## run all tests; safe as any user on any machine (ARGS=… for pytest)
	@tools/setup packages core test
	$(V) -m pytest -q -n $(JOBS) $(ARGS)

check: .venv/ready lint ## what to run before each commit: lint, unit and house tests; seconds
	$(V) -m pytest -q -n $(JOBS) --hypothesis-profile=quick tests/unit tests/house $(ARGS)

lint: .venv/ready ## ruff, mypy --strict, shellcheck
	$(V) -m ruff check -q
	$(V) -m mypy --no-error-summary
	@if command -v shellcheck >/dev/null; then shellcheck $(SHELLS); \
	else echo 'lint: no shellcheck here: apt-get install shellcheck' >&2; fi

bench: ## the figures, beside what is installed of nq, task-spooler and GNU parallel
	@tools/setup packages core bench
	@bench/run $(ARGS)

soak: .venv/ready ## the fault tests in full: some hours
	@tools/setup packages core test
	@tests/faults/soak $(ARGS)

test-vm: ## the tests that need cgroup v2, in a virtual machine
	@tools/setup packages core vm
	@tests/vm/run $(ARGS)

man: ## check the manual pages
	@tools/man

completion: ## write the shell completion into build/completion
	@tools/completion build/completion

formats: ## write docs/formats.md and the validators from formats/*.toml
	@tools/formats

install: ## install into PREFIX (/usr/local), below DESTDIR
	@tools/install "$(DESTDIR)" "$(PREFIX)"

uninstall: ## remove what install put there
	@tools/install --remove "$(DESTDIR)" "$(PREFIX)"

clean: ## remove what was made in the checkout
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bin lib tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp keeps later runs off the network.
.venv/ready: tests/requirements.txt tools/setup
	@tools/setup packages core test
	@tools/setup venv
	@touch $@
