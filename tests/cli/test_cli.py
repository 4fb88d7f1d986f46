import json
import os
import pty
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from nodediag.cli.schema import WHAT, text as schema_text
from nodediag.host.package import texts

NODEDIAG = (sys.executable, "-I", "-m", "nodediag")
COS = 'ID=cos\nVERSION_ID=121\nPRETTY_NAME="Container-Optimized OS from Google"\n'
ROOT_RO = """\
20 1 253:0 / / {options},relatime - ext2 /dev/mapper/vroot {options}
21 20 0:5 / /proc rw - proc proc rw
"""


def run(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NODEDIAG, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "node/etc").mkdir(parents=True)
    (tmp_path / "node/proc/1").mkdir(parents=True)
    (tmp_path / "node/etc/os-release").write_text(COS)
    (tmp_path / "node/proc/1/mountinfo").write_text(ROOT_RO.format(options="ro"))
    return tmp_path / "node"


def test_a_report_of_this_machine_keeps_to_its_schema() -> None:
    done = run("report", "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    jsonschema.validate(json.loads(done.stdout), json.loads(schema_text("report")))
    assert done.stderr == ""


def test_the_keys_stand_in_the_order_of_the_contract(tree: Path) -> None:
    keys = list(json.loads(run("report", "--root", str(tree)).stdout))
    wanted = [
        "schema", "observed_at", "generated_at", "tool", "verdict", "verdict_because", "scope", "counts", "view",
        "node", "profile", "checks", "logs", "facts", "duration_ms",
    ]  # fmt: skip
    assert keys == wanted


def test_no_part_of_the_node_is_null(tree: Path) -> None:
    assert "null" not in json.dumps(json.loads(run("report", "--root", str(tree)).stdout)["node"])


def test_a_writable_root_ends_with_one(tree: Path) -> None:
    (tree / "proc/1/mountinfo").write_text(ROOT_RO.format(options="rw"))
    done = run("report", "--root", str(tree), "--only", "mounts.root-read-only")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "unhealthy"


def test_never_failing_ends_with_zero_once_a_report_is_written(tree: Path) -> None:
    (tree / "proc/1/mountinfo").write_text(ROOT_RO.format(options="rw"))
    assert run("report", "--root", str(tree), "--fail-on", "never").returncode == 0


def test_an_unknown_verdict_ends_with_three(tree: Path) -> None:
    done = run("report", "--root", str(tree), "--only", "image,kubelet")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "--root", "/nowhere/at/all"), "/nowhere/at/all"),
        (("report", "--only", "nothing.such"), "nothing.such"),
        (("report", "--skip", "mounts,,image"), "empty"),
        (("report", "--timeout", "soon"), "60s"),
        (("report", "--profile", "no_such_profile"), "no_such_profile"),
        (("report", "--profile", ""), "--profile is empty"),
        (("report", "--data", "/nowhere/at/all"), "/nowhere/at/all"),
        (("report", "--root", "none", "-o", ""), "-o is empty"),
        (("report", "--format", "xml"), "xml"),
        (("explain", "no.such"), "no.such"),
        (("nonsense",), "nonsense"),
        ((), "Usage"),
    ],
)
def test_bad_usage_ends_with_two_and_names_what_was_wrong(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_name_that_is_not_utf_8_is_told_by_its_bytes() -> None:
    done = run("report", "--root", b"/nowhere/\xff\x1b".decode(errors="surrogateescape"))
    assert (done.returncode, done.stderr) == (2, "nodediag: --root /nowhere/\\xff\\x1b: there is no such folder\n")


def test_help_tells_each_verb_in_a_line_that_is_not_cut() -> None:
    for arguments in ((), ("profile",)):
        assert "..." not in run(*arguments, "--help").stdout.partition("Commands:")[2]


def test_a_bad_profile_names_file_key_and_what_was_wanted(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('name = "mine"\nversion = 1\n')
    done = run("report", "--root", str(tree), "--profile", str(profile))
    assert done.returncode == 2
    assert f"{profile}: version: found 1, wanted `str`" in done.stderr


def test_a_profile_that_names_no_check_is_refused(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\nversion = "1"\ndate = "2026-01-01"\ndocument = "ours"\nsource = "ours"\nextends = "linux"\n'
        'essential = ["mounts.writeable"]\n'
    )
    done = run("report", "--root", str(tree), "--profile", str(profile))
    assert done.returncode == 2
    assert f"{profile}: essential: found 'mounts.writeable'" in done.stderr


def test_a_profile_of_ones_own_judges(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\nversion = "1"\ndate = "2026-01-01"\ndocument = "ours"\nsource = "ours"\nextends = "linux"\n'
        '[paths."/"]\nwritable = true\nwhy = "we say so"\nsource = "ours"\n'
    )
    done = run("report", "--root", str(tree), "--profile", str(profile), "--only", "mounts.writable")
    report = json.loads(done.stdout)
    assert report["profile"]["name"] == "mine"
    assert done.returncode == 1
    problems = [problem for check in report["checks"] for problem in check["problems"]]
    assert ("mine", "paths./.writable") in [(p["requirement"]["profile"], p["requirement"]["key"]) for p in problems]


def test_a_waived_problem_ends_with_zero(tree: Path, tmp_path: Path) -> None:
    (tree / "proc/1/mountinfo").write_text(ROOT_RO.format(options="rw"))
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\nversion = "1"\ndate = "2026-01-01"\ndocument = "ours"\nsource = "ours"\nextends = "bare_cos"\n'
        '[[waivers]]\ncheck = "mounts.root-read-only"\nowner = "us"\nreason = "known"\nexpires = 2999-12-31\n'
    )
    done = run("report", "--root", str(tree), "--profile", str(profile), "--only", "mounts.root-read-only")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["counts"]["waived"]) == ("healthy", 1)
    jsonschema.validate(report, json.loads(schema_text("report")))


