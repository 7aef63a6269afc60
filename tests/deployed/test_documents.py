"""What people read says what is deployed, and every function has what a function needs."""

import json
import re
import subprocess
import sys

from conftest import FUNCTIONS, ROOT, TEMPLATE

STACK = "a-pipeline"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "210987654321",
    "AWS::StackName": STACK,
}


def resolved(value: object, names: dict[str, str]) -> object:
    """A part of a template in which the functions `Ref`, `Sub` and `Join` are replaced by what they return."""
    match value:
        case {"Ref": name}:
            return names[name]
        case {"Fn::Sub": [str(text), dict(more)]}:
            return resolved({"Fn::Sub": text}, names | {name: resolved(one, names) for name, one in more.items()})
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(!?)([^}]+)\}", lambda m: f"${{{m[2]}}}" if m[1] else names[m[2]], text)
        case {"Fn::Join": [delimiter, parts]}:
            return delimiter.join(resolved(parts, names))
        case dict():
            return {key: resolved(one, names) for key, one in value.items()}
        case list():
            return [resolved(one, names) for one in value]
    return value


def of_type(kind: str) -> list[dict]:
    """The properties of each resource of a type."""
    return [one["Properties"] for one in TEMPLATE["Resources"].values() if one["Type"] == kind]


def alarms() -> dict[str, dict]:
    """The properties of each alarm, by its name."""
    names = PSEUDO | {"Operations": "a-topic", "Announcements": STACK}
    found = [resolved(one, names) for one in of_type("AWS::CloudWatch::Alarm")]
    assert found
    return {one["AlarmName"]: one for one in found}


def widgets() -> list[dict]:
    """The properties of each widget of the dashboard."""
    [dashboard] = of_type("AWS::CloudWatch::Dashboard")
    return [one["properties"] for one in json.loads(resolved(dashboard["DashboardBody"], PSEUDO))["widgets"]]


def test_every_folder_of_functions_is_deployed() -> None:
    assert sorted(FUNCTIONS) == sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())


def test_every_function_has_the_same_alarms() -> None:
    kinds = ["dead-letters", "waiting", "idle", "errors", "throttles"]
    wanted = {f"{STACK}-{function}-{kind}" for function in FUNCTIONS for kind in kinds}
    # The other queues of assess-image.
    queues = ["assess-roots", "assess-due"]
    wanted |= {f"{STACK}-{queue}-{kind}" for queue in queues for kind in ["dead-letters", "waiting"]}
    of_functions = {name for name in alarms() if name.rsplit("-", 1)[-1] in {"letters", *kinds}}
    assert of_functions == wanted


def test_every_function_is_on_the_dashboard() -> None:
    entries = [entry for one in widgets() for metric in one.get("metrics", []) for entry in metric]
    searches = [entry["expression"] for entry in entries if "SEARCH(" in str(entry)]
    for function in FUNCTIONS:
        # Invocations, errors, throttles, durations, waiting messages, their age.
        assert len([one for one in searches if f'"{STACK}-{function}"' in one]) == 6, function
        assert any(f'"{STACK}-{function}-dead-letters"' in one for one in searches), function
    [explained] = [text for one in widgets() if (text := one.get("markdown", "")).startswith("# The pipeline")]
    assert set(FUNCTIONS) <= set(explained.split())


def test_every_metric_of_sweep_is_on_the_dashboard() -> None:
    section = (ROOT / "docs/metrics.md").read_text().split("## Metrics of the pipeline itself")[1]
    documented = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert {"Sweeps", "Images"} <= set(documented)
    entries = [entry for one in widgets() for entry in one.get("metrics", [])]
    direct = [entry[1] for entry in entries if entry[0] == f"EcrWarden/{STACK}"]
    searches = [str(entry) for entry in entries if f'Namespace="EcrWarden/{STACK}"' in str(entry)]
    shown = direct + re.findall(r'MetricName="(\w+)"', "".join(searches))
    assert sorted(documented) == sorted(set(shown) - {"QuarantineFailures"})


