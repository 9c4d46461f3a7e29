"""docker: a container of an image."""

from __future__ import annotations

from cit.wants import OK, STRING, Arg, Isolation, Outcome, Shows, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "a container of an image"
ARGS = (Arg("image", STRING, "the image, as docker names it", low=1),)
SHOWS = Shows("docker {image}", "will start a container of {image}", "starts {image}")
BUILDS = True


def run(call: Call) -> Steps:
    image = call.args["image"]
    handle = yield Up(call.run, "docker", image)
    if isinstance(handle, Outcome):
        return handle
    return OK._replace(value=Isolation("docker", image, handle, call.run))
