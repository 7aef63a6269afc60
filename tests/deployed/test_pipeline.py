"""The deployed stack does what it is for. The tests are in the order in which they are told."""

import copy
import datetime
import json
import pathlib
import time

import pytest
from conftest import ACCOUNT, FUNCTIONS, REGION, SOURCES, STACK, Account, deploy, deploy_packages, eventually
from conftest import make_ready, sam, story

CHECKOUT = "sha256:7e6c2638cb94af251e0dca51224a5f4a58d3f1ae03c72c385c0101c62197cda7"
RESTORED = "restored"
QUARANTINED = ["1.4.0", "latest", "quarantine-7e6c2638cb94"]


def queue_for(stack: Account, name: str, service: str) -> tuple[str, str]:
    """A queue of somebody else's, to which a service may send: its address and its ARN."""
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return stack.sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def listen(stack: Account, name: str, bus: str, pattern: dict) -> str:
    """A queue behind a rule of its own, as somebody else's reactor would have."""
    url, arn = queue_for(stack, name, "events.amazonaws.com")
    stack.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    stack.events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": name, "Arn": arn}])
    return url


def ids(account: Account, table: str) -> list[str]:
    """The keys of all items."""
    return [item["id"]["S"] for item in account.tables.scan(TableName=table)["Items"]]


def verdicts(account: Account, table: str) -> dict[str, str]:
    """The verdict that was announced of each image, by its digest."""
    items = account.tables.scan(TableName=table)["Items"]
    return {one["id"]["S"].split("@")[1]: one["verdict"]["S"] for one in items if "verdict" in one}


def content(message: dict) -> dict:
    """What a topic sent to a queue."""
    return json.loads(message["Body"])


def tick(stack: Account) -> None:
    """What the schedule sends to the sweep."""
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    stack.sqs.send_message(QueueUrl=stack.queue("sweep"), MessageBody=json.dumps(event))


def remembered(stack: Account, table: str) -> dict:
    """The state of the sweep."""
    item = stack.tables.get_item(TableName=table, Key={"id": {"S": "sweep#state"}}).get("Item", {"state": {"S": "{}"}})
    state = json.loads(item["state"]["S"])
    adoption = {key: value for key, value in state.get("adoption", {}).items() if value is not None}
    return {**state, "adoption": adoption}


