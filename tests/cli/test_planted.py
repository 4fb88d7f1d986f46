"""Secrets planted all over a node are in nothing that any verb gives away."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.planted import FORMATS, LINES, SECRETS, plain
from tests.unpacked import whole
from tests.watch.conftest import Node, Watched

NODEDIAG = (sys.executable, "-I", "-m", "nodediag")
WELL = Path(__file__).parent.parent / "nodes/gke-cos-containerd-1.34/root"
KUBELET = "proc/1532/cmdline"
CRITICAL = (
    'E1121 10:00:00.000000 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: pleg was last'
    ' seen active 5m10.1s ago; threshold is 3m0s" {}'
)
MARK = "[redacted]"
NAMED = [secret for secret in LINES if secret.name]


def run(*arguments: str, data: bytes = b"") -> str:
    done = subprocess.run([*NODEDIAG, *arguments], input=data, capture_output=True, check=False)
    assert done.returncode in {0, 1, 3}, done.stderr
    return (done.stdout + done.stderr).decode()


def left(text: str) -> list[tuple[str, str]]:
    return [(secret.kind, secret.name) for secret in SECRETS if secret.left(text)]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node")


def append(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        opened.write(text)


@pytest.fixture(scope="module")
def messages() -> list[str]:
    """What a node logs of its secrets: each once, in one format after the other."""
    formats = ["text", "logfmt in quotes", "json", "json in json", "flag", "struct", "yaml flow", "toml in line", "env"]
    said = [plain(secret).get(formats[at % len(formats)]) or secret.value for at, secret in enumerate(LINES)]
    return [" ".join(text.split("\n")) for text in said]


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node that is well and whose every file holds secrets."""
    root = tmp_path_factory.mktemp("well") / "root"
    shutil.copytree(WELL, root)
    append(root / KUBELET, "".join(f"--{s.name}={s.value}\0--{s.name}\0{s.value}\0" for s in NAMED))
    headers = "".join(f"  X-{s.name.strip('.')}:\n  - {json.dumps(s.value)}\n" for s in NAMED)
    append(root / "home/kubernetes/kubelet-config.yaml", f"\nstaticPodURLHeader:\n{headers}")
    append(root / "etc/os-release", "".join(FORMATS["env"](s.name or "a_token", s.value) for s in LINES))
    named = (f'"{s.name or "x"}" = {json.dumps(s.value)}\n' for s in LINES)
    tables = (f'[plugins."io.containerd.internal.v1.opt".x{at}]\n{line}' for at, line in enumerate(named))
    append(root / "etc/containerd/config.toml", "\n" + "".join(tables))
    cmdline = (root / "proc/cmdline").read_text().strip()
    urls = [secret.value for secret in SECRETS if secret.kind == "password in a url"]
    (root / "proc/cmdline").write_text(
        f"{cmdline} {' '.join(f'x.url={url}' for url in urls)} a.token={LINES[0].value}\n"
    )
    return root


