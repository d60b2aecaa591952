"""The statements of examples/bench.rs on SQLite, prepared and cached as its driver does: python3 bench/sqlite.py [ROWS]"""

import sqlite3
import statistics
import sys
import tempfile
import time

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
folder = tempfile.TemporaryDirectory()
db = sqlite3.connect(folder.name + "/bench.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=NORMAL")
db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, cust INTEGER, status TEXT, amount NUMERIC, note TEXT)")


def order(i):
    return (i, i * 7919 % 10007, f"s{i * 31 % 10}", i * 37 % 5000 + i % 100 / 100, f"note {i} of a usual length for such things")


def p50(runs, work):
    times = []
    for n in range(runs):
        start = time.perf_counter()
        work(n)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def run(sql):
    return db.execute(sql).fetchall()


db.execute("BEGIN")
db.executemany("INSERT INTO orders VALUES (?,?,?,?,?)", map(order, range(1, ROWS + 1)))
db.execute("COMMIT")
show = lambda name, value, unit: print(f"{name:33} {value:9.2f} {unit}")
show("point read", p50(20000, lambda n: run(f"SELECT * FROM orders WHERE id = {1 + n * 7 % ROWS}")), "us")
show("scan with filter", p50(15, lambda n: run(f"SELECT id, amount FROM orders WHERE cust = {n * 91}")) / 1e3, "ms")
show("scan with filter on text", p50(15, lambda n: run("SELECT count(*) FROM orders WHERE status = 's3'")) / 1e3, "ms")
show("GROUP BY without rollup", p50(15, lambda n: run("SELECT status, count(*), sum(amount) FROM orders GROUP BY status")) / 1e3, "ms")
show("top 10 without index", p50(15, lambda n: run("SELECT id, amount FROM orders ORDER BY amount DESC LIMIT 10")) / 1e3, "ms")
db.execute("CREATE INDEX by_cust ON orders (cust)")
db.execute("CREATE INDEX by_status_amount ON orders (status, amount)")
show("indexed equality, ~10 rows", p50(20000, lambda n: run(f"SELECT id, amount FROM orders WHERE cust = {n * 91 % 10007}")), "us")
show(
    "composite range, rows",
    p50(3000, lambda n: run(f"SELECT id, note FROM orders WHERE status = 's{n % 10}' AND amount >= {n % 4900} AND amount < {n % 4900 + 25}")),
    "us",
)
show("insert with 2 indexes", p50(10000, lambda n: run(f"INSERT INTO orders VALUES ({ROWS + n + 1}, {n % 1000}, 's3', 12.5, 'a note')")), "us")
