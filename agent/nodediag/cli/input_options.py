"""The options that name files which tell of the node beside the node itself, and what they bring."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, ParamSpec

import click

from nodediag.cli.log_options import LogOptions
from nodediag.errors import UsageError
from nodediag.host import own

if TYPE_CHECKING:
    from nodediag.facts.inputs import File, Inputs

_METADATA_HOST: Final = "GCE_METADATA_HOST"  # as Google's own clients know it
_HELP_NODE: Final = "The node's object, as `kubectl get node NAME -o json` or yaml prints it; or a list of nodes."
_HELP_INSTANCE: Final = "What Compute Engine knows: an instance, its template, metadata or node labels. Repeatable."
_OPTIONS: Final = (
    click.option("--node-object", metavar="FILE", help=_HELP_NODE),
    click.option("--node", metavar="NAME", help="Which node of a list of them."),
    click.option("--instance", multiple=True, metavar="FILE", help=_HELP_INSTANCE),
    click.option(
        "--gke-versions", metavar="FILE", help="Google's map of GKE versions to COS images (gke-to-cos.json)."
    ),
    click.option("--no-metadata", is_flag=True, help="Do not ask Compute Engine's metadata server."),
)

P = ParamSpec("P")


class InputOptions(LogOptions, frozen=True, kw_only=True):
    """Which files; a folder of --data may hold the map too."""

    node_object: str | None
    node: str | None
    instance: tuple[str, ...]
    gke_versions: str | None
    no_metadata: bool

    def inputs(self) -> "Inputs":
        """Read the files; raises UsageError."""
        from nodediag.facts.inputs import read  # noqa: PLC0415 - after the children were made
        from nodediag.facts.metadata import Asking  # noqa: PLC0415 - as above

        if self.node is not None and self.node_object is None:
            raise UsageError("--node picks a node of --node-object FILE, which was not given")
        return read(
            node=_file("--node-object", self.node_object) if self.node_object is not None else None,
            name=self.node or "",
            instance=tuple(_file("--instance", path) for path in self.instance),
            versions=self._versions(),
            metadata=Asking(wanted=not self.no_metadata, server=own.environment(_METADATA_HOST)),
        )

    def _versions(self) -> "File | None":
        from nodediag.facts.gke_versions import FILE  # noqa: PLC0415 - as above

        if self.gke_versions is not None:
            return _file("--gke-versions", self.gke_versions)
        path = f"{self.data}/{FILE}"
        return _file("--data", path) if self.data is not None and own.is_file(path) else None


def input_options(command: Callable[P, int]) -> Callable[P, int]:
    """Give a verb the options that name such files."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _file(option: str, path: str) -> "File":
    from nodediag.facts.inputs import File  # noqa: PLC0415 - as above

    return File(path, own.read_text(option, path))
