"""The last reports, in a folder that does not grow: each is at most a MiB, and the oldest go."""

import re
from datetime import datetime
from typing import Final

from nodediag.host import state_folder

_NAME: Final = re.compile(r"report-(\d{8})-\d{8}T\d{6}Z\.json")


def keep(folder: str, most: int, time: datetime, data: bytes) -> tuple[str, str]:
    """Write a report and delete the oldest ones; give its path, and why that could not be done.

    They are counted, not ordered by their time: a clock may step back. On a full disk the oldest report gives way.
    """
    try:
        numbers = _numbers(folder)
        _delete(folder, sorted(numbers)[: max(0, len(numbers) - most + 1)], numbers)
        name = f"report-{max(numbers, default=0) + 1:08}-{time:%Y%m%dT%H%M%SZ}.json"
        try:
            state_folder.write(folder, name, data)
        except OSError:
            _delete(folder, sorted(_numbers(folder))[:1], numbers)
            state_folder.write(folder, name, data)
    except OSError as error:
        return "", f"{folder}: {error.strerror}"
    return f"{folder}/{name}", ""


def last(folder: str | None) -> str | None:
    """Give the path of the newest report of a folder, None where there is none."""
    try:
        numbers = _numbers(folder) if folder is not None else {}
    except OSError:
        return None
    return f"{folder}/{numbers[max(numbers)]}" if numbers else None


def _numbers(folder: str) -> dict[int, str]:
    return {int(found[1]): name for name in state_folder.names(folder) if (found := _NAME.fullmatch(name))}


def _delete(folder: str, numbers: list[int], names: dict[int, str]) -> None:
    for number in numbers:
        state_folder.delete(folder, names[number])
