"""`python trim.py VENV`: takes out of a venv what a running service never opens."""

import shutil
import struct
import sys
from pathlib import Path

# What is for those who build against a package, test it or draw types from it.
FOLDERS = ["**/tests", "numpy/f2py"]
FILES = ["**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.[cha]"]
FILES += ["numpy/_core/_simd.*.so", "numpy/_core/_*_tests.*.so"]
# onnxruntime brings tools that make models, with what only they import, and its
# library once more for programs in C.
FOLDERS += [f"onnxruntime/{part}" for part in ("quantization", "tools", "transformers")]
FOLDERS += ["google/protobuf", "google/_upb", "flatbuffers"]
FILES += ["onnxruntime/capi/libonnxruntime.so.*"]

# What is read where the bytecode beside it is not.
SOURCES = "**/*.py"

ELF_64_LITTLE = b"\x7fELF\x02\x01"


def trim(packages: Path) -> None:
    """Trims what lies in a folder `site-packages`."""
    for pattern in FOLDERS:
        for folder in list(packages.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)  # may have gone with its parent
    for pattern in FILES:
        for file in list(packages.glob(pattern)):
            file.unlink()
    for file in list(packages.glob(SOURCES)):
        if file.with_suffix(".pyc").exists():
            file.unlink()
    for file in packages.rglob("*.so*"):
        library = file.read_bytes()
        if library.startswith(ELF_64_LITTLE):
            file.write_bytes(without_symbols(library))


def without_symbols(library: bytes) -> bytes:
    """The library up to its last segment.

    Behind it lie debug information, symbol tables and the table of sections: the
    loader reads none of them. Half of what some wheels weigh is there.
    """
    table, _, _, _, size, count = struct.unpack_from("<QQIHHH", library, 32)
    segments = (
        struct.unpack_from("<8xQ16xQ", library, table + size * index)
        for index in range(count)
    )
    end = max(offset + length for offset, length in segments)
    kept = bytearray(library[:end])
    struct.pack_into("<Q", kept, 40, 0)  # no table of sections,
    struct.pack_into("<HH", kept, 60, 0, 0)  # no sections, no names of them
    return bytes(kept)


if __name__ == "__main__":
    for found in Path(sys.argv[1]).glob("lib/python*/site-packages"):
        trim(found)
