#!/usr/bin/env python3
"""Writes what watches over the pipeline into template.yaml, between the two markers: the alarms and the dashboard.

CloudFormation has no loop without a transform, and service-managed StackSets take none. So what every function has is
said once here, and the template has it written out.

    infra/pipeline/generate.py            write it
    infra/pipeline/generate.py --check    fail if template.yaml says anything else
"""

import pathlib
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "template.yaml"
BEGIN = "  # Written by infra/pipeline/generate.py from here on: change it there.\n"
END = "  # Written by infra/pipeline/generate.py up to here.\n"

#: What people notice while a function does not do its job.
FUNCTIONS = {
    "record-push": "Alerts do not say who pushed an image, and deleted images are not marked as deleted.",
    "assess-image": "Verdicts are out of date: new vulnerabilities raise no alert and lead to no quarantine, and fixed"
    " images are not released.",
    "publish-metrics": "Findings and images are missing from the dashboard; verdicts, alerts and quarantine are not"
    " affected.",
    "raise-alerts": "Alerts about images come late or not at all; verdicts and quarantine are not affected.",
    "enforce-quarantine": "Quarantine tags do not match the verdicts: images that break the policy carry none, or"
    " fixed images keep theirs.",
    "record-history": "Nobody can look up later what was said of an image; verdicts, alerts, metrics and quarantine are"
    " not affected.",
    "sweep": "Nothing happens by the clock: what a date changes waits for the next event about its image, and what events"
    " did not bring stays unknown.",
}
#: The queues that feed a function besides its own, and what people notice while their messages wait.
QUEUES = {
    "assess-roots": "Verdicts on multi-platform images are out of date, though those on their platforms are not.",
    "assess-due": "What a date, a new policy or an adoption changes comes late; verdicts that follow from events do not.",
}
#: In which a message may wait for longer than the quarter of an hour that is much elsewhere, in minutes: up to 5,000 wait
#: there, and Inspector may let through one call a second, of which an adopted image takes two.
PATIENT = {"assess-due": 180}
#: The rules whose events go to functions, each with a dead-letter queue. The last two are on the pipeline's own bus.
RULES = [
    "image-actions",
    "put-image-calls",
    "quarantine-changes",
    "inspector-findings",
    "inspector-scans",
    "inspector-coverage",
    "basic-scans",
    "sweep",
    "image-assessed",
    "notices",
]
ON_OUR_BUS = ["image-assessed", "notices"]
#: The rule that tells people; it has no dead-letter queue, because what it says is of no use a day later.
NOTICES = ["pipeline-changes"]
#: The rule whose failure the alarm on missing sweeps sees.
SEEN_OTHERWISE = "sweep"


def camel(name: str, first: bool = True) -> str:
    words = [word.capitalize() for word in name.split("-")]
    return "".join(words if first else [words[0].lower(), *words[1:]])


def named(suffix: str) -> str:
    """A name that begins with the stack's."""
    return f"!Sub '${{AWS::StackName}}-{suffix}'"


def dimensions(**values: str) -> str:
    listed = ", ".join(f"{{ Name: {name}, Value: {value} }}" for name, value in values.items())
    return f"Dimensions: [{listed}]"


def alarm(logical_id: str, name: str, description: str, metric: list[str], evaluation: list[str]) -> str:
    """An alarm as YAML."""
    said = textwrap.wrap(description, 108, break_on_hyphens=False)
    lines = [
        f"{logical_id}:",
        "  Type: AWS::CloudWatch::Alarm",
        "  Properties:",
        f"    AlarmName: {named(name)}",
        "    AlarmDescription: >-",
        *(f"      {line}" for line in said),
        *(f"    {line}" for line in [*metric, *evaluation]),
        "    AlarmActions: [!Ref Operations]",
        "    OKActions: [!Ref Operations]",
    ]
    return textwrap.indent("\n".join(lines), "  ") + "\n"


