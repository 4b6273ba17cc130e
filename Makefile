# The two commands that matter: make demo, make test. Everything runs in .venv, which setup makes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CASE ?= risk-tables
TEST_WORKERS ?= 2
DEMO := demo-output
BREAST := $(DEMO)/data/breast-cancer/breast-cancer.csv
RADIOGRAPHS := $(DEMO)/data/simulated-radiographs/manifest.csv
SOLUBILITY := $(DEMO)/data/solubility/solubility.csv
DRUGS := $(DEMO)/data/approved-drugs/approved-drugs.csv
RESPONSES := $(DEMO)/data/simulated-responses/simulated-responses.csv
GBSG2 := $(DEMO)/data/gbsg2/gbsg2.csv

.PHONY: setup demo check test test-slow bench docs pages serve clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about two minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@mkdir -p $(DEMO)
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get breast-cancer
	@$(BIN)/iatros risk train $(BREAST) --outcome diagnosis --positive malignant \
		--model logistic,svm,forest,boosting,mlp --out $(DEMO)/breast-cancer-bundle --overwrite
	@head -n 4 $(BREAST) > $(DEMO)/three-patients.csv
	@$(BIN)/iatros risk predict $(DEMO)/breast-cancer-bundle $(DEMO)/three-patients.csv
	@$(BIN)/iatros risk explain $(DEMO)/breast-cancer-bundle $(DEMO)/three-patients.csv --row 0
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get simulated-radiographs
	@$(BIN)/iatros imaging train $(RADIOGRAPHS) --model cnn,resnet --param resnet.width=16 \
		--param resnet.stem=half --epochs 20 --batch-size 32 \
		--out $(DEMO)/radiographs-bundle --overwrite
	@$(BIN)/iatros imaging explain $(DEMO)/radiographs-bundle $(RADIOGRAPHS) --most 8 --out $(DEMO)/heat-maps --overwrite
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get solubility
	@$(BIN)/iatros molecules train $(SOLUBILITY) --outcome logS --model boosting,forest \
		--out $(DEMO)/solubility-bundle --overwrite
	@printf '%s\n' 'CC(=O)Nc1ccc(O)cc1 paracetamol' 'CN1CCC[C@H]1c1cccnc1 nicotine' \
		'C1N2CN3CN1CN(C2)C3 methenamine' > $(DEMO)/three-compounds.smi
	@$(BIN)/iatros molecules predict $(DEMO)/solubility-bundle $(DEMO)/three-compounds.smi
	@$(BIN)/iatros molecules explain $(DEMO)/solubility-bundle $(DEMO)/three-compounds.smi --most 1 \
		--out $(DEMO)/atom-maps --overwrite
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get approved-drugs
	@$(BIN)/iatros molecules train $(DRUGS) --model rnn --param rnn.units=256 --param rnn.epochs=20 \
		--param rnn.dropout=0.2 --out $(DEMO)/generator-bundle --overwrite
	@$(BIN)/iatros molecules generate $(DEMO)/generator-bundle --n 500 --temperature 0.7 --filters brenk \
		--out $(DEMO)/new-compounds --overwrite
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get simulated-responses
	@$(BIN)/iatros treatment train $(RESPONSES) --outcome score --scale 0,10 --covariates age,sex,marker,severity \
		--model kernel,svd --out $(DEMO)/responses-bundle --overwrite
	@$(BIN)/iatros treatment recommend $(DEMO)/responses-bundle --past "therapy A=7.5,therapy B=3" \
		--covariate age=67,sex=female,marker=1.2,severity=0.4
	@IATROS_DATA=$(DEMO)/data $(BIN)/iatros data get gbsg2
	@$(BIN)/iatros treatment effect $(GBSG2) --treatment horTh --time time --event cens --horizon 1825 \
		--learner t --base ridge --out $(DEMO)/hormone-therapy --overwrite

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(TEST_WORKERS) --dist loadfile

test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow

bench: setup
	$(BIN)/python -m benchmarks.run $(CASE)

docs: setup
	$(BIN)/python docs/generate.py

# Runs the tutorials, the how-to pages and the README, and writes what their commands print into them.
pages: setup
	$(BIN)/python docs/code_blocks.py README.md docs/tutorials/*.md docs/how-to/*.md

serve: setup
	$(BIN)/iatros serve --models $(DEMO)

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
