"""What on a node is not its image, done by hand: each thing is found, and told with how long it lasts."""

from typing import Final

from nodediag.model.outcome import Severity
from tests.lab.node import Node

ON_COS: Final = """
cp /usr/bin/true /var/lib/google/runc
mount --bind /var/lib/google/runc "$(readlink -f "$(command -v runc)")"
mkdir /home/app
printf 'while :; do sleep 9; done' > /home/app/run.sh
systemd-run --quiet --unit=app sh /home/app/run.sh
mkdir -p /home/kubernetes/npd-custom-plugins/configs
printf 'vm.swappiness = 7\\nkernel.pid_max = %s\\n' "$(cat /proc/sys/kernel/pid_max)" \
    > /home/kubernetes/npd-custom-plugins/configs/init-sysctls.conf
cp /usr/bin/containerd /var/lib/google/containerd
mkdir -p /run/systemd/system/containerd.service.d
printf '[Service]\\nExecStart=\\nExecStart=/var/lib/google/containerd\\n' \
    > /run/systemd/system/containerd.service.d/own.conf
systemctl daemon-reload
systemctl restart containerd
"""
ON_UBUNTU: Final = """
apt-mark hold runc
sed -i '/^Package: systemd-container$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status
printf '*** System restart required ***\\n' > /run/reboot-required
mkdir /var/log/dist-upgrade
touch /var/log/dist-upgrade/main.log
printf '#' >> "$(readlink -f "$(command -v runc)")"
"""


def test_what_was_brought_onto_cos_is_found(sick: Node) -> None:
    runc = sick.run("sh", "-c", "readlink -f $(command -v runc)").stdout.strip()
    sick.run("sh", "-ec", ON_COS)
    sick.filter("-P INPUT ACCEPT")
    found = sick.report().counted
    assert {name: problem.severity for name, problem in found.items()} == {
        f"drift.overmounts {runc}": Severity.WARNING,
        "drift.runtime containerd": Severity.WARNING,
        "drift.sysctls vm.swappiness": Severity.INFO,
        "network.filter-policy INPUT": Severity.WARNING,
        f"mounts.unexpected {runc}": Severity.WARNING,  # it may write there, on a root that may not be written
        "software.stray-processes /home/app/run.sh": Severity.WARNING,
        "units.drop-ins /run/systemd/system/containerd.service.d/own.conf": Severity.INFO,
    }
    lasting = {name: problem.message for name, problem in found.items() if name.startswith("drift.")}
    assert [name for name, told in lasting.items() if "reboot" not in told and "recreat" not in told] == [], lasting


def test_what_was_done_to_ubuntus_packages_is_found(sick_ubuntu: Node) -> None:
    runc = sick_ubuntu.run("sh", "-c", "readlink -f $(command -v runc)").stdout.strip()
    sick_ubuntu.run("sh", "-ec", ON_UBUNTU)
    found = sick_ubuntu.report("--deep").counted
    assert {name: problem.severity for name, problem in found.items()} == {
        "apt.consistent packages": Severity.WARNING,
        "apt.held packages": Severity.INFO,
        "apt.pending-reboot reboot": Severity.WARNING,
        "apt.release upgrade": Severity.WARNING,
        f"drift.packages {runc}": Severity.WARNING,
    }
    assert f"drift.packages {runc}" not in sick_ubuntu.report().counted
