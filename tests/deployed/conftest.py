"""An account on this machine: an emulator for most of AWS, the simulated AWS for ECR and Inspector, and the stack in it.

Everything listens on 127.0.0.1 and ends with the test.

What the emulator cannot do, and what is done about it here:

* It has no faithful ECR tags and no findings, so the functions reach `ecr-warden serve` for ECR and Inspector.
* It lets nobody send events as `aws.*` (neither does AWS), so the stack is deployed with other event sources.
* It does not mount layers into functions that run without a container. The test downloads the layer that was
  deployed, unpacks it and points POLICY_FILE to it.
* It has no batching windows; batches are smaller than they would be.
* A message that failed comes again after the visibility timeout, five times. Minutes are made seconds here.
* It evaluates roles and queue policies (AUTH), but not for ECR and Inspector, which are not in it. There a test of
  the workspace holds each call against the grants.
* It measures neither queues nor functions, so no alarm goes off; that they are there is all that is seen.
* It knows no alarms on several metrics and no conditions on the items of a table; `emulator.py` teaches it both.
* It lets two stacks export the same name, and checks no AllowedPattern of a parameter in Parameter Store. So neither a
  second stack in mode `tag` nor a name that is too long is refused here.
* It runs the functions' own processor only, so Architecture is this machine's.
"""

import io
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator

