# make demo   a server on the built-in demo model, and nothing else to set up
# make test   every check; says what it skipped and why; some of the tests with ARGS="-k sessions",
#             ARGS="-n 0" for one process
# make clients  the examples, the programs that the explorer writes, and unmodified clients on the demo
#             model; some of the latter with ARGS="--only openai3 instructor"
# make bench  our overhead beside the floors
# make page   what the explorer costs a browser; make images takes its pictures again
# make soak   ten minutes of random clients, faults and kills; less with ARGS="--seconds 60"

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# A process for each core, up to four; a process that has nothing left to do takes over from another.
WORKERS := -n logical --maxprocesses 4 --dist worksteal
STAMP := $(VENV)/.installed

.PHONY: demo test clients bench page images soak docs fields lint clean

demo: $(VENV)/.runtime
	@exec $(BIN)/bridge --demo $(ARGS)

test: $(STAMP) examples/node_modules/.installed $(VENV)/.browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest $(WORKERS) $(ARGS)

clients: $(STAMP) examples/node_modules/.installed $(VENV)/.browser
	@[ -n "$(ARGS)" ] || $(BIN)/pytest $(WORKERS) -m clients
	$(BIN)/python clients/runner $(ARGS)

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py $(ARGS)

page: $(STAMP) $(VENV)/.browser
	$(BIN)/python benchmarks/page.py $(ARGS)

images: $(STAMP) $(VENV)/.browser
	PYTHONPATH=tests $(BIN)/python docs/images/take.py

soak: $(STAMP)
	$(BIN)/python benchmarks/soak $(ARGS)

docs: $(STAMP)
	$(BIN)/python -m bridge.reference > docs/configuration.md

fields: $(STAMP)
	$(BIN)/python tests/dialects/openai_fields.py > docs/openai-fields.md

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed; or name another with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(STAMP): $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.runtime

# The official Node client, for examples/openai_node.mjs; its test says so when it can't be had.
examples/node_modules/.installed: examples/package.json
	@if command -v npm >/dev/null; then npm install --prefix examples --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "npm is not here: the Node example is not tested"; fi

# Chromium, for the page's tests; as root on Debian it is installed, elsewhere they say so and skip.
$(VENV)/.browser: $(STAMP)
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null && touch $@; \
	else echo "Chromium is not here: the page is not tested in a browser"; fi

clean:
	rm -rf $(VENV) build dist examples/node_modules clients/.envs clients/*/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache
