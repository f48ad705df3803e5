"""Snapshots: whole or refused, and without what was removed."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.vectors import (
    AGENT,
    MODEL,
    Matrix,
    add,
    build,
    make_vectors,
    pack,
    remove,
    restore,
    save,
)

from memory_service.models.vectors import Change, Part
from memory_service.providers.vectors import builds, growing, manifest
from memory_service.providers.vectors.agent import AgentVectors
from memory_service.providers.vectors.part import IVF_KIND

COUNT = 3200
PAGE = 4096


@pytest.fixture(scope="module")
def vectors() -> Matrix:
    return make_vectors(COUNT)


@pytest.fixture(scope="module")
def saved(vectors: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts in codes, a few thoughts, one past version; saved at change 4000."""
    folder = tmp_path_factory.mktemp("saved")
    index = AgentVectors(AGENT, MODEL, folder)
    add(index, vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "MAX_FLAT", COUNT - 1)
        build(index)
    add(index, vectors[:7], first=COUNT + 1, part=Part.THOUGHTS)
    add(index, vectors[:1], first=COUNT + 8, part=Part.PAST)
    remove(index, [3])
    save(index, seq=4000, timeline="7")
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "index")


def restored(folder: Path) -> AgentVectors:
    found = restore(folder)
    assert found is not None
    return found.vectors