def comment(text: str) -> str:
    lines = textwrap.wrap(textwrap.dedent(text).strip(), 113, break_on_hyphens=False)
    return "".join(f"  # {line}\n" for line in lines)


def threshold(value: float, periods: int, missing: str = "notBreaching", of: int | None = None) -> list[str]:
    """Above the value, in so many periods out of so many."""
    lines = [f"EvaluationPeriods: {of or periods}"]
    if of:
        lines.append(f"DatapointsToAlarm: {periods}")
    return [*lines, "ComparisonOperator: GreaterThanThreshold", f"Threshold: {value}", f"TreatMissingData: {missing}"]


def one(namespace: str, metric: str, statistic: str, *dimension: str) -> list[str]:
    """The one metric of an alarm, in periods of five minutes."""
    named_metric = [f"Namespace: {namespace}", f"MetricName: {metric}"]
    return [*named_metric, *dimension, f"Statistic: {statistic}", "Period: 300"]


def several(expression: str, label: str, metrics: dict[str, tuple[str, str, str, str]]) -> list[str]:
    """An expression over metrics: each is a namespace, a name, dimensions and a statistic."""
    lines = ["Metrics:", "  - Id: result", f"    Label: {label}", f"    Expression: {expression}", "    ReturnData: true"]
    for key, (namespace, metric, dimension, statistic) in metrics.items():
        lines += [
            f"  - Id: {key}",
            "    ReturnData: false",
            "    MetricStat:",
            "      Metric:",
            f"        Namespace: {namespace}",
            f"        MetricName: {metric}",
            f"        {dimension}",
            "      Period: 300",
            f"      Stat: {statistic}",
        ]
    return lines


def of_rules(metric: str, rules: list[str]) -> dict[str, tuple[str, str, str, str]]:
    """A metric of every rule. Those of a rule on another bus than the account's have a second dimension."""
    found = {}
    for rule in rules:
        bus = {"EventBusName": "!Ref Announcements"} if rule in ON_OUR_BUS else {}
        found[camel(rule, first=False)] = ("AWS/Events", metric, dimensions(RuleName=named(rule), **bus), "Sum")
    return found


def dead_letters(name: str, consequence: str) -> str:
    description = (
        f"Messages are in the dead-letter queue of {name}: each of them failed five times and is not retried by itself."
        f" {consequence} What to do: docs/runbook.md#dead-letters"
    )
    queue = dimensions(QueueName=named(f"{name}-dead-letters"))
    metric = one("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queue)
    return alarm(f"{camel(name)}DeadLettersAlarm", f"{name}-dead-letters", description, metric, threshold(0, 1, "ignore"))


def waiting(name: str, consequence: str) -> str:
    minutes = PATIENT.get(name, 15)
    description = (
        f"A message for {name} has waited for more than {minutes} minutes: the function is stopped, throttled or too slow."
        f" Nothing is lost, but it comes late. {consequence} What to do: docs/runbook.md#messages-wait"
    )
    metric = one("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", dimensions(QueueName=named(name)))
    return alarm(f"{camel(name)}WaitingAlarm", f"{name}-waiting", description, metric, threshold(60 * minutes, 2))


def idle(name: str, consequence: str) -> str:
    description = (
        f"Messages for {name} have been in its queue for 15 minutes, and the function has not run once: it is switched"
        f" off, or may not read its queue. Nothing is lost for 14 days. {consequence} What to do:"
        " docs/runbook.md#functions-do-not-run"
    )
    metric = several(
        "IF(FILL(visible, 0) > 0 AND FILL(invocations, 0) == 0, 1, 0)",
        "messages and no invocation",
        {
            "visible": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions(QueueName=named(name)), "Minimum"),
            "invocations": ("AWS/Lambda", "Invocations", dimensions(FunctionName=named(name)), "Sum"),
        },
    )
    return alarm(f"{camel(name)}IdleAlarm", f"{name}-idle", description, metric, threshold(0, 3))


