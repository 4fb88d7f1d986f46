"""The state in its folder: which problems are open, and how far the journal was read."""

from typing import Final

import msgspec

from nodediag.host import state_folder
from nodediag.host.child import Tell
from nodediag.watch.changes import State
from nodediag.watch.told import Kept

_NAME: Final = "state.json"


def load(folder: str | None) -> tuple[State, str]:
    """Read what an earlier run saved, and why that cannot be used; nothing where there was none."""
    if folder is None:
        return State(), ""
    try:
        data = state_folder.read(folder, _NAME)
        return (msgspec.json.decode(data, type=State) if data is not None else State()), ""
    except OSError as error:
        return State(), f"{folder}/{_NAME}: {error.strerror}"
    except msgspec.MsgspecError as error:
        return State(), f"{folder}/{_NAME}: {error}"


def save(tell: Tell, folder: str, state: State) -> None:
    """Save the state, and tell whether that went well."""
    lost = ""
    try:
        state_folder.write(folder, _NAME, msgspec.json.encode(state))
    except OSError as error:
        lost = f"{folder}/{_NAME}: {error.strerror}"
    tell(msgspec.json.encode(Kept(lost=lost)))
