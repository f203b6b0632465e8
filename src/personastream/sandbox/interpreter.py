"""Starting a confined interpreter, from outside."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from personastream.errors import ConfigError, NoConfinement

_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from personastream.sandbox.inside import begin; from personastream.sandbox.{guest} import guest; begin(guest)"
)
_ROOT = str(Path(__file__).parent.parent.parent)
_SHARED_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
HINT = "Programs and answers are worked on in Linux 5.13 or later (x86_64, aarch64) with seccomp and Landlock only."


def start(guest: str, packages: Sequence[str], *, memory_bytes: int, cpu_s: int) -> "subprocess.Popen[bytes]":
    """A new interpreter that receives the guest in this module of the package. Its environment is empty.

    It may import Python's own modules and `packages`. Raises `ConfigError` for one that is not installed,
    `NoConfinement` if no process can be started.
    """
    folders, sites = _folders(packages)
    words = [str(os.getpid()), str(memory_bytes), str(cpu_s), os.pathsep.join(folders), os.pathsep.join(sites)]
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT.format(guest=guest), _ROOT, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise NoConfinement(f"no interpreter can be started: {error.strerror}", hint=HINT) from error


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in packages if not name.isidentifier() or find_spec(name) is None]


def _folders(packages: Sequence[str]) -> tuple[list[str], list[str]]:
    """What may be read, and the folders in which packages lie."""
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})]
    sites: list[str] = []
    for name in packages:
        spec = None if missing([name]) else find_spec(name)
        if spec is None or spec.origin is None:
            raise ConfigError(f"the package {name!r}, which programs may import, is not installed")
        places = [Path(each) for each in spec.submodule_search_locations or [spec.origin]]
        folders += [str(place) for place in places]
        folders += [str(place.with_name(f"{name}.libs")) for place in places]  # where wheels keep shared libraries
        sites += [str(place.parent) for place in places]
    return [*dict.fromkeys(folders), *_SHARED_LIBRARIES], list(dict.fromkeys(sites))
