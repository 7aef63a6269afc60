"""Checks what the simulated AWS exchanges with its clients against AWS's own API models, as botocore ships them.

The Rust tests of the simulated AWS record their exchanges, one file per test, in folders `exchanges*` under
`$CARGO_TARGET_DIR/tmp`. Run `cargo test -p ecr-warden-sim-aws` first.

botocore's own parsers ignore what they do not know, so responses are checked here, strictly: no unknown member, every
required member, the right types and formats, and the model's enums, lengths and patterns.
"""

import base64
import copy
import dataclasses
import datetime
import json
import os
import pathlib
import re
import urllib.parse
import xml.etree.ElementTree
from collections.abc import Callable, Iterator

import botocore.session
import cbor2
import pytest
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

ROOT = pathlib.Path(__file__).resolve().parents[2]
#: Everything that the simulated AWS implements. Of DynamoDB, whose tables are winterbaume's, what ecr-warden calls.
OPERATIONS = {
    "cloudwatch": {"PutMetricData"},
    "dynamodb": {"BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"},
    "ecr": {
        "BatchDeleteImage",
        "ListImageReferrers",
        "UpdateImageStorageClass",
        "BatchGetImage",
        "CreateRepository",
        "DescribeImageScanFindings",
        "DescribeImages",
        "DescribePullThroughCacheRules",
        "DescribeRegistry",
        "DescribeRepositories",
        "GetDownloadUrlForLayer",
        "GetRegistryScanningConfiguration",
        "ListImages",
        "PutImage",
        "PutImageTagMutability",
    },
    "events": {"PutEvents"},
    "inspector2": {"BatchGetFindingDetails", "GetClustersForImage", "ListCoverage", "ListCoverageStatistics", "ListFindings"},
    "resourcegroupstaggingapi": {"GetResources"},
    "sns": {"ListSubscriptionsByTopic", "Publish"},
    "sqs": {"GetQueueAttributes", "SendMessageBatch"},
}
#: The models of services whose IAM actions have another prefix.
MODELS = {"tag": "resourcegroupstaggingapi"}
#: The errors that services return without modelling them, and why each is right.
COMMON_ERRORS = {
    ("cloudwatch", "ThrottlingException"): "the front end throttles every operation",
    ("ecr", "ThrottlingException"): "the front end throttles every operation",
    ("events", "ThrottlingException"): "the front end throttles every operation",
    ("sns", "Throttling"): "the front end throttles every operation; this is the code of query services",
    ("sqs", "InternalError"): "SQS API reference, common errors: the service's own failure",
    ("cloudwatch", "RequestEntityTooLarge"): "the front end refuses a body of more than 1 MB",
    ("dynamodb", "ValidationException"): "DynamoDB developer guide, error messages and codes",
    ("events", "ValidationException"): "EventBridge API reference, common errors",
    ("ecr", "UnknownOperationException"): "the operation is not implemented",
    ("ecr", "AccessDeniedException"): "IAM refuses before the service is asked",
}
#: The statuses that the API reference names and the model does not.
STATUSES = {("resourcegroupstaggingapi", "InternalServiceException"): 500}
#: The errors that say that a request is not valid. Only with one of these may a request break the model.
INVALID_REQUEST = {
    "InvalidParameter",
    "InvalidParameterCombinationException",
    "InvalidParameterException",
    "InvalidParameterValueException",
    "MissingRequiredParameterException",
    "UnknownOperationException",
    "ValidationException",
}
CONTENT_TYPES = {
    "json-1.0": "application/x-amz-json-1.0",
    "json-1.1": "application/x-amz-json-1.1",
    "rest-json": "application/json",
    "query": "text/xml",
    "smithy-rpc-v2-cbor": "application/cbor",
}
#: The year 5138. A larger timestamp is one in milliseconds, where AWS has seconds.
LATEST_TIMESTAMP = 1e11


@dataclasses.dataclass
class Exchange:
    place: str
    service: ServiceModel
    operation: str
    protocol: str
    request: dict
    response: dict

    def model(self) -> OperationModel:
        return self.service.operation_model(self.operation)

    def succeeded(self) -> bool:
        return self.response["status"] < 300


