"""The rules that hold the house together: layers, light imports, sizes, names, nothing that runs code from a file."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

HEAVY = {
    "torch", "polars", "pandas", "pyarrow", "sklearn", "scipy", "lightgbm", "optuna", "shap", "onnx", "onnxruntime",
    "skl2onnx", "matplotlib", "monai", "lightning", "captum", "pydicom", "highdicom", "nibabel", "PIL",
    "rdkit", "ray", "fastapi", "starlette", "uvicorn",
}  # fmt: skip
HELP_SECONDS = 0.5

FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|common|misc|base|managers?|helpers?|part\d+|stuff|new|old)$")
MAX_LINES = 400
LONGER: dict[str, str] = {}
"""Files above MAX_LINES, each with its reason."""

RUNS_CODE = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
}
CALLS_CODE = {"eval", "exec", "compile", "__import__"}
ALLOWED = {
    "src/iatros/engines/messages.py": {
        "ForkingPickler"
    },  # between this program and its own workers, over a pipe
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=120
    )


def test_imports_run_downward_only() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import iatros",
        "import iatros.app",
        "import iatros.core.bundle, iatros.core.request, iatros.core.domain",
        "from iatros.app.domains import domains; domains()",
        "from iatros.cli.application import build_app; build_app()",
    ],
)
def test_what_every_command_imports_is_light(code: str) -> None:
    run = _python(
        f"{code}; import sys, json; print(json.dumps([name.split('.')[0] for name in sys.modules]))"
    )
    assert not HEAVY & set(json.loads(run.stdout))


def test_help_answers_in_half_a_second() -> None:
    # The processor's own time, so that other work on the machine does not fail the test; best of three.
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = _python("from iatros.cli import main; main(['--help'])")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert "risk" in run.stdout
    assert min(taken) < HELP_SECONDS


def test_files_have_one_subject() -> None:
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    too_long = {name: count for name, count in lines.items() if count > MAX_LINES and name not in LONGER}
    assert not too_long, "split by subject, or add the file with its reason to LONGER"
    assert [name for name in LONGER if lines.get(name, 0) <= MAX_LINES] == [], (
        "LONGER names files that are short"
    )


def test_no_file_is_called_after_nothing() -> None:
    folders = [ROOT / name for name in ("src", "tests", "docs", "benchmarks")]
    named = [path for folder in folders for path in folder.rglob("*") if path.suffix in ("", ".py", ".md")]
    assert [_name(path) for path in named if FORBIDDEN_NAMES.search(path.stem)] == []


def test_nothing_in_the_sources_runs_code_from_data() -> None:
    found = [f"{_name(path)}:{line}: {said}" for path in SOURCES for line, said in _dangers(path)]
    assert found == []


def _dangers(path: Path) -> Iterator[tuple[int, str]]:
    allowed = ALLOWED.get(_name(path), set())
    for node in ast.walk(_tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0], *(alias.name for alias in node.names)]
        for name in names:
            if (name in RUNS_CODE or "pickle" in name.lower()) and name not in allowed:
                yield node.lineno, f"imports {name}"
        if isinstance(node, ast.Call):
            yield from ((node.lineno, said) for said in _call_dangers(node))


def _call_dangers(call: ast.Call) -> Iterator[str]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    called = ast.unparse(call.func)
    if isinstance(call.func, ast.Name) and called in CALLS_CODE:
        yield f"calls {called}"
    if called in ("os.system", "os.popen", "torch.load", "yaml.unsafe_load", "yaml.full_load"):
        yield f"calls {called}"
    if called == "yaml.load" and not (
        isinstance(keywords.get("Loader"), ast.AST) and "Unsafe" not in ast.unparse(keywords["Loader"])
    ):
        yield "calls yaml.load without a loader"
    for name in ("shell", "allow_pickle", "trust_remote_code"):
        value = keywords.get(name)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
            yield f"passes {name}={ast.unparse(value)}"


def test_nothing_is_left_to_do_later() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{_name(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []


def test_what_is_public_says_what_it_is() -> None:
    found = [f"{_name(path)}: {name}" for path in SOURCES for name in _unsaid(path)]
    assert found == []


def _unsaid(path: Path) -> Iterator[str]:
    tree = _tree(path)
    if tree.body and ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if not isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        ) or node.name.startswith("_"):
            continue
        # The classes of the error tree are told by the table at the head of their file.
        if ast.get_docstring(node) is None and path.name != "errors.py" and not _is_overload(node):
            yield node.name


def _is_overload(node: ast.AST) -> bool:
    return any(
        isinstance(one, ast.Name) and one.id == "overload" for one in getattr(node, "decorator_list", [])
    )


def test_public_names_can_be_imported() -> None:
    run = _python(
        "import iatros, iatros.app as app; [getattr(iatros, n) for n in iatros.__all__]; "
        "[getattr(app, n) for n in dir(app)]; print('ok')"
    )
    assert run.stdout.strip() == "ok"


def test_every_imported_package_is_declared() -> None:
    project = PROJECT["project"]
    declared = [
        *project["dependencies"],
        *(
            one
            for extra in ("imaging", "risk", "molecules", "treatment", "serve")
            for one in project["optional-dependencies"][extra]
        ),
    ]
    known = {re.split(r"[<>=!~\[; ]", one)[0].lower().replace("-", "_") for one in declared}
    # Packages that are imported by another name than they are installed by.
    known |= {"sklearn", "yaml", "iatros", "PIL", "fhir", "gdcm"}
    # Parts of declared packages that are imported by their own name.
    known |= {"pydantic_core", "starlette", "anyio", "threadpoolctl"}
    found = {
        f"{_name(path)} imports {package}"
        for path in SOURCES
        for package in _packages(path)
        if package not in known and package not in sys.stdlib_module_names
    }
    assert found == set()


def _packages(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def test_tests_mirror_the_sources() -> None:
    layers = {path.name for path in (ROOT / "src" / "iatros").iterdir() if (path / "__init__.py").exists()}
    assert layers - {path.name for path in (ROOT / "tests").iterdir()} == set()


def test_the_versions_that_ci_passed_with_are_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    assert pins["torch"] == "2.13.0"  # without it pip takes a build that needs a GPU's libraries
    named = {name.lower().replace("_", "-") for name in pins}
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    missing = {re.split(r"[<>=!~\[; ]", one)[0].lower() for one in wanted} - named - {"iatros"}
    assert missing == set()
