"""Writes and reads files of the engines by their own Python packages, for PythonFilesTest.

exchange.py write|read KIND METRIC FILE DIRECTORY

The directory holds rows.f32, ids.i64, removed.i64 (ids), queries.f32 and dimension.txt, all
little-endian; hits.i64 is written there: the ids of the ten nearest to each query.
"""

import sqlite3
import sys

import numpy as np

if not hasattr(sqlite3.Connection, "enable_load_extension"):
    import pysqlite3 as sqlite3  # this Python was built without extensions

K = 10
EF = 2000

what, kind, metric, path, directory = sys.argv[1:]
dimension = int(open(directory + "/dimension.txt").read())


def numbers(name, dtype):
    return np.fromfile(directory + "/" + name, dtype=dtype)


rows = numbers("rows.f32", "<f4").reshape(-1, dimension)
ids = numbers("ids.i64", "<i8")
removed = numbers("removed.i64", "<i8")
queries = numbers("queries.f32", "<f4").reshape(-1, dimension)


def units(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hnswlib_kind():
    import hnswlib

    index = hnswlib.Index({"L2": "l2", "DOT": "ip", "COSINE": "cosine"}[metric], dimension)
    if what == "write":
        index.init_index(len(ids), ef_construction=200, M=16)
        index.add_items(rows, ids)
        for label in removed:
            index.mark_deleted(label)
        index.save_index(path)
    else:
        index.load_index(path)
    index.set_ef(EF)
    labels, _ = index.knn_query(queries, K)
    return labels


def usearch_kind(dtype):
    from usearch.index import Index

    if what == "write":
        index = Index(
            ndim=dimension, metric={"L2": "l2sq", "DOT": "ip", "COSINE": "cos"}[metric], dtype=dtype
        )
        index.add(ids.astype(np.uint64), rows)
        for key in removed:
            index.remove(int(key))
        index.save(path)
    else:
        index = Index.restore(path)
        assert index.ndim == dimension and len(index) == len(ids) - len(removed)
    index.expansion_search = EF
    # Its walk may miss a row or two; of its own files the content is compared.
    return index.search(queries, K, exact=what == "write").keys


def faiss_kind(factory):
    import faiss

    inner_product = metric != "L2"
    normed = units if metric == "COSINE" else (lambda vectors: vectors)
    if what == "write":
        index = faiss.index_factory(
            dimension, factory, faiss.METRIC_INNER_PRODUCT if inner_product else faiss.METRIC_L2
        )
        index.train(normed(rows))
        index.add_with_ids(normed(rows), ids)
        if len(removed) > 0:
            index.remove_ids(removed)
        faiss.write_index(index, path)
    else:
        index = faiss.read_index(path)
        assert index.d == dimension and index.ntotal == len(ids) - len(removed)
    inner = faiss.downcast_index(index.index) if hasattr(index, "index") else index
    if hasattr(inner, "hnsw"):
        inner.hnsw.efSearch = EF
    if hasattr(inner, "nprobe"):
        inner.nprobe = inner.nlist
    _, labels = index.search(normed(queries), K)
    return labels


def sqlite_kind():
    import sqlite_vec

    database = sqlite3.connect(path)
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    table, column = ("panvec_vectors", "vector") if what == "read" else ("notes", "embedding")
    if what == "write":
        database.execute("CREATE TABLE other(a TEXT, b BLOB)")
        database.execute("INSERT INTO other VALUES ('x', zeroblob(100000))")
        database.execute(
            "CREATE VIRTUAL TABLE notes USING vec0(embedding float[%d]%s, topic text)"
            % (dimension, " distance_metric=cosine" if metric == "COSINE" else "")
        )
        database.executemany(
            "INSERT INTO notes(rowid, embedding, topic) VALUES (?, ?, 'a topic')",
            [(int(key), row.tobytes()) for key, row in zip(ids, rows)],
        )
        database.executemany("DELETE FROM notes WHERE rowid = ?", [(int(key),) for key in removed])
        database.commit()
    hits = []
    for query in queries:
        found = database.execute(
            "SELECT rowid FROM %s WHERE %s MATCH ? AND k = ? ORDER BY distance" % (table, column),
            (query.tobytes(), K),
        )
        hits.append([key for (key,) in found])
    database.close()
    return np.array(hits)


if kind == "hnswlib":
    hits = hnswlib_kind()
elif kind.startswith("usearch "):
    hits = usearch_kind(kind.split()[1])
elif kind.startswith("faiss "):
    hits = faiss_kind(kind.split()[1])
else:
    hits = sqlite_kind()
np.asarray(hits).astype("<i8").tofile(directory + "/hits.i64")
