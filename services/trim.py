"""`python trim.py VENV`: takes out of a venv what a running service never opens."""

import ast
import importlib.util
import marshal
import shutil
import struct
import sys
from pathlib import Path

# What is for those who build against a package, test it or draw types from it.
FOLDERS = ["**/tests", "numpy/f2py", "faiss/contrib"]
FILES = ["**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.[cha]"]
FILES += ["numpy/_core/_simd.*.so", "numpy/_core/_*_tests.*.so"]
FILES += ["*.dist-info/RECORD"]  # what pip would remove
# onnxruntime brings tools that make models, with what only they import, and its
# library once more for programs in C.
FOLDERS += [f"onnxruntime/{part}" for part in ("quantization", "tools", "transformers")]
FOLDERS += ["flatbuffers*"]
FILES += ["onnxruntime/capi/libonnxruntime.so.*"]
# cryptography opens cffi's library, not what compiles for it.
FOLDERS += ["cffi*", "pycparser*"]
# Only a client of the Model Context Protocol checks answers by their schema.
FOLDERS += ["jsonschema*", "referencing*", "rpds*"]
# What other packages open where one of them is installed too.
UNLESS = {
    ("pymilvus", "opentelemetry/exporter"): [
        "google/protobuf",
        "google/_upb",
        "protobuf-*",
    ],
    # numpy.ma stays: numpy.unique asks it.
    ("pandas",): [
        f"numpy/{part}"
        for part in ("ctypeslib", "fft", "polynomial", "random", "testing")
    ],
}

SOURCES = "**/*.py"
# numpy.ma makes its own of these, and fails where they are not.
DOCSTRINGS_READ = "numpy/_core"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

ELF_64_LITTLE = b"\x7fELF\x02\x01"
# Bytecode that is never compared with a source (PEP 552).
UNCHECKED = (0b01).to_bytes(4, "little")


def trim(packages: Path) -> None:
    """Trims what lies in a folder `site-packages`."""
    for pattern in FOLDERS + [
        folder
        for users, used in UNLESS.items()
        if not any((packages / user).exists() for user in users)
        for folder in used
    ]:
        for folder in list(packages.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)  # may have gone with its parent
    for pattern in FILES:
        for file in list(packages.glob(pattern)):
            file.unlink()
    for file in list(packages.glob(SOURCES)):
        read = file.is_relative_to(packages / DOCSTRINGS_READ)
        compiled = bytecode(file.read_bytes(), str(file), docstrings=read)
        file.with_suffix(".pyc").write_bytes(compiled)
        file.unlink()
    for file in packages.rglob("*.so*"):
        library = file.read_bytes()
        if library.startswith(ELF_64_LITTLE):
            file.write_bytes(without_symbols(library))


def bytecode(source: bytes, name: str, *, docstrings: bool) -> bytes:
    """What Python imports in place of a source, with its assertions in any case."""
    tree = ast.parse(source, name)
    if not docstrings:
        remove_docstrings(tree)
    code = compile(tree, name, "exec", dont_inherit=True)
    hashed = importlib.util.source_hash(source)
    return importlib.util.MAGIC_NUMBER + UNCHECKED + hashed + marshal.dumps(code)


def remove_docstrings(tree: ast.Module) -> None:
    """Leaves `__doc__` of all in a module None, as `python -OO` does."""
    for node in ast.walk(tree):
        # A text behind a docstring would take its place.
        while isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstring = node.body.pop(0)
            node.body = node.body or [ast.copy_location(ast.Pass(), docstring)]


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
