"""What people read says what is deployed."""

import re

from conftest import ROOT
from samcli.yamlhelper import yaml_parse

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
ALARMS = yaml_parse((ROOT / "infra/alarms.yaml").read_text())
README = (ROOT / "README.md").read_text()


def alarms() -> dict[str, dict]:
    """The properties of each alarm, by its name."""
    found = [one["Properties"] for one in ALARMS["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert found
    return {one["AlarmName"]["Fn::Sub"]: one for one in found}


def test_the_table_of_parameters_is_the_template_s() -> None:
    table = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \|", README, re.MULTILINE)
    named = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]
    assert set(TEMPLATE["Parameters"]) <= set(named)
    grouped = [
        name for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]
    ]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])


def test_every_alarm_leads_to_a_section_of_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^##+ (.+)$", runbook, re.MULTILINE)}
    for alarm in alarms().values():
        [section] = re.findall(r"docs/runbook\.md#([\w-]+)", alarm["AlarmDescription"])
        assert section in sections


def test_every_alarm_is_on_the_dashboard_and_paid_for() -> None:
    shown = re.findall(r":alarm:(.+?)\"", (ROOT / "infra/dashboard.yaml").read_text())
    assert sorted(shown) == sorted(alarms())
    metrics = sum(len([one for one in alarm.get("Metrics", [alarm]) if "Expression" not in one]) for alarm in alarms().values())
    [(number, price)] = re.findall(r"^\| alarms \| (\d+), .+ \| ([\d.]+) \|$", README, re.MULTILINE)
    # The metric that is read out of the logs costs 0.30 USD.
    assert (int(number), float(price)) == (len(alarms()), round(metrics * 0.10 + 0.30, 2))


def test_the_alarm_on_lost_events_looks_at_every_rule() -> None:
    rules = [one["Properties"] for one in TEMPLATE["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
    named = {(one["Name"]["Fn::Sub"].replace("AWS::StackName", "Pipeline"), "EventBusName" in one) for one in rules}
    looked_at = set()
    for metric in alarms()["${Pipeline}-events-lost"]["Metrics"]:
        if "MetricStat" in metric:
            dimensions = {one["Name"]: one["Value"] for one in metric["MetricStat"]["Metric"]["Dimensions"]}
            looked_at.add((dimensions["RuleName"]["Fn::Sub"], "EventBusName" in dimensions))
    assert looked_at == named


def test_the_tools_to_deploy_with_are_those_of_this_test() -> None:
    pins = (ROOT / "tests/deployed/requirements.txt").read_text().splitlines()
    [named] = re.findall(r"^pip install ((?:\S+==\S+ ?)+)", README, re.MULTILINE)
    assert {"aws-sam-cli", "cargo-lambda", "ziglang"} == {tool.split("==")[0] for tool in named.split()}
    assert set(named.split()) <= set(pins)