def test_every_search_of_the_dashboard_is_short_enough() -> None:
    # The longest name of a stack leaves room for the longest name of a queue, which may have 80 characters. Searches
    # may have 1,024.
    room = 80 - max(len(f"-{function}-dead-letters") for function in FUNCTIONS) - len(STACK)
    searches = [query for one in widgets() for query in re.findall(r"SEARCH\('(.+?)', '", json.dumps(one.get("metrics")))]
    assert any("dead-letters" in query for query in searches)
    for query in searches:
        assert len(query.replace("\\", "")) + query.count(STACK) * room <= 1024


def test_the_table_of_parameters_is_the_template_s() -> None:
    deployment = (ROOT / "docs/deployment.md").read_text()
    table = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \|", deployment, re.MULTILINE)
    named = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]
    assert set(TEMPLATE["Parameters"]) <= set(named)
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(interface["ParameterLabels"]) == sorted(TEMPLATE["Parameters"])


def test_every_alarm_and_notice_leads_to_a_section_of_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^##+ (.+)$", runbook, re.MULTILINE)}
    told = [alarm["AlarmDescription"] for alarm in alarms().values()]
    notices = TEMPLATE["Resources"]["PipelineChanges"]["Properties"]["Targets"]
    told += [target["InputTransformer"]["InputTemplate"]["Fn::Sub"] for target in notices]
    for text in told:
        [section] = re.findall(r"docs/runbook\.md#([\w-]+)", text)
        assert section in sections


def test_every_alarm_is_on_the_dashboard() -> None:
    shown = [arn.split(":alarm:")[1] for one in widgets() for arn in one.get("alarms", [])]
    assert sorted(shown) == sorted(alarms())


def test_the_costs_add_up() -> None:
    cost = (ROOT / "docs/cost.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([\d.]+) \| ([\d.]+) \|$", cost, re.MULTILINE)
    [said] = re.findall(r"\*\*at most (\d+) USD a month, and\s+about (\d+) USD\*\*", cost)
    assert said == tuple(str(round(sum(float(row[column]) for row in rows))) for column in (0, 1))
    assert f"at most {said[0]} USD a month, and likely {said[1]}" in (ROOT / "README.md").read_text()


def test_every_alarm_is_in_the_costs() -> None:
    metrics = sum(len([one for one in alarm.get("Metrics", [alarm]) if "Expression" not in one]) for alarm in alarms().values())
    cost = (ROOT / "docs/cost.md").read_text()
    [(number, price)] = re.findall(r"^\| alarms \| (\d+), .+ \| ([\d.]+) \| [\d.]+ \|$", cost, re.MULTILINE)
    # The metric that is read out of the logs costs 0.30 USD.
    assert (int(number), float(price)) == (len(alarms()), round(metrics * 0.10 + 0.30, 2))


def test_the_alarms_on_rules_look_at_every_rule() -> None:
    rules = of_type("AWS::Events::Rule")

    def name(rule: dict) -> tuple[str, bool]:
        return resolved(rule["Name"], PSEUDO), "EventBusName" in rule

    def looked_at(alarm: str) -> set[tuple[str, bool]]:
        metrics = [one["MetricStat"]["Metric"] for one in alarms()[alarm]["Metrics"] if "MetricStat" in one]
        found = [{one["Name"]: one["Value"] for one in metric["Dimensions"]} for metric in metrics]
        return {(one["RuleName"], "EventBusName" in one) for one in found}

    with_dead_letters = [one for one in rules if all("DeadLetterConfig" in target for target in one["Targets"])]
    assert looked_at(f"{STACK}-events-lost") == {name(one) for one in with_dead_letters}
    # An alarm takes ten metrics. That the schedule does not come is an alarm of its own.
    others = [one for one in rules if "ScheduleExpression" not in one]
    assert looked_at(f"{STACK}-rules-fail") == {name(one) for one in others}


