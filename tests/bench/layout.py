#!/usr/bin/env python3
"""Finds the functions that a host runs, and writes them down for the linker to lay side by side.

    cargo rustc --profile dist -p polity --bin polity -- -C link-arg=-Wl,-Map=/tmp/dist.map
    tests/bench/layout.py target/dist/polity /tmp/dist.map [BINARY MAP ...]

A page fault in a program's file maps the sixteen pages around it, so a server whose functions lie scattered among those
of a compiler, a linter and a command line keeps most of the program resident. `host/polity/serving.ld` names those that
run between the start and the answers, by crate and without their hashes: it outlives changes of versions and profiles,
and what it does not know lies where it lay before. To be written anew when the share of the program that
`tests/cli_up.rs` finds resident creeps up.

Each function begins with a breakpoint, which its first call takes out; nothing is sampled or rebuilt. The company alone
and the whole example company start, rest for 15 seconds, and answer chats (whole and as streams), actions and questions.
Linux on x86-64; nginx and wrk must be installed, as for gateways.py beside this.
"""

import bisect
import collections
import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import gateways

HERE = pathlib.Path(__file__).resolve()
SCRIPT = HERE.parents[2] / "host/polity/serving.ld"
# Small, and used everywhere: taken whole.
WHOLE = ("std", "core", "alloc", "libmimalloc_sys")
# Instances of a generic function share a name. One that drags in more than this for each that ran is left out.
BALLAST = 1 << 16
HEADER = """\
/* The functions that run while a host starts and serves, laid side by side. Scattered, they keep 24 MB of the program in
 * memory; together 10. Written by tests/bench/layout.py, which says how. Names without hashes, by crate. */
"""


# The traced side: a program under breakpoints.

TRACEME, POKEUSER, PEEKUSER, CONT, DETACH, SETOPTIONS = 0, 6, 3, 7, 17, 0x4200
CLONES_FORKS_EXECS_AND_KILL = 0x08 | 0x02 | 0x04 | 0x10 | 0x100000
EXEC = 4
RIP = 16 * 8
WALL = 0x40000000
ADDR_NO_RANDOMIZE = 0x0040000


def trace(addresses, out, command):
    """Runs the command; writes the addresses, relative to its image, that were called."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    main = os.fork()
    if main == 0:
        libc.personality(ADDR_NO_RANDOMIZE)
        libc.ptrace(TRACEME, 0, None, None)
        os.execv(command[0], command)
    # Told to stop: the host is to drain, and this to write.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(main, signal.SIGTERM))
    os.waitpid(main, 0)
    libc.ptrace(SETOPTIONS, main, None, CLONES_FORKS_EXECS_AND_KILL)
    binary = os.path.realpath(command[0])
    base = min(int(line.split("-")[0], 16) for line in open(f"/proc/{main}/maps") if line.rstrip().endswith(binary))
    memory = open(f"/proc/{main}/mem", "r+b", buffering=0)
    first, last = base + min(addresses), base + max(addresses)
    memory.seek(first)
    code = memory.read(last + 1 - first)
    armed = bytearray(code)
    for address in addresses:
        armed[base + address - first] = 0xCC
    memory.seek(first)
    memory.write(armed)
    places, called = {base + address for address in addresses}, set()
    libc.ptrace(CONT, main, None, None)
    while True:
        try:
            task, status = os.waitpid(-1, WALL)
        except InterruptedError:
            continue
        except ChildProcessError:
            break
        if not os.WIFSTOPPED(status):
            if task == main:
                break
            continue
        number, event = os.WSTOPSIG(status), status >> 16
        if event == EXEC:
            libc.ptrace(DETACH, task, None, None)
            continue
        if number == signal.SIGTRAP and not event:
            at = libc.ptrace(PEEKUSER, task, RIP, None) - 1
            if at in places:
                if at not in called:
                    called.add(at)
                    memory.seek(at)
                    memory.write(code[at - first:at - first + 1])
                libc.ptrace(POKEUSER, task, RIP, at)
                number = 0
        libc.ptrace(CONT, task, None, 0 if event or number == signal.SIGSTOP else number)
    out.write_text("".join(f"{at - base:x}\n" for at in sorted(called)))


# The company: what it is asked.

def post(gateway, path, body):
    url = re.sub(r"/v1/.*", path, gateway.url)
    request = urllib.request.Request(url, json.dumps(body).encode(), gateway.headers | {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=60).read()
    except urllib.error.HTTPError as error:
        error.read()


def exercise(binary, addresses, work, whole, path):
    """Starts a company under breakpoints and uses it; returns what was called."""
    out, listed = work / "called", work / "addresses"
    listed.write_text("\n".join(f"{address:x}" for address in addresses))
    start = gateways.start

    def traced(command, log, **options):
        under = [sys.executable, str(HERE), "--under", str(listed), str(out)] if "up" in command else []
        return start(under + command, log, **options)

    gateways.start = traced
    try:
        gateway = gateways.polity(work, binary, path, whole=whole)
        time.sleep(15)
        for stream in (False, True):
            for connections in (1, 16):
                gateways.wrk(gateway, work, connections, 5, stream)
        for _ in range(20):
            post(gateway, "/api/actions", {"kind": "payment.send", "input": {"amount": 250}})
            post(gateway, "/api/decide/refund-dispute", {"input": {"reason": "charged-twice", "ageDays": 3, "amount": 70}})
            post(gateway, "/v1/chat/completions", gateways.BODY | {"model": "auto"})
        time.sleep(5)
        gateways.stop(gateway.process)
    finally:
        gateways.start = start
    return {int(line, 16) for line in out.read_text().split()}


# The map: which function of which crate lies where.

Function = collections.namedtuple("Function", "address size crate name")


def functions(map_file):
    """The functions of Rust crates in a map as LLD writes it."""
    found = []
    for line in open(map_file, errors="replace"):
        row = re.match(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+\s+(\S.*):\((\.text\.[^)]*)\)$", line)
        file = row and row[3].rsplit("/", 1)[-1]
        crate = row and (re.match(r"polity-[0-9a-f]+\.([a-z_]\w*)-[0-9a-f]+\.", file) or re.match(r"lib(\w+)-[0-9a-f]+\.rlib", file))
        own = row and re.match(r"polity-[0-9a-f]+\.polity\.", file)
        if crate or own:
            found.append(Function(int(row[1], 16), int(row[2], 16), crate[1] if crate else "polity", pattern(row[4])))
    return sorted(found)


def pattern(section):
    """A section's name without what another build would change in it."""
    section = re.sub(r"\.llvm\.\d+$", "*", section)
    if "_R" in section:
        return re.sub(r"Cs[0-9A-Za-z]{6,}_", "Cs*_", section)
    return re.sub(r"17h[0-9a-f]{16}E\*?$", "17h*", section)


