"""systemd over D-Bus, at the root's own sockets: one connection, calls that only read, answers as plain data.

The bus's socket is open to every user. systemd's own is root's; it speaks the same protocol with no bus on it (no
names, no Hello), and is there when the bus is not. See org.freedesktop.systemd1(5) and the D-Bus specification.
"""

import os
import socket
import stat
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

import msgspec

from nodediag.host.answer import SystemdAnswer
from nodediag.host.answer_parts import Job, UnitState
from nodediag.host.ask import BUS_SOCKET
from nodediag.model.reason import Code

MOST_UNITS: Final = 2000
_MOST_DETAILED: Final = 200
_MOST_BYTES: Final = 16 * 1024 * 1024
_AT_ONCE: Final = 64  # the system bus refuses more than 128 unanswered calls
_CHUNK: Final = 64 * 1024
_PATTERNS: Final = ("*.service", "*.socket", "*.target", "*.timer")
_STAGES: Final = ("InitRD", "Userspace", "Finish")
_BUS_NAME: Final = "org.freedesktop.DBus"
_SYSTEMD_NAME: Final = "org.freedesktop.systemd1"
_INTERFACES: Final = f"{_SYSTEMD_NAME}."
_MANAGER: Final = ("/org/freedesktop/systemd1", f"{_INTERFACES}Manager")
_UNIT: Final = f"{_INTERFACES}Unit"
_SERVICE: Final = f"{_INTERFACES}Service"
_NEVER: Final = 1 << 63
_LATE: Final = "no answer in time"
_RUNS: Final = frozenset({"active", "activating", "reloading", "failed", "deactivating"})
_SETTLED: Final = frozenset({"active", "inactive"})

T = TypeVar("T")


class TalkError(Exception):
    """The other end does not speak D-Bus, says too much, takes too long, or refuses what every systemd answers."""

    def __init__(self, detail: str, code: Code = Code.UNPARSABLE) -> None:
        super().__init__(detail)
        self.code = code


class Call(msgspec.Struct, frozen=True):
    """One method call; `signature` is that of its arguments, all of them texts or lists of texts."""

    path: str
    interface: str
    member: str
    signature: str = ""
    arguments: tuple[str | tuple[str, ...], ...] = ()


class _UnitRow(msgspec.Struct, frozen=True, array_like=True):
    """A unit as ListUnits gives it."""

    name: str
    description: str
    load: str
    active: str
    sub: str
    following: str
    path: str
    job_id: int
    job: str
    job_path: str


class _JobRow(msgspec.Struct, frozen=True, array_like=True):
    """A job as ListJobs gives it."""

    id: int
    unit: str
    type: str
    state: str
    path: str
    unit_path: str


class _Variant(msgspec.Struct, frozen=True, array_like=True):
    """What a property holds, behind its signature."""

    signature: str
    value: str | int


_Units: TypeAlias = list[_UnitRow]
_Jobs: TypeAlias = list[_JobRow]


