"""Builds the rooms' inner loops in C into the package; without a C compiler it is pure Python, the same but slower."""

from __future__ import annotations

import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

MODULE: Final = "worker.extension._rooms"


class NativeHook(BuildHookInterface[Any]):
    """Called by hatchling before it makes a wheel, or an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and have what was built packed; leave it out where it cannot be built."""
        del version  # both kinds of wheel need the same
        place = "/" + MODULE.replace(".", "/") + sysconfig.get_config_var("EXT_SUFFIX")
        built = Path(self.root + place)
        try:
            built.unlink(missing_ok=True)
            _build(Path(self.root))
        except OSError as error:  # a source that cannot be written to, for one
            self.app.display_warning(f"{MODULE} cannot be built: {error}")
            return
        if not built.exists():
            self.app.display_warning(f"{MODULE} is left out: without a C compiler records take twice the CPU")
            return
        build_data["artifacts"].append(place)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _build(root: Path) -> None:
    """Compile, and put the module beside its source."""
    source = root / f"{MODULE.replace('.', '/')}.c"
    extension = Extension(MODULE, [str(source)], optional=True)  # setuptools warns where it fails
    command = build_ext(Distribution({"name": MODULE, "ext_modules": [extension]}))
    with tempfile.TemporaryDirectory() as scratch:
        command.build_temp = scratch
        command.build_lib = str(root)
        command.ensure_finalized()
        command.run()
