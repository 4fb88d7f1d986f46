from collections.abc import Callable
from itertools import zip_longest

import pytest

from nodediag.logs.blocks import MOST_LINES
from nodediag.model.logs import LogFinding, LogResult

Told = Callable[[list[tuple[str, float, str]]], LogResult]

POD = "kubepods-burstable-poda8697f49_441d_4c5f_9c2e_0123456789ab.slice"
SLICE = f"/kubepods.slice/kubepods-burstable.slice/{POD}"
CONTAINER = "3fc2" * 16
TRACE = """\
CPU: 3 PID: 4550 Comm: java Not tainted 5.15.109+ #1
Hardware name: Google Google Compute Engine/Google Compute Engine, BIOS Google 03/27/2024
Call Trace:
 <TASK>
 dump_stack_lvl+0x4a/0x5f
 dump_header+0x4a/0x1fe
 ? _raw_spin_unlock_irqrestore+0xe/0x30
 </TASK>"""
OOM_LIMIT = f"""\
java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=986
{TRACE}
memory: usage 524288kB, limit 524288kB, failcnt 1044
swap: usage 0kB, limit 9007199254740988kB, failcnt 0
Memory cgroup stats for {SLICE}:
anon 524288000\nfile 0
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   4550]  1000  4550   787367    41248   500000        0           986 java
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-{CONTAINER}.scope,mems_allowed=0,\
oom_memcg={SLICE},task_memcg={SLICE}/cri-containerd-{CONTAINER}.scope,task=java,pid=4550,uid=1000
Memory cgroup out of memory: Killed process 4550 (java) total-vm:3149468kB, anon-rss:164992kB, file-rss:52176kB, \
shmem-rss:92kB, UID:1000 pgtables:1372kB oom_score_adj:986
oom_reaper: reaped process 4550 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:92kB"""
OOM_NODE = f"""\
kubelet invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=-999
{TRACE}
Mem-Info:
active_anon:120 inactive_anon:3785613 isolated_anon:0
Node 0 DMA free:15360kB boost:0kB min:64kB low:80kB high:96kB
lowmem_reserve[]: 0 2937 15981 15981 15981
[   1522]     0  1522   787367    41248   500000        0          -999 kubelet
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,\
task_memcg=/kubepods/besteffort/poda8697f49-441d-4c5f-9c2e-0123456789ab/{CONTAINER},task=stress,pid=77,uid=0
Out of memory: Killed process 77 (stress) total-vm:1331324kB, anon-rss:630496kB, file-rss:0kB, shmem-rss:0kB, UID:0 \
pgtables:1352kB oom_score_adj:1000"""
OOM_OLD = f"""\
java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=-998
{TRACE}
Task in /kubepods/burstable/pod95387fa4-da9c-11e7-9d36-5254b24cbf5e/{CONTAINER} killed as a result of limit of \
/kubepods/burstable/pod95387fa4-da9c-11e7-9d36-5254b24cbf5e
memory: usage 524288kB, limit 524288kB, failcnt 77
[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name
Memory cgroup out of memory: Kill process 24572 (java) score 1984 or sacrifice child
Killed process 24572 (java) total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB"""
OOPS = f"""\
<3>BUG: kernel NULL pointer dereference, address: 0000000000000008
<3>#PF: supervisor read access in kernel mode
<3>#PF: error_code(0x0000) - not-present page
<3>PGD 0 P4D 0
<3>Oops: 0000 [#1] PREEMPT SMP NOPTI
{TRACE.replace("java", "kworker/3:1")}
RIP: 0010:ext4_find_entry+0x12/0x40
RAX: 0000000000000000 RBX: ffff888 RCX: 0
Modules linked in: xt_MASQUERADE veth
CR2: 0000000000000008
---[ end trace 0000000000000000 ]---
RIP: 0010:ext4_find_entry+0x12/0x40"""
BUG = f"""\
------------[ cut here ]------------
<3>kernel BUG at fs/ext4/inode.c:2759!
<3>invalid opcode: 0000 [#1] SMP
{TRACE}
---[ end trace 36d8b2d2a2f0a1d5 ]---"""
PANIC = f"""\
<3>Kernel panic - not syncing: Fatal exception
{TRACE}
<3>Kernel Offset: 0x1a000000 from 0xffffffff81000000
<3>---[ end Kernel panic - not syncing: Fatal exception ]---"""
HUNG = f"""\
<3>INFO: task containerd-shim:931150 blocked for more than 120 seconds.
<3>      Not tainted 5.15.109+ #1
<3>"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
task:containerd-shim state:D stack:    0 pid:931150 ppid:     1 flags:0x00000000
{TRACE}"""
LOCKUP = f"""\
<3>watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kubelet:1522]
<3>CPU#3 Utilization every 4s during lockup:
<3>\t#1: 100% system,\t  0% softirq,\t  1% hardirq,\t  0% idle
Modules linked in: xt_MASQUERADE
{TRACE}
RIP: 0010:smp_call_function_many_cond+0x12/0x40"""
STALL = f"""\
<3>rcu: INFO: rcu_preempt self-detected stall on CPU
<3>rcu: \t3-....: (5249 ticks this GP) idle=c2e/1/0x4000000000000000 softirq=1/2 fqs=3
<3>\t(t=5250 jiffies g=123 q=456 ncpus=4)
<3>rcu: rcu_preempt kthread starved for 5250 jiffies! g123 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1
<3>rcu: \tUnless rcu_preempt kthread gets sufficient CPU time, OOM is now expected behavior.
<3>rcu: RCU grace-period kthread stack dump:
task:rcu_preempt state:R  running task     stack:    0 pid:   12 ppid:     2 flags:0x00004000
{TRACE}
NMI backtrace for cpu 3"""
ALLOCATION = f"""\
<3>kubelet: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)
{TRACE}
Mem-Info:
active_anon:120 inactive_anon:3785613 isolated_anon:0
Node 0 Normal: 8*4kB (UME) 16*8kB (UME) = 160kB"""
REPORTS = [
    (OOM_LIMIT, "kernel.oom-kill-cgroup"), (OOM_NODE, "kernel.oom-kill-system"), (OOM_OLD, "kernel.oom-kill-cgroup"),
    (OOPS, "kernel.oops"), (BUG, "kernel.oops"), (PANIC, "kernel.panic"), (HUNG, "kernel.hung-task"),
    (LOCKUP, "kernel.soft-lockup"), (STALL, "kernel.rcu-stall"), (ALLOCATION, "kernel.page-allocation-failure"),
]  # fmt: skip