def let_messages_be_handled(stack: Account, table: str) -> None:
    """Dates the end of the sending back by an hour: the sweep waits ten minutes for what is in no queue any more."""
    state = remembered(stack, table)
    sent = datetime.datetime.fromisoformat(state["adoption"]["all_sent_at"])
    state["adoption"]["all_sent_at"] = (sent - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    stack.tables.update_item(
        TableName=table,
        Key={"id": {"S": "sweep#state"}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": json.dumps(state)}},
    )


@pytest.fixture(scope="session")
def alerts(stack: Account) -> str:
    """A queue that is subscribed to the alerts."""
    url, arn = queue_for(stack, "alerts-heard", "sns.amazonaws.com")
    stack.sns.subscribe(TopicArn=stack.outputs()["AlertsArn"], Protocol="sqs", Endpoint=arn)
    return url


@pytest.fixture(scope="session")
def announcements(stack: Account) -> str:
    """A queue that hears what the stack announces."""
    bus = stack.outputs()["AnnouncementsName"]
    return listen(stack, "announcements-heard", bus, {"detail-type": ["Image Assessed"]})


@pytest.fixture(scope="session")
def evidence(stack: Account) -> str:
    """A queue that hears what Inspector sends."""
    return listen(stack, "evidence-heard", "default", {"source": [SOURCES["aws.inspector2"]]})


def test_what_a_person_needs_next_is_in_the_outputs(stack: Account) -> None:
    assert set(stack.outputs()) == {
        "AlertsArn",
        "AnnouncementsName",
        "DashboardUrl",
        "HistoryName",
        "LedgerName",
        "LogsCommand",
        "OperationsArn",
        "Quarantine",
        "QuarantineOwner",
        "SubscriptionsCommand",
    }


def test_alarms_and_dashboard_are_there(stack: Account) -> None:
    alarms = stack.metrics.describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    topic = stack.outputs()["OperationsArn"]
    assert len(alarms) == 46
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    assert json.loads(stack.metrics.get_dashboard(DashboardName=STACK)["DashboardBody"])["widgets"]


def test_alarms_reach_people_in_two_ways(stack: Account) -> None:
    subscribed = stack.sns.list_subscriptions_by_topic(TopicArn=stack.outputs()["OperationsArn"])["Subscriptions"]
    endpoints = {one["Protocol"]: one["Endpoint"] for one in subscribed}
    assert endpoints == {"email": "team@example.com", "https": "https://alarms.example.com/sns"}


def test_the_first_stack_that_tags_has_the_scope(stack: Account) -> None:
    exports = stack.stacks.list_exports()["Exports"]
    assert [(one["Name"], one["Value"]) for one in exports] == [("ecr-warden-quarantine-all", STACK)]


def test_pushes_and_scans_become_an_alert_metrics_and_a_tag(
    stack: Account, alerts: str, announcements: str, evidence: str
) -> None:
    stack.put(*story("1-push"))
    stack.settle()
    stack.put(*story("2-scan"))
    eventually(
        "the quarantine tag", lambda: sorted(stack.tags("shop/checkout", CHECKOUT)) == QUARANTINED, 120
    )
    stack.settle()

    said = [json.loads(message["Body"]) for message in stack.take(alerts)]
    assert [one["Subject"] for one in said] == [
        "QUARANTINE: shop/checkout:1.4.0 (+1 tag) - CVE-2026-90017 CRITICAL EXPLOITED +3 more"
    ]
    assert "assumed-role/ci-push/checkout-build-812" in said[0]["Message"]
    assert said[0]["MessageAttributes"]["severity"]["Value"] == "CRITICAL"
    assert said[0]["MessageAttributes"]["verdict"]["Value"] == "quarantine"

    # shop/checkout has 2 CRITICAL, 2 HIGH and 1 LOW; shop/web has 1 LOW; shop/search has none.
    opened = {severity: stack.sum_of("FindingsOpened", Severity=severity) for severity in ["CRITICAL", "HIGH", "LOW"]}
    assert opened == {"CRITICAL": 2, "HIGH": 2, "LOW": 2}
    assert stack.sum_of("ImagesQuarantined") == 1


def test_a_redelivered_message_is_said_once(
    stack: Account, alerts: str, announcements: str, evidence: str
) -> None:
    heard = [message["Body"] for message in stack.take(announcements)]
    assert any(json.loads(body)["detail"]["verdict"] == "quarantine" for body in heard)
    assessed = stack.sum_of("ImagesAssessed")
    # An assessment may be announced twice, by two invocations that found it unannounced; its id is the same.
    assert assessed == len({json.loads(body)["detail"]["id"] for body in heard})
    for function in ["publish-metrics", "raise-alerts", "enforce-quarantine", "record-history"]:
        for body in heard:
            stack.sqs.send_message(QueueUrl=stack.queue(function), MessageBody=body)
    found = [message["Body"] for message in stack.take(evidence)]
    assert len(found) == len(story("2-scan"))
    for body in reversed(found):
        stack.sqs.send_message(QueueUrl=stack.queue("assess-image"), MessageBody=body)
    stack.settle()
    assert stack.take(alerts) == []
    assert stack.take(announcements) == []
    assert stack.sum_of("ImagesAssessed") == assessed
    history = stack.tables.scan(TableName=stack.outputs()["HistoryName"])["Items"]
    # The history sorts by text, so its versions have leading zeros.
    announced = [one for one in history if "#assessed-" in one["at"]["S"]]
    versions = [f"{one['image']['S']}#{int(one['at']['S'].rpartition('#assessed-')[2])}" for one in announced]
    assert sorted(versions) == sorted({json.loads(body)["detail"]["id"] for body in heard})
    assert stack.sum_of("ImagesQuarantined") == 1
    assert sorted(stack.tags("shop/checkout", CHECKOUT)) == QUARANTINED


def test_a_poison_message_reaches_its_dead_letter_queue_and_takes_no_other_along(
    stack: Account, announcements: str
) -> None:
    good = next(event for event in story("2-scan") if event["detail-type"] == "Inspector2 Finding")
    good = copy.deepcopy(good)
    good["detail"]["findingArn"] += "0"
    good["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = "CVE-2026-99999"
    # Found just now, so after the scan, whose list of findings does not have it.
    now = time.strftime("%a %b %d %H:%M:%S.000 UTC %Y", time.gmtime())
    good["detail"]["firstObservedAt"] = good["detail"]["updatedAt"] = now
    poison = copy.deepcopy(good)
    del poison["detail"]["findingArn"]
    url = stack.queue("assess-image")
    mappings = stack.functions.list_event_source_mappings(FunctionName=f"{STACK}-assess-image")["EventSourceMappings"]
    [mapping] = [one for one in mappings if one["EventSourceArn"].endswith(f":{STACK}-assess-image")]
    # Both lie in the queue before anything is taken out of it, so that they come as one batch.
    stack.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for event in [poison, good]:
        event = {**event, "account": ACCOUNT, "region": "eu-west-1"}
        stack.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    stack.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    eventually("the dead letter", lambda: stack.waiting("assess-image-dead-letters") == 1, 90)
    stack.settle()
    [dead] = stack.take(stack.queue("assess-image-dead-letters"))
    assert json.loads(dead["Body"]) == {**poison, "account": ACCOUNT, "region": "eu-west-1"}
    [heard] = stack.take(announcements)
    assert json.loads(heard["Body"])["detail"]["changes"]["opened"] == {good["detail"]["severity"]: 1}


def test_what_is_due_by_the_clock_is_judged_without_an_event(stack: Account) -> None:
    table = stack.outputs()["LedgerName"]
    key = {"id": {"S": f"image#{ACCOUNT}/{REGION}/shop/checkout@{CHECKOUT}"}}

    def due() -> int:
        return int(stack.tables.get_item(TableName=table, Key=key)["Item"]["due"]["N"])

    # It was due long ago.
    stack.tables.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET due = :due",
        ExpressionAttributeValues={":due": {"N": "1"}},
    )
    tick(stack)
    eventually("the image is judged, and due another time", lambda: due() > 1, 120)
    stack.settle()
    rule = stack.events.describe_rule(Name=f"{STACK}-sweep")
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "rate(15 minutes)")


def test_images_of_which_no_event_came_are_adopted_and_told_of_in_one_summary(stack: Account, alerts: str) -> None:
    # The registry has them, and Inspector; nothing was ever sent about them.
    pushes = [event["detail"] for event in story("8-platforms") if event["detail-type"] == "ECR Image Action"]
    [index] = [push["image-digest"] for push in pushes if push["image-tag"]]
    platforms = {
        event["resources"][0].rsplit("/", 1)[1]
        for event in story("8-platforms")
        if event["detail-type"] == "Inspector2 Finding"
    }
    table, repository = stack.outputs()["LedgerName"], pushes[0]["repository-name"]
    before = stack.tags(repository, index)
    stack.take(alerts)
    told: list[dict] = []

    def is_sent() -> bool:
        # The schedule, which would fire every 15 minutes.
        tick(stack)
        time.sleep(3)
        return "all_sent_at" in remembered(stack, table)["adoption"]

    def is_told() -> bool:
        tick(stack)
        time.sleep(3)
        told.extend(stack.take(alerts))
        return any("notice" in one["MessageAttributes"] for one in map(content, told))

    eventually("all images are sent", is_sent, 120)
    stack.settle()
    let_messages_be_handled(stack, table)
    eventually("the summary of the adoption", is_told, 120)
    stack.settle()
    judged = verdicts(stack, table)
    assert judged[index] != "pending"
    assert platforms <= {id.split("@")[1] for id in ids(stack, table) if "@" in id}
    told.extend(stack.take(alerts))
    [summary] = map(content, told)
    assert summary["MessageAttributes"]["notice"]["Value"] == "adopted"
    assert summary["Subject"].startswith("Adopted")
    # What they had then is no reason to touch them.
    assert stack.tags(repository, index) == before


def test_a_repository_that_is_left_alone_leaves_no_trace(stack: Account) -> None:
    push = copy.deepcopy(next(event for event in story("1-push") if event["detail-type"] == "ECR Image Action"))
    push["detail"]["repository-name"] = "sandbox/toy"
    stack.put(push)
    stack.settle()
    table = stack.outputs()["LedgerName"]
    assert any("shop/checkout" in id for id in ids(stack, table))
    assert not any("sandbox" in id for id in ids(stack, table))
    assert {name: stack.waiting(f"{name}-dead-letters") for name in FUNCTIONS} == dict.fromkeys(FUNCTIONS, 0)


def test_a_reactor_writes_its_own_notes_and_nothing_else(stack: Account) -> None:
    table = stack.outputs()["LedgerName"]
    tables = stack.tables_as("raise-alerts")
    tables.put_item(TableName=table, Item={"id": {"S": "done#raise-alerts#test"}})
    for others in ["image#test", "done#publish-metrics#test"]:
        with pytest.raises(tables.exceptions.ClientError, match="AccessDenied"):
            tables.put_item(TableName=table, Item={"id": {"S": others}})


def test_the_history_takes_entries_of_this_registry_only_and_the_ledger_none(stack: Account) -> None:
    tables = stack.tables_as("record-history")

    def write(table: str, item: dict) -> None:
        tables.batch_write_item(RequestItems={stack.outputs()[table]: [{"PutRequest": {"Item": item}}]})

    ours, others = (f"{account}/{REGION}/test@sha256:0" for account in (ACCOUNT, "111122223333"))
    entry = {"at": {"S": "2026-01-01T00:00:00.000000000Z#test"}}
    write("HistoryName", {"image": {"S": ours}} | entry)
    for table, item in [("HistoryName", {"image": {"S": others}} | entry), ("LedgerName", {"id": {"S": "image#test"}})]:
        with pytest.raises(tables.exceptions.ClientError, match="AccessDenied"):
            write(table, item)


def test_a_restored_ledger_takes_the_place_of_the_ledger(stack: Account, tmp_path: pathlib.Path) -> None:
    """The steps of docs/runbook.md#restoring-the-ledger."""
    ledger = stack.outputs()["LedgerName"]
    switch(stack, ["assess-image", "record-push"], on=False)
    stack.tables.restore_table_to_point_in_time(
        SourceTableName=ledger, TargetTableName=RESTORED, UseLatestRestorableTime=True
    )
    stack.tables.get_waiter("table_exists").wait(TableName=RESTORED)
    stack.tables.update_time_to_live(
        TableName=RESTORED, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    stack.tables.update_continuous_backups(
        TableName=RESTORED, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    stack.tables.update_table(TableName=RESTORED, DeletionProtectionEnabled=True)
    known = verdicts(stack, RESTORED)
    assert known[CHECKOUT] == "quarantine"

    deploy({"ExistingLedger": RESTORED})
    make_ready(stack, tmp_path)
    switch(stack, ["assess-image", "record-push"], on=True)
    assert stack.outputs()["LedgerName"] == RESTORED
    assert_that_it_remembers(stack, known, "shop/after")
    assert not any("shop/after" in id for id in ids(stack, ledger))


def switch(stack: Account, functions: list[str], on: bool) -> None:
    """Switches the mappings of functions on or off."""
    for name in functions:
        # assess-image has three.
        for mapping in stack.functions.list_event_source_mappings(FunctionName=f"{STACK}-{name}")["EventSourceMappings"]:
            stack.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


def scanned_again() -> list[dict]:
    """The story's third act, in which the scan of shop/checkout counts the finding of the test of dead letters, too."""
    events = story("3-again")
    extra = next(event for event in story("2-scan") if event["detail-type"] == "Inspector2 Finding")
    for event in events:
        if event["detail-type"] == "Inspector2 Scan" and event["detail"]["image-digest"] == CHECKOUT:
            for count in [extra["detail"]["severity"], "TOTAL"]:
                event["detail"]["finding-severity-counts"][count] += 1
    return events


def assert_that_it_remembers(stack: Account, known: dict[str, str], repository: str) -> None:
    """What was known before is no news, and what is new is written to the restored ledger."""
    name = repository.replace("/", "-")
    heard = listen(stack, name, stack.outputs()["AnnouncementsName"], {"detail-type": ["Image Assessed"]})
    stack.put(*scanned_again())
    stack.settle()
    # The emulator gives the scans the time of now, so they are new; what they found is not.
    said = [json.loads(message["Body"])["detail"] for message in stack.take(heard)]
    scanned = {event["detail"]["image-digest"] for event in scanned_again() if event["detail-type"] == "Inspector2 Scan"}
    assert {one["image"]["digest"]: one["previous"] for one in said} == {digest: known[digest] for digest in scanned}
    assert all(one["verdict"] == one["previous"] and one["changes"]["opened"] == {} for one in said)
    assert verdicts(stack, RESTORED) == known
    push = copy.deepcopy(next(event for event in story("1-push") if event["detail-type"] == "ECR Image Action"))
    push["detail"]["repository-name"] = repository
    stack.put(push)
    eventually("the push is recorded", lambda: any(repository in id for id in ids(stack, RESTORED)), 90)


def test_a_deletion_leaves_the_ledger_and_the_history_and_nothing_else(stack: Account) -> None:
    # EventBridge deletes no bus that somebody else has rules on.
    bus = stack.outputs()["AnnouncementsName"]
    for rule in stack.events.list_rules(EventBusName=bus)["Rules"]:
        if not rule["Name"].startswith(STACK):
            stack.events.remove_targets(Rule=rule["Name"], EventBusName=bus, Ids=[rule["Name"]])
            stack.events.delete_rule(Name=rule["Name"], EventBusName=bus)
    sam("delete", "--no-prompts", "--region", REGION)
    named = lambda names: sorted(name for name in names if STACK in name)  # noqa: E731
    left = {
        "functions": named(one["FunctionName"] for one in stack.functions.list_functions()["Functions"]),
        "queues": named(url.rsplit("/", 1)[1] for url in stack.sqs.list_queues().get("QueueUrls", [])),
        "topics": named(one["TopicArn"] for one in stack.sns.list_topics()["Topics"]),
        "logs": named(one["logGroupName"] for one in stack.logs.describe_log_groups()["logGroups"]),
        "alarms": named(one["AlarmName"] for one in stack.metrics.describe_alarms()["MetricAlarms"]),
        "dashboards": named(one["DashboardName"] for one in stack.metrics.list_dashboards()["DashboardEntries"]),
        "layers": named(one["LayerName"] for one in stack.functions.list_layers()["Layers"]),
    }
    assert left == {kind: [] for kind in left}
    tables = stack.tables.list_tables()["TableNames"]
    assert RESTORED in tables and len(named(tables)) == 2


def test_the_template_without_sam_makes_the_same_pipeline(account: Account, tmp_path: pathlib.Path) -> None:
    known = verdicts(account, RESTORED)
    assert known[CHECKOUT] == "quarantine"
    deploy_packages(account, tmp_path, {"ExistingLedger": RESTORED})
    make_ready(account, tmp_path)
    assert_that_it_remembers(account, known, "shop/packaged")