class Models:
    def __init__(self) -> None:
        self.session = botocore.session.Session()
        self.services: dict[str, ServiceModel] = {}

    def exchange(self, place: str, line: str) -> Exchange:
        recorded = json.loads(line)
        name = recorded["service"]
        if name not in self.services:
            self.services[name] = self.session.get_service_model(MODELS.get(name, name))
        for message in (recorded["request"], recorded["response"]):
            message["body"] = base64.b64decode(message["body"], validate=True)
        return Exchange(place, self.services[name], **{key: recorded[key] for key in recorded if key != "service"})


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    models = Models()
    return [
        models.exchange(f"{path.name}:{number}", line)
        for path in sorted(target.glob("tmp/exchanges*/*.jsonl"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
    ]


def test_every_operation_has_succeeded(exchanges: list[Exchange]) -> None:
    seen = {(exchange.service.service_name, exchange.operation) for exchange in exchanges if exchange.succeeded()}
    missing = {(service, operation) for service, operations in OPERATIONS.items() for operation in operations} - seen
    assert not missing, "not exchanged by the tests: run `cargo test -p ecr-warden-sim-aws`, or add a test"


def test_every_success_is_of_a_listed_operation(exchanges: list[Exchange]) -> None:
    seen = {(exchange.service.service_name, exchange.operation) for exchange in exchanges if exchange.succeeded()}
    unlisted = {(service, operation) for service, operation in seen if operation not in OPERATIONS.get(service, ())}
    assert not unlisted, "add them to OPERATIONS"


def test_exchanges_follow_the_api_models(exchanges: list[Exchange]) -> None:
    """Each distinct problem once, with the number of exchanges that have it and the first of them."""
    places: dict[str, list[str]] = {}
    for exchange in exchanges:
        for problem in problems(exchange):
            text = f"{exchange.service.service_name}:{exchange.operation} {problem}"
            places.setdefault(re.sub(r"\[\d+\]", "[]", text), []).append(exchange.place)
    found = [f"{problem} ({len(where)} times, first in {where[0]})" for problem, where in sorted(places.items())]
    assert not found, "\n".join(found)


def replace_body(exchange: Exchange, side: str, change: Callable[[dict], object]) -> Exchange:
    changed = copy.deepcopy(exchange)
    message = getattr(changed, side)
    body = json.loads(message["body"])
    change(body)
    message["body"] = json.dumps(body).encode()
    return changed


def detail(body: dict) -> dict:
    return body["imageDetails"][0]


@pytest.mark.parametrize(
    ("side", "change", "expected"),
    [
        ("response", lambda body: detail(body).update(imageName="x"), "unknown member imageName"),
        ("response", lambda body: detail(body).update(imageDigest=7), "is not a string"),
        ("response", lambda body: detail(body).update(imageDigest=None), "is not a string"),
        ("response", lambda body: detail(body).update(registryId="12"), "does not match"),
        ("response", lambda body: detail(body).update(imageSizeInBytes="42"), "is not a long"),
        ("response", lambda body: detail(body).update(imagePushedAt="2026-11-21T11:17:00Z"), "is not a timestamp"),
        ("response", lambda body: detail(body).update(imagePushedAt=1_795_259_820_000), "is not a timestamp"),
        ("response", lambda body: detail(body).update(imageStatus="HIDDEN"), "is not in the enum"),
        ("request", lambda body: body.pop("repositoryName"), "required member repositoryName is missing"),
        ("request", lambda body: body.update(maxResults=0), "is not within 1 and 1000"),
        ("request", lambda body: body.update(pageSize=1), "unknown member pageSize"),
    ],
)
def test_change_that_breaks_the_model_is_found(
    exchanges: list[Exchange], side: str, change: Callable[[dict], object], expected: str
) -> None:
    listings = (exchange for exchange in exchanges if exchange.operation == "DescribeImages")
    listing = next(exchange for exchange in listings if exchange.succeeded())
    assert not list(problems(listing))
    assert any(expected in problem for problem in problems(replace_body(listing, side, change)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": 418}, "with status 418"),
        ({"body": b'{"__type": "ImageLostException", "message": "x"}'}, "ImageLostException"),
        ({"body": b'{"message": "x"}'}, "cannot be read"),
        ({"headers": {"content-type": "application/json"}}, "content-type"),
    ],
)
def test_error_that_breaks_the_model_is_found(exchanges: list[Exchange], change: dict, expected: str) -> None:
    wanted = ("DescribeImages", b"ImageNotFoundException")
    error = next(
        exchange for exchange in exchanges if exchange.operation == wanted[0] and wanted[1] in exchange.response["body"]
    )
    assert not list(problems(error))
    changed = dataclasses.replace(error, response=error.response | change)
    assert any(expected in problem for problem in problems(changed))


def problems(exchange: Exchange) -> Iterator[str]:
    """Everything in an exchange that breaks the model. A request may only break it if it is refused for that."""
    error = None
    if exchange.succeeded():
        yield from response_problems(exchange)
    else:
        error, of_error = error_problems(exchange)
        yield from of_error
    if error not in INVALID_REQUEST:
        yield from request_problems(exchange)


# Requests


def request_problems(exchange: Exchange) -> Iterator[str]:
    yield from envelope_problems(exchange)
    shape = exchange.model().input_shape
    try:
        parameters = decode_request(exchange, shape)
    except ValueError as error:
        yield f"request: cannot be read: {error}"
        return
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        yield f"request: {report.generate_report()}"
    yield from Format(exchange.protocol, True).problems(shape, parameters, "request")


def envelope_problems(exchange: Exchange) -> Iterator[str]:
    """What names the operation: method, path, and headers or form fields."""
    metadata, request = exchange.service.metadata, exchange.request
    path = urllib.parse.urlsplit(request["uri"]).path or "/"
    http = exchange.model().http
    expected_path = http["requestUri"]
    if exchange.protocol.startswith("json"):
        target = f"{metadata['targetPrefix']}.{exchange.operation}"
        if request["headers"].get("x-amz-target") != target:
            yield f"request: x-amz-target is {request['headers'].get('x-amz-target')}"
    if exchange.protocol == "smithy-rpc-v2-cbor":
        expected_path = f"/service/{metadata['targetPrefix']}/operation/{exchange.operation}"
        if request["headers"].get("smithy-protocol") != "rpc-v2-cbor":
            yield f"request: smithy-protocol is {request['headers'].get('smithy-protocol')}"
    if (request["method"], path) != (http["method"], expected_path):
        yield f"request: {request['method']} {path}, expected {http['method']} {expected_path}"
    name = exchange.protocol
    if name.startswith("json-"):
        name, _, version = exchange.protocol.partition("-")
        if version != metadata["jsonVersion"]:
            yield f"request: JSON {version}, expected {metadata['jsonVersion']}"
    if name not in metadata["protocols"]:
        yield f"request: protocol {name}, expected one of {metadata['protocols']}"


def decode_request(exchange: Exchange, shape: StructureShape) -> dict:
    body = exchange.request["body"]
    if exchange.protocol == "smithy-rpc-v2-cbor":
        return cbor2.loads(body)
    if exchange.protocol != "query":
        return json.loads(body or b"{}")
    form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    action, version = form.pop("Action", None), form.pop("Version", None)
    if (action, version) != (exchange.operation, exchange.service.api_version):
        raise ValueError(f"Action={action}, Version={version}")
    parameters = decode_form(shape, form, "")
    if form:
        raise ValueError(f"unknown fields {sorted(form)}")
    return parameters


def decode_form(shape: Shape, form: dict[str, str], prefix: str) -> object:
    """Takes what the shape describes out of a form of the query protocol."""
    if shape.type_name == "structure":
        members = ((name, member, member.serialization.get("name", name)) for name, member in shape.members.items())
        here = f"{prefix}." if prefix else ""
        return {
            name: decode_form(member, form, here + wire)
            for name, member, wire in members
            if any(key == here + wire or key.startswith(f"{here}{wire}.") for key in form)
        }
    if shape.type_name == "map":
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        decoded = {}
        while f"{prefix}.entry.{len(decoded) + 1}.{key_name}" in form:
            entry = f"{prefix}.entry.{len(decoded) + 1}"
            decoded[form.pop(f"{entry}.{key_name}")] = decode_form(shape.value, form, f"{entry}.{value_name}")
        return decoded
    if shape.type_name == "list":
        decoded = []
        while any(key == (item := f"{prefix}.member.{len(decoded) + 1}") or key.startswith(f"{item}.") for key in form):
            decoded.append(decode_form(shape.member, form, item))
        return decoded
    return form.pop(prefix)


# Responses


def response_problems(exchange: Exchange) -> Iterator[str]:
    yield from content_type_problems(exchange)
    shape, status = exchange.model().output_shape, exchange.response["status"]
    expected = exchange.model().http.get("responseCode", 200)
    if status != expected:
        yield f"response: status {status}, expected {expected}"
    try:
        body = decode_response(exchange, shape)
    except ValueError as error:
        yield f"response: cannot be read: {error}"
        return
    if shape is not None:
        yield from Format(exchange.protocol, False).problems(shape, body, "response")
    elif body:
        yield f"response: {body}, expected none"


def content_type_problems(exchange: Exchange) -> Iterator[str]:
    headers = exchange.response["headers"]
    if headers.get("content-type") != CONTENT_TYPES[exchange.protocol]:
        yield f"response: content-type {headers.get('content-type')}, expected {CONTENT_TYPES[exchange.protocol]}"
    if exchange.protocol == "smithy-rpc-v2-cbor" and headers.get("smithy-protocol") != "rpc-v2-cbor":
        yield f"response: smithy-protocol {headers.get('smithy-protocol')}, expected rpc-v2-cbor"


def decode_response(exchange: Exchange, shape: StructureShape | None) -> object:
    body = exchange.response["body"]
    if exchange.protocol == "smithy-rpc-v2-cbor":
        return cbor2.loads(body) if body else {}
    if exchange.protocol != "query":
        return json.loads(body or b"{}")
    root = parse_xml(body)
    namespace = f"{{{exchange.service.metadata['xmlNamespace']}}}"
    result = f"{namespace}{shape.serialization['resultWrapper']}"
    names = [child.tag for child in root]
    expected = [result, f"{namespace}ResponseMetadata"]
    if root.tag != f"{namespace}{exchange.operation}Response" or names != expected:
        raise ValueError(f"{root.tag} with {names}")
    return decode_xml(shape, root.find(result), namespace)


def decode_xml(shape: Shape, element: xml.etree.ElementTree.Element, namespace: str) -> object:
    """A structure, a list or a text. No simulated operation that answers in XML returns anything else."""
    match shape.type_name:
        case "structure":
            names = [child.tag.removeprefix(namespace) for child in element]
            members = [shape.members.get(name) for name in names]
            # A member that is not known is kept, for the checks to find.
            return {
                name: decode_xml(member, child, namespace) if member else child.text or ""
                for name, member, child in zip(names, members, element, strict=True)
            }
        case "list":
            if any(child.tag != f"{namespace}member" for child in element):
                raise ValueError(f"{shape.name} has other elements than members")
            return [decode_xml(shape.member, child, namespace) for child in element]
        case "string":
            return element.text or ""
    raise NotImplementedError(f"{shape.name} is of the type {shape.type_name}")


def parse_xml(body: bytes) -> xml.etree.ElementTree.Element:
    try:
        return xml.etree.ElementTree.fromstring(body)
    except xml.etree.ElementTree.ParseError as error:
        raise ValueError(str(error)) from error


# Errors


def error_problems(exchange: Exchange) -> tuple[str | None, list[str]]:
    """The code of an error, and what is wrong with the error."""
    found = list(content_type_problems(exchange))
    try:
        code, members = decode_error(exchange)
    except (ValueError, KeyError, AttributeError) as error:
        return None, [*found, f"error: cannot be read: {error!r}"]
    status = exchange.response["status"]
    modelled = [shape for shape in exchange.model().error_shapes if error_code(exchange, shape) == code]
    if not modelled:
        if (exchange.service.service_name, code) not in COMMON_ERRORS:
            found.append(f"error: {code} is no error of this operation")
        if set(members) != {"message"}:
            found.append(f"error: {code} with {sorted(members)}, expected message")
        return code, found
    [shape] = modelled
    expected = STATUSES.get((exchange.service.service_name, code), expected_status(shape))
    if status != expected:
        found.append(f"error: {code} with status {status}, expected {expected}")
    if exchange.protocol.startswith("json") and "Message" in shape.members and "message" in members:
        # Clients of the JSON protocols read it in either case.
        members["Message"] = members.pop("message")
    if exchange.protocol != "query":
        if "message" not in shape.members and "Message" not in shape.members:
            # AWS's JSON protocols carry a message even where the model has none.
            members.pop("message", None)
        found += Format(exchange.protocol, False).problems(shape, members, f"error: {code}")
    for name, member in shape.members.items():
        header = exchange.response["headers"].get(member.serialization.get("name", name).lower())
        if member.serialization.get("location") == "header" and header is not None and not header.isdecimal():
            found.append(f"error: {code}: header {member.serialization['name']} is {header}")
    if exchange.protocol == "smithy-rpc-v2-cbor":
        fault = "Sender" if shape.metadata["error"].get("senderFault") else "Receiver"
        expected = f"{shape.metadata['error']['code']};{fault}"
        if exchange.response["headers"].get("x-amzn-query-error") != expected:
            found.append(f"error: x-amzn-query-error is not {expected}")
    return code, found


def decode_error(exchange: Exchange) -> tuple[str, dict]:
    body = exchange.response["body"]
    if exchange.protocol == "query":
        namespace = f"{{{exchange.service.metadata['xmlNamespace']}}}"
        error = parse_xml(body).find(f"{namespace}Error")
        members = {child.tag.removeprefix(namespace): child.text for child in error}
        fault = "Sender" if exchange.response["status"] < 500 else "Receiver"
        if members.pop("Type") != fault:
            raise ValueError(f"Type is not {fault}")
        return members.pop("Code"), {"message": members.pop("Message")} | members
    members = cbor2.loads(body) if exchange.protocol == "smithy-rpc-v2-cbor" else json.loads(body)
    code = members.pop("__type").rpartition("#")[2]
    header = exchange.response["headers"].get("x-amzn-errortype")
    if header is not None and header.partition(":")[0] != code:
        raise ValueError(f"x-amzn-errortype is {header}, __type is {code}")
    return code, members


def error_code(exchange: Exchange, shape: StructureShape) -> str:
    """The query protocol sends the code of the error, the others the name of its shape."""
    return shape.error_code if exchange.protocol == "query" else shape.name


def expected_status(shape: StructureShape) -> int:
    modelled = shape.metadata.get("error", {}).get("httpStatusCode")
    of_server = {"InternalException", "InternalServerError", "ServerException"}
    return modelled or (500 if shape.name in of_server else 400)


# Values


@dataclasses.dataclass
class Format:
    """What values look like in one protocol."""

    protocol: str
    #: The models limit lists and maps for requests. Services return empty ones below the minimum (`imageIds`,
    #: `UnprocessedItems`), and the limit of 25 findings contradicts that of `maxResults`, which is 100.
    limits_collections: bool

    def problems(self, shape: Shape, value: object, path: str) -> Iterator[str]:
        right_type = {
            "structure": isinstance(value, dict),
            "map": isinstance(value, dict),
            "list": isinstance(value, list),
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": is_integer(value),
            "long": is_integer(value),
            "float": is_number(value),
            "double": is_number(value),
            "timestamp": self.is_timestamp(shape, value),
            "blob": self.is_blob(value),
        }[shape.type_name]
        if not right_type:
            yield f"{path}: {value!r:.80} is not a {shape.type_name}"
            return
        yield from self.limit_problems(shape, value, path)
        if shape.type_name == "structure":
            yield from self.structure_problems(shape, value, path)
        elif shape.type_name == "map":
            for key, item in value.items():
                yield from self.problems(shape.key, key, f"{path}.keys")
                yield from self.problems(shape.value, item, f"{path}.values")
        elif shape.type_name == "list":
            for index, item in enumerate(value):
                yield from self.problems(shape.member, item, f"{path}[{index}]")

    def structure_problems(self, shape: StructureShape, value: dict, path: str) -> Iterator[str]:
        members = {
            member.serialization.get("name", name): member
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        required = {shape.members[name].serialization.get("name", name) for name in shape.required_members}
        for name in sorted(set(value) - set(members)):
            yield f"{path}: unknown member {name}"
        for name in sorted(required & set(members) - set(value)):
            yield f"{path}: required member {name} is missing"
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            yield f"{path}: {sorted(value)} are members of a union"
        for name in set(value) & set(members):
            yield from self.problems(members[name], value[name], f"{path}.{name}")

    def limit_problems(self, shape: Shape, value: object, path: str) -> Iterator[str]:
        if shape.type_name == "string" and shape.enum and value not in shape.enum:
            yield f"{path}: {value!r:.80} is not in the enum {shape.name}"
        pattern = shape.metadata.get("pattern") if shape.type_name == "string" else None
        if pattern and not re.fullmatch(pattern, value):
            yield f"{path}: {value!r:.80} does not match {pattern:.80}"
        if shape.type_name in {"structure", "boolean", "timestamp"}:
            return
        if shape.type_name in {"list", "map"} and not self.limits_collections:
            return
        size = value if shape.type_name in {"integer", "long", "float", "double"} else len(value)
        if not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
            yield f"{path}: {size} is not within {shape.metadata.get('min')} and {shape.metadata.get('max')}"

    def is_timestamp(self, shape: Shape, value: object) -> bool:
        if self.protocol == "smithy-rpc-v2-cbor":
            # cbor2 makes this of tag 1 only.
            return isinstance(value, datetime.datetime)
        seconds = shape.serialization.get("timestampFormat", "unixTimestamp") == "unixTimestamp"
        return self.protocol != "query" and seconds and is_number(value) and abs(value) < LATEST_TIMESTAMP

    def is_blob(self, value: object) -> bool:
        if self.protocol == "smithy-rpc-v2-cbor":
            return isinstance(value, bytes)
        try:
            return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
        except ValueError:
            return False


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return is_integer(value) or isinstance(value, float)
