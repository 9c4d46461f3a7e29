"""chroot: a root directory made from a template."""

from __future__ import annotations

from cit.wants import OK, STRING, Arg, Isolation, Outcome, Shows, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Steps

HELP = "a root directory of its own, made from a template"
ARGS = (Arg("template", STRING, "the template: busybox or host", low=1),)
SHOWS = Shows("chroot {template}", "will build a chroot of {template}", "builds {template}")
BUILDS = True
TEMPLATES = ("busybox", "host")


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    template = args["template"]
    if template in TEMPLATES or "${" in template:
        return None
    return "template", f"no template '{template}', only {' and '.join(TEMPLATES)}"


def run(call: Call) -> Steps:
    template = call.args["template"]
    handle = yield Up(call.run, "chroot", template)
    if isinstance(handle, Outcome):
        return handle
    return OK._replace(value=Isolation("chroot", template, handle, call.run))