class Tally:
    """What ran of each pair of crate and name, and the bytes that did not, over all programs."""

    def __init__(self):
        self.ran, self.ballast = collections.Counter(), collections.Counter()

    def add(self, laid, called):
        starts = [function.address for function in laid]
        hit = {laid[bisect.bisect_right(starts, address) - 1] for address in called}
        for function in laid:
            pair = function.crate, function.name
            if function in hit:
                self.ran[pair] += 1
            else:
                self.ballast[pair] += function.size

    def wanted(self):
        return {pair for pair, count in self.ran.items() if self.ballast[pair] <= BALLAST * count}


def script(pairs):
    crates = collections.defaultdict(list)
    for crate, name in sorted(pairs):
        if crate not in WHOLE:
            crates[crate].append(name)
    lines = [HEADER + "SECTIONS {\n  .text.serving : {"]
    lines += [f"    *[.b]{crate}-*(.text .text.*)" for crate in WHOLE]
    for crate, names in crates.items():
        file = "*polity-*.polity.*" if crate == "polity" else f"*[.b]{crate}-*"
        lines += [f"    {file}(", *(f"      {name}" for name in names), "    )"]
    return "\n".join(lines + ["  }", "}", "INSERT BEFORE .text;", ""])


def main():
    if sys.argv[1:2] == ["--under"]:
        addresses = [int(line, 16) for line in open(sys.argv[2])]
        return trace(addresses, pathlib.Path(sys.argv[3]), sys.argv[4:])
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        sys.exit(__doc__)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        upstream = gateways.nginx(work)
        try:
            for binary, map_file in zip(sys.argv[1::2], sys.argv[2::2]):
                laid = functions(map_file)
                called = set()
                for whole, path in [(False, "/sse/v1"), (True, "/long/v1")]:
                    called |= exercise(os.path.abspath(binary), [function.address for function in laid], work, whole, path)
                tally.add(laid, called)
                print(f"{binary}: {len(called):,} of {len(laid):,} functions ran", flush=True)
        finally:
            gateways.stop(upstream)
    pairs = tally.wanted()
    SCRIPT.write_text(script(pairs))
    print(f"{SCRIPT}: {len(pairs):,} names")


if __name__ == "__main__":
    main()
