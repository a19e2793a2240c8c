"""A wheel of the NERONE that runs here: a board in the tests gets it as it would get one of scripts/wheels.py."""

from __future__ import annotations

import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import nerone
import nerone._core

PYTHON = f"cp{sys.version_info[0]}{sys.version_info[1]}"


def wheel_name(python=PYTHON, machine=None, version=None):
    version = version or metadata.version("nerone")
    return f"nerone-{version}-{python}-{python}-linux_{machine or platform.machine()}.whl"


def make_wheel(folder, *, extra=()):
    """Write the wheel; ``extra`` are (name, text) of further files."""
    folder.mkdir(parents=True, exist_ok=True)
    version = metadata.version("nerone")
    wheel = folder / wheel_name()
    package, libraries = Path(nerone.__file__).parent, Path(nerone._core.__file__).parent
    record = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:

        def add(name, content):
            archive.writestr(name, content)
            record.append(f"{name},,")

        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix in (".py", ".typed", ".pyi"):
                add(f"nerone/{path.relative_to(package)}", path.read_bytes())
        for path in sorted(libraries.glob("*.so")):
            add(f"nerone/{path.name}", path.read_bytes())
        information = f"nerone-{version}.dist-info"
        add(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: nerone\nVersion: {version}\n")
        add(
            f"{information}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {PYTHON}-{PYTHON}-linux_x86_64\n"
        )
        for name, text in extra:
            add(name, text)
        archive.writestr(f"{information}/RECORD", "\n".join([*record, f"{information}/RECORD,,"]) + "\n")
    return wheel


# A stand-in for libvart-dpu-controller: one DPU, or an abort.
CONTROLLER = """
#include <cstdint>
#include <cstdlib>
#include <memory>
namespace xir {
struct DpuController {
  static std::shared_ptr<DpuController> get_instance();
  virtual ~DpuController() {}
  virtual std::size_t get_num_of_dpus() const { return 1; }
  virtual std::size_t get_device_id(std::size_t) const { return 0; }
  virtual std::size_t get_core_id(std::size_t) const { return 0; }
  virtual std::uint64_t get_fingerprint(std::size_t core) const { return 0x101000016010406 + core; }
};
std::shared_ptr<DpuController> DpuController::get_instance() {
  if (std::getenv("NO_DEVICE")) std::abort();
  return std::make_shared<DpuController>();
}
}
"""
