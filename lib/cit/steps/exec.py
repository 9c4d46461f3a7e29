"""exec: run a command in the isolation around it."""

from __future__ import annotations

from cit import lurch
from cit.wants import SECONDS, SETTINGS, STRING, STRINGS, Arg, Exec, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "run a command"
ARGS = (
    Arg("path", STRING, "the program; without a slash it is looked for in PATH", low=1),
    Arg("args", STRINGS, "its arguments", ()),
    Arg("env", SETTINGS, "its environment, VAR=VALUE", ()),
    Arg("timeout", SECONDS, "seconds it may take, or null", None),
    Arg("cwd", STRING, "the directory to run it in, else the workspace", None, low=1),
)
SHOWS = Shows("{path} {args}", "will run {path} {args}", "runs {path} {args}")
ISOLATED = True


def arrange(forms: tuple[lurch.Node, ...]) -> tuple[lurch.Node, ...]:
    """(exec "dir" "path" ...) in the order of (exec "path" ...), the directory last."""
    nothing = lurch.symbol("null")
    cwd = nothing
    if len(forms) > 1 and forms[0].kind != lurch.LIST and forms[1].kind == lurch.STRING:
        cwd, forms = forms[0], forms[1:]
    forms, more = forms[:4], forms[4:]
    if not forms:
        return ()
    return (*forms, *[nothing] * (4 - len(forms)), cwd, *more)


def run(call: Call) -> Steps:
    a = call.args
    assert call.isolation, "checked when the program was loaded"
    argv = (a["path"], *a["args"])
    want = Exec(call.run, argv, a["env"], a["cwd"], a["timeout"], call.isolation)
    outcome: Outcome = yield want
    return outcome
