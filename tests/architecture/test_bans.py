"""What the code must not do, each rule with the snippet that breaks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "graphforget").rglob("*.py"))
# The only files a rule does not bind, with what they are for.
WRITERS = {"graphforget/_core/files.py", "graphforget/_core/memory.py"}  # the one way to write; resets a kernel counter
DEVICES = "graphforget/_core/devices.py"  # finds the device that a text names
UNPICKLERS = {"graphforget/data/formats/pickled_arrays.py"}  # a subclass of Unpickler that admits arrays alone

PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CODE_RUNNERS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.save", "torch.jit.save"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps", "pickle.Unpickler"),
    *("pd.read_pickle", "pandas.read_pickle"),
}
# Functions that write to a path they are given; the last part of the call's name is enough to know them.
PATH_WRITERS = {
    *("write_text", "write_bytes", "tofile", "savetxt", "save_npz", "save_file", "to_pickle"),
    *("copyfile", "copytree", "copy2", "urlretrieve", "NamedTemporaryFile", "mkstemp"),
}
NAMED_WRITERS = {"json.dump", "os.open", "os.rename", "os.replace", "shutil.copy", "shutil.move"}
# Functions that write to their first argument: allowed with none (they return text) or one called `buffer`.
BUFFER_WRITERS = {
    "savefig",
    "to_csv",
    "to_json",
    "to_latex",
    "to_html",
    "to_markdown",
    "to_excel",
    "to_parquet",
}
NUMPY_WRITERS = {"np.save", "np.savez", "np.savez_compressed", "numpy.save", "numpy.savez"}

STREAMS = "graphforget/_core/streams.py"  # makes the generators that everything random is drawn from
DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "multinomial", "normal"}
"""Functions of torch that draw from the global generator unless they are given one."""

Finding = Iterator[tuple[int, str]]


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` for a name or attribute chain; `?` stands for anything else in front."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield each call with the dotted name of what it calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def prints(tree: ast.AST, module: str) -> Finding:
    """Find prints outside the command line."""
    if module.startswith("graphforget/cli/"):
        return
    for call, name in calls(tree):
        if name in {"print", "pprint.pprint", "sys.stdout.write", "sys.stderr.write"}:
            yield call.lineno, f"calls {name}; only graphforget/cli prints"


def silent_excepts(tree: ast.AST, module: str) -> Finding:
    """Find handlers that catch everything by leaving the type out, or drop every exception."""
    del module
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno, "has a bare except; name the exception"
        elif dotted(node.type) in {"Exception", "BaseException"} and isinstance(node.body[0], ast.Pass):
            yield node.lineno, "drops every exception; name the one that is meant"


def pickles(tree: ast.AST, module: str) -> Finding:
    """Find imports of modules that run code from data (one format needs a restricted unpickler)."""
    for node in ast.walk(tree):
        plain = isinstance(node, ast.Import)
        names = [alias.name for alias in node.names] if plain else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in PICKLES and not (module in UNPICKLERS and plain and name == "pickle"):
                yield node.lineno, f"imports {name}, which runs code from data"


def code_from_data(tree: ast.AST, module: str) -> Finding:
    """Find calls that run code from data."""
    del module
    for call, name in calls(tree):
        if name in CODE_RUNNERS | LOADERS:
            yield call.lineno, f"calls {name}, which can run code from data"
        for keyword in call.keywords:
            if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True) is not False:
                yield call.lineno, "passes allow_pickle"


def devices(tree: ast.AST, module: str) -> Finding:
    """Find hard-coded devices; one module finds out what there is."""
    if module == DEVICES:
        return
    for call, name in calls(tree):
        last = name.rpartition(".")[2]
        if last == "cuda":
            yield call.lineno, "calls .cuda(); pass the device"
        given = [k.value for k in call.keywords if k.arg == "device"]
        given += call.args if last in {"to", "device"} else []
        for value in given:
            if isinstance(value, ast.Constant) and str(value.value).startswith("cuda"):
                yield call.lineno, f"names the device {value.value!r}; pass the device"


def opens_to_write(call: ast.Call, name: str) -> bool:
    """Return whether a call of some `open` asks for writing, or for a mode kept in a variable."""
    first = 1 if name == "open" else 0
    given = call.args[first:] + [k.value for k in call.keywords if k.arg == "mode"]
    modes = [v.value for v in given if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    written = any(re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+:]*\w*", mode) for mode in modes)
    return written or (name == "open" and len(modes) < len(given[:1]))


def to_buffer(call: ast.Call) -> bool:
    """Return whether the first argument is absent or a variable called `buffer`."""
    given = call.args[:1] + [k.value for k in call.keywords if k.arg in {"path_or_buf", "buf", "fname"}]
    return all(dotted(value) == "buffer" for value in given)


def writes(tree: ast.AST, module: str) -> Finding:
    """Find ways to write a file that are not `_core/files.py`."""
    if module in WRITERS:
        return
    for call, name in calls(tree):
        last = name.rpartition(".")[2]
        found = (
            last in PATH_WRITERS
            or name in NAMED_WRITERS
            or (last in {"open", "ZipFile", "GzipFile"} and name != "os.open" and opens_to_write(call, name))
            or (last in BUFFER_WRITERS and not to_buffer(call))
            or (name in NUMPY_WRITERS and not to_buffer(call))
        )
        if found:
            yield call.lineno, f"calls {name}; write with graphforget._core.files"


def global_randomness(tree: ast.AST, module: str) -> Finding:
    """Find what is drawn from, or seeds, a generator that nobody passed: randomness is named (`Streams`)."""
    if module == STREAMS:
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else names
        for name in names:
            if name in {"random", "numpy.random"}:
                yield node.lineno, f"imports {name}; draw from a named stream"
    for call, name in calls(tree):
        whole, _, last = name.rpartition(".")
        given = any(keyword.arg == "generator" for keyword in call.keywords)
        if whole in {"np.random", "numpy.random"} or name in {"torch.manual_seed", "torch.seed"}:
            yield call.lineno, f"calls {name}; draw from a named stream"
        if whole == "torch" and last in DRAWS and not given:
            yield call.lineno, f"calls {name} without a generator; pass that of a named stream"


def unfinished(tree: ast.AST, module: str) -> Finding:
    """Find code that says it is not there yet."""
    del module
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.dump(node.exc):
            yield node.lineno, "raises NotImplementedError; leave it out, or make the method abstract"


RULES: dict[str, Callable[[ast.AST, str], Finding]] = {
    rule.__name__: rule
    for rule in (prints, silent_excepts, pickles, code_from_data, devices, writes, global_randomness, unfinished)
}


def findings(rule: str, source: str, module: str) -> list[str]:
    """Return one sentence for each place of `module` that breaks `rule`."""
    return [f"{module}:{line} {what}." for line, what in RULES[rule](ast.parse(source), module)]


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule):
    found = [findings(rule, (ROOT / module).read_text(encoding="utf-8"), module) for module in MODULES]
    assert sum(found, []) == []


BROKEN = [
    ("prints", "data/load.py", "print('x')"),
    ("prints", "data/load.py", "import sys\nsys.stdout.write('x')"),
    ("silent_excepts", "data/load.py", "try:\n    f()\nexcept:\n    g()"),
    ("silent_excepts", "data/load.py", "try:\n    f()\nexcept Exception:\n    pass"),
    ("pickles", "data/load.py", "import pickle"),
    ("pickles", "data/load.py", "def f():\n    from pickle import Unpickler"),
    ("pickles", "data/formats/pickled_arrays.py", "import joblib"),
    ("pickles", "data/formats/pickled_arrays.py", "from pickle import load"),
    ("code_from_data", "data/formats/pickled_arrays.py", "pickle.Unpickler(file).load()"),
    ("code_from_data", "data/load.py", "eval('1')"),
    ("code_from_data", "data/load.py", "exec('1')"),
    ("code_from_data", "training/loop.py", "torch.load(path, weights_only=True)"),
    ("code_from_data", "data/load.py", "yaml.load(text)"),
    ("code_from_data", "data/load.py", "np.load(path, allow_pickle=True)"),
    ("code_from_data", "data/load.py", "np.load(path, allow_pickle=flag)"),
    ("code_from_data", "data/formats/pickled_arrays.py", "pickle.load(file)"),
    ("devices", "models/gcn.py", "x.cuda()"),
    ("devices", "models/gcn.py", "x.to('cuda')"),
    ("devices", "models/gcn.py", "torch.zeros(3, device='cuda:0')"),
    ("devices", "models/gcn.py", "torch.device('cuda')"),
    ("writes", "data/load.py", "open(path, 'w')"),
    ("writes", "data/load.py", "open(path, mode='ab')"),
    ("writes", "data/load.py", "open(path, mode)"),
    ("writes", "data/load.py", "open('w.txt', 'r+')"),
    ("writes", "data/load.py", "Path('a').open('w')"),
    ("writes", "data/load.py", "gzip.open(path, 'wb')"),
    ("writes", "data/load.py", "zipfile.ZipFile(path, 'w')"),
    ("writes", "data/load.py", "tarfile.open(path, 'w:gz')"),
    ("writes", "data/load.py", "path.write_text('x')"),
    ("writes", "data/load.py", "path.write_bytes(b'x')"),
    ("writes", "data/load.py", "np.save('a.npy', x)"),
    ("writes", "data/load.py", "np.savez(path, x=x)"),
    ("writes", "data/load.py", "json.dump(x, file)"),
    ("writes", "training/loop.py", "safetensors.torch.save_file(weights, path)"),
    ("writes", "experiments/plots.py", "figure.savefig(path)"),
    ("writes", "experiments/tables.py", "frame.to_csv(path)"),
    ("writes", "experiments/tables.py", "frame.to_csv(path_or_buf=path)"),
    ("writes", "experiments/store.py", "os.replace(a, b)"),
    ("global_randomness", "tasks/link.py", "import random"),
    ("global_randomness", "tasks/link.py", "from numpy.random import default_rng"),
    ("global_randomness", "tasks/link.py", "np.random.default_rng(3)"),
    ("global_randomness", "tasks/link.py", "np.random.seed(3)"),
    ("global_randomness", "models/mf.py", "torch.manual_seed(3)"),
    ("global_randomness", "models/mf.py", "torch.randn(3, 4)"),
    ("unfinished", "data/load.py", "raise NotImplementedError('later')"),
]

FINE = [
    ("prints", "cli/main.py", "print('x')"),
    (
        "silent_excepts",
        "data/load.py",
        "try:\n    f()\nexcept Exception as error:\n    raise DataError('x') from error",
    ),
    ("pickles", "data/formats/pickled_arrays.py", "import pickle\nclass Reader(pickle.Unpickler):\n    pass"),
    ("code_from_data", "models/gcn.py", "model.eval()\nre.compile('x')\nnp.load(path, allow_pickle=False)"),
    (
        "devices",
        "kernels/csr.py",
        "x.to(device)\nx.device.type == 'cuda'\ntorch.device('cuda' if gpu else 'cpu')",
    ),
    ("global_randomness", "_core/streams.py", "np.random.Generator(np.random.Philox(key=3))"),
    ("global_randomness", "models/mf.py", "torch.randn(3, generator=g)\ntorch.Generator().manual_seed(3)"),
    ("writes", "_core/files.py", "open(path, 'wb')"),
    (
        "writes",
        "data/load.py",
        "open(path)\nopen(path, 'rb')\nopen('w.txt', encoding='ascii')\npath.open('rt')",
    ),
    ("writes", "data/load.py", "gzip.open(path, 'rb')\nzipfile.ZipFile(path)\ntarfile.open(path, 'r:gz')"),
    ("writes", "experiments/plots.py", "figure.savefig(buffer, format='png')\nframe.to_csv(index=False)"),
]


@pytest.mark.parametrize(("rule", "module", "source"), BROKEN)
def test_a_broken_rule_is_found(rule, module, source):
    assert len(findings(rule, source, f"graphforget/{module}")) == 1


@pytest.mark.parametrize(("rule", "module", "source"), FINE)
def test_what_is_allowed_passes(rule, module, source):
    assert findings(rule, source, f"graphforget/{module}") == []


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, _, _ in BROKEN} == set(RULES)
