"""Two looks at a node: in one run, or since an earlier report or recording; and what is said where there is one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
FILES: Final = {
    "etc/os-release": "ID=ubuntu\n",
    "proc/1/mountinfo": "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
    "proc/sys/kernel/random/boot_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301\n",
    "proc/stat": "btime 1763596800\nprocesses 1000\n",
    "proc/1/net/netstat": "TcpExt: ListenOverflows\nTcpExt: 0\n",
    "proc/uptime": "1000.00 1.00\n",
}
LATER: Final = {"proc/uptime": "1010.00 1.00\n", "proc/stat": "btime 1763596800\nprocesses 91000\n"}


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NODEDIAG, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / "node" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """Give a folder with an earlier report of a node, and the node as it is ten seconds later."""
    write(tmp_path, FILES)
    done = run("report", "--root", "node", "-o", "earlier.json", "--fail-on", "never", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    write(tmp_path, LATER)
    return tmp_path


def rates(text: str) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in json.loads(text)["checks"] if one["id"].startswith("rates.")}


def test_an_earlier_report_makes_rates(twice: Path) -> None:
    shown = run("report", "--root", "node", "--previous", "earlier.json", folder=twice).stdout
    found = rates(shown)
    assert (found["rates.forks"], found["rates.listen-overflows"]) == ("failed", "passed")
    (problem,) = next(one["problems"] for one in json.loads(shown)["checks"] if one["id"] == "rates.forks")
    assert problem["message"] == "9000 processes and threads a second were started, for 10 s"
    assert [line["text"] for line in problem["evidence"]] == ["processes 1000", "processes 91000"]


def test_a_folder_of_a_node_as_it_was_makes_rates_too(twice: Path) -> None:
    (twice / "node").rename(twice / "later")
    write(twice, FILES)
    shown = run("report", "--root", "later", "--previous", "node", folder=twice).stdout
    assert rates(shown)["rates.forks"] == "failed"


def test_a_recording_keeps_both_looks(twice: Path) -> None:
    given = ("report", "--root", "node", "--previous", "earlier.json", "--record", "kept")
    first = json.loads(run(*given, folder=twice).stdout)
    (twice / "earlier.json").unlink()
    again = json.loads(run("report", "--root", "kept", folder=twice).stdout)
    for report in (first, again):
        for name in ("generated_at", "observed_at", "duration_ms", "view"):
            del report[name]
    assert first["checks"] == again["checks"]
    assert first["facts"]["earlier"] == again["facts"]["earlier"]


def test_one_look_is_said_in_one_line_and_spoils_no_verdict(twice: Path) -> None:
    one = run("report", "--root", "node", folder=twice)
    assert set(rates(one.stdout).values()) == {"unknown"}
    assert not [what for what in json.loads(one.stdout)["view"]["blind_spots"] if what["what"] == "earlier"]
    assert not [check for check in json.loads(one.stdout)["verdict_because"] if check.startswith("rates.")]
    text = " ".join(run("report", "--root", "node", "--format", "text", folder=twice).stdout.split())
    said = "16 rates (`--only rates`) were not judged: one look was taken, and rates need two"
    assert f"{said}; `--sample 5s` takes a second one." in text
    assert text.count("rates.") == 0
    markdown = run("report", "--root", "node", "--format", "markdown", folder=twice).stdout
    assert markdown.count("16 rates") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--sample", "4s"), "wanted 5s or more"),
        (("--sample", "5s"), "--sample looks at a running node twice"),
        (("--sample", "5s", "--previous", "earlier.json"), "give one of them"),
        (("--previous", "node/etc/os-release"), "wanted a report of nodediag"),
        (("--previous", "gone.json"), "--previous gone.json: No such file"),
        (("--previous", "node/etc"), "it holds no counters"),
        (("--previous", "/"), "found a running node"),
    ],
)
def test_what_cannot_be_is_bad_usage(options: tuple[str, ...], says: str, twice: Path) -> None:
    done = run("report", "--root", "node", *options, folder=twice)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_look_that_leaves_no_time_for_the_rest_is_bad_usage(tmp_path: Path) -> None:
    done = run("report", "--sample", "8s", "--timeout", "10s", folder=tmp_path)
    assert (done.returncode, "leaves too little of --timeout 10s" in done.stderr) == (2, True)


def test_this_machine_is_looked_at_twice_and_a_replay_says_the_same(tmp_path: Path) -> None:
    given = ("report", "--no-logs", "--only", "rates", "--sample", "5s", "--fail-on", "never", "--record", "kept")
    live = json.loads(run(*given, folder=tmp_path).stdout)
    again = json.loads(run("report", "--no-logs", "--only", "rates", "--root", "kept", folder=tmp_path).stdout)
    assert live["checks"] == again["checks"]
    looks = [live["facts"][name]["value"] for name in ("earlier", "counters")]
    assert 5 <= looks[1]["uptime_s"] - looks[0]["uptime_s"] < 30
    assert looks[0]["boot_id"] == looks[1]["boot_id"]


def test_facts_hold_both_looks_too(twice: Path) -> None:
    shown = json.loads(run("facts", "--root", "node", "--previous", "earlier.json", folder=twice).stdout)
    assert shown["earlier"]["value"]["uptime_s"] == 1000.0
    assert shown["counters"]["value"]["uptime_s"] == 1010.0
