"""The rules of docs/architecture.md, checked on the source itself."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import handwriting

PACKAGE = Path(handwriting.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"numpy", "PIL", "keras", "tensorflow", "jax", "torch", "matplotlib", "sklearn", "scipy"}
KERAS_ROOMS = {"models", "training"}
BACKENDS_OF = {"conversion": {"tensorflow", "torch"}}


def step_of(file):
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree):
    """Every module that a tree imports, with handwriting's own steps by their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "handwriting":
            yield from (f"handwriting.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def own_steps(names):
    return {name.split(".")[1] for name in names if name.startswith("handwriting.")}


def backward_only(step, imported, order):
    return all(order.index(other) <= order.index(step) for other in imported if other in order)


def modules_loaded_by(code):
    command = f"import sys; {code}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    return set(result.stdout.decode().split())


def test_the_package_under_test_is_the_installed_one():
    assert Path(__file__).parents[1] / "src" not in PACKAGE.parents


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_before_it(file):
    if file.name in ("__main__.py", "__init__.py") and file.parent == PACKAGE:
        pytest.skip("the map itself")
    imported = own_steps(imports(ast.parse(file.read_text(encoding="utf-8"))))

    assert step_of(file) in handwriting.__all__
    assert backward_only(step_of(file), imported, handwriting.__all__)


def test_the_layer_check_can_fail():
    tree = ast.parse("def f():\n    from handwriting import training")

    assert not backward_only("data", own_steps(imports(tree)), handwriting.__all__)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_backends_are_never_imported_and_keras_only_in_its_rooms(file):
    names = {name.split(".")[0] for name in imports(ast.parse(file.read_text(encoding="utf-8")))}

    assert not names & ({"tensorflow", "jax", "torch"} - BACKENDS_OF.get(step_of(file), set()))
    if step_of(file) not in KERAS_ROOMS | {"cli"}:
        assert "keras" not in names


@pytest.mark.parametrize("code", ["import handwriting", "import handwriting.cli"])
def test_import_loads_nothing_heavy(code):
    assert not modules_loaded_by(code) & HEAVY


def test_conversion_loads_other_libraries_only_when_it_converts():
    others = {"tensorflow", "torch", "keras", "pandas", "datasets", "PIL"}

    assert not modules_loaded_by("import handwriting.conversion") & others


def test_the_import_check_can_fail():
    assert "numpy" in modules_loaded_by("import handwriting; handwriting.data") & HEAVY


@pytest.mark.parametrize("name", handwriting.__all__)
def test_every_step_loads_and_lists_what_it_has(name):
    module = getattr(handwriting, name)

    assert module is importlib.import_module(f"handwriting.{name}")
    assert all(hasattr(module, public) for public in module.__all__)
    assert module.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = handwriting.nothing


def test_dir_lists_the_steps():
    assert set(handwriting.__all__) <= set(dir(handwriting))


def test_the_map_in_the_docstring_names_every_step_in_order():
    lines = handwriting.__doc__.splitlines()
    named = [line.split("``")[1] for line in lines if line.startswith("``")]

    assert named == handwriting.__all__
