# Two commands to remember: `make run` and `make test`. Everything they need is set up here,
# inside this folder (.venv, node_modules, build), from Python and make alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
WEB_READY := cloud/web/node_modules/.package-lock.json
BOARD_READY := simulators/board/node_modules/.package-lock.json
PORTS := esp32 rp2 stm32
STUBS_READY := build/stubs/.ready
DEVICE_TYPES = MYPYPATH=device:build/stubs/$(1) $(BIN)/mypy --config-file device/mypy.ini --cache-dir .mypy_cache/$(1)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NPM := $(BIN)/npm ci --no-audit --no-fund --no-update-notifier --loglevel=error --prefix

.PHONY: run test prove check bench wire lock clean

run: $(RUN_READY) $(WEB_READY) $(BOARD_READY)
	@$(BIN)/fairway run $(ARGS)

test: $(DEV_READY) $(WEB_READY) $(BOARD_READY) check
	@$(BIN)/python -m tests.peers
	@$(BIN)/python -m pytest $(ARGS)

prove: $(DEV_READY) $(WEB_READY) $(BOARD_READY)
	@$(BIN)/python -m tests.peers
	@$(BIN)/python -m pytest --prove $(ARGS)

check: $(DEV_READY) $(STUBS_READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(call DEVICE_TYPES,esp32) device/agent device/root
	@$(call DEVICE_TYPES,rp2) device/agent/hal/rp2.py
	@$(call DEVICE_TYPES,stm32) device/agent/hal/stm32.py
	@$(BIN)/fairway wire --check

bench: $(DEV_READY) $(WEB_READY) $(BOARD_READY)
	@$(BIN)/python -m tests.peers
	@$(BIN)/python -m tests.bench $(ARGS)

# config/wire.cddl, config/wire-vectors.json and the table in docs/wire.md, from the schema table.
wire: $(DEV_READY)
	@$(BIN)/fairway wire

# Pins every package with its hashes; names no registry.
lock: $(DEV_READY)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra simulators pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  requirements-stubs.in -o requirements-stubs.lock

$(RUN_READY): requirements.lock pyproject.toml
	@echo "Setting up Python packages in $(VENV) (first time: about a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_READY): requirements-dev.lock $(RUN_READY)
	@echo "Setting up what the tests need …"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(WEB_READY): cloud/web/package-lock.json $(RUN_READY)
	@echo "Setting up the page's libraries …"
	@$(NPM) cloud/web
	@touch $@

$(BOARD_READY): simulators/board/package-lock.json $(RUN_READY)
	@echo "Setting up the virtual board …"
	@$(NPM) simulators/board
	@touch $@

$(STUBS_READY): requirements-stubs.lock $(DEV_READY)
	@echo "Setting up the boards' type stubs …"
	@rm -rf build/stubs
	@$(BIN)/python -m pip download --quiet --no-deps --require-hashes -d build/stubs/wheels -r requirements-stubs.lock
	@for port in $(PORTS); do $(PIP) --no-index --no-deps --target build/stubs/$$port \
	  build/stubs/wheels/micropython_$${port}_*.whl build/stubs/wheels/micropython_stdlib_*.whl; done
	@touch $@

clean:
	rm -rf $(VENV) build data cloud/web/node_modules simulators/board/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
