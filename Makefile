# Everything runs in .venv, built from the pinned list in requirements.txt.
PY := .venv/bin/python
STAMP := .venv/installed
# Certificates of the system's own store, which a company's proxy may need; pip uses them as well.
export UV_SYSTEM_CERTS := 1

.PHONY: install demo test coverage mutants fuzz attack check format bench docs pins dist test-wheel test-lowest

install: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	test -x .venv/bin/pip || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip install --quiet --python $(PY) -r requirements.txt
	.venv/bin/uv pip install --quiet --python $(PY) --no-deps -e .
	touch $(STAMP)

demo: install
	.venv/bin/ejectamap demo demo

# TEST_OPTIONS: options of pytest. What was skipped, and why, is listed at the end; TEST_OPTIONS=--no-skips makes it a failure.
test: install
	$(PY) -m pytest -n 2 --dist worksteal $(TEST_OPTIONS)

# Which lines and branches the tests reach, and which tests reach each line; fails under 90 %. In docs/testing.md.
coverage: install
	rm -rf build/coverage && mkdir -p build/coverage
	$(PY) -m pytest -n 2 --dist worksteal --cov --cov-context=test --cov-report= --junitxml=build/coverage/times.xml
	$(PY) -m coverage report

MUTANTS := 400
SEED := 0
# Changes the code at so many places, drawn at random, and runs the tests that reach each: after `make coverage`.
mutants: install
	nice $(PY) tests/mutation --mutants $(MUTANTS) --seed $(SEED)

FUZZ_SECONDS := 60
FUZZ_EXAMPLES := 500
# Many random inputs: of the fuzz tests, then, for so long each, of the readers of people's files.
fuzz: install
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PY) -m pytest -n 2 $$(find tests -name 'test_fuzz_*.py')
	$(PY) tests/fuzz_readers.py --seconds $(FUZZ_SECONDS)

# Hostile and odd inputs to every verb; see tests/attacks.
attack: install
	OMP_NUM_THREADS=1 $(PY) tests/attacks

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry src

# The site, docs/_build/html; its pages run what they show, so that it takes minutes. Warnings are errors.
docs: install
	rm -rf docs/_build
	OMP_NUM_THREADS=1 .venv/bin/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html

bench: install
	.venv/bin/uv pip install --quiet --python $(PY) -r benchmarks/requirements.txt
	OMP_NUM_THREADS=1 $(PY) benchmarks

format: install
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

UV := .venv/bin/uv
# Of the new environments below: any that uv finds, as in make test-wheel PYTHON=3.13.
PYTHON := $(PY)
NEW_ENVIRONMENT = rm -rf $(1) && $(UV) venv --quiet --python $(PYTHON) $(1) && $(UV) pip install --quiet --python $(1)/bin/python

# Resolves pyproject.toml again; pins that still fit stay. To update one: `make pins PINS="--upgrade-package rasterio"`.
pins: install
	$(UV) pip compile --quiet --universal --python-version 3.11.0 --extra dev --extra docs --extra notebook --no-annotate \
		--no-header $(PINS) --output-file requirements.txt pyproject.toml
	sed -i -E -e '/^(cuda|nvidia|triton)/d' -e '1i # Pinned versions of everything that `make` runs, for Python 3.11 to 3.14: written by `make pins`. The CUDA libraries are left out: torch pins its own.' requirements.txt

# The source archive, and the wheel that is built from it, in dist/; fails if they hold what they should not, or lack what they should.
dist: install
	rm -rf dist
	$(PY) -m build --installer uv --outdir dist .
	$(PY) tests/archives.py dist
	$(UV) tool run twine check --strict dist/*

# Installs the wheel alone into an empty environment, which downloads PyTorch, and runs every stage there.
test-wheel: dist
	$(call NEW_ENVIRONMENT,build/wheel) dist/*.whl
	cd build && wheel/bin/python ../tests/installed.py

# The lowest versions of all dependencies that pyproject.toml names.
LOWEST_TESTS := tests/test_end_to_end.py tests/interop tests/tuning/test_tune.py tests/mapping/test_map_run.py tests/show
test-lowest: install
	$(call NEW_ENVIRONMENT,build/lowest) --resolution lowest-direct --constraint tests/lowest-constraints.txt -e .
	build/lowest/bin/python tests/installed.py
	$(UV) pip install --quiet --python build/lowest/bin/python httpx2 hypothesis jsonschema pytest
	build/lowest/bin/python -m pytest --override-ini filterwarnings=ignore $(LOWEST_TESTS)
