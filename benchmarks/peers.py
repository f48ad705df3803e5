"""One peer over the same vectors, by its own client, in a process of its own:

    python benchmarks/peers.py PEER build|tune|measure CORPUS FOLDER WIDTH [DSN PID]

It runs in the environment of peers.txt and imports nothing of this project. `build`
makes the peer's index in FOLDER. `tune` widens the search until recall@10 is high
enough. `measure` opens the index anew and asks every query once with that WIDTH. Each
prints JSON. DSN and PID are those of a server that the peer needs.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil

ENOUGH_RECALL = 0.97
# The widest of each is near to exact search.
WIDTHS = (30, 40, 60, 80, 100, 150, 200, 300, 400, 600, 800)
TOP = 10
BATCH = 5000
LONGEST_TEXT = 4096
LINKS = 16
BREADTH = 100
KIB_PER_MB = 1000 / 1.024

Rows = list[int]


class Peer(Protocol):
    """What each of them can do."""

    setting: str

    def build(self, vectors: Any, texts: Sequence[str]) -> None:
        """Takes in unit vectors and their texts; a row's number is its id."""

    def open(self, width: int) -> None:
        """Makes it ready for searches that look at so many candidates."""

    def search(self, vector: Any) -> Rows:
        """The nearest rows with their texts, best first."""


class Chroma:
    """HNSW of hnswlib in the process, rows in SQLite."""

    setting = f"HNSW M {LINKS}, construction {BREADTH}, float32"

    def __init__(self, folder: Path) -> None:
        self._chroma = import_module("chromadb")
        self._folder = folder

    def _client(self) -> Any:
        settings = self._chroma.Settings(anonymized_telemetry=False)
        return self._chroma.PersistentClient(str(self._folder), settings)

    def build(self, vectors: Any, texts: Sequence[str]) -> None:
        hnsw = {"space": "ip", "max_neighbors": LINKS, "ef_construction": BREADTH}
        collection = self._client().create_collection(
            "memories", configuration={"hnsw": hnsw}
        )
        for start in range(0, len(vectors), BATCH):
            part = slice(start, start + BATCH)
            ids = [str(start + number) for number in range(len(texts[part]))]
            collection.add(ids, embeddings=vectors[part], documents=texts[part])

    def open(self, width: int) -> None:
        change = {"hnsw": {"ef_search": width}}
        self._client().get_collection("memories").modify(configuration=change)
        # An index that is open already goes on with the width it had.
        shared = import_module("chromadb.api.shared_system_client")
        shared.SharedSystemClient.clear_system_cache()
        self._collection = self._client().get_collection("memories")

    def search(self, vector: Any) -> Rows:
        found = self._collection.query(
            vector[None], n_results=TOP, include=["documents"]
        )
        return [int(each) for each in found["ids"][0]]


class LanceDb:
    """HNSW over scalar-quantised vectors in files; the best are ranked anew."""

    setting = f"IVF_HNSW_SQ, 1 partition, M {LINKS}, construction {BREADTH}, refine 3"

    def __init__(self, folder: Path) -> None:
        self._database = import_module("lancedb").connect(str(folder))

    def build(self, vectors: Any, texts: Sequence[str]) -> None:
        arrow = import_module("pyarrow")
        values = arrow.array(vectors.reshape(-1))
        columns = {
            "row": arrow.array(np.arange(len(vectors))),
            "text": arrow.array(texts),
            "vector": arrow.FixedSizeListArray.from_arrays(values, vectors.shape[1]),
        }
        table = self._database.create_table("memories", arrow.table(columns))
        hnsw = import_module("lancedb.index").HnswSq(
            distance_type="dot", num_partitions=1, m=LINKS, ef_construction=BREADTH
        )
        table.create_index("vector", config=hnsw)

    def open(self, width: int) -> None:
        self._table = self._database.open_table("memories")
        self._width = width

    def search(self, vector: Any) -> Rows:
        found = self._table.search(vector).distance_type("dot").ef(self._width)
        wanted = found.refine_factor(3).select(["row", "text", "_distance"])
        rows = wanted.limit(TOP).to_arrow()
        places: Rows = rows["row"].to_pylist()
        return places


class MilvusLite:
    """Milvus in one process, by the client of the real one."""

    setting = f"HNSW M {LINKS}, construction {BREADTH}, float32"

    def __init__(self, folder: Path) -> None:
        self._milvus = import_module("pymilvus")
        self._client = self._milvus.MilvusClient(str(folder / "milvus.db"))

    def build(self, vectors: Any, texts: Sequence[str]) -> None:
        kinds = self._milvus.DataType
        schema = self._client.create_schema()
        schema.add_field("row", kinds.INT64, is_primary=True)
        schema.add_field("text", kinds.VARCHAR, max_length=LONGEST_TEXT)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=vectors.shape[1])
        index = self._client.prepare_index_params()
        index.add_index(
            "vector",
            index_type="HNSW",
            metric_type="IP",
            params={"M": LINKS, "efConstruction": BREADTH},
        )
        self._client.create_collection("memories", schema=schema, index_params=index)
        for start in range(0, len(vectors), BATCH):
            part = range(start, min(start + BATCH, len(texts)))
            self._client.insert(
                "memories",
                [{"row": n, "text": texts[n], "vector": vectors[n]} for n in part],
            )
        self._client.flush("memories")
        self._client.close()

    def open(self, width: int) -> None:
        self._client.load_collection("memories")
        self._params = {"metric_type": "IP", "params": {"ef": width}}

    def search(self, vector: Any) -> Rows:
        found = self._client.search(
            "memories",
            [vector.tolist()],
            limit=TOP,
            search_params=self._params,
            output_fields=["text"],
        )
        return [int(each["row"]) for each in found[0]]


