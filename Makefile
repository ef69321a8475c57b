# Three verbs: make demo, make test, make check. Each makes .venv first where it is missing.
PYTHON ?= python3
# The PyTorch that the project is tested with; for another one: make demo TORCH='torch==2.12.0'
TORCH ?= torch==2.13.0
# Where no NVIDIA driver is found, PyTorch's CPU build does: a fifth of what the package index has for Linux. With
# TORCH_INDEX= that is taken after all.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
NVIDIA_DRIVER ?= $(wildcard /proc/driver/nvidia/version /dev/nvidiactl) $(shell command -v nvidia-smi 2>/dev/null)
# Elsewhere the package index has a CPU build anyway. A + or / in TORCH names one build, and settles it.
WANTS_CPU = $(and $(filter Linux,$(shell uname)),$(TORCH_INDEX),$(if $(strip $(NVIDIA_DRIVER)),,yes),$(if \
	$(findstring +,$(TORCH))$(findstring /,$(TORCH)),,yes))
VENV ?= .venv
BIN := $(VENV)/bin
# The tests take the demo that `make demo` left, and train their own where there is none.
NMT_DEMO_BUNDLE ?= $(abspath $(wildcard runs/demo/best))
export NMT_DEMO_BUNDLE

# Three for two cores: some tests wait for a process, a clock or a disk.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(max(2, (os.cpu_count() or 1) * 3 // 2))')

.PHONY: help demo test check format clean
.DEFAULT_GOAL := help

help:  ## list what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/' | expand -t 16

# One request, which fails soon: what PyTorch needs comes with the next command, from where all else does.
INSTALL_CPU = $(BIN)/python -m pip install --quiet --no-deps --timeout 10 --retries 1 --index-url '$(TORCH_INDEX)' \
	'$(TORCH)' 2>/dev/null || echo "No CPU build of $(TORCH) at $(TORCH_INDEX): going on with the package index." >&2

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(if $(WANTS_CPU),$(INSTALL_CPU))
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

demo: $(VENV)/installed  ## train a translator on the embedded corpus and translate with it (under 5 minutes)
	$(BIN)/nmt-train experiment=demo
	@echo; echo 'Sentences it has never seen, through nmt-translate:'; echo
	@printf '%s\n' $(DEMO_SENTENCES) > runs/demo/unseen.en
	@$(BIN)/nmt-translate runs/demo/best < runs/demo/unseen.en > runs/demo/unseen.de
	@paste -d '\n' runs/demo/unseen.en runs/demo/unseen.de /dev/null
	@echo 'Scores on the 500 sentences of the test set:'; echo
	@$(BIN)/nmt-evaluate runs/demo/best --source corpora/demo/test.en --reference corpora/demo/test.de
	@echo; echo 'What next:'; \
	echo "  echo 'A dog runs.' | $(BIN)/nmt-translate runs/demo/best"; \
	echo '  $(BIN)/nmt-train corpus.train=data/train corpus.source=en corpus.target=de   (your own text; see README.md)'

# Test sentences of the corpus, so none is in the training text.
DEMO_SENTENCES := 'The small pigs want to fall asleep.' 'On Saturday Anna invites his farmer.' \
	'Because their cook does not get up, our doctor cries.' 'The happy doctor thinks that we drive to Berlin.' \
	'Her sons answered these bakers.'

test: $(VENV)/installed  ## run the whole test suite (about twelve minutes on two cores, after make demo)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadgroup --no-loadscope-reorder

check: $(VENV)/installed  ## check format, lint, types, and that every number shown was recorded
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/results.py check

format: $(VENV)/installed  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment and caches, never runs/
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
