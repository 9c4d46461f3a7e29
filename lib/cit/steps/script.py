"""script: run a text as a script in the isolation around it."""

from __future__ import annotations

from cit.wants import SECONDS, SETTINGS, TEXT, Arg, Exec, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "run a script"
ARGS = (
    Arg("text", TEXT, "the script; without #! it is one for /bin/sh"),
    Arg("env", SETTINGS, "its environment, VAR=VALUE", ()),
    Arg("timeout", SECONDS, "seconds it may take, or null", None),
)
SHOWS = Shows("a script", "will run a script", "runs a script")
ISOLATED = True


def run(call: Call) -> Steps:
    a = call.args
    assert call.isolation, "checked when the program was loaded"
    argv = () if a["text"].startswith("#!") else ("/bin/sh",)
    want = Exec(call.run, argv, a["env"], None, a["timeout"], call.isolation, a["text"])
    outcome: Outcome = yield want
    return outcome
