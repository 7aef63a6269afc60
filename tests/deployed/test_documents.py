"""What people read says what is deployed."""

import re

from conftest import ROOT
from samcli.yamlhelper import yaml_parse

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
ALARMS = yaml_parse((ROOT / "infra/alarms.yaml").read_text())


def test_the_table_of_parameters_is_the_template_s() -> None:
    table = re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]
    assert set(TEMPLATE["Parameters"]) <= set(named)
    grouped = [
        name for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]
    ]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])


def test_every_alarm_leads_to_a_section_of_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^##+ (.+)$", runbook, re.MULTILINE)}
    alarms = [one for one in ALARMS["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert alarms
    for alarm in alarms:
        [section] = re.findall(r"docs/runbook\.md#([\w-]+)", alarm["Properties"]["AlarmDescription"])
        assert section in sections
