"""deploy/pjsua2/build itself: its cache, its complaints, and what is left when it is broken off.

It builds a stand-in of a few lines: pjproject takes minutes, and `make test` has built it already.
The stand-in has what the script touches of pjproject, and writes down each compilation.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy/pjsua2/build"
SWIG = "pjsip-apps/src/swig/python"
STAND_IN = {
    "configure": "#!/bin/sh\necho checking nothing\n",
    "version.mak": "export PJ_VERSION_SUFFIX :=\n",
    "pjlib/include/pj/config.h": '#define PJ_VERSION_NUM_EXTRA ""\n',
    "pjmedia/build/Makefile": "OBJS = a.o bdimad_dev.o\n",
    # The gate is a pipe: who opens it for writing waits for a compilation, and then holds it.
    "Makefile": "lib:\n\techo compiled >>$(NOTES)\n\tcat $(GATE)\n\t! test -e $(NOTES).broken\n",
    f"{SWIG}/setup.py": '    ["pjsua2_wrap.cpp"],\n',
    f"{SWIG}/Makefile": "wheel:\n\tmkdir dist && $(PYTHON_EXE) pack.py\n",
    f"{SWIG}/pack.py": """
import re, zipfile
text = open("../../../../version.mak").read()
module = '''
class Endpoint:
    def libVersion(self):
        return self
    suffix = "SUFFIX"
'''.replace("SUFFIX", re.search(":= *(.*)", text)[1])
with zipfile.ZipFile("dist/pjsua2-9-py3-none-any.whl", "w") as wheel:
    wheel.writestr("pjsua2.py", module)
""",
}


class Builder:
    """The script with a cache, a source and a notebook of its own."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.cache = folder / "cache"
        self.notes = folder / "notes"
        self.gate = folder / "gate"
        self.gate.write_text("")
        self.tree = folder / "pjproject"
        for name, text in STAND_IN.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.tree / "configure").chmod(0o755)
        self.cache.mkdir()
        (self.cache / "tools").symlink_to(tools)
        self.environment = {
            **os.environ,
            "PBXAI_BUILD_CACHE": str(self.cache),
            "NOTES": str(self.notes),
            "GATE": str(self.gate),
        }

    def tarball(self) -> Path:
        path = self.tree.with_suffix(".tar")
        subprocess.run(["tar", "-C", self.tree.parent, "-cf", path, self.tree.name], check=True)
        return path

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SCRIPT, *(words or ("--source", self.tree))],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, errors = process.communicate(timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def close_gate(self) -> None:
        self.gate.unlink()
        os.mkfifo(self.gate)

    def open_gate(self) -> None:
        self.gate.unlink()
        self.gate.write_text("")

    @property
    def compilations(self) -> int:
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0

    @property
    def left_over(self) -> list[Path]:
        return [*self.cache.glob("work.*"), *self.cache.glob("wheels/*")]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script fetches from PyPI, once."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture
def builder(tmp_path: Path, tools: Path) -> Builder:
    return Builder(tmp_path, tools)


def test_a_wheel_is_built_once(builder: Builder):
    first = builder.run()
    assert first.returncode == 0, first.stderr
    wheel = Path(first.stdout.strip())
    assert wheel.suffix == ".whl"
    assert wheel.is_relative_to(builder.cache)
    assert "2 of 3: compiling the library" in first.stderr
    again = builder.run()
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    assert builder.compilations == 1
    assert builder.left_over == [wheel.parent]


def test_another_source_is_built_anew(builder: Builder):
    first = builder.run().stdout
    (builder.tree / "pjlib/include/pj/new.h").write_text("")
    assert builder.run().stdout not in ("", first)
    assert builder.compilations == 2


def test_a_tarball_must_be_what_its_sum_says(builder: Builder):
    tarball = builder.tarball()
    right = subprocess.check_output(["sha256sum", tarball], text=True).split()[0]
    wrong = builder.run("--source", tarball, "--sha256", "0" * 64)
    assert wrong.returncode == 1
    assert "is not what --sha256 says" in wrong.stderr
    assert builder.compilations == 0
    assert builder.run("--source", tarball, "--sha256", right).returncode == 0


def test_a_failed_build_says_why_and_keeps_nothing(builder: Builder):
    broken = builder.notes.with_suffix(".broken")
    broken.touch()
    failed = builder.run()
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "notes.broken" in failed.stderr, "the last lines of the log"
    assert "Failed: 2 of 3: compiling the library" in failed.stderr
    assert builder.left_over == []
    broken.unlink()
    assert builder.run().returncode == 0


def test_a_build_that_does_not_say_its_capacity_is_not_kept(builder: Builder):
    (builder.tree / "version.mak").write_text("export PJ_VERSION := 9\n")
    refused = builder.run()
    assert refused.returncode == 1
    assert "does not say that it takes 512 calls" in refused.stderr
    assert builder.left_over == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_broken_off_leaves_no_wheel_and_no_lock(builder: Builder, number: signal.Signals):
    builder.close_gate()
    process = builder.start()
    with builder.gate.open("w"):  # it compiles
        os.killpg(process.pid, number)
        assert process.wait(timeout=30) != 0
    assert list(builder.cache.glob("wheels/*")) == []
    builder.open_gate()
    after = builder.run()
    assert after.returncode == 0, after.stderr
    assert builder.left_over == [Path(after.stdout.strip()).parent]


def test_two_at_once_build_once(builder: Builder):
    builder.close_gate()
    first = builder.start()
    with builder.gate.open("w"):
        second = builder.start()
        assert second.stderr is not None
        assert "Another build is running" in second.stderr.readline()
    wheels = [process.communicate(timeout=90)[0] for process in (first, second)]
    assert wheels[0] == wheels[1] != ""
    assert builder.compilations == 1


def test_who_is_not_root_reads_which_packages_are_missing(builder: Builder, tmp_path: Path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, lines in {
        "id": "echo 1000",
        "dpkg-query": 'case "$*" in *swig*|*libgsm1*) exit 1;; *) echo installed;; esac',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    builder.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    refused = builder.run()
    assert refused.returncode == 1
    assert "As root: apt-get install swig libgsm1-dev\n" in refused.stderr
    assert builder.compilations == 0