def test_newer_data_takes_the_place_of_the_release(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "data/profiles").mkdir(parents=True)
    (tmp_path / "data/profiles/bare_cos.toml").write_text(
        'name = "bare_cos"\nversion = "99"\ndate = "2027-01-01"\ndocument = "new"\nsource = "new"\nextends = "linux"\n'
        '[match]\nos_family = "cos"\n'
    )
    done = run("report", "--root", str(tree), "--data", str(tmp_path / "data"))
    assert json.loads(done.stdout)["profile"]["version"] == "99"


def test_data_beside_the_folders_it_belongs_into_is_bad_usage(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "bare_cos.toml").write_text('name = "bare_cos"\n')
    done = run("report", "--root", str(tree), "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "wanted its .toml files in profiles, signatures or issues below it" in done.stderr


def test_output_is_written_whole_and_private(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = run("report", "--root", str(tree), "-o", str(target), "--fail-on", "never")
    assert (done.returncode, done.stdout) == (0, "")
    assert target.stat().st_mode & 0o777 == 0o600
    assert json.loads(target.read_text())["schema"] == "nodediag.report/1"


def test_output_that_cannot_be_written_ends_with_four(tree: Path, tmp_path: Path) -> None:
    done = run("report", "--root", str(tree), "-o", str(tmp_path / "missing/report.json"))
    assert done.returncode == 4
    assert "missing/report.json" in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("report", "--help")])
def test_help_that_a_full_disk_does_not_take_ends_with_four(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (4, "nodediag: standard output: No space left on device\n")


@pytest.mark.parametrize("option", ["--timeout", "--sample"])
def test_a_span_beyond_all_clocks_is_bad_usage(option: str) -> None:
    done = run("report", option, f"{'9' * 400}h")
    assert done.returncode == 2
    assert f"Invalid value for '{option}'" in done.stderr
    assert "is longer than a year" in done.stderr


def test_a_full_disk_at_standard_output_ends_with_four(tree: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run("report", "--root", str(tree), stdout=full.fileno())
    assert done.returncode == 4
    assert "standard output" in done.stderr


def on_a_terminal(*arguments: str, **environment: str) -> bytes:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*NODEDIAG, *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env={**os.environ, **environment}
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        process.wait()
    os.close(ours)
    return shown


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except OSError:  # EIO: the terminal's other end is closed
        return b""


def test_a_terminal_gets_coloured_text(tree: Path) -> None:
    shown = on_a_terminal("report", "--root", str(tree), NO_COLOR="")
    assert b"\x1b[" in shown
    assert b"UNHEALTHY" in shown


def test_no_color_is_honoured(tree: Path) -> None:
    assert b"\x1b[" not in on_a_terminal("report", "--root", str(tree), NO_COLOR="1")


def test_a_terminal_without_colours_gets_none(tree: Path) -> None:
    shown = on_a_terminal("report", "--root", str(tree), NO_COLOR="", TERM="dumb")
    assert b"UNHEALTHY" in shown
    assert b"\x1b[" not in shown


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ('"$@" report --root "$tree" --only mounts.root-read-only -v 2>&-', 0),
        ('"$@" report --root "$tree" --only mounts.root-read-only -v 2>/dev/full', 0),
        ('"$@" nonsense 2>&-', 2),
        ('"$@" nonsense 2>/dev/full', 2),
        ('"$@" report --root /nowhere/at/all 2>/dev/full', 2),
        ('"$@" report --root "$tree" --format text 2>/dev/full >/dev/full', 4),
    ],
)
def test_without_a_standard_error_the_status_is_the_same_and_standard_output_holds_the_report_alone(
    tree: Path, command: str, status: int
) -> None:
    done = subprocess.run(
        ["sh", "-c", command, "sh", *NODEDIAG],
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, "tree": str(tree)},
    )
    assert done.returncode == status
    assert done.stdout.startswith(b"{") if status == 0 else done.stdout == b""