def test_no_alarm_watches_more_metrics_than_cloudwatch_takes() -> None:
    for alarm in alarms().values():
        assert len([one for one in alarm.get("Metrics", []) if "MetricStat" in one]) <= 10


def test_a_rule_is_created_after_the_queues_let_it_send() -> None:
    policies = {
        queue["Ref"]: name
        for name, one in TEMPLATE["Resources"].items()
        if one["Type"] in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
        for queue in one["Properties"].get("Queues", one["Properties"].get("Topics"))
    }
    for name, one in TEMPLATE["Resources"].items():
        if one["Type"] == "AWS::Events::Rule":
            needed = set(re.findall(r'"Fn::GetAtt": \["(\w+)", "Arn"\]', json.dumps(one["Properties"]["Targets"])))
            needed |= {target["Arn"]["Ref"] for target in one["Properties"]["Targets"] if "Ref" in target["Arn"]}
            waits_for = one["DependsOn"] if isinstance(one["DependsOn"], list) else [one["DependsOn"]]
            assert {policies[queue] for queue in needed} == set(waits_for), name


def test_the_longest_name_of_a_stack_leaves_room_for_every_name() -> None:
    # What each service takes: the length of a name, and the property that has it.
    limits = {
        "AWS::Serverless::Function": ("FunctionName", 64),
        "AWS::Serverless::LayerVersion": ("LayerName", 140),
        "AWS::Events::Rule": ("Name", 64),
        "AWS::Events::EventBus": ("Name", 256),
        "AWS::SQS::Queue": ("QueueName", 80),
        "AWS::Logs::LogGroup": ("LogGroupName", 512),
        "AWS::CloudWatch::Alarm": ("AlarmName", 255),
        "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    }
    names = PSEUDO | {"AWS::StackName": ""}
    room = {
        (kind, resolved(one[limits[kind][0]], names)): limits[kind][1] - len(resolved(one[limits[kind][0]], names))
        for kind in limits
        for one in of_type(kind)
    }
    [guard] = of_type("AWS::SSM::Parameter")
    assert guard["Value"] == {"Ref": "AWS::StackName"}
    assert guard["AllowedPattern"] == f"^.{{1,{min(room.values())}}}$", min(room, key=room.get)
    assert f"StackNameHasAtMost{min(room.values())}Characters" in TEMPLATE["Resources"]


def test_every_role_has_the_path_and_the_boundary() -> None:
    for role in of_type("AWS::IAM::Role"):
        assert role["Path"] == {"Ref": "RolePath"}
        assert role["PermissionsBoundary"]["Fn::If"][0] == "HasBoundary"


def test_the_alarms_and_the_dashboard_are_up_to_date() -> None:
    subprocess.run([sys.executable, ROOT / "infra/pipeline/generate.py", "--check"], check=True)


def test_a_second_stack_that_tags_needs_a_scope_of_its_own() -> None:
    owner = TEMPLATE["Outputs"]["QuarantineOwner"]
    assert owner["Condition"] == "TagsArePut"
    assert resolved(owner["Export"]["Name"], {"QuarantineScope": "all"}) == "ecr-warden-quarantine-all"


def test_the_tools_to_deploy_with_are_those_of_this_test() -> None:
    pins = (ROOT / "tests/deployed/requirements.txt").read_text().splitlines()
    deployment = (ROOT / "docs/deployment.md").read_text()
    [named] = re.findall(r"^pip install ((?:\S+==\S+ ?)+)", deployment, re.MULTILINE)
    assert {"aws-sam-cli", "cargo-lambda", "ziglang"} == {tool.split("==")[0] for tool in named.split()}
    assert set(named.split()) <= set(pins)


def test_every_action_is_pinned_to_a_commit() -> None:
    for workflow in (ROOT / ".github/workflows").iterdir():
        for used in re.findall(r"uses: (.+)", workflow.read_text()):
            assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used