def errors(name: str, consequence: str) -> str:
    description = (
        f"More than half of the invocations of {name} fail, and retries do not help. {consequence} What to do:"
        " docs/runbook.md#functions-fail"
    )
    metric = one("AWS/Lambda", "Errors", "Average", dimensions(FunctionName=named(name)))
    return alarm(f"{camel(name)}ErrorsAlarm", f"{name}-errors", description, metric, threshold(0.5, 3, of=4))


def throttles(name: str, consequence: str) -> str:
    description = (
        f"For 15 minutes Lambda has refused to run {name}, most likely because the account's concurrency is used up. Its"
        f" messages wait, and may become dead letters. {consequence} What to do: docs/runbook.md#throttles"
    )
    metric = one("AWS/Lambda", "Throttles", "Sum", dimensions(FunctionName=named(name)))
    return alarm(f"{camel(name)}ThrottlesAlarm", f"{name}-throttles", description, metric, threshold(0, 3))


#: Each kind of alarm that every function has, and why it is as it is.
OF_EACH_FUNCTION = {
    dead_letters: """
        Messages that were given up. SQS does not count a message that it moves to a dead-letter queue as sent, so what
        to watch is the number of messages in that queue. It is published once a minute and leaves out a message while
        somebody reads it; the maximum over five minutes keeps such a look from ending the alarm and starting it again.
        """,
    waiting: """
        Messages that wait. A message that fails does not keep this alarm up: SQS leaves it out of the age once it has
        been received three times, which takes 6 to 14 minutes. So an age of more than 15 minutes, twice in a row, is
        that of messages that nobody takes.
        """,
    idle: """
        Functions that do not run although there is work. Of a quiet weekend this says nothing: without messages there
        is no alarm. The minimum, because a queue that is emptied now and then is one that somebody reads.
        """,
    errors: """
        Invocations that fail as a whole: they crash, run out of time, or can do nothing for any message of their batch.
        Every invocation counts as 0 or 1, so the average is the share that failed. A share and not a number, because
        single failures are normal: a scan is announced before all its findings can be listed, and its message then has
        to come again.
        """,
    throttles: """
        Invocations that Lambda refuses. It tries again by itself, so only what lasts for a quarter of an hour matters.
        """,
}


#: Those that every queue has.
OF_EACH_QUEUE = [dead_letters, waiting]