def test_without_a_standard_output_it_ends_with_four_and_says_why(tree: Path) -> None:
    command = '"$@" report --root "$tree" --only mounts.root-read-only >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *NODEDIAG], capture_output=True, check=False, env={**os.environ, "tree": str(tree)}
    )
    assert (done.returncode, done.stderr) == (4, b"nodediag: standard output: Bad file descriptor\n")


@pytest.mark.parametrize("arguments", [("--only", "mounts", "--skip", "mounts"), ("--only", "logs", "--no-logs")])
def test_a_choice_that_leaves_no_check_is_bad_usage_and_no_health(tree: Path, arguments: tuple[str, ...]) -> None:
    done = run("report", "--root", str(tree), *arguments)
    told = "nodediag: --only, --skip and --no-logs together leave no check to run\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


def test_checks_of_which_none_could_look_are_no_healthy_node(tree: Path) -> None:
    done = run("report", "--root", str(tree), "--only", "units.failed,units.flapping")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (3, "unknown")
    assert report["verdict_because"] == ["units.failed", "units.flapping"]
    assert report["counts"]["outcomes"]["unknown"] == 2


def test_facts_alone_hold_no_judgement(tree: Path) -> None:
    done = run("facts", "--root", str(tree))
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["os_release"]["value"]["fields"]["ID"] == "cos"
    assert facts["cmdline"] == {
        "state": "unknown",
        "reason": {
            "code": "not_captured",
            "detail": "/proc/cmdline is not in this folder",
            "needs": "/proc/cmdline",
        },
    }


def test_explain_without_an_id_lists_every_check() -> None:
    from nodediag.checks import CHECKS  # noqa: PLC0415 - the test is about the list

    shown = run("explain").stdout
    assert [line.split()[0] for line in shown.splitlines()] == [check.id for check in CHECKS]


def test_explain_lists_the_checks_and_signatures_of_a_group() -> None:
    shown = [line.split()[0] for line in run("explain", "kubelet").stdout.splitlines()]
    assert shown[0] == "kubelet.running"
    assert "kubelet.pleg-unhealthy" in shown
    assert not [name for name in shown if not name.startswith("kubelet.")]


def test_explain_tells_what_a_check_is_for() -> None:
    shown = run("explain", "mounts.root-read-only").stdout
    for part in ("Good state:", "Why:", "Needs:", "Essential in:"):
        assert part in shown


def test_explain_tells_thresholds_remedy_rights_and_options_in_80_columns() -> None:
    shown = run("explain", "limits.pids").stdout
    assert "thresholds.limits.pids: warning from 85, critical from 98" in shown
    for part in ("Its problems are: critical, warning.", "Do:", "set podPidsLimit", "Rights: root", "In a pod: "):
        assert part in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "Options: --deep." in run("explain", "drift.packages").stdout


@pytest.mark.parametrize("what", WHAT)
def test_schemas_are_valid_schemas(what: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(run("schema", what).stdout))


def test_the_schemas_in_the_repository_are_current() -> None:
    folder = Path(__file__).parent.parent.parent / "docs/schemas"
    assert {path.stem for path in folder.iterdir()} == set(WHAT)
    for what in WHAT:
        assert (folder / f"{what}.json").read_bytes() == schema_text(what), f"`nodediag schema {what}` differs"


@pytest.mark.parametrize(
    ("what", "folder"),
    [("profile", "profiles/data"), ("signature", "signatures/data"), ("issue", "profiles/data/issues")],
)
def test_the_data_of_this_release_keeps_to_its_schema(what: str, folder: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text(what)))
    files = texts(folder)
    assert files
    for name, text in files.items():
        data = tomllib.loads(text)
        assert [f"{name}: {error.json_path}: {error.message}" for error in validator.iter_errors(data)] == []
        refused = {**data, "colour": 1}
        assert not validator.is_valid(refused), name


def test_the_environment_cannot_steer_the_installed_program(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('hijacked')\n")
    program = Path(sys.executable).parent / "nodediag"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [program, "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("nodediag ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_a_shell_expects(number: int) -> None:
    code = "import os,sys; from nodediag.cli import main; sys.argv=['nodediag','--version'];"
    code += f"main.run=lambda arguments: os.kill(os.getpid(), {int(number)}); main.main()"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-number, b"", b"")


def test_a_signal_that_somebody_had_us_ignore_is_ignored(tree: Path) -> None:
    command = ["sh", "-c", 'trap "" HUP; "$@" & kill -HUP $!; wait $!', "sh", *NODEDIAG, "facts", "--root", str(tree)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_verbose_run_logs_what_it_did_to_standard_error(tree: Path) -> None:
    done = run("report", "--root", str(tree), "--verbose")
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert (events[0], events[-1]) == ("started", "diagnosed")
    assert json.loads(done.stdout)["schema"] == "nodediag.report/1"
