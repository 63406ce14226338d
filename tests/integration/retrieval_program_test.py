"""Runs memory3-retrieval as an operator would: help, wrong flags, start, probes, SIGTERM.

usage: retrieval_program_test.py MEMORY3_RETRIEVAL
"""

import http.client
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30


def run(program, *flags):
    return subprocess.run([program, *flags], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def await_log(process, message):
    for line in process.stderr:
        entry = json.loads(line)
        if entry["message"] == message:
            return entry
    raise AssertionError(f"the program ended without '{message}'")


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", path)
    return connection.getresponse().status


def check_flags(program):
    page = run(program, "--help")
    assert page.returncode == 0 and "--bank" in page.stdout, page
    for flags, named in [
        ([], "--bank"),
        (["--bank=x", "--max_queries=0"], "--max_queries"),
        (["--bank=x", "--poll_interval=0s"], "--poll_interval"),
        (["--bank=x", "--log_format=xml"], "--log_format"),
        (["--bank=x", "stray"], "flags only"),
    ]:
        refused = run(program, *flags)
        assert refused.returncode == 2 and named in refused.stderr, (flags, refused)
    unbound = run(program, "--bank=x", "--listen_address=unix:/no/such/folder/s", "--metrics_address=")
    assert unbound.returncode == 1 and "--listen_address" in unbound.stderr, unbound


def check_life(program, folder, end):
    port_file = folder / "port"
    command = [program, f"--bank={folder}/none", "--listen_address=127.0.0.1:0", "--metrics_address=127.0.0.1:0"]
    command += ["--log_format=json", f"--port_file={port_file}", "--poll_interval=20ms"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            grpc_port = await_log(process, "listening")["port"]
            http_port = await_log(process, "listening")["port"]
            await_log(process, "there is no bank")  # waited for, not an error
            deadline = time.monotonic() + PATIENCE_S
            while not port_file.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert int(port_file.read_text()) == grpc_port
            assert get(http_port, "/healthz") == 200
            assert get(http_port, "/readyz") == 503
            assert get(http_port, "/metrics") == 200
            process.send_signal(end)
            await_log(process, "stopped")
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def main(program):
    check_flags(program)
    with tempfile.TemporaryDirectory() as folder:
        for number, end in enumerate([signal.SIGTERM, signal.SIGINT]):
            own = pathlib.Path(folder) / str(number)
            own.mkdir()
            check_life(program, own, end)


if __name__ == "__main__":
    main(sys.argv[1])