import boto3
import pytest
from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORY = ROOT / "sim/pipeline/story"
ACCOUNT = "210987654321"
REGION = "eu-west-1"
STACK = "ecr-warden"
SOURCES = {"aws.ecr": "test.ecr", "aws.inspector2": "test.inspector2"}
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
#: In the order of the template, which is also the order in which they handle an image.
FUNCTIONS = [
    resource["Properties"]["CodeUri"].removeprefix("functions/")
    for resource in TEMPLATE["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
]
#: Seconds until a message that failed comes again, in place of the template's minutes.
VISIBILITY = 2


def eventually(what: str, look: Callable[[], object], seconds: float = 60) -> object:
    """What `look` finds, as soon as it finds something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """A process that listens on a port of this machine."""

    def __init__(self, command: list[str], log: pathlib.Path, environment: dict[str, str], cwd: pathlib.Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            command, stdout=log.open("wb"), stderr=subprocess.STDOUT, env=os.environ | environment, cwd=cwd
        )

    def wait_for(self, port: int) -> None:
        def answers() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.log.read_text()[-2000:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(f"{self.process.args[0]} answers on port {port}", answers, 60)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Account:
    """The clients, and what a test needs to know of the stack."""

    def __init__(self, emulator: str, simulated_aws: str) -> None:
        def client(service: str, endpoint: str = emulator, **credentials: str):
            return boto3.client(service, region_name=REGION, endpoint_url=endpoint, **credentials)

        self.client = client
        self.emulator = emulator
        self.ecr = client("ecr", simulated_aws)
        self.events = client("events")
        self.sqs = client("sqs")
        self.sns = client("sns")
        self.functions = client("lambda")
        self.metrics = client("cloudwatch")
        self.logs = client("logs")
        self.tables = client("dynamodb")
        self.stacks = client("cloudformation")

    def outputs(self) -> dict[str, str]:
        stack = self.stacks.describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def queue(self, name: str) -> str:
        return self.sqs.get_queue_url(QueueName=f"{STACK}-{name}")["QueueUrl"]

    def put(self, *events: dict) -> None:
        """Sends events as their services would, only under another source."""
        for start in range(0, len(events), 10):
            entries = [
                {
                    "Source": SOURCES[event["source"]],
                    "DetailType": event["detail-type"],
                    "Detail": json.dumps(event["detail"]),
                    "Resources": event.get("resources", []),
                    "Time": event["time"],
                }
                for event in events[start : start + 10]
            ]
            answer = self.events.put_events(Entries=entries)
            assert answer["FailedEntryCount"] == 0, answer

    def waiting(self, name: str) -> int:
        """How many messages are in a queue, in flight or not."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue(name), AttributeNames=wanted)["Attributes"]
        return sum(int(attributes[one]) for one in wanted)

    def settle(self) -> None:
        """Waits until no message is on its way."""
        calm = 0

        def is_calm() -> bool:
            nonlocal calm
            calm = calm + 1 if all(self.waiting(name) == 0 for name in [*FUNCTIONS, "assess-roots", "assess-due"]) else 0
            return calm >= 5

        eventually("the queues are empty", is_calm, 90)

    def sum_of(self, metric: str, **dimensions: str) -> float:
        """The sum of a metric's values."""
        answer = self.metrics.get_metric_statistics(
            Namespace="EcrWarden",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=time.time() - 86_400,
            EndTime=time.time() + 3_600,
            Period=86_400,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in answer["Datapoints"])

    def tags(self, repository: str, digest: str) -> list[str]:
        found = self.ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return found["imageDetails"][0]["imageTags"]

    def tables_as(self, function: str):
        """DynamoDB as a function reaches it, with the function's role, which the test may assume besides Lambda."""
        arn = self.functions.get_function_configuration(FunctionName=f"{STACK}-{function}")["Role"]
        principal = {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("iam").update_assume_role_policy(RoleName=arn.rsplit("/", 1)[1], PolicyDocument=trust)
        key = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return self.client(
            "dynamodb",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
        )

    def take(self, url: str) -> list[dict]:
        """Takes all messages out of a queue."""
        taken = []
        while batch := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            taken.extend(batch)
            for message in batch:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken


def certificate_for_loopback(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=loopback -keyout {key} -out {certificate}"
    extensions = ["basicConstraints=critical,CA:FALSE", "subjectAltName=IP:127.0.0.1"]
    added = [part for extension in extensions for part in ("-addext", extension)]
    subprocess.run([*command.split(), *added], check=True, capture_output=True)
    return certificate, key


def story(act: str) -> list[dict]:
    """The events of an act of the built-in story."""
    return [json.loads(line) for line in (STORY / f"{act}.jsonl").read_text().splitlines()]


def sam(*arguments: str) -> None:
    done = subprocess.run(["sam", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"sam {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account, empty but for the images and findings of three acts of the story."""
    folder = tmp_path_factory.mktemp("account")
    target = pathlib.Path(os.environ["CARGO_TARGET_DIR"])
    local_port, port = free_port(), free_port()
    local_url, url = f"http://127.0.0.1:{local_port}", f"https://127.0.0.1:{port}"
    certificate, key = certificate_for_loopback(folder)
    # The stack's queues and topics refuse whatever does not come by TLS.
    os.environ["AWS_CA_BUNDLE"] = str(certificate)
    simulated_aws = Service(
        [
            str(target / "debug/ecr-warden"),
            "serve",
            f"--port={local_port}",
            f"--known-exploited={STORY / 'known-exploited.json'}",
            *(str(STORY / f"{act}.jsonl") for act in ["1-push", "2-scan", "8-platforms"]),
        ],
        folder / "simulated-aws.log",
        {},
        folder,
    )
    emulator = Service(
        [sys.executable, str(ROOT / "tests/deployed/emulator.py")],
        folder / "emulator.log",
        {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            # Roles are evaluated: the functions may do what their policies allow, and nothing else.
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(certificate),
            "MINISTACK_SSL_KEY": str(key),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(folder),
            # The functions get these from the emulator's process.
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_ECR": local_url,
            "AWS_ENDPOINT_URL_INSPECTOR2": local_url,
            "SSL_CERT_FILE": str(certificate),
        },
        folder,
    )
    try:
        simulated_aws.wait_for(local_port)
        emulator.wait_for(port)
        yield Account(url, local_url)
    finally:
        emulator.stop()
        simulated_aws.stop()


def parameters() -> dict[str, str]:
    """What the stack is deployed with."""
    return {
        "Architecture": os.environ["ARCHITECTURE"],
        "QuarantineMode": "tag",
        # The events are of a day long past, so their images are old.
        "QuarantinesPerHour": "0",
        "RegistryWritesPerSecond": "100",
        "RepositoriesExcluded": "sandbox/*",
        "AlertEmail": "team@example.com",
        "AlarmHttpsEndpoint": "https://alarms.example.com/sns",
        "EventSourceEcr": SOURCES["aws.ecr"],
        "EventSourceInspector": SOURCES["aws.inspector2"],
    }


def deploy(more: dict[str, str]) -> None:
    """Deploys with SAM, or changes the parameters of what is deployed."""
    overrides = [f"{name}={value}" for name, value in (parameters() | more).items()]
    sam("deploy", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *overrides)


@pytest.fixture(scope="session")
def stack(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The stack, deployed by `sam deploy` as a person would."""
    os.environ["AWS_ENDPOINT_URL"] = account.emulator
    deploy({})
    make_ready(account, tmp_path_factory.mktemp("layer"))
    yield account


def deploy_packages(account: Account, folder: pathlib.Path, more: dict[str, str]) -> None:
    """The stack, deployed without SAM, from what infra/package.py makes of the functions that were built."""
    architecture, bucket, prefix = os.environ["ARCHITECTURE"], "packages", "ecr-warden/test/"
    for logical_id, resource in TEMPLATE["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            built = folder / "built" / resource["Properties"]["CodeUri"].removeprefix("functions/")
            built.mkdir(parents=True)
            with zipfile.ZipFile(built / "bootstrap.zip", "w") as package:
                package.write(ROOT / ".aws-sam/build" / logical_id / "bootstrap", "bootstrap")
    packages = folder / "packages"
    command = [sys.executable, ROOT / "infra/package.py", packages, f"{architecture}={folder / 'built'}"]
    subprocess.run(command, check=True)
    template = packages / "ecr-warden.yaml"
    subprocess.run(["cfn-lint", template], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=packages, check=True)

    storage = account.client("s3")
    regional = f"{bucket}-{REGION}"
    storage.create_bucket(Bucket=regional, CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in packages.iterdir():
        storage.upload_file(str(file), regional, prefix + file.name)
    given = parameters() | {"ArtifactBucket": bucket, "ArtifactPrefix": prefix} | more
    account.stacks.create_stack(
        StackName=STACK,
        TemplateURL=f"{account.emulator}/{regional}/{prefix}{template.name}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    account.stacks.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def make_ready(account: Account, folder: pathlib.Path) -> None:
    """What the emulator leaves to be done after a deployment: the policy, and shorter waits."""
    policy = folder / "policy.yaml"
    policy.write_bytes(layer_file(account, "policy.yaml"))
    for name in ["assess-image", "sweep"]:
        function = f"{STACK}-{name}"
        environment = account.functions.get_function_configuration(FunctionName=function)["Environment"]
        environment["Variables"]["POLICY_FILE"] = str(policy)
        account.functions.update_function_configuration(FunctionName=function, Environment=environment)
    for name in FUNCTIONS:
        url = account.queue(name)
        account.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY)})


def layer_file(account: Account, name: str) -> bytes:
    """A file of the layer that assess-image was deployed with."""
    configuration = account.functions.get_function_configuration(FunctionName=f"{STACK}-assess-image")
    arn = configuration["Layers"][0]["Arn"]
    location = account.functions.get_layer_version_by_arn(Arn=arn)["Content"]["Location"]
    # The emulator names its address without TLS.
    location = location.replace("http://", "https://", 1)
    trust = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    with urllib.request.urlopen(location, context=trust) as answer:
        package = zipfile.ZipFile(io.BytesIO(answer.read()))
    return package.read(name)
