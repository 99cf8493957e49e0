"""Starts MiniStack with what it lacks of IAM: policies mean here what they mean on AWS.

What is missing is looked at first: when MiniStack learns one of these, this ends and says which to take out here.
Usage: launch-stand-in.py PORT CERTIFICATE KEY
"""

import asyncio
import json
import re
import sys

from ministack.core import iam_actions, iam_evaluator
from ministack.services import scheduler

PARTITION_KEY = "pk"


def leading_keys(request):
    """dynamodb:LeadingKeys: the partition keys that a request names.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    found = []

    def walk(value):
        if isinstance(value, list):
            for part in value:
                walk(part)
        elif isinstance(value, dict):
            key = value.get(PARTITION_KEY)
            if isinstance(key, dict) and "S" in key:
                found.append(key["S"])
            for part in value.values():
                walk(part)

    walk(request)
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for name, value in re.findall(r"(#?\w+)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        if names.get(name, name) == PARTITION_KEY:
            found.append(values[value]["S"])
    return found


def with_leading_keys(original):
    def context(body):
        keys = leading_keys(json.loads(body or b"{}"))
        return {**original(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    return context


def with_write_conditions(original):
    """s3:if-none-match, and whether a request makes an object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """

    def context(action, query, path="", headers=None):
        found = dict(original(action, query, path, headers))
        if action == "s3:PutObject":
            condition = (headers or {}).get("if-none-match")
            if condition is not None:
                found["s3:if-none-match"] = condition
            found["s3:ObjectCreationOperation"] = "false" if "partNumber" in (query or {}) else "true"
        return found

    return context


def with_role_as_principal(original):
    """aws:PrincipalArn of a session is the ARN of its role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """

    def resolve(key, request):
        value = original(key, request)
        session = re.fullmatch(r"arn:(aws[\w-]*):sts::(\d+):assumed-role/([^/]+)/.+", str(value))
        if key.lower() != "aws:principalarn" or not session:
            return value
        return "arn:{}:iam::{}:role/{}".format(*session.groups())

    return resolve


def with_batches_as_single(original):
    """Who may delete a message may delete ten at once: batches are no actions of their own.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """

    def action(service, *request):
        found = original(service, *request)
        return found.removesuffix("Batch") if service == "sqs" and found else found

    return action


def check_gaps():
    batch = {"x-amz-target": "AmazonSQS.DeleteMessageBatch"}
    if iam_actions.extract_iam_action("sqs", "POST", "/", batch, b"{}", {}) != "sqs:DeleteMessageBatch":
        sys.exit("MiniStack knows that batches of SQS are no actions now: take that out of launch-stand-in.py")
    item = json.dumps({"TableName": "t", "Key": {PARTITION_KEY: {"S": "x"}}}).encode()
    if "dynamodb:LeadingKeys" in iam_actions.dynamodb_service_context(item):
        sys.exit("MiniStack knows dynamodb:LeadingKeys now: take it out of launch-stand-in.py")
    context = iam_actions.s3_service_context("s3:PutObject", {}, "/b/k", {"if-none-match": "*"})
    if "s3:if-none-match" in context or "s3:ObjectCreationOperation" in context:
        sys.exit("MiniStack knows conditions of conditional writes now: take them out of launch-stand-in.py")
    session = iam_evaluator.EvalContext(
        principal_arn="arn:aws:sts::1:assumed-role/r/s", principal_type="AssumedRole",
        principal_account="1", action="a:b", resource_arn="*", region="r")
    if iam_evaluator._resolve_condition_key("aws:PrincipalArn", session) != session.principal_arn:
        sys.exit("MiniStack knows aws:PrincipalArn of sessions now: take it out of launch-stand-in.py")


def main():
    port, certificate, key = sys.argv[1:]
    check_gaps()
    iam_actions.extract_iam_action = with_batches_as_single(iam_actions.extract_iam_action)
    iam_actions.dynamodb_service_context = with_leading_keys(iam_actions.dynamodb_service_context)
    iam_actions.s3_service_context = with_write_conditions(iam_actions.s3_service_context)
    iam_evaluator._resolve_condition_key = with_role_as_principal(iam_evaluator._resolve_condition_key)

    # Schedules are deployed, and the tests say what they would say: nobody compacts between two steps of a test.
    scheduler.start_scheduler = lambda: None

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    # Its own command would take port 443 too, where it may.
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = certificate, key
    config.keep_alive_timeout = 75
    asyncio.run(serve(app, config))


main()