@pytest.fixture(scope="module")
def recorded(well: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "recording"
    run("report", "--no-logs", "--root", str(well), "--record", str(folder), "--fail-on", "never")
    return folder


@pytest.mark.parametrize("form", ["json", "text", "markdown", "html", "openmetrics"])
def test_no_secret_is_in_a_report(well: Path, form: str) -> None:
    made = run("report", "--no-logs", "--root", str(well), "--format", form)
    assert left(made) == []
    assert form != "json" or made.count(MARK) > len(NAMED)


@pytest.mark.parametrize("options", [(), ("--anonymise",)], ids=["", "anonymised"])
def test_no_secret_is_in_a_bundle(well: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    key = tuple(str(tmp_path / "key") for _ in options)
    run("bundle", "--no-logs", "--root", str(well), "-o", str(file), *options, *key)
    text = "\n".join(data.decode("utf-8", "surrogateescape") for data in whole(file).values())
    assert left(text) == []
    assert text.count(MARK) > len(LINES)


def test_no_secret_is_in_the_facts(well: Path) -> None:
    made = run("facts", "--no-logs", "--root", str(well))
    assert left(made) == []
    assert MARK in made


def test_no_secret_is_in_a_recording_nor_in_what_is_told_from_it(recorded: Path) -> None:
    files = [file for file in recorded.rglob("*") if file.is_file()]
    text = "\n".join(file.read_text(errors="surrogateescape") for file in files)
    assert left(text) == []
    assert text.count(MARK) > len(LINES)
    assert left(run("report", "--no-logs", "--root", str(recorded), "--format", "json")) == []


def test_a_node_with_secrets_is_judged_as_the_one_without(well: Path) -> None:
    told = [json.loads(run("report", "--no-logs", "--root", str(root), "--format", "json")) for root in (well, WELL)]
    outcomes = [{check["id"]: check["outcome"] for check in report["checks"]} for report in told]
    assert outcomes[0] == outcomes[1]
    assert told[0]["verdict"] == told[1]["verdict"]


def test_no_secret_is_in_a_profile_made_from_a_node(well: Path, tmp_path: Path) -> None:
    made = tmp_path / "mine.toml"
    said = run("profile", "record", "--name", "mine", "--no-logs", "--root", str(well), "-o", str(made))
    assert left(said + made.read_text()) == []


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_in_what_logs_are_said_to_hold(messages: list[str], form: str) -> None:
    entries = [
        {"MESSAGE": text, "_SYSTEMD_UNIT": f"{unit}.service", "__REALTIME_TIMESTAMP": f"{int(time.time())}000000"}
        for number, message in enumerate(messages)
        for unit, text in (
            ("kubelet", CRITICAL.format(message)),
            ("containerd", f'level=error msg="odd {"abcdefghijklmnopqrstuvwxyz"[number % 26] * 9}" {message}'),
        )
    ]
    data = "\n".join(json.dumps(entry) for entry in entries).encode()
    made = run("logs", "--input", "-", "--format", form, data=data)
    assert left(made) == []
    assert MARK in made


def test_no_secret_of_a_journal_is_in_a_report_or_its_recording(
    node: Node, messages: list[str], tmp_path: Path
) -> None:
    node.log(*(CRITICAL.format(message) for message in messages))
    node.log(*(f'level=error msg="odd" {message}' for message in messages), unit="containerd.service")
    made = run("report", "--root", str(node.root), "--record", str(tmp_path / "kept"), "--format", "json")
    kept = "\n".join(file.read_text() for file in (tmp_path / "kept").rglob("*") if file.is_file())
    assert left(made + kept) == []
    assert MARK in made
    assert MARK in kept


def test_no_secret_is_in_what_watch_says(node: Node, messages: list[str]) -> None:
    node.log("all is well")
    watched = Watched(node, "--interval", "1h", "--listen", "127.0.0.1:0")
    try:
        watched.wait_for("diagnosed")
        until = time.monotonic() + 40
        while "nodediag_watch_journal_files 1" not in watched.get("/metrics")[1] and time.monotonic() < until:
            time.sleep(0.1)
        node.log(*(CRITICAL.format(message) for message in messages))
        watched.wait_for("problem_began")
        _, metrics = watched.get("/metrics")
        watched.end()
        made = json.dumps(watched.events()) + metrics
    finally:
        watched.close()
    assert left(made) == []
    assert MARK in made


@pytest.mark.parametrize("option", ["--node-object", "--instance"])
def test_no_secret_of_a_file_beside_the_node_is_in_a_report(option: str, tmp_path: Path) -> None:
    said = {f"x/{number}": secret.value for number, secret in enumerate(SECRETS) if not secret.name}
    said |= {f"{secret.name}": secret.value for secret in SECRETS if secret.name}
    kube_env = "\n".join(f"{name}: {json.dumps(value)}" for name, value in said.items())
    whole = (
        {"kind": "Node", "metadata": {"name": "a", "annotations": said, "labels": said}, "spec": {"providerID": said}}
        if option == "--node-object"
        else {
            "kind": "compute#instance",
            "labels": said,
            "metadata": {"items": [{"key": "kube-env", "value": kube_env}]},
        }
    )
    (tmp_path / "told.json").write_text(json.dumps(whole))
    made = run("report", "--root", "none", option, str(tmp_path / "told.json"), "--record", str(tmp_path / "kept"))
    kept = "\n".join(file.read_text() for file in (tmp_path / "kept").rglob("*") if file.is_file())
    assert left(made + kept) == []
