"""
The sessions of this repository: the same on a laptop, in ``.ci/run`` and in the public workflow.

``nox -s demo`` shows the product, ``nox -s tests`` proves it, ``nox -l`` lists the rest. What runs is what
``pip install`` builds, never the source tree, and every version comes from ``constraints.txt``.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import nox
from packaging.metadata import Metadata
from packaging.requirements import Requirement

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types", "docs", "build"]

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints.txt"
DISTRIBUTIONS = [HERE, *sorted(path.parent for path in HERE.glob("plugins/*/pyproject.toml"))]
SOURCES = [path / "src" for path in DISTRIBUTIONS]
PACKAGES = sorted(path.parent.name for src in SOURCES for path in src.glob("*/__init__.py"))
PYTHONS = ("3.11", "3.12", "3.13")

IS_INSTALLED = """
import importlib, pathlib, sys
home = pathlib.Path(sys.prefix).resolve()
found = {name: pathlib.Path(importlib.import_module(name).__file__).resolve() for name in sys.argv[1:]}
strangers = {name: str(path) for name, path in found.items() if home not in path.parents}
sys.exit(f"not what pip installed: {strangers}" if strangers else 0)
"""


@nox.session
def demo(session: nox.Session) -> None:
    """
    Run the whole main job on loopback; arguments go to `cobranza demo`.
    """
    install_wheels(session, "demo")
    session.run("cobranza", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """
    Test core and every plugin as installed, on the Python that runs nox; arguments go to pytest.
    """
    run_tests(session)


def tests_on_version(session: nox.Session) -> None:
    """
    Test likewise on the Python of that name; skipped where the machine has none.
    """
    run_tests(session)


for _version in PYTHONS:
    nox.session(python=_version, name=f"tests-{_version}")(tests_on_version)


@nox.session
def proof(session: nox.Session) -> None:
    """
    Make the long runs (full seeds, kills, fuzzing), which write their results to docs/reference/proof.md.
    """
    runs = HERE / "tests" / "proof" / "run.py"
    if not runs.exists():
        session.skip("this checkout has no long runs (tests/proof/run.py)")
    install_wheels(session, "all")
    install(session, "pytest-xdist")
    session.run("python", str(runs), *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """
    Hold the code to the rules of ruff and the imports to their one direction.
    """
    install(session, "ruff", "import-linter")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": search_path()})


@nox.session
def types(session: nox.Session) -> None:
    """
    Check core, every plugin, what `cobranza new` writes and the examples of the docs with mypy --strict.
    """
    install(session, "mypy", *requirements())
    examples = sorted(HERE.glob("docs/examples/*.py"))
    session.run("mypy", "--strict", *map(str, SOURCES), *map(str, examples), env={"MYPYPATH": search_path()})
    # What `cobranza new` writes, as what it becomes.
    for folder in sorted(HERE.glob("src/cobranza_sdk/cli/scaffold/*/src")):
        modules = [".".join(path.relative_to(folder).with_suffix("").parts) for path in sorted(folder.rglob("*.py"))]
        named = [word for module in modules for word in ("-m", module.removesuffix(".__init__"))]
        session.run("mypy", "--strict", *named, env={"MYPYPATH": os.pathsep.join([search_path(), str(folder)])})


@nox.session
def docs(session: nox.Session) -> None:
    """
    Build the documentation; a warning, a dangling reference or an example that does not run fails it.
    """
    install_wheels(session, "all")
    install(session, "sphinx", "furo", "myst-parser")
    built = HERE / "docs" / "_build"
    shutil.rmtree(built, ignore_errors=True)
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-q", "-b", "html", "docs", str(built / "html"))
    session.run("pytest", "-c", "pyproject.toml", "-q", "tests/docs")


@nox.session
def bench(session: nox.Session) -> None:
    """
    Measure start and throughput beside the libraries underneath; arguments go to bench/run.py.
    """
    runs = HERE / "bench" / "run.py"
    if not runs.exists():
        session.skip("this checkout has no benchmarks (bench/run.py)")
    install_wheels(session, "all")
    session.run("python", str(runs), *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """
    Build the sdist and the wheel of every distribution into dist/ and look inside.
    """
    install(session, "build", "hatchling")
    dist = HERE / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for path in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(dist), str(path), silent=True)
    faults = list(chain.from_iterable(faults_of(path, dist) for path in DISTRIBUTIONS))
    if faults:
        session.error("\n".join(["dist/ is not fit to publish:", *faults]))
    session.log(f"{len(DISTRIBUTIONS)} wheels and {len(DISTRIBUTIONS)} sdists in dist/, metadata and contents checked")


def run_tests(session: nox.Session) -> None:
    """
    Run pytest on the wheels, over everything unless the arguments name less.

    The profile draws the same examples each time and sets no deadline: a slow machine is no failure here.
    """
    install_wheels(session, "all")
    install(session, "pytest-xdist", "jsonschema")
    session.run("python", "-c", IS_INSTALLED, *PACKAGES)
    options = ["-c", "pyproject.toml", "-n", "auto", "--maxprocesses=4", "--hypothesis-profile=ci"]
    session.run("pytest", *options, *session.posargs)


def install(session: nox.Session, *wanted: str) -> None:
    """
    Install from the registry, at the versions of the constraints file.
    """
    session.install("--constraint", str(CONSTRAINTS), *wanted)


def install_wheels(session: nox.Session, extra: str) -> None:
    """
    Build the wheels of all distributions, then install them as a user does: core with *extra*.

    An environment that is used again would keep the wheels of last time, since their version is the same; so ours are
    put in afresh once everybody else's are there.
    """
    folder = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    pins = {name: str(CONSTRAINTS) for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
    session.run("pip", "wheel", "-q", "--no-deps", "-w", str(folder), *map(str, DISTRIBUTIONS), env=pins, silent=True)
    wheels = sorted(map(str, folder.glob("*.whl")))
    core = next(path for path in wheels if Path(path).name.startswith("cobranza_sdk-"))
    install(session, *wheels, f"{core}[{extra}]")  # core twice: the plugins ask for it without an extra
    session.install("--no-deps", "--force-reinstall", *wheels)


def search_path() -> str:
    """
    Name every source folder, for tools that read the code without importing it.
    """
    return os.pathsep.join(map(str, SOURCES))


def project(path: Path) -> dict[str, Any]:
    """
    Read the ``[project]`` table of the distribution in *path*.
    """
    table: dict[str, Any] = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def requirements() -> list[str]:
    """
    List what all distributions ask of others, extras included.
    """
    tables = [project(path) for path in DISTRIBUTIONS]
    asked = chain.from_iterable(
        chain(table.get("dependencies", ()), *table.get("optional-dependencies", {}).values()) for table in tables
    )
    return sorted({line for line in asked if not Requirement(line).name.startswith("cobranza-")})


def faults_of(path: Path, dist: Path) -> list[str]:
    """
    Compare what was built with its sources: metadata, licence, typing mark, and every data file.

    Returns:
        One line per fault; empty where the distribution may be published.
    """
    table = project(path)
    stem = f"{table['name'].replace('-', '_')}-{table['version']}"
    with zipfile.ZipFile(dist / f"{stem}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = Metadata.from_email(wheel.read(f"{stem}.dist-info/METADATA"), validate=True)
    with tarfile.open(dist / f"{stem}.tar.gz") as sdist:
        packed = {name.removeprefix(f"{stem}/") for name in sdist.getnames()}

    files = (file.relative_to(path / "src") for file in (path / "src").rglob("*") if file.is_file())
    modules = {
        file.as_posix() for file in files if not any(part[0] == "." or part == "__pycache__" for part in file.parts)
    }
    packages = [file.parent.name for file in (path / "src").glob("*/__init__.py")]
    info = f"{stem}.dist-info"
    wanted = {*modules, *(f"{package}/py.typed" for package in packages), f"{info}/licenses/LICENSE"}
    if any(table.get(key) for key in ("entry-points", "scripts")):
        wanted.add(f"{info}/entry_points.txt")
    strangers = {name for name in names - modules if not name.startswith(f"{info}/")}
    in_sdist = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", *(f"src/{name}" for name in modules)}

    faults = [f"{stem}: the wheel lacks {name}" for name in sorted(wanted - names)]
    faults += [f"{stem}: the wheel has {name}, which is no source" for name in sorted(strangers)]
    faults += [f"{stem}: the sdist lacks {name}" for name in sorted(in_sdist - packed)]
    if metadata.license_expression != "Apache-2.0":
        faults.append(f"{stem}: the licence in the metadata is {metadata.license_expression!r}, not Apache-2.0")
    if not metadata.description or metadata.description_content_type != "text/markdown":
        faults.append(f"{stem}: the metadata carries no README in Markdown")
    return faults
