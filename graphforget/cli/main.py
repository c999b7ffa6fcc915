"""The command `graphforget`: parses, calls, prints; errors become sentences and exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError

from graphforget import __version__
from graphforget._core.errors import DataError, GraphforgetError
from graphforget.cli.deletions import edges, features, node_class, nodes
from graphforget.cli.doctor import doctor
from graphforget.cli.listing import show
from graphforget.cli.models import recommend, train, unlearn
from graphforget.cli.recommender_deletions import interactions, items, modality, triples, users, users_and_items
from graphforget.cli.reproducing import reproduce, resume, status
from graphforget.cli.results import plot, report
from graphforget.cli.tables import table, verify
from graphforget.cli.tuning import tune
from graphforget.cli.words import in_cli_words

INTERRUPTED = 130
USAGE = 2

HELP = (
    "Make a trained graph neural network or recommender forget, and show that it did.\n\n"
    "Every comparison shows the original, the gold model (trained anew on what is retained) and the noise floor beside "
    "the methods. Exit codes: 0 fine, 1 a part failed, 2 usage, 3 data, 4 unsupported, 5 diverged, 130 interrupted."
)


SETTINGS: dict[str, Any] = {"help_format": "plaintext", "version": __version__, "suppress_keyboard_interrupt": False}
app = App(name="graphforget", help=HELP, **SETTINGS)
command: Callable[..., int] | App
for command in (edges, nodes, features, node_class, users, items, interactions, triples, modality):
    app.command(command)
app.command(users_and_items, name="users+items")
for command in (train, unlearn, recommend, plot, report, doctor):
    app.command(command)
app.command(show, name="list")
for command in (reproduce, status, resume, table, verify, tune):
    app.command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return the exit code.

    Without `argv`, it is the process's own, and an interrupted process ends here: taking large libraries down in order
    can take seconds, and all that is to be kept has been written.
    """
    if argv is None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to end is what Ctrl-C is
    code = _run(argv)
    if argv is None and code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _run(argv: Sequence[str] | None) -> int:
    tokens = list(sys.argv[1:] if argv is None else argv)
    # Idle threads sleep: spinning ones make small parallel loops a hundred times slower when other work runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        sentence = " ".join(str(error).split())
        stop = "" if sentence.endswith((".", "?")) else "."
        return _fail(f"{sentence}{stop} See 'graphforget{_command(tokens)} --help'.", USAGE)
    except GraphforgetError as error:
        return _fail(in_cli_words(str(error)), error.exit_code)
    except KeyboardInterrupt:
        return _fail(_interrupted(tokens), INTERRUPTED)
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.close()  # the reader went away, as `head` does
        return 0
    except OSError as error:
        return _fail(_refused(error), DataError.exit_code)
    return code if isinstance(code, int) else 0


def _fail(sentence: str, code: int) -> int:
    print(f"graphforget: {sentence}", file=sys.stderr)
    return code


def _refused(error: OSError) -> str:
    """Return what the system refused: to look into somebody's folder, or to print where no room is left."""
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}the system refuses ({error.strerror or error}). Choose another place, or make room there."


def _command(tokens: Sequence[str]) -> str:
    names = {name for name in app if not name.startswith("-")}
    return f" {tokens[0]}" if tokens and tokens[0] in names else ""


KEEPING = ("reproduce", "resume", "tune")
"""Commands that keep what is finished, in a folder that has a default."""


def _interrupted(tokens: Sequence[str]) -> str:
    if tokens and tokens[0] in KEEPING:
        return "Interrupted. Finished parts are kept; repeat the same command (reproduce with --resume) to go on."
    if any(token == "--out" or token.startswith("--out=") for token in tokens):
        return (
            "Interrupted. What is finished is kept in --out, or, of a single model, in a checkpoint beside it, which "
            "holds what it has learned. Repeat the same command to go on from there."
        )
    return "Interrupted. Nothing was kept; give --out FOLDER to make a run that can be resumed."
