"""The Debian package: whole by itself, content with its checkers, gone when it is purged."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine import BASE, Engine

ROOT = Path(__file__).parent.parent.parent
LIFE = """
set -e
find / -xdev -not -path '/proc/*' | sort >/tmp/before
dpkg -i /nodediag.deb
nodediag --version
nodediag report --root /etc --no-logs --fail-on never --format json >/dev/null
test ! -e /etc/systemd/system/timers.target.wants/nodediag.timer
mkdir -p /var/lib/nodediag && touch /var/lib/nodediag/report.json
dpkg -r nodediag
ls /usr/lib/nodediag /usr/bin/nodediag 2>/dev/null && exit 1
test -e /var/lib/nodediag/report.json
dpkg -P nodediag
find / -xdev -not -path '/proc/*' | grep -v -e ^/var/lib/dpkg -e ^/var/log -e ^/tmp | sort >/tmp/after
echo left: $(grep -v -e ^/var/lib/dpkg -e ^/var/log -e ^/tmp /tmp/before | comm -13 - /tmp/after)
"""


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_depends_on_nothing_and_states_its_architecture_and_kernel(package: Path, architecture: str) -> None:
    control = said("dpkg-deb", "--field", package)
    assert f"Architecture: {architecture}\n" in control
    assert package.name.endswith(f"_{architecture}.deb")
    assert re.search(r"^Version: \d+\.\d+\.\d+", control, re.MULTILINE)
    assert "Depends:" not in control
    assert re.search(r"needs Linux \d+\.\d+\.\d+ or later", control)
    assert "@" not in control.replace("nodediag@localhost", "")


def test_it_holds_the_folder_a_link_and_units_of_roots(package: Path) -> None:
    lines = said("dpkg-deb", "--contents", package).splitlines()
    assert [line for line in lines if " root/root " not in line] == []
    paths = {line.split(maxsplit=5)[5] for line in lines}
    assert "./usr/bin/nodediag -> ../lib/nodediag/nodediag" in paths
    wanted = {"lib/nodediag/nodediag", "lib/systemd/system/nodediag.service", "lib/systemd/system/nodediag.timer"}
    assert {f"./usr/{name}" for name in wanted} <= {path.split(" link to ")[0] for path in paths}
    assert not [path for path in paths if not path.startswith(("./usr/", "./ ")) and path != "./"]


def test_lintian_is_content(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    assert said("lintian", "--allow-root", "--fail-on=error,warning", package) == ""


def test_systemd_understands_every_line_of_the_units(onedir: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in ("nodediag.service", "nodediag.timer"):
        text = (ROOT / "packaging/systemd" / unit).read_text()
        text = text.replace("/usr/lib/nodediag/nodediag", str(onedir / "nodediag"))
        (tmp_path / unit).write_text(text)
    units = (str(tmp_path / "nodediag.service"), str(tmp_path / "nodediag.timer"))
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "nodediag" in line]
    assert complaints == []


@pytest.mark.root
def test_it_installs_runs_and_goes_where_there_is_no_python(package: Path, podman: Engine) -> None:
    done = said(*podman.run, f"--volume={package}:/nodediag.deb:ro", BASE, "sh", "-c", LIFE)
    assert "nodediag 0." in done
    assert done.splitlines()[-1] == "left:"
