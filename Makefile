# Everything starts from `python3` alone; the rest is installed here, pinned and hashed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= auto
FUZZ ?= 200

.PHONY: help install demo test conformance fuzz lint clients bench lock clean

help:
	@echo "make demo     start examples/fastapi-streaming, stream it once, serve until Ctrl-C"
	@echo "make test     everything that checks the project"
	@echo "make conformance  the checklists: APIs inside an environment, Function URLs, the web adapter"
	@echo "make fuzz     try these APIs with $(FUZZ) times as much as the tests do"
	@echo "make install  .venv with penstock in $(BIN)"
	@echo "make clients  what only the real-client tests need"
	@echo "make bench    the measurements of the README"
	@echo "make lock     refresh requirements/*.txt from pyproject.toml"

install: $(STAMP)

$(STAMP): pyproject.toml requirements/lock.txt requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "penstock needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.13" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install
	$(BIN)/python -m penstock.cli.demo examples/fastapi-streaming/template.yaml

test: install lint
	$(BIN)/python -m pytest -n $(JOBS)

conformance: install
	PYTHONPATH=tests $(BIN)/python -m conformance.report -n $(JOBS)

fuzz: install
	PENSTOCK_FUZZ=$(FUZZ) $(BIN)/python -m pytest -p no:xdist --timeout 0 tests/unit/fuzz tests/unit/wire/test_http_connection_fuzz.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clients: install
	@$(BIN)/python tools/clients.py

bench: install
	$(BIN)/python -m bench

lock: install
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --extra dev \
		pyproject.toml -o requirements/lock.txt
	echo 'uv' | $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		- -o requirements/bootstrap.txt
	@pins=src/penstock/packaging/python_runtime/requirements.txt; { sed -n '/^#/p' $$pins; \
		printf 'awslambdaric>=4.2,<5\nboto3\n' | $(BIN)/uv pip compile --upgrade --no-header --no-annotate \
		--generate-hashes --universal --python-version 3.11 --quiet - ; } > $$pins.new && mv $$pins.new $$pins
	@pins=src/penstock/packaging/adapter_layer/requirements.txt; { sed -n '/^#/p' $$pins; \
		printf 'a2wsgi\nhttptools\norjson\nuvloop\n' | $(BIN)/uv pip compile --upgrade --no-header --no-annotate \
		--generate-hashes --universal --python-version 3.11 --quiet - ; } > $$pins.new && mv $$pins.new $$pins
	@pins=tools/clients/awscli.txt; printf 'awscli\n' | $(BIN)/uv pip compile --upgrade --no-header --no-annotate \
		--generate-hashes --universal --python-version 3.11 --quiet - > $$pins.new && mv $$pins.new $$pins
	@pins=tools/clients/awscli2.txt; printf 'aws-cdk-asset-awscli-v2\n' | $(BIN)/uv pip compile --upgrade --no-deps \
		--no-header --no-annotate --generate-hashes --universal --python-version 3.11 --quiet - > $$pins.new \
		&& mv $$pins.new $$pins
	@# cfn-lint 1.54 and later refuse the template's AWS::Serverless::CapacityProvider.
	@pins=tools/clients/samcli.txt; printf 'aws-sam-cli\ncfn-lint[sam]==1.53.3\n' | $(BIN)/uv pip compile --upgrade \
		--no-header --no-annotate --generate-hashes --universal --python-version 3.11 --quiet - > $$pins.new \
		&& mv $$pins.new $$pins

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