def bytes_of(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def cut(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def flip(file: Path, position: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(position)
        byte = opened.read(1)[0]
        opened.seek(position)
        opened.write(bytes([byte ^ 1 << position % 8]))


def test_a_restart_has_what_was_saved(folder: Path, vectors: Matrix) -> None:
    found = restore(folder)
    assert found is not None
    index, seq, timeline = found
    assert (seq, timeline, len(index), index.kind) == (4000, "7", COUNT + 7, IVF_KIND)
    assert index.search(vectors[4], 1).keys() == {5}
    assert len(index.search(vectors[0], 9, parts={Part.THOUGHTS})) == 7
    assert list(index.search(vectors[0], 9, parts={Part.PAST})) == [COUNT + 8]
    assert index.scores(vectors[2], [3]) == {}
    assert index.due() is None


@pytest.mark.parametrize("count", [0, 1])
def test_a_small_agent_comes_back(count: int, tmp_path: Path) -> None:
    index = AgentVectors(AGENT, MODEL, tmp_path)
    add(index, make_vectors(1)[:count])
    save(index, seq=count)
    found = restore(tmp_path)
    assert found is not None
    assert (len(found.vectors), found.seq) == (count, count)


def test_there_is_nothing_in_a_new_folder(tmp_path: Path) -> None:
    assert restore(tmp_path) is None
    assert restore(tmp_path / "none") is None


def test_what_came_after_the_snapshot_is_not_in_it(
    folder: Path, vectors: Matrix
) -> None:
    index = restored(folder)
    add(index, make_vectors(500, seed=2), first=10_000)
    del index
    again = restored(folder)
    assert len(again) == COUNT + 7
    add(again, make_vectors(500, seed=2), first=10_000)
    save(again)
    assert len(restored(folder)) == COUNT + 507


@pytest.mark.parametrize("part", [Part.FACTS, Part.PAST])
def test_what_came_after_the_snapshot_leaves_the_disk_at_a_restart(
    folder: Path, part: Part
) -> None:
    """It may be of a memory that was forgotten while nothing ran."""
    later = make_vectors(1, seed=2)
    index = restored(folder)
    add(index, later, first=10_000, part=part)
    with pytest.MonkeyPatch.context() as patch:
        _fill_disk(patch, manifest.FRESH_NAME)
        with pytest.raises(OSError, match="No space left"):
            save(index)
    assert pack(later[0]) in bytes_of(folder)
    restored(folder)
    assert pack(later[0]) not in bytes_of(folder)


def test_codes_of_few_new_rows_are_not_written_again(folder: Path) -> None:
    index = restored(folder)
    # Its file has the codes of what was removed before it was written.
    save(index)
    [codes] = folder.glob("*.codes")
    query = make_vectors(300, seed=2)
    add(index, query, first=10_000)
    save(index)
    assert list(folder.glob("*.codes")) == [codes]
    again = restored(folder)
    assert again.search(query[9], 1).keys() == {10_009}
    remove(again, [10_009])
    save(again)
    assert list(folder.glob("*.codes")) != [codes]
    assert len(list(folder.glob("*.codes"))) == 1
    assert 10_009 not in restored(folder).search(query[9], 5)


def test_a_removed_vector_leaves_the_disk_at_once(
    folder: Path, vectors: Matrix
) -> None:
    index = restored(folder)
    # One in the mapped file, one that is kept in memory and in a file beside.
    for seq, vector in ((9, vectors[8]), (COUNT + 6, vectors[5])):
        others = bytes_of(folder).count(pack(vector))
        remove(index, [seq])
        assert bytes_of(folder).count(pack(vector)) == others - 1
    del index
    again = restored(folder)
    assert again.scores(vectors[8], [9, COUNT + 6]) == {}
    assert len(again) == COUNT + 5


def test_a_changed_vector_leaves_the_disk_at_once(
    folder: Path, vectors: Matrix
) -> None:
    index = restored(folder)
    fresh = make_vectors(1, seed=4)
    add(index, fresh, first=9)
    assert pack(vectors[8]) not in bytes_of(folder)
    save(index)
    assert restored(folder).search(fresh[0], 1).keys() == {9}


def test_a_snapshot_cut_anywhere_is_refused(saved: Path, tmp_path: Path) -> None:
    for file in saved.iterdir():
        size = file.stat().st_size
        needed = _needed(saved, file)
        for end in {*range(0, size, PAGE), size - 1}:
            copy = shutil.copytree(saved, tmp_path / "cut")
            cut(copy / file.name, end)
            assert (restore(copy) is None) == (end < needed), (file.name, end)
            shutil.rmtree(copy)


def _needed(folder: Path, file: Path) -> int:
    """Files of rows have room behind them."""
    found = manifest.read_manifest(folder)
    assert found is not None
    for part in found.parts.values():
        if file.stem == part.stem:
            return part.count * (16 if file.suffix == ".keys" else 768)
    return file.stat().st_size


def test_a_flipped_bit_is_refused(saved: Path, tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    copy = shutil.copytree(saved, tmp_path / "flipped")
    for file in saved.iterdir():
        needed = _needed(saved, file)
        for position in {0, needed - 1, *dice.integers(0, needed, 12).tolist()}:
            flip(copy / file.name, position)
            assert restore(copy) is None, (file.name, position)
            shutil.copy(file, copy / file.name)
    assert restore(copy) is not None


def test_rows_that_lost_their_bytes_are_refused(folder: Path) -> None:
    [rows] = list(folder.glob("facts-*.vectors"))
    with rows.open("r+b") as file:
        file.seek(768 * 4)
        file.write(bytes(768))
    assert restore(folder) is None


def test_rows_in_each_other_s_place_are_refused(folder: Path) -> None:
    for ending, width in (("vectors", 768), ("keys", 16)):
        [rows] = folder.glob(f"facts-*.{ending}")
        data = rows.read_bytes()
        swapped = data[width : 2 * width] + data[:width] + data[2 * width :]
        rows.write_bytes(swapped)
    assert restore(folder) is None


def test_rows_of_another_index_are_refused(folder: Path, tmp_path: Path) -> None:
    other = AgentVectors(AGENT, MODEL, tmp_path / "other")
    (tmp_path / "other").mkdir()
    add(other, make_vectors(COUNT, seed=8))
    save(other)
    for ending in ("keys", "vectors"):
        [mine] = folder.glob(f"facts-*.{ending}")
        [theirs] = (tmp_path / "other").glob(f"facts-*.{ending}")
        shutil.copy(theirs, mine)
    assert restore(folder) is None


def test_another_agent_and_another_model_are_refused(folder: Path) -> None:
    assert AgentVectors.restore("bob", MODEL, folder) is None
    assert AgentVectors.restore(AGENT, "other", folder) is None
    assert restore(folder) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fields: fields | {"layout": "0"},
        lambda fields: {k: v for k, v in fields.items() if k != "layout"},
        lambda fields: {k: v for k, v in fields.items() if k != "parts"},
        lambda fields: fields | {"extra": 1},
        lambda fields: fields | {"parts": {"dreams": {}}},
        lambda fields: fields | {"parts": []},
        lambda _: [],
        lambda _: "text",
    ],
)
def test_a_manifest_of_another_form_is_refused(
    folder: Path, spoil: Callable[[dict[str, object]], object]
) -> None:
    file = folder / manifest.NAME
    fields = json.loads(file.read_bytes().partition(b"\n")[2])
    body = json.dumps(spoil(fields)).encode()
    file.write_bytes(manifest.digest(body) + b"\n" + body)
    assert restore(folder) is None


def test_discarded_is_not_restored(folder: Path) -> None:
    index = restored(folder)
    index.discard()
    assert restore(folder) is None
    save(index)
    assert len(restored(folder)) == COUNT + 7


def test_a_restart_sweeps_what_no_snapshot_names(folder: Path) -> None:
    (folder / "facts-0.vectors").write_bytes(b"old")
    (folder / "build-x").mkdir()
    (folder / "build-x" / "codes").write_bytes(b"half")
    before = {path.name for path in folder.iterdir()}
    assert restore(folder) is not None
    after = {path.name for path in folder.iterdir()}
    assert before - after == {"facts-0.vectors", "build-x"}


@pytest.mark.parametrize("name", [".codes", manifest.FRESH_NAME, ".vectors"])
def test_a_full_disk_leaves_the_snapshot_before(
    folder: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = restored(folder)
    remove(index, [5])
    add(index, make_vectors(3, seed=2), first=10_000, part=Part.PAST)
    before = {path.name for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        _fill_disk(patch, name)
        with pytest.raises(OSError, match="No space left"):
            save(index)
    assert {path.name for path in folder.iterdir()} <= before
    found = restore(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert found is not None
    assert found.seq == 4000
    save(index, seq=4010)
    found = restore(folder)
    assert found is not None
    assert (found.seq, len(found.vectors)) == (4010, COUNT + 9)


def _fill_disk(patch: pytest.MonkeyPatch, name: str) -> None:
    """Syncing a file of that name fails, as it does on some full disks."""
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    patch.setattr(os, "fsync", fail)


def test_vectors_go_elsewhere_when_the_folder_s_disk_is_full(
    tmp_path: Path, vectors: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = AgentVectors(AGENT, MODEL, tmp_path)
    add(index, vectors[:1500])
    save(index)
    allocate = os.posix_fallocate

    def refuse(descriptor: int, start: int, size: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(tmp_path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(descriptor, start, size)

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    add(index, vectors[1500:], first=1501)
    assert len(index) == COUNT
    assert index.search(vectors[3000], 1).keys() == {3001}
    remove(index, [3001])
    assert 3001 not in index.search(vectors[3000], 1)
    with pytest.raises(OSError, match="temporary"):
        save(index)
    assert restore(tmp_path) is None


def test_a_change_that_found_no_room_can_be_made_later(
    tmp_path: Path, vectors: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = AgentVectors(AGENT, MODEL, tmp_path)
    add(index, vectors[:100])
    with monkeypatch.context() as patch:
        patch.setattr(growing, "_allocate", _no_room)
        with pytest.raises(OSError, match="No space left"):
            add(index, vectors)
        assert len(index) == 100
        assert index.search(vectors[7], 1).keys() == {8}
    add(index, vectors)
    assert len(index) == COUNT
    save(index)
    assert len(restored(tmp_path)) == COUNT


def _no_room(_file: int, _size: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_snapshot_of_a_part_made_anew_meanwhile_is_not_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = restored(folder)
    snapshot = index.capture(5000, "7")
    remove(index, range(1, COUNT, 2))
    assert build(index) == "erased"
    with pytest.raises(OSError, match="No such file"):
        snapshot.write()
    assert restore(folder) is None
    save(index)
    assert len(restored(folder)) == len(index)


def test_changes_between_capture_and_writing_do_no_harm(
    folder: Path, vectors: Matrix
) -> None:
    index = restored(folder)
    snapshot = index.capture(5000, "7")
    index.apply([Change(4, Part.FACTS, None), Change(COUNT + 2, Part.THOUGHTS, None)])
    add(index, make_vectors(900, seed=2), first=10_000, part=Part.THOUGHTS)
    snapshot.write()
    found = restore(folder)
    assert found is not None
    assert found.seq == 5000
    # Erased since, which the feed would say after 5000.
    assert found.vectors.scores(vectors[3], [4, COUNT + 2]) == {}
    assert len(found.vectors) == COUNT + 5