class PgVector:
    """HNSW in PostgreSQL over float16, one prepared statement."""

    setting = f"HNSW m {LINKS}, construction {BREADTH}, halfvec"

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._dsn = dsn

    def build(self, vectors: Any, texts: Sequence[str]) -> None:
        self._loop.run_until_complete(self._build(vectors, texts))

    def open(self, width: int) -> None:
        self._loop.run_until_complete(self._open(width))

    def search(self, vector: Any) -> Rows:
        return self._loop.run_until_complete(self._search(vector))

    async def _connect(self) -> Any:
        database = await import_module("asyncpg").connect(self._dsn)
        await database.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await import_module("pgvector.asyncpg").register_vector(database)
        return database

    async def _build(self, vectors: Any, texts: Sequence[str]) -> None:
        half = import_module("pgvector").HalfVector
        database = await self._connect()
        await database.execute(
            "CREATE TABLE memories (row int PRIMARY KEY, text text NOT NULL,"
            f" vector halfvec({vectors.shape[1]}) NOT NULL)"
        )
        rows = ((n, text, half(vectors[n])) for n, text in enumerate(texts))
        await database.copy_records_to_table("memories", records=rows)
        await database.execute("SET maintenance_work_mem = '512MB'")
        await database.execute(
            "CREATE INDEX ON memories USING hnsw (vector halfvec_ip_ops)"
            f" WITH (m = {LINKS}, ef_construction = {BREADTH})"
        )
        await database.execute("ANALYZE memories")
        await database.close()

    async def _open(self, width: int) -> None:
        self._half = import_module("pgvector").HalfVector
        self._database = await self._connect()
        await self._database.execute(f"SET hnsw.ef_search = {width}")
        self._statement = await self._database.prepare(
            f"SELECT row, text FROM memories ORDER BY vector <#> $1 LIMIT {TOP}"
        )

    async def _search(self, vector: Any) -> Rows:
        found = await self._statement.fetch(self._half(vector))
        return [each["row"] for each in found]


def build(peer: Peer, corpus: Path) -> dict[str, Any]:
    """Seconds until all vectors are indexed."""
    vectors = np.load(corpus / "vectors.f16.npy", mmap_mode="r").astype(np.float32)
    texts = (corpus / "texts.txt").read_text(encoding="utf-8").split("\n")[:-1]
    begun = time.perf_counter()
    peer.build(vectors, texts)
    return {"build_s": time.perf_counter() - begun}


def tune(peer: Peer, corpus: Path) -> dict[str, Any]:
    """The least width that is wide enough, or the widest."""
    queries = np.load(corpus / "queries.f32.npy")
    exact = np.load(corpus / "exact.npy")
    for width in WIDTHS:
        peer.open(width)
        if _recall([peer.search(query) for query in queries], exact) >= ENOUGH_RECALL:
            break
    return {"width": width}


def measure(peer: Peer, corpus: Path, width: int, server: int | None) -> dict[str, Any]:
    """Recall, milliseconds of every query, and the memory of all its processes."""
    queries = np.load(corpus / "queries.f32.npy")
    peer.open(width)
    times_ms, answers = [], []
    for query in queries:
        begun = time.perf_counter()
        answers.append(peer.search(query))
        times_ms.append((time.perf_counter() - begun) * 1000)
    return {
        "setting": f"{peer.setting}, ef {width}",
        "recall": _recall(answers, np.load(corpus / "exact.npy")),
        "times_ms": times_ms,
        "private_mb": _private_mb(server),
    }


def _recall(answers: Sequence[Rows], exact: Any) -> float:
    pairs = zip(answers, exact.tolist(), strict=True)
    return sum(len({*a} & {*b}) for a, b in pairs) / len(answers) / TOP


def _private_mb(server: int | None) -> float:
    """Anonymous and shared memory of this process, its children and its server; what
    several of them share is counted once."""
    roots = [psutil.Process()] + ([psutil.Process(server)] if server else [])
    kib = 0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            kib += sum(_rollup(process.pid, "Pss_Anon:", "Pss_Shmem:"))
    return kib / KIB_PER_MB


def _rollup(pid: int, *names: str) -> Iterable[int]:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(names):
            yield int(line.split()[1])


PEERS: dict[str, Callable[[Path], Peer]] = {
    "Chroma": Chroma,
    "LanceDB": LanceDb,
    "Milvus Lite": MilvusLite,
}


def main() -> None:
    """As the module says."""
    name, step, corpus, folder, width, *server = sys.argv[1:]
    peer: Peer = PgVector(server[0]) if server else PEERS[name](Path(folder))
    if step == "build":
        result = build(peer, Path(corpus))
    elif step == "tune":
        result = tune(peer, Path(corpus))
    else:
        pid = int(server[1]) if server else None
        result = measure(peer, Path(corpus), int(width), pid)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
