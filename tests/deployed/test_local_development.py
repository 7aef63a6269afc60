"""`cargo lambda watch` and `cargo lambda invoke` for every function, with its event.json, as CONTRIBUTING.md says."""

import os
import pathlib
import subprocess

import boto3
from conftest import FUNCTIONS, REGION, ROOT, STORY, Service, eventually, free_port

SIMULATED_AWS = "http://127.0.0.1:4577"


def test_every_function_handles_its_event(tmp_path: pathlib.Path) -> None:
    target = pathlib.Path(os.environ["CARGO_TARGET_DIR"])
    events = {name: f"functions/{name}/event.json" for name in FUNCTIONS}
    port = free_port()
    simulated_aws = Service(
        [
            str(target / "debug/ecr-warden"),
            "serve",
            f"--known-exploited={STORY / 'known-exploited.json'}",
            events["record-push"],
            events["assess-image"],
        ],
        tmp_path / "simulated-aws.log",
        {},
        ROOT,
    )
    watch = Service(
        ["cargo", "lambda", "watch", "--ignore-changes", "--env-file", "tests/local.env"]
        + ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)],
        tmp_path / "watch.log",
        # The deployed stack's emulator is none of theirs.
        {"AWS_ENDPOINT_URL": SIMULATED_AWS},
        ROOT,
    )
    try:
        simulated_aws.wait_for(4577)
        watch.wait_for(port)
        for name, event in events.items():
            command = ["cargo", "lambda", "invoke", name, "--data-file", event]
            command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
            invoked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
            assert invoked.stdout.strip() == '{"batchItemFailures":[]}', f"{name}: {invoked}"
        ecr = boto3.client("ecr", region_name=REGION, endpoint_url=SIMULATED_AWS)
        [image] = ecr.describe_images(repositoryName="shop/checkout")["imageDetails"]
        assert sorted(image["imageTags"]) == ["1.4.0", "latest", "quarantine-7e6c2638cb94"]
        eventually("the alert is printed", lambda: "Subject: QUARANTINE: shop/checkout" in simulated_aws.log.read_text())
    finally:
        watch.stop()
        simulated_aws.stop()
