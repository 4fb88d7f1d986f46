"""make.py DEST: one folder that runs nodediag on any Linux of this architecture, without Python, from wherever it lies.

It holds the interpreter that runs this script, its standard library, the locked packages that nodediag needs, every
shared library that any of them names, and the C library with its loader, which a small static program starts. Nothing
is unpacked when it runs; a read-only folder does.
"""

import compileall
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
# What a report never needs of the standard library; without OpenSSL, hashlib has the hashes of its own.
LIBRARY_WITHOUT: Final = (
    "__pycache__", "config-*", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "site-packages", "sitecustomize.py", "test", "tests", "tkinter", "turtle*", "unittest", "venv",
    "_sysconfigdata_*", "_crypt.*", "_curses*", "_dbm.*", "_gdbm.*", "_hashlib.*", "_sqlite3.*", "_ssl.*", "_test*",
    "_tkinter.*", "_xx*", "audioop.*", "nis.*", "ossaudiodev.*", "readline.*", "spwd.*", "xx*", "*_test.*", "*.exe",
    "_ctypes_test.*",
)  # fmt: skip
PACKAGES_WITHOUT: Final = re.compile(
    r"(^|/)(__pycache__|tests?)/|\.(pyi|c|h|pyx)$|^\.\.|dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json)$"
)
# Loaded by name when first wanted: by newer releases of libsystemd for compressed journals, by libc to end a thread.
ON_DEMAND: Final = ("libzstd.so.1", "liblz4.so.1", "liblzma.so.5", "libgcc_s.so.1")


def main() -> None:
    """Make it beside its place, prove that it is whole, then put it there."""
    dest = Path(sys.argv[1]).resolve()
    if dest.exists() and not (dest / "lib/nodediag").exists() and any(dest.iterdir()):
        sys.exit(f"build: {dest} is there and holds something else")
    dest.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=dest.parent, prefix=f".{dest.name}-"))
    try:
        build(draft)
        prove(draft)
        shutil.rmtree(dest, ignore_errors=True)
        draft.rename(dest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def build(dest: Path) -> None:
    """Fill a folder."""
    library = dest / "lib" / VERSION
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*LIBRARY_WITHOUT))
    for found in needed("nodediag", {}).values():  # beside the library, where every distribution's python looks
        copy_package(found, library)
    shutil.copytree(ROOT / "agent/nodediag", library / "nodediag", ignore=shutil.ignore_patterns("__pycache__"))
    (dest / "bin").mkdir()
    interpreter = dest / "bin" / VERSION
    shutil.copyfile(Path(sys.executable).resolve(), interpreter)
    interpreter.chmod(0o755)
    copied = copy_libraries(dest)
    copy_licenses(copied, dest / "licenses")
    launcher(dest)
    strip(dest)
    compileall.compile_dir(
        library, quiet=1, stripdir=dest, force=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    shutil.copyfile(ROOT / "LICENSE", dest / "LICENSE")
    shutil.copyfile(HERE / "install", dest / "install")
    readme(dest)
    programs = {"nodediag", "lib/nodediag", "bin/python3", f"bin/{VERSION}"}
    for path in (dest, *dest.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or str(path.relative_to(dest)) in programs else 0o644)


def needed(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Give the packages that one needs to run, and those that they need."""
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        if wanted.name not in found and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            found[wanted.name] = distribution(wanted.name)
            needed(wanted.name, found)
    return found


def copy_package(package: Distribution, folder: Path) -> None:
    """Copy the files of a package that it needs to run, and its licence."""
    for file in package.files or ():
        if not PACKAGES_WITHOUT.search(file.as_posix()):
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(os.fspath(file.locate()), target)


def copy_libraries(dest: Path) -> list[Path]:
    """Copy every shared library that a file here names and that is not here; give where they were."""
    libraries: dict[str, Path] = {}
    for file in (*elf_files(dest), *map(Path, filter(None, map(on_demand, ON_DEMAND)))):
        if not file.is_relative_to(dest):
            libraries[file.name] = file
        for line in said("ldd", str(file)).splitlines():
            if "not found" in line:
                sys.exit(f"build: {file}: {line.strip()}")
            path = re.search(r"(/\S+) \(0x", line)
            if path and not Path(path[1]).is_relative_to(dest):
                libraries[Path(path[1]).name] = Path(path[1])
    for name, library in libraries.items():
        # under our name, the loader is what ps and the kernel's log call the process
        target = dest / "lib" / ("nodediag" if name.startswith("ld-linux") else name)
        shutil.copyfile(library, target)
        target.chmod(0o755)
    return list(libraries.values())


def on_demand(name: str) -> str:
    """Give where the loader finds a library, empty if it does not."""
    found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", said("/sbin/ldconfig", "-p"), re.MULTILINE)
    return found[1] if found else ""


def copy_licenses(libraries: list[Path], folder: Path) -> None:
    """Copy what the licences of system libraries ask to be copied, where dpkg knows it."""
    folder.mkdir()
    if not shutil.which("dpkg-query"):
        return
    for path in (*libraries, Path(sys.executable).resolve()):
        owner = re.match(r"[^:,\s]+", said("dpkg-query", "-S", f"*/{path.name}", check=False))
        text = Path(f"/usr/share/doc/{owner[0] if owner else '-'}/copyright")
        if text.exists():
            shutil.copyfile(text, folder / text.parent.name)


def launcher(dest: Path) -> None:
    """Compile the static program; its two names are one file."""
    compiler = os.environ.get("CC", "gcc").split()
    flags = ("-std=c17", "-Wall", "-Wextra", "-Os", "-static", "-s", f'-DINTERPRETER="{VERSION}"')
    said(*compiler, *flags, str(HERE / "launcher.c"), "-o", str(dest / "nodediag"))
    os.link(dest / "nodediag", dest / "bin/python3")


def strip(dest: Path) -> None:
    """Take symbols out that only a debugger reads."""
    for file in elf_files(dest):
        if file.name != "nodediag":  # the loader
            said("strip", "--strip-unneeded", str(file))


def readme(dest: Path) -> None:
    """Write what this folder is and where it runs."""
    note = re.search(r"OS: Linux, ABI: ([\d.]+)", said("readelf", "-n", str(dest / "lib/libc.so.6")))
    text = (HERE / "README.txt").read_text()
    values = {"VERSION": version(), "MACHINE": platform.machine(), "KERNEL": note[1] if note else "unknown"}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    (dest / "README.txt").write_text(text)


def prove(dest: Path) -> None:
    """Refuse a folder that does not start, or that would load anything from outside."""
    loader = (str(dest / "lib/nodediag"), "--library-path", str(dest / "lib"), "--list")
    for file in elf_files(dest):
        if file.parent != dest and file.name not in {"nodediag", "python3"}:
            outside = [line for line in said(*loader, str(file)).splitlines() if "=>" in line and str(dest) not in line]
            if outside:
                sys.exit(f"build: {file} would load from outside of this folder: {outside}")
    if said(str(dest / "nodediag"), "--version").strip() != f"nodediag {version()}":
        sys.exit("build: what was built does not start")


def version() -> str:
    """Give nodediag's version."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "agent/nodediag/__init__.py").read_text())
    return found[1] if found else sys.exit("build: no version in agent/nodediag/__init__.py")


def elf_files(folder: Path) -> Iterator[Path]:
    """Give every program and library below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def said(*command: str, check: bool = True) -> str:
    """Give what a command prints; where it fails, end with what it complained of."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}
    )
    if check and done.returncode:
        sys.exit(f"build: {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
