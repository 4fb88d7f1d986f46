import pytest

from nodediag.logs.levels import level
from nodediag.logs.matcher import Matcher


@pytest.mark.parametrize(
    ("message", "priority", "said"),
    [
        ('E0716 02:08:55.559351    3356 kubelet.go:2040] "Skipping" err="x"', 6, "error"),
        ("W0716 02:08:55.559351 3356 watcher.go:95] closed", 6, "warning"),
        ("I0716 02:08:55.559351    3356 file.go:42] level=error inside the words", 6, "info"),
        ("F0716 02:08:55.559351    3356 server.go:233] failed to run Kubelet", 6, "fatal"),
        ('time="2024-01-01T00:00:00Z" level=warning msg="cleaning up"', 6, "warning"),
        ('time="2015-01-01T00:00:00Z" level="error" msg="old dockerd quotes the level"', 6, "error"),
        (
            'E0716 02:08:55.559351 3356 kubelet.go:1] "Failed" err="rpc: \\"a \\\\\\"I0716 b\\\\\\" level=info\\""',
            6,
            "error",
        ),
        (
            'I0716 02:08:55.559351 3356 kubelet.go:1] "Ok" was="E0716 02:08:55.559351 3356 a.go:1] x level=fatal"',
            6,
            "info",
        ),
        ('E0716 02:08:55.559351 3356 remote_runtime.go:1] "Failed" err=<\n\trpc error: level=info\n >', 6, "error"),
        ("\trpc error: code = Unknown level=error msg=x", 6, "info"),
        ("#011level=error msg=inner", 6, "info"),
        (" >", 6, "info"),
        ("kubenswrapper[2341]: W0716 02:08:55.559351    2341 a.go:95] closed", 6, "warning"),
        ("Jul 16 02:08:55 node-1 kubelet[33]: E0716 02:08:55.559351    33 a.go:95] closed", 6, "error"),
        ("E0716 02:08:55.559351       1 main.c:95] from C", 6, "error"),
        ("the E0716 02:08:55.559351 3356 a.go:1] of another", 6, "info"),
        ('time="2024-01-01T00:00:00Z" level=info msg="said: time=\\"x\\" level=error"', 6, "info"),
        ('time="2024-01-01T00:00:00Z" level=info msg="loading plugin "io.containerd.x" level=error..."', 6, "info"),
        ('time="2024-01-01T00:00:00Z" level=info msg="E0716 02:08:55.559351 3356 a.go:1] inner"', 6, "info"),
        ("level=warn ts=2024-01-01T00:00:00Z caller=main.go:1 msg=x", 6, "warning"),
        ("ts=2024-01-01T00:00:00Z caller=main.go:1 level=error msg=x", 6, "error"),
        ('time="2024-01-01 00:00:00.5" level=fatal msg="crio"', 6, "fatal"),
        ('time="2024-01-01T00:00:00Z" level=panic msg="x"', 6, "fatal"),
        ("he said level=error in the middle", 6, "info"),
        ("node_exporter: he wrote severity: critical", 6, "info"),
        ("ERRO[0012] docker on a terminal", 6, "error"),
        ("\x1b[31mFATA\x1b[0m[0000] in colour", 6, "fatal"),
        ("WARN[2024] x level=error", 6, "warning"),
        ("2024-05-07 11:59:43,910 - util.py[WARNING]: Failed running /var/lib/cloud", 6, "warning"),
        ('{"ts":1580306777.04,"caller":"kubelet.go:1","msg":"Failed","err":"x"}', 6, "error"),
        ('{"ts":1580306777.04,"caller":"kubelet.go:1","msg":"Pod status updated","v":4}', 6, "info"),
        ('{"msg":"it said \\"level\\":\\"error\\"","level":"info"}', 6, "info"),
        ('{"level":50,"msg":"bunyan"}', 6, "error"),
        ('{"level" : "dpanic","msg":"zap"}', 6, "fatal"),
        ('{"msg":"no level"}', 3, "error"),
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


@pytest.mark.parametrize("message", [
    b"W0716 02:08:55.559351 3356 watcher.go:95] closed", b'time="x" level="error" msg="x"', b"ERRO[0012] x",
    b'{"ts":1580306777.04,"caller":"kubelet.go:1","msg":"Failed","err":"x"}', b'{"level":50,"msg":"bunyan"}',
    b"2024-05-07 11:59:43,910 - util.py[WARNING]: x", b'{"level" : "dpanic"}',
])  # fmt: skip
def test_a_message_above_info_is_suspicious_among_others(matcher: Matcher, message: bytes) -> None:
    assert matcher.suspicious(b"fine\n" + message + b"\nfine")
    assert not matcher.suspicious(b"fine\nfine")
