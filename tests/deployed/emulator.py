"""The emulator (ministack), taught three things that the stack needs.

* It refuses alarms on several metrics. Here it takes them, as it takes the others: they are there and never go off.
* It does not say which items of a table a request is about, so that a role's condition on them would hold for all.
* It wants a permission for SendMessageBatch, which has none of its own: it takes that for SendMessage.
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""

import json

from ministack.app import main
from ministack.core import iam_actions
from ministack.services.cloudformation import provisioners

alarm_on_one_metric = provisioners._cw_metric_alarm_record
context_without_items = iam_actions.dynamodb_service_context
action_of_its_name = iam_actions.extract_iam_action


def alarm(name: str, properties: dict) -> dict:
    """What is kept of an alarm."""
    if "Metrics" not in properties:
        return alarm_on_one_metric(name, properties)
    rest = {key: value for key, value in properties.items() if key != "Metrics"}
    return alarm_on_one_metric(name, rest | {"Namespace": "several", "MetricName": "several"})


def context(body: bytes) -> dict:
    """The condition keys of a request to DynamoDB. The hash key is `id` in the ledger, `image` in the history."""
    request = json.loads(body or b"{}")
    items = [request.get("Key"), request.get("Item")]
    for of_table in request.get("RequestItems", {}).values():
        if isinstance(of_table, dict):
            items += of_table["Keys"]
        else:
            items += [write["PutRequest"]["Item"] for write in of_table if "PutRequest" in write]
    ids = [item[key]["S"] for item in items if item for key in ("id", "image") if key in item]
    return context_without_items(body) | ({"dynamodb:LeadingKeys": ids} if ids else {})


def action(*request: object) -> str | None:
    """The permission that a request needs."""
    named = action_of_its_name(*request)
    return "sqs:SendMessage" if named == "sqs:SendMessageBatch" else named


provisioners._cw_metric_alarm_record = alarm
iam_actions.extract_iam_action = action
iam_actions.dynamodb_service_context = context

if __name__ == "__main__":
    main()
