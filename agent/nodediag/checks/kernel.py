"""Is the kernel locked as the image locks it: signed modules, LoadPin, no module of others?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, check
from nodediag.checks.state import Asked
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.modules import ENFORCE_PATH, LSM_PATH, Module, Modules
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_SIGNING: Final = "kernel.module-signing"
_LOADPIN: Final = "kernel.loadpin"
_MODULES: Final = "kernel.modules"
_OFF: Final = frozenset({"0", "n", "N", "off", "false"})
_ENFORCE: Final = "module.sig_enforce"
_ACCELERATOR: Final = "cloud.google.com/gke-accelerator"


@check(
    "kernel.module-signing",
    title="The kernel loads modules only with a signature it knows",
    needs="/sys/module/module/parameters/sig_enforce, or /proc/cmdline",
)
def module_signing(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without it root in any privileged container can put code of its own into the kernel."""
    rule = state.asked(facts, profile, _SIGNING)
    modules = known(facts.modules)
    enforced = modules.enforced if modules is not None else msgspec.UNSET
    if enforced is not msgspec.UNSET:
        word, evidence = ("enforced" if enforced.text == "Y" else "off"), enforced
    else:
        cmdline = need(facts.cmdline)
        word, evidence = _asked(cmdline), cmdline.evidence
    if not rule.fits(word):
        yield _unguarded(facts, rule, "module signatures", word, (evidence,))


@check("kernel.loadpin", title="LoadPin guards what the kernel loads", needs=f"{LSM_PATH}, /proc/cmdline")
def loadpin(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """It keeps the kernel from loading firmware, and on some images modules, from another disk than the root's."""
    rule = state.asked(facts, profile, _LOADPIN)
    modules, cmdline = known(facts.modules), known(facts.cmdline)
    word, evidence = _pinned(modules, cmdline)
    if not word:
        needs = f"{LSM_PATH}, with securityfs mounted"
        detail = f"neither {LSM_PATH} nor the kernel command line tells whether LoadPin is there"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs))
    if not rule.fits(word):
        yield _unguarded(facts, rule, "LoadPin", word, evidence)


@check("kernel.modules", title="No module of others is loaded, but a GPU's", needs="/proc/modules")
def modules(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A module from outside the kernel's tree is code that nobody has tested with this image, with all rights."""
    rule = state.asked(facts, profile, _MODULES)
    seen = need(facts.modules)
    if seen.list_reason is not msgspec.UNSET:
        raise NotKnownError(seen.list_reason)
    for one in seen.tainting:
        if rule.fits(one.name):
            continue
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("module", one.name),
                message=f"the kernel module {one.name} is {_words(one)}",
                expected="modules of the image's kernel, or of a GPU's driver",
                observed=one.taints,
                values={"taints": one.taints, "unsigned": one.unsigned},
                evidence=(one.evidence,),
            )
        )


def _asked(cmdline: Cmdline) -> str:
    """Tell by the command line; where it says nothing the kernel may be built either way."""
    if not cmdline.has(_ENFORCE):
        detail = f"the kernel command line says nothing of {_ENFORCE}; the kernel may be built to enforce signatures"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=ENFORCE_PATH))
    return "off" if cmdline.last(_ENFORCE) in _OFF else "enforced"


def _pinned(modules: Modules | None, cmdline: Cmdline | None) -> tuple[str, tuple[Evidence, ...]]:
    """Tell by the kernel's own list of its guards, then by what switches one off; empty where neither speaks."""
    told = (cmdline.evidence,) if cmdline is not None else ()
    switched = [cmdline.last(name) for name in ("loadpin.enforce", "loadpin.enabled")] if cmdline is not None else []
    if any(value in _OFF for value in switched):
        return "off", told
    if modules is not None and modules.lsm is not msgspec.UNSET:
        return ("on" if "loadpin" in modules.lsm.text.split(",") else "off"), (modules.lsm,)
    words = cmdline.arguments if cmdline is not None else ()
    pinned = any(word.name.startswith("loadpin.") or word.value == "loadpin_trigger" for word in words)
    return ("on" if pinned else ""), told


def _words(module: Module) -> str:
    """Say what the letters mean, see tainted-kernels in the kernel's admin guide."""
    words = {"P": "proprietary", "O": "from outside the kernel's tree", "F": "loaded by force", "E": "unsigned"}
    return ", ".join(words.get(letter, f"marked {letter}") for letter in module.taints.strip("+-"))


def _has_gpu(facts: Facts) -> bool:
    """Tell a node with a GPU by its driver, or by GKE's label."""
    modules, kubelet = known(facts.modules), known(facts.kubelet)
    labelled = kubelet is not None and _ACCELERATOR in kubelet.labels
    return labelled or (modules is not None and any(one.name.startswith("nvidia") for one in modules.tainting))


def _unguarded(facts: Facts, rule: Asked, what: str, word: str, evidence: tuple[Evidence, ...]) -> Problem:
    gpu = _has_gpu(facts)
    why = ", as installers of GPU drivers once had to do" if gpu else ""
    problem = Problem(
        severity=Severity.INFO if gpu else Severity.WARNING,
        subject=Subject("kernel", what),
        message=f"{what}: {word}{why}",
        expected=rule.wanted,
        observed=word,
        values={"state": word, "gpu": gpu},
        evidence=evidence,
    )
    return rule.broken(problem)


CHECKS: Final[tuple[Check, ...]] = (module_signing, loadpin, modules)
