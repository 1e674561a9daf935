# Short names for what contributors run often. BIN is where the tools are: make test BIN=/usr/bin
BIN ?= .venv/bin
CXX_SOURCES = $(shell git ls-files 'csrc/*.h' 'csrc/*.cpp' 'csrc/*.cu*' 'python/*.h' 'python/*.cpp')

.PHONY: install test bench lint format clean

install:  # with what tests and linters need; again after a change in csrc/ or python/
	test -x $(BIN)/python || python3 -m venv .venv
	$(BIN)/python -m pip install -c .ci/constraints.txt -e '.[test,lint]'

test:
	$(BIN)/python -m pytest -n auto --dist worksteal

bench:  # ours beside torch, and beside other runtimes where the [peers] extra is installed
	$(BIN)/python -m pytest bench/ --benchmark-only

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CXX_SOURCES)

format:
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CXX_SOURCES)

clean:  # the compiled kernels too: make install builds them again
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks esr_kernels/_C.*.so
	find esr_kernels tests bench -name __pycache__ -prune -exec rm -rf {} +
