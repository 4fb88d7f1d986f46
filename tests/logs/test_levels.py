import pytest

from nodediag.logs.levels import level, timeless


@pytest.mark.parametrize(
    ("message", "priority", "said"),
    [
        ('E0716 02:08:55.559351    3356 kubelet.go:2040] "Skipping" err="x"', 6, "error"),
        ("W0716 02:08:55.559351 3356 watcher.go:95] closed", 6, "warning"),
        ("I0716 02:08:55.559351    3356 file.go:42] level=error inside the words", 6, "info"),
        ("F0716 02:08:55.559351    3356 server.go:233] failed to run Kubelet", 6, "fatal"),
        ('time="2024-01-01T00:00:00Z" level=warning msg="cleaning up"', 6, "warning"),
        ('time="2015-01-01T00:00:00Z" level="error" msg="old dockerd quotes the level"', 6, "error"),
        ('{"ts":1.5,"level":"error","msg":"x"}', 6, "error"),
        ('{"severity":"WARNING","message":"x"}', 6, "warning"),
        ("EXT4-fs error (device sda1): x", 2, "fatal"),
        ("plain words", 4, "warning"),
        ("plain words", 6, "info"),
        ("plain words", None, "unknown"),
        ("plain words", 99, "unknown"),
        ("", None, "unknown"),
    ],
)
def test_the_level_comes_from_the_message_before_the_priority(message: str, priority: int | None, said: str) -> None:
    assert level(message.encode(), priority) == said


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        (b"E0716 02:08:55.559351    3356 kubelet.go:2040] x", b"kubelet.go:2040] x"),
        (b"E0716 02:08:55.559351 1234567 kubelet.go:2040] x", b"kubelet.go:2040] x"),
        (b'time="2024-01-01T00:00:00.123456789Z" level=error msg="x"', b'" level=error msg="x"'),
        (b"plain words 12:00", b"plain words 12:00"),
        (b"", b""),
    ],
)
def test_messages_are_compared_without_their_time(message: bytes, rest: bytes) -> None:
    assert message[timeless(message) :] == rest
