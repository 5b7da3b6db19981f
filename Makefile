# make demo   the main job on real data, on a fresh machine
# make test   everything: lint is apart; real Lava, real Verilator, against the built wheel
# make nightly  a thousand random networks, each in three ways of cutting, on the RTL against the oracle
PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
CONSTRAINTS := -c constraints.txt
NETWORKS ?= 1000
JOBS ?= auto
PACKAGES := spikequant $(notdir $(wildcard plugins/spikequant_*) $(wildcard backends/spikequant_*))
SOURCES := $(shell find core plugins backends -type f -not -name '*.pyc')

.PHONY: demo test nightly rtl-coverage lint docs bench wheel clean

demo: $(VENV)/ready
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" examples/demo.sh

test: $(TEST_VENV)/ready
	cd tests && PATH="$(CURDIR)/$(TEST_VENV)/bin:$$PATH" OMP_WAIT_POLICY=PASSIVE SPIKEQUANT_NO_SKIP=1 \
	  "$(CURDIR)/$(TEST_VENV)/bin/python" -m pytest -c ../pyproject.toml --rootdir .. -q -n $(JOBS) --dist loadfile --durations=15 \
	  $(PYTEST_ARGS) . \
	  --doctest-modules --pyargs $(PACKAGES)

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(VENV)/ready
	$(VENV)/bin/mkdocs build --strict

bench: $(VENV)/ready
	$(VENV)/bin/python -m benchmarks

nightly: $(VENV)/ready
	cd tests && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" SPIKEQUANT_NO_SKIP=1 SPIKEQUANT_RTL_NETWORKS=$(NETWORKS) \
	  "$(CURDIR)/$(VENV)/bin/python" -m pytest -c ../pyproject.toml --rootdir .. -q -n $(JOBS) $(PYTEST_ARGS) \
	  backends/mint_rtl/test_mint_rtl_random_networks.py backends/mint_rtl/test_mint_rtl_whole_networks.py

rtl-coverage: $(VENV)/ready
	$(VENV)/bin/python -m spikequant_mint_rtl.coverage

wheel: dist/built

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet $(CONSTRAINTS) --editable '.[test,lint]'
	$(VENV)/bin/spikequant lava setup
	touch $@

dist/built: pyproject.toml $(SOURCES)
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/pip install --quiet $(CONSTRAINTS) build hatchling
	rm -rf dist && $(TEST_VENV)/bin/python -m build --no-isolation --outdir dist .
	touch $@

$(TEST_VENV)/ready: dist/built constraints.txt
	$(TEST_VENV)/bin/pip install --quiet $(CONSTRAINTS) "$$(echo dist/spikequant-*.whl)[test]"
	$(TEST_VENV)/bin/pip install --quiet --force-reinstall --no-deps dist/spikequant-*.whl
	$(TEST_VENV)/bin/spikequant lava setup
	touch $@

clean:
	rm -rf $(VENV) $(TEST_VENV) dist site runs
