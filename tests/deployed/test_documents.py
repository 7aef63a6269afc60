"""What people read says what is deployed, and every function has what a function needs."""

import json
import re

from conftest import FUNCTIONS, ROOT, TEMPLATE
from ministack.services.cloudformation import language_extensions
from samcli.yamlhelper import yaml_parse

ALARMS = yaml_parse((ROOT / "infra/pipeline/alarms.yaml").read_text())
DASHBOARD = yaml_parse((ROOT / "infra/pipeline/dashboard.yaml").read_text())
STACK = "a-pipeline"


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


def alarms() -> dict[str, dict]:
    """The properties of each alarm, by its name."""
    names = {"Pipeline": STACK, "Operations": "a-topic", "Functions": ALARMS["Parameters"]["Functions"]["Default"]}
    resources = resolved(language_extensions.apply(ALARMS, names)["Resources"], names)
    found = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert found
    return {one["AlarmName"]: one for one in found}


def widgets() -> list[dict]:
    """The properties of each widget of the dashboard."""
    pseudo = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "210987654321"}
    functions = [f"{STACK}-{name}" for name in FUNCTIONS]
    body = DASHBOARD["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    return [one["properties"] for one in json.loads(resolved(body, pseudo | {"Pipeline": STACK, "Functions": functions}))["widgets"]]


def logical_id(function: str) -> str:
    return "".join(word.capitalize() for word in function.split("-"))


def test_every_folder_of_functions_is_deployed() -> None:
    assert sorted(FUNCTIONS) == sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())


def test_every_function_has_the_same_four_alarms() -> None:
    assert {name: one["Name"] for name, one in ALARMS["Mappings"]["Functions"].items()} == {
        logical_id(function): function for function in FUNCTIONS
    }
    kinds = ["dead-letters", "waiting", "errors", "throttles"]
    assert {f"{STACK}-{function}-{kind}" for function in FUNCTIONS for kind in kinds} <= set(alarms())


def test_every_function_is_on_the_dashboard() -> None:
    given = TEMPLATE["Resources"]["Dashboard"]["Properties"]["Parameters"]["Functions"]
    assert given == {"Fn::Join": [",", [{"Ref": logical_id(function)} for function in FUNCTIONS]]}
    [explained] = [text for one in widgets() if (text := one.get("markdown", "")).startswith("# The pipeline")]
    assert set(FUNCTIONS) <= set(explained.split())


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


def test_every_alarm_leads_to_a_section_of_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^##+ (.+)$", runbook, re.MULTILINE)}
    for alarm in alarms().values():
        [section] = re.findall(r"docs/runbook\.md#([\w-]+)", alarm["AlarmDescription"])
        assert section in sections


def test_every_alarm_is_on_the_dashboard() -> None:
    shown = [arn.split(":alarm:")[1] for one in widgets() for arn in one.get("alarms", [])]
    assert sorted(shown) == sorted(alarms())


def test_every_alarm_is_in_the_costs() -> None:
    metrics = sum(len([one for one in alarm.get("Metrics", [alarm]) if "Expression" not in one]) for alarm in alarms().values())
    cost = (ROOT / "docs/cost.md").read_text()
    [(number, price)] = re.findall(r"^\| alarms \| (\d+), .+ \| ([\d.]+) \|$", cost, re.MULTILINE)
    # The metric that is read out of the logs costs 0.30 USD.
    assert (int(number), float(price)) == (len(alarms()), round(metrics * 0.10 + 0.30, 2))


def test_the_alarm_on_lost_events_looks_at_every_rule() -> None:
    rules = [one["Properties"] for one in TEMPLATE["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
    named = {(one["Name"]["Fn::Sub"].replace("${AWS::StackName}", STACK), "EventBusName" in one) for one in rules}
    looked_at = set()
    for metric in alarms()[f"{STACK}-events-lost"]["Metrics"]:
        if "MetricStat" in metric:
            dimensions = {one["Name"]: one["Value"] for one in metric["MetricStat"]["Metric"]["Dimensions"]}
            looked_at.add((dimensions["RuleName"], "EventBusName" in dimensions))
    assert looked_at == named


def test_the_tools_to_deploy_with_are_those_of_this_test() -> None:
    pins = (ROOT / "tests/deployed/requirements.txt").read_text().splitlines()
    deployment = (ROOT / "docs/deployment.md").read_text()
    [named] = re.findall(r"^pip install ((?:\S+==\S+ ?)+)", deployment, re.MULTILINE)
    assert {"aws-sam-cli", "cargo-lambda", "ziglang"} == {tool.split("==")[0] for tool in named.split()}
    assert set(named.split()) <= set(pins)
