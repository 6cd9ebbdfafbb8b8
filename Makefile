# Everything runs in .venv, built from the pinned list in requirements.txt.
PY := .venv/bin/python
STAMP := .venv/installed
# Certificates of the system's own store, which a company's proxy may need; pip uses them as well.
export UV_SYSTEM_CERTS := 1

.PHONY: install demo test check format bench docs

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

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# The site, docs/_build/html; its pages run what they show, so that it takes minutes. Warnings are errors.
docs: install
	OMP_NUM_THREADS=1 .venv/bin/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build/html

bench: install
	.venv/bin/uv pip install --quiet --python $(PY) -r benchmarks/requirements.txt
	OMP_NUM_THREADS=1 $(PY) benchmarks

format: install
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
