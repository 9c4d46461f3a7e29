"""chroot: a root directory made from a template."""

from __future__ import annotations

from cit.wants import OK, STRING, Arg, Isolation, Outcome, Shows, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "a root directory of its own, made from a template"
ARGS = (Arg("template", STRING, "the template, such as busybox or host", low=1),)
SHOWS = Shows("chroot {template}", "will build a chroot of {template}", "builds {template}")
BUILDS = True


def run(call: Call) -> Steps:
    template = call.args["template"]
    handle = yield Up(call.run, "chroot", template)
    if isinstance(handle, Outcome):
        return handle
    return OK._replace(value=Isolation("chroot", template, handle, call.run))
