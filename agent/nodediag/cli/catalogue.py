"""The profiles and known issues that the options mean."""

from nodediag.cli.options import NodeOptions
from nodediag.errors import UsageError
from nodediag.host import own
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin


def catalogue_of(options: NodeOptions, signatures: dict[str, str]) -> tuple[Catalogue, str]:
    """Read this release's profiles and known issues, those of --data over them, and a file that --profile names."""
    if options.profile == "":
        raise UsageError("--profile is empty; wanted a name of `nodediag profile list`, or a file")
    newer, known = dict[str, str](), issues.builtin()
    if options.data is not None:
        if not own.is_folder(options.data):
            raise UsageError(f"--data {options.data}: there is no such folder")
        newer = own.texts_in("--data", f"{options.data}/profiles", ".toml")
        known |= own.texts_in("--data", f"{options.data}/issues", ".toml")
    catalogue = Catalogue(builtin(), signatures, known)
    for file, text in newer.items():
        catalogue.add(file, text)
    if options.profile is None or options.profile.partition("@")[0] in catalogue.names():
        return catalogue, options.profile or ""
    if "/" not in options.profile and not options.profile.endswith(".toml"):
        return catalogue, options.profile  # diagnose says which names there are
    from nodediag.diagnose import check_profile  # noqa: PLC0415 - the checks, which only a profile of one's own needs

    name = catalogue.add(options.profile, own.read_text("--profile", options.profile))
    check_profile(catalogue.get(name), options.profile)
    return catalogue, name
