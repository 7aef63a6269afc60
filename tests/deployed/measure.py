#!/usr/bin/env python3
"""How large the functions are, how soon they are ready, and what a full batch costs them.

    tests/deployed/measure.py FOLDER [--runs N] [--batches N]

FOLDER holds one folder for each function with its `bootstrap`, as `cargo lambda build` (target/lambda) and `sam
build` leave them. A bootstrap is spawned against a Lambda Runtime API on loopback; it is ready when it asks for its
first invocation. The zip is deflated, as Lambda gets it. "Peak" is the process's VmHWM.

With --batches, assess-image then handles so many batches of 1,000 findings, each batch about an image of its own.
That needs the simulated AWS on port 4577 (`make serve`). Its own time does not count: what is measured is
the processor time of the function's process.
"""

import argparse
import http.server
import io
import json
import os
import pathlib
import queue
import statistics
import subprocess
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 20
FINDINGS = 1_000
TICKS = os.sysconf("SC_CLK_TCK")


def environment(runtime_api: str) -> dict[str, str]:
    """The variables that a function starts with: those of local development, and a runtime to talk to."""
    lines = (ROOT / "tests/local.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    return variables | {
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "POLICY_FILE": str(ROOT / "policy/policy.yaml"),
    }


class RuntimeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A function that is killed breaks its connection; there is nothing to say about it."""


class Function:
    """A bootstrap that runs, and the Runtime API that it asks for invocations."""

    def __init__(self, bootstrap: pathlib.Path) -> None:
        self.invocations: queue.Queue[bytes | None] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.asked = threading.Event()
        self.asked_at = 0.0
        self.server = RuntimeApi(("127.0.0.1", 0), handler(self))
        # Looked at often, so that a start is not followed by half a second of waiting for the end.
        serve = {"poll_interval": 0.01}
        threading.Thread(target=self.server.serve_forever, kwargs=serve, daemon=True).start()
        host, port = self.server.server_address
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [bootstrap], env=environment(f"{host}:{port}"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def __enter__(self) -> "Function":
        if not self.asked.wait(timeout=20):
            self.process.kill()
            raise SystemExit(f"it does not get ready: {self.process.communicate()[1].decode()}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.invocations.put(None)
        self.server.shutdown()
        self.server.server_close()

    def ready_ms(self) -> float:
        return (self.asked_at - self.began) * 1000

    def peak_mib(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def processor_ms(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / TICKS

    def invoke(self, event: dict) -> dict:
        self.invocations.put(json.dumps(event).encode())
        kind, answer = self.answers.get(timeout=60)
        if kind != "response" or json.loads(answer) != {"batchItemFailures": []}:
            raise SystemExit(f"the batch failed: {answer.decode()}")
        return json.loads(answer)


def handler(function: Function) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not function.asked.is_set():
                function.asked_at = time.perf_counter()
                function.asked.set()
            event = function.invocations.get()
            if event is None:
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "measured")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 60) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:0:function:measured")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            function.answers.put((self.path.rsplit("/", 1)[1], body))

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


def batch(number: int) -> dict:
    """1,000 new findings of an image that no other batch speaks of."""
    sample = json.loads((ROOT / "functions/assess-image/event.json").read_text())["Records"]
    record = next(record for record in sample if '"Inspector2 Finding"' in record["body"])
    digest = f"{number:064x}"
    records = []
    for finding in range(FINDINGS):
        event = json.loads(record["body"])
        event["id"] = f"{number}-{finding}"
        detail = event["detail"]
        detail["findingArn"] = f"arn:aws:inspector2:eu-west-1:210987654321:finding/{number:016x}{finding:016x}"
        detail["packageVulnerabilityDetails"]["vulnerabilityId"] = f"CVE-2026-{10_000 + finding}"
        detail["severity"], detail["exploitAvailable"] = "MEDIUM", "NO"
        image = detail["resources"][0]
        image["id"] = image["id"].rsplit(":", 1)[0] + ":" + digest
        image["details"]["awsEcrContainerImage"]["imageHash"] = "sha256:" + digest
        records.append({**record, "messageId": f"{number}-{finding}", "body": json.dumps(event)})
    return {"Records": records}


def zipped(bootstrap: pathlib.Path) -> int:
    """The size of the deployment package in bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(bootstrap, "bootstrap")
    return len(buffer.getvalue())


def start(bootstrap: pathlib.Path) -> tuple[float, float]:
    with Function(bootstrap) as function:
        return function.ready_ms(), function.peak_mib()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=RUNS, help="starts of each function")
    parser.add_argument("--batches", type=int, default=0, help="batches for assess-image")
    arguments = parser.parse_args()
    bootstraps = sorted(arguments.folder.glob("*/bootstrap"))
    if not bootstraps:
        raise SystemExit(f"{arguments.folder} has no function in it")
    print(f"{'function':<20} {'zip':>9} {'binary':>9} {'ready':>9} {'(fastest to slowest)':>22} {'peak':>9}")
    for bootstrap in bootstraps:
        # The first start reads the file from the disk; Lambda's own first start is another matter.
        start(bootstrap)
        times, peaks = zip(*(start(bootstrap) for _ in range(arguments.runs)))
        print(
            f"{bootstrap.parent.name:<20}"
            f" {zipped(bootstrap) / 1e6:>6.2f} MB {os.path.getsize(bootstrap) / 1e6:>6.2f} MB"
            f" {statistics.median(times):>6.1f} ms {f'({min(times):.1f} to {max(times):.1f} ms)':>22}"
            f" {max(peaks):>5.1f} MiB"
        )
    if arguments.batches:
        with Function(arguments.folder / "assess-image/bootstrap") as function:
            before = function.processor_ms()
            for number in range(arguments.batches):
                function.invoke(batch(time.time_ns() + number))
            each = (function.processor_ms() - before) / arguments.batches
            print(
                f"assess-image, batches of {FINDINGS} findings: {each:.1f} ms of processor time each,"
                f" {FINDINGS / each * 1000:.0f} findings a second and core, peak {function.peak_mib():.1f} MiB"
            )


if __name__ == "__main__":
    main()