def lines(report: str, at: float = 0.0) -> list[tuple[str, float, str]]:
    """Give a report as the kernel prints it, a line an entry."""
    return [("kernel", at + number / 1e5, line) for number, line in enumerate(report.split("\n"))]


def found(result: LogResult) -> dict[str, int]:
    return {finding.id: finding.count for finding in result.signatures}


def only(result: LogResult) -> LogFinding:
    (finding,) = result.signatures
    return finding


@pytest.mark.parametrize(("report", "named"), REPORTS, ids=[named for _, named in REPORTS])
def test_a_report_of_many_lines_is_one_occurrence_and_leaves_no_unnamed_errors(
    told: Told, report: str, named: str
) -> None:
    result = told(lines(report))
    finding = only(result)
    assert (finding.id, finding.count, len(finding.samples)) == (named, 1, 1)
    assert result.shapes == ()
    assert finding.samples[0].text.startswith("\n".join(report.replace("<3>", "").split("\n")[:3]))


@pytest.mark.parametrize(("report", "named"), REPORTS, ids=[named for _, named in REPORTS])
def test_two_reports_are_two_occurrences(told: Told, report: str, named: str) -> None:
    assert found(told(lines(report) + lines(report, 1.0))) == {named: 2}
    assert found(told(lines(report) + lines(report, 300.0))) == {named: 2}


