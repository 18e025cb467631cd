# 护栏 Hulan: `make` lists the targets. Each prepares the machine first (prepare.py), which is a glance the second time.
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := geo venues tracking alerts maps api tests bench

.PHONY: help prepare prepare-tests demo test serve style check bench record audit-dependencies clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    运行演示：合成人员与场所，从定位到短信 / the demo: synthetic people and venues, from fix to SMS"
	@echo "make test    运行全部测试 / all tests"
	@echo "make serve   启动网页与接口服务 / the web pages and the API"
	@echo "make check   提交前的检查：格式、类型、分层、快速测试 / before a commit: style, types, layers, fast tests"
	@echo "make style   其中不含测试的部分 / the same without tests"
	@echo "make bench   性能基准 / benchmarks"
	@echo "make record  重录标准文本 / record the golden texts anew"
	@echo "make audit-dependencies  依赖的漏洞与许可证 / known vulnerabilities and licences of dependencies"
	@echo "make clean   删除依赖与缓存，不动数据 / remove dependencies and caches, never data"

prepare:
	@$(PYTHON) prepare.py

prepare-tests:
	@$(PYTHON) prepare.py --tests

demo: prepare
	$(BIN)/hulan demo

serve: prepare
	$(BIN)/hulan serve

test: prepare-tests
	$(BIN)/python -m pytest

style: prepare-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(PACKAGES) prepare.py audit_dependencies.py
	$(BIN)/lint-imports

check: style
	$(BIN)/python -m pytest -m "not slow and not browser and not real"

bench: prepare-tests
	@set -e; for file in $$(grep -l '__main__' bench/*.py); do \
		name=$$(basename $$file .py); echo "== bench.$$name"; $(BIN)/python -m bench.$$name; \
	done

record: prepare-tests
	HULAN_RECORD=1 $(BIN)/python -m pytest -m golden

# Exit code 3: a database could not be reached, which is not the same as clean.
audit-dependencies: prepare-tests
	@$(BIN)/python audit_dependencies.py

clean:
	rm -rf .venv .uv-tool node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