class Connection:
    """An open connection; what stands at its other end may be anything. Times out as a whole."""

    def __init__(self, channel: socket.socket, *, bus: bool, until: float) -> None:
        from jeepney.low_level import Parser  # noqa: PLC0415 - only the child that found a socket pays for it

        self._channel = channel
        self._bus = bus
        self._until = until
        self._serial = 0
        self._left = _MOST_BYTES
        self._parser = Parser()
        self._log_in()
        if bus:
            self.must(Call("/org/freedesktop/DBus", _BUS_NAME, "Hello"), str)

    def must(self, call: Call, wanted: type[T]) -> T:
        """Make one call that every systemd answers."""
        (answer,) = self.ask((call,), wanted)
        if answer is None:
            raise TalkError(f"{call.member} is refused", Code.UNSUPPORTED)
        return answer

    def ask(self, calls: Sequence[Call], wanted: type[T]) -> list[T | None]:
        """Make calls and give the one value that each returns, None for a refusal; raises TalkError."""
        answers: list[T | None] = []
        for start in range(0, len(calls), _AT_ONCE):
            for body in self._exchanged(calls[start : start + _AT_ONCE]):
                try:
                    answers.append(None if body is None else msgspec.convert(body[0], wanted))
                except (msgspec.ValidationError, IndexError) as error:
                    raise TalkError(f"an answer of another kind: {error}") from error
        return answers

    def _exchanged(self, calls: Sequence[Call]) -> list[tuple[object, ...] | None]:
        first = self._serial + 1
        self._send(b"".join(self._wire(call) for call in calls))
        bodies: dict[int, tuple[object, ...] | None] = {}
        while len(bodies) < len(calls):
            serial, body = self._reply()
            if first <= serial <= self._serial:
                bodies[serial] = body
        return [bodies[first + number] for number in range(len(calls))]

    def _wire(self, call: Call) -> bytes:
        from jeepney import DBusAddress, HeaderFields, MessageFlag, new_method_call  # noqa: PLC0415 - as above

        name = _BUS_NAME if call.interface == _BUS_NAME else _SYSTEMD_NAME
        address = DBusAddress(call.path, bus_name=name, interface=call.interface)
        arguments = tuple(list(one) if isinstance(one, tuple) else one for one in call.arguments)
        message = new_method_call(address, call.member, call.signature or None, arguments)
        message.header.flags |= MessageFlag.no_auto_start
        if not self._bus:
            del message.header.fields[HeaderFields.destination]
        self._serial += 1
        wire: bytes = message.serialise(self._serial)
        return wire

    def _log_in(self) -> None:
        from jeepney.auth import BEGIN, AuthenticationError, Authenticator  # noqa: PLC0415 - as above

        talk = Authenticator()
        try:
            for line in talk:
                self._send(line)
                talk.feed(self._receive())
        except AuthenticationError as error:
            raise TalkError(str(error), Code.NOT_PERMITTED) from error
        self._send(BEGIN)

    def _reply(self) -> tuple[int, tuple[object, ...] | None]:
        """Wait for a message; give the call it answers, 0 for none, and what it returns, None for an error."""
        from jeepney.low_level import HeaderFields, MessageType  # noqa: PLC0415 - as above

        try:
            while (message := self._parser.get_next_message()) is None:
                self._parser.add_data(self._receive())
            serial: int = message.header.fields.get(HeaderFields.reply_serial, 0)
            returned = message.header.message_type is MessageType.method_return
            return serial, tuple(message.body) if returned else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
            raise TalkError(f"what came is no D-Bus message ({type(error).__name__})") from error

    def _send(self, data: bytes) -> None:
        with self._in_time():
            self._channel.sendall(data)

    def _receive(self) -> bytes:
        with self._in_time():
            data = self._channel.recv(_CHUNK)
        self._left -= len(data)
        if not data:
            raise TalkError("the connection was closed", Code.CRASHED)
        if self._left < 0:
            raise TalkError(f"more than {_MOST_BYTES} bytes came", Code.TOO_LARGE)
        return data

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TalkError(_LATE, Code.TIMED_OUT)
        try:
            self._channel.settimeout(left)
            yield
        except TimeoutError as error:
            raise TalkError(_LATE, Code.TIMED_OUT) from error
        except OSError as error:
            raise TalkError(f"the connection broke: {error.strerror}", Code.CRASHED) from error