def test_a_containers_limit_is_told_from_a_node_out_of_memory(told: Told) -> None:
    limit, node, old = (only(told(lines(report))) for report in (OOM_LIMIT, OOM_NODE, OOM_OLD))
    assert (limit.condition, node.condition, old.condition) == ("oom-kill-cgroup", "oom-kill-system", "oom-kill-cgroup")
    assert set(limit.subjects) == {
        "constraint=CONSTRAINT_MEMCG", "process=java", "pid=4550", f"cgroup={SLICE}",
        "pod_uid=a8697f49-441d-4c5f-9c2e-0123456789ab", f"container={CONTAINER}",
    }  # fmt: skip
    assert {"constraint=CONSTRAINT_NONE", "process=stress", f"container={CONTAINER}"} < set(node.subjects)
    assert "pod_uid=a8697f49-441d-4c5f-9c2e-0123456789ab" in node.subjects
    assert {"process=java", "pid=24572", "pod_uid=95387fa4-da9c-11e7-9d36-5254b24cbf5e"} < set(old.subjects)


def test_the_sample_of_an_oom_kill_holds_the_lines_that_tell(told: Told) -> None:
    text = only(told(lines(OOM_LIMIT))).samples[0].text
    assert text.startswith("java invoked oom-killer")
    assert "oom-kill:constraint=CONSTRAINT_MEMCG" in text


def test_kills_without_their_reports_count_each(told: Told) -> None:
    kill = "Memory cgroup out of memory: Killed process {} (java) total-vm:3149468kB, anon-rss:1kB"
    assert found(told([("kernel", n / 10, kill.format(n)) for n in range(5)])) == {"kernel.oom-kill-cgroup": 5}


def test_a_cgroup_that_is_killed_whole_is_one_event(told: Told) -> None:
    group = f"{OOM_LIMIT}\nTasks in {SLICE} are going to be killed due to memory.oom.group set\n" + "\n".join(
        f"Memory cgroup out of memory: Killed process {pid} (java) total-vm:1kB, anon-rss:1kB" for pid in (4551, 4552)
    )
    assert found(told(lines(group))) == {"kernel.oom-kill-cgroup": 1}


def test_lines_of_others_within_a_report_count_for_themselves(told: Told) -> None:
    held = lines(OOM_NODE)
    held[4:4] = [("kernel", 4e-5, "<3>EXT4-fs error (device sda1): ext4_find_entry:1463: inode #2: comm kubelet: bad")]
    held[9:9] = [("kernel", 9e-5, "<3>frobnicator 7 gave up")]
    result = told(held)
    assert found(result) == {"kernel.oom-kill-system": 1, "kernel.ext4-error": 1}
    assert [shape.sample.text for shape in result.shapes] == ["frobnicator 7 gave up"]


def test_reports_that_are_printed_at_once_are_told_apart(told: Told) -> None:
    pairs = zip_longest(lines(OOM_LIMIT), lines(HUNG))
    mixed = [line for pair in pairs for line in pair if line is not None]
    assert set(found(told(mixed))) == {"kernel.oom-kill-cgroup", "kernel.hung-task"}


def test_a_report_ends_after_a_while_and_at_its_bound(told: Told) -> None:
    late = [*lines(HUNG), ("kernel", 400.0, "<3>\tan error long after")]
    assert len(told(late).shapes) == 1
    endless = [("kernel", 0.0, HUNG.partition("\n")[0]), *[("kernel", 0.0, "<3> frame+0x1/0x2")] * (MOST_LINES + 5)]
    assert sum(shape.count for shape in told(endless).shapes) == 6


def test_an_oops_names_its_process_and_function(told: Told) -> None:
    assert {"process=kworker/3:1", "pid=4550", "function=ext4_find_entry"} <= set(only(told(lines(OOPS))).subjects)


def test_an_oops_that_ends_in_a_panic_is_both(told: Told) -> None:
    assert found(told(lines(OOPS + "\n" + PANIC))) == {"kernel.oops": 1, "kernel.panic": 1}


def test_hung_tasks_count_each_with_their_names(told: Told) -> None:
    finding = only(told(lines(HUNG) + lines(HUNG.replace("931150", "931151"), 0.01)))
    assert (finding.count, {"pid=931150", "pid=931151"} <= set(finding.subjects)) == (2, True)


def test_what_a_container_prints_of_an_oom_is_no_report(told: Told) -> None:
    assert found(told([("containerd.service", 0.0, "stress: Mem-Info:"), ("kernel", 0.0, "oom_reaper: started")])) == {}