def of_the_whole() -> str:
    """The alarms that no function has for itself."""
    undelivered = alarm(
        "UndeliveredAlarm",
        "undelivered",
        "EventBridge could not deliver events to a queue of the pipeline. Pushes, findings or verdicts are missing until"
        " they are sent again. What to do: docs/runbook.md#undelivered",
        one("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dimensions(QueueName=named("undelivered"))),
        threshold(0, 1, "ignore"),
    )
    lost = comment("""
        Events that reached neither a function's queue nor `undelivered`. EventBridge counts them for each rule and
        publishes the metric only when it is not zero; missing data counts as zero in the sum.
        """) + alarm(
        "EventsLostAlarm",
        "events-lost",
        "EventBridge could deliver events neither to a queue of the pipeline nor to the queue undelivered, and has"
        " dropped them. Pushes, findings or verdicts are missing, and nobody can send them again. What to do:"
        " docs/runbook.md#events-lost",
        several("SUM(METRICS())", "events lost", of_rules("InvocationsFailedToBeSentToDlq", RULES)),
        threshold(0, 1),
    )
    failing = comment("""
        Deliveries that failed for good. An event that reached `undelivered` may be among them; one whose target has
        lost its dead-letter queue is seen here only. An alarm takes ten metrics; that the schedule does not come is an
        alarm of its own.
        """) + alarm(
        "RulesFailAlarm",
        "rules-fail",
        "A rule of the pipeline cannot deliver to its target, and has given up on events. Pushes, findings, verdicts or"
        " notices about changes are missing. What to do: docs/runbook.md#rules-fail",
        several("SUM(METRICS())", "deliveries that failed", of_rules("FailedInvocations", [rule for rule in RULES if rule != SEEN_OTHERWISE] + NOTICES)),
        threshold(0, 1),
    )
    failures = comment("""
        Batches that fail in part. To Lambda a batch in which some messages failed is a success, and its metrics stay
        silent. For the quarantine that would mean half an hour of silence until the dead letter, so its failures are
        counted in its logs: one line for each failed attempt at a message.
        """) + textwrap.indent(QUARANTINE_FAILURES, "  ") + alarm(
        "QuarantineFailsAlarm",
        "enforce-quarantine-failures",
        "Quarantine tags cannot be put on or taken off, and retries do not help. Images that break the policy carry no"
        " quarantine tag, or fixed images keep theirs. What to do: docs/runbook.md#quarantine-fails",
        one("!Sub EcrWarden/${AWS::StackName}", "QuarantineFailures", "Sum"),
        threshold(0, 3, of=4),
    )
    deleted = comment("""
        An image that was deleted while its quarantine ended. Rare, and never to be missed: one line is enough.
        """) + textwrap.indent(IMAGES_DELETED, "  ") + alarm(
        "ImageDeletedAlarm",
        "image-deleted",
        "ECR deleted an image when enforce-quarantine removed a tag from it, because others took its tags in the same"
        " moment. The log says whether it was put back. What to do: docs/runbook.md#image-deleted",
        one("!Sub EcrWarden/${AWS::StackName}", "ImagesDeleted", "Sum"),
        threshold(0, 1),
    )
    missing = comment("""
        A clock that stands still. Each run of sweep counts itself once it has come to its end, every 15 minutes. Here
        missing data is what there is to be seen.
        """) + alarm(
        "SweepMissingAlarm",
        "sweep-missing",
        "sweep has not run for an hour: its rule is switched off, or the function fails or is stopped. Nothing happens by"
        " the clock, and what events did not bring stays unknown. What to do: docs/runbook.md#sweep-is-missing",
        one("!Sub EcrWarden/${AWS::StackName}", "Sweeps", "Sum"),
        [
            "EvaluationPeriods: 12",
            "ComparisonOperator: LessThanThreshold",
            "Threshold: 1",
            "TreatMissingData: breaching",
        ],
    )
    silent = comment("""
        Silence is not health. sweep asks Inspector once an hour what changed, and looks through the registry once a day. One
        change that no event brought is the best effort that EventBridge promises; some in each of three hours is a rule, a
        scanner or a queue that does not work.
        """) + alarm(
        "EventsMissingAlarm",
        "events-missing",
        "For three hours in a row sweep found images of which no event had come: pushes, findings or deletions. They are"
        " judged late, and quarantine comes late. What to do: docs/runbook.md#events-are-missing",
        [
            "Namespace: !Sub EcrWarden/${AWS::StackName}",
            "MetricName: Reconciled",
            "Statistic: Sum",
            "Period: 3600",
        ],
        threshold(0, 3),
    )
    return "\n".join([undelivered, lost, failing, failures, deleted, missing, silent])


QUARANTINE_FAILURES = """\
QuarantineFailures:
  Type: AWS::Logs::MetricFilter
  Properties:
    FilterName: !Sub ${AWS::StackName}-quarantine-failures
    LogGroupName: !Ref EnforceQuarantineLogs
    # The two sentences with which shared/lambda/src/batch.rs logs a failed message, anywhere in the line. They do
    # not depend on the log level, which Lambda sets itself on lines that have no timestamp of their own.
    FilterPattern: >-
      ?"failed, to be retried" ?"failed for good, bound for the dead-letter queue"
    MetricTransformations:
      - MetricNamespace: !Sub EcrWarden/${AWS::StackName}
        MetricName: QuarantineFailures
        MetricValue: '1'
        DefaultValue: 0
        Unit: Count

"""

IMAGES_DELETED = """\
ImagesDeleted:
  Type: AWS::Logs::MetricFilter
  Properties:
    FilterName: !Sub ${AWS::StackName}-images-deleted
    LogGroupName: !Ref EnforceQuarantineLogs
    # The words with which functions/enforce-quarantine/src/registry.rs logs it.
    FilterPattern: '"the image was deleted with its last tag"'
    MetricTransformations:
      - MetricNamespace: !Sub EcrWarden/${AWS::StackName}
        MetricName: ImagesDeleted
        MetricValue: '1'
        Unit: Count

"""

ALARMS = """
    An alarm is for a person who can do something about it now. What a retry fixes wakes nobody: a failed message is
    tried again after three to seven minutes, and becomes a dead letter after the fifth attempt. So the alarms on
    failures wait for failures in three of four periods of five minutes: by then a message has failed three times.
    """
MISSING_DATA = """
    A function that was not invoked sends no metrics, and neither does a queue that nobody has touched for six hours.
    That is no reason to wake anybody, so missing data counts as not breaching. It is no reason to end an alarm about
    messages that are still there either, so those alarms ignore missing data and keep their state.
    """
DASHBOARD = """
    The dashboard; infra/pipeline/dashboard.json is its body. The metrics about images are found by SEARCH and added up,
    because MetricDimensions decides which dimensions they have: a search without a schema finds them with any set of
    dimensions, and without any. Averages are sums divided by counts, so that they hold over all sets. The other
    severities are "none of the four" rather than a list, so that a severity that AWS introduces shows up. The metrics
    about functions and queues are found by their exact names: a prefix would also find another stack whose name begins
    with the name of this one.
    """


def dashboard(alarms: list[str]) -> str:
    """The dashboard, with every alarm on it."""

    def any_of(suffix: str, names: dict[str, str] = FUNCTIONS) -> str:
        return " OR ".join(rf"\"${{AWS::StackName}}-{name}{suffix}\"" for name in names)

    arn = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${AWS::StackName}"
    body = (HERE / "dashboard.json").read_text()
    for name, value in {
        "${Names}": any_of(""),
        "${DeadLetters}": any_of("-dead-letters", FUNCTIONS | QUEUES),
        "${Alarms}": ",\n        ".join(f'"{arn}-{name}"' for name in alarms),
    }.items():
        body = body.replace(name, value)
    head = [
        "  Dashboard:",
        "    Type: AWS::CloudWatch::Dashboard",
        "    Properties:",
        "      DashboardName: !Ref AWS::StackName",
        "      DashboardBody: !Sub |",
    ]
    return "\n".join(head) + "\n" + textwrap.indent(body, "        ")


def generated() -> str:
    """All that stands between the markers."""
    parts = [comment(ALARMS) + "  #\n" + comment(MISSING_DATA)]
    for kind, why in OF_EACH_FUNCTION.items():
        watched = FUNCTIONS | (QUEUES if kind in OF_EACH_QUEUE else {})
        first, *rest = [kind(name, consequence) for name, consequence in watched.items()]
        parts += [comment(why) + first, *rest]
    parts.append(of_the_whole())
    alarms = "\n".join(parts)
    begins = f"      AlarmName: {named('')}".removesuffix("'")
    names = [line.removeprefix(begins).removesuffix("'") for line in alarms.splitlines() if line.startswith(begins)]
    return "\n".join([alarms, comment(DASHBOARD) + dashboard(names)])


def main() -> None:
    text = TEMPLATE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = f"{before}{BEGIN}\n{generated()}\n{END}{after}"
    if sys.argv[1:] == ["--check"]:
        if wanted != text:
            sys.exit("template.yaml: the alarms or the dashboard are not those of infra/pipeline/generate.py: run it")
    elif sys.argv[1:]:
        sys.exit(f"unknown arguments {sys.argv[1:]}: expected --check or nothing")
    else:
        TEMPLATE.write_text(wanted)


if __name__ == "__main__":
    main()