@contextmanager
def connected(fd: int, path: str, until: float) -> Iterator[Connection]:
    """Connect to a socket by a descriptor of its path; raises TalkError, OSError where nobody listens."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise TalkError("it is no socket", Code.WRONG_KIND)
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(max(until - time.monotonic(), 0.01))
        try:
            channel.connect(f"/proc/self/fd/{fd}")
        except TimeoutError as error:
            raise TalkError(_LATE, Code.TIMED_OUT) from error
        yield Connection(channel, bus=path == BUS_SOCKET, until=until)


def systemd(connection: Connection, path: str) -> SystemdAnswer:
    """Ask all that is asked of systemd; raises TalkError."""
    uptime_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    asked_us = time.time_ns() // 1000
    texts = connection.ask([_manager(name) for name in ("Version", "SystemState")], _Variant)
    times = connection.ask([_manager(f"{name}TimestampMonotonic") for name in _STAGES], _Variant)
    initrd_us, userspace_us, finished_us = (_number(one) for one in times)
    if None in texts:
        raise TalkError("no systemd answers there", Code.UNSUPPORTED)
    rows = connection.must(Call(*_MANAGER, "ListUnitsByPatterns", "asas", ((), _PATTERNS)), _Units)
    rows += connection.must(Call(*_MANAGER, "ListUnitsFiltered", "as", (("failed",),)), _Units)
    jobs = connection.must(Call(*_MANAGER, "ListJobs"), _Jobs)
    found = {row.name: row for row in rows}
    if len(found) > MOST_UNITS:
        raise TalkError(f"it has more than {MOST_UNITS} units", Code.TOO_LARGE)
    return SystemdAnswer(
        socket=path,
        asked_us=asked_us,
        uptime_us=uptime_us,
        version=_text(texts[0]),
        state=_text(texts[1]),
        initrd_us=initrd_us,
        userspace_us=userspace_us,
        finished_us=finished_us,
        units=_detailed(connection, [found[name] for name in sorted(found)]),
        jobs=tuple(Job(unit=job.unit, type=job.type, state=job.state) for job in jobs),
    )


def _detailed(connection: Connection, rows: list[_UnitRow]) -> tuple[UnitState, ...]:
    """Ask of each service how often it was restarted, and more only of those where there is something to tell."""
    services = [row for row in rows if row.name.endswith(".service") and row.active in _RUNS and row.sub != "exited"]
    counts = connection.ask([_property(row.path, _SERVICE, "NRestarts") for row in services], _Variant)
    restarts = {row.name: _number(count) for row, count in zip(services, counts, strict=True) if count is not None}
    units = {
        row.name: UnitState(
            name=row.name,
            load=row.load,
            active=row.active,
            sub=row.sub,
            job=row.job,
            restarts=restarts.get(row.name, msgspec.UNSET),
        )
        for row in rows
    }
    telling = [row for row in rows if row.active not in _SETTLED or restarts.get(row.name)]
    for row in telling[:_MOST_DETAILED]:
        calls = [_property(row.path, interface, name) for interface, name in _details(row)]
        result, changed, started, *status = connection.ask(calls, _Variant)
        units[row.name] = msgspec.structs.replace(
            units[row.name],
            result=_text(result),
            changed_us=_number(changed),
            started_us=_number(started),
            exit_status=_number(status[0]) if status else 0,
        )
    return tuple(units.values())


def _details(row: _UnitRow) -> tuple[tuple[str, str], ...]:
    own = _INTERFACES + row.name.rpartition(".")[2].capitalize()
    asked = ((own, "Result"), (_UNIT, "StateChangeTimestamp"), (_UNIT, "InactiveExitTimestamp"))
    return (*asked, (own, "ExecMainStatus")) if own == _SERVICE else asked


def _manager(name: str) -> Call:
    return _property(_MANAGER[0], _MANAGER[1], name)


def _property(path: str, interface: str, name: str) -> Call:
    return Call(path, "org.freedesktop.DBus.Properties", "Get", "ss", (interface, name))


def _text(variant: _Variant | None) -> str:
    return variant.value if variant is not None and isinstance(variant.value, str) else ""


def _number(variant: _Variant | None) -> int:
    """Give a number that can be kept; systemd's word for never and for ever is the greatest of 64 bits."""
    value = variant.value if variant is not None else 0
    return value if isinstance(value, int) and 0 <= value < _NEVER else 0
