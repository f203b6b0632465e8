"""The unit file: systemd accepts it, finds it tight, and it still lets the work be done."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from personastream.errors import ExitCode
from tests.support.unit_filter import allowed_calls

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "configs" / "systemd" / "personastream.service"
TEXT = UNIT.read_text("utf-8")
EXPOSURE_MAX = 2.5


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", TEXT, re.MULTILINE)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The unit with the program where it is on this machine: systemd looks whether it is there."""
    path = tmp_path / "personastream.service"
    path.write_text(TEXT.replace("/opt/personastream/bin/", f"{Path(sys.executable).parent}/"))
    return path


def analyze(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_COLORS": "0"},
    )
    return done.returncode, done.stdout + done.stderr


def complaints(unit: Path) -> list[str]:
    """What systemd has to say of the unit itself; units of the machine are not our business."""
    code, words = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    return [line for line in words.splitlines() if unit.name in line] + ([f"exit code {code}"] if code else [])


def test_systemd_accepts_it(here: Path) -> None:
    assert complaints(here) == []


def test_a_fault_in_it_would_be_noticed(here: Path) -> None:
    here.write_text(here.read_text().replace("WatchdogSec=60s", "WatchdogSec=soon"))
    assert complaints(here)


def test_it_is_tight(here: Path) -> None:
    code, words = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX * 10:.0f}", here)
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", words)
    assert exposure is not None
    assert float(exposure[1]) <= EXPOSURE_MAX
    assert code == 0


def test_it_gives_the_service_what_the_service_needs() -> None:
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") == ["main"]
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert values("KillMode") == ["mixed"]  # confined programs are not signalled
    assert values("ExecStart")[0].endswith(f" --root %S/{values('StateDirectory')[0]}")
    assert set(values("RestartPreventExitStatus")[0].split()) == {
        str(int(code)) for code in (ExitCode.USAGE, ExitCode.NO_PERMISSION, ExitCode.CONFIG)
    }
    assert not values("MemoryDenyWriteExecute")  # kernels are compiled as they are needed


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of calls of x86_64")
def test_the_filter_lets_programs_be_confined_and_rows_be_deduplicated(tmp_path: Path) -> None:
    """And the same filter without what the walls need does not: the test can fail."""
    work = (
        "from personastream.sandbox.proof import prove_confinement\n"
        "from personastream.cli import main\n"
        "import sys\n"
        "prove_confinement()\n"
        f"sys.argv = ['personastream', 'demo', '--latency', '0.01', '--out', {str(tmp_path / 'demo')!r}]\n"
        "main()\n"
    )
    assert "capset" in allowed_calls(TEXT)
    assert not {"mount", "ptrace", "reboot", "bpf", "init_module", "setuid", "chroot"} & allowed_calls(TEXT)
    without = tmp_path / "without.service"
    without.write_text(TEXT.replace("SystemCallFilter=capset ", "SystemCallFilter="))
    for unit, code in ((UNIT, 0), (without, 1)):
        confined = [sys.executable, "-m", "tests.support.unit_filter", str(unit), sys.executable, "-c", work]
        done = subprocess.run(confined, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
