"""Makes the calls that stand on standard input, one a line, with boto3, and answers each with a line, as calls.mjs does."""

import base64
import json
import re
import sys

import boto3
import botocore.config
import botocore.exceptions

clients = {}


def client_of(service, endpoint):
    if (service, endpoint) not in clients:
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        clients[service, endpoint] = boto3.client(service, endpoint_url=endpoint, config=config)
    return clients[service, endpoint]


def method(client, operation):
    """The method of an operation: boto3 writes them with underscores."""
    return next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)


def answer(call):
    client = client_of(call["service"], call["endpoint"])
    params = call["params"]
    for name, content in call["blobs"].items():
        content = base64.b64decode(content)
        if call["operation"] == "CreateFunction":
            params["Code"] = {name: content}
        else:
            params[name] = content
    if call["operation"] == "Wait":
        waiter = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", params.pop("Waiter")).lower()
        client.get_waiter(waiter).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 20}, **params)
        return {}
    if call["operation"] == "Paginate":
        paginator = client.get_paginator(method(client, params.pop("Operation")))
        pages = list(paginator.paginate(PaginationConfig={"PageSize": 1}, **params))
        if any(len(page["Items"]) > 1 for page in pages):
            raise ValueError("a page of more than one item")
        return {"Items": [item for page in pages for item in page["Items"]]}
    result = getattr(client, method(client, call["operation"]))(**params)
    if "Payload" in result:
        result["Payload"] = result["Payload"].read().decode()
    return result


for line in sys.stdin:
    try:
        outcome = {"result": answer(json.loads(line))}
    except botocore.exceptions.ClientError as e:
        of, status = e.response["Error"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        outcome = {"error": {"name": of["Code"], "message": of["Message"], "status": status}}
    except Exception as e:  # whatever else the SDK objects to is told like an answer, and no test wants it
        outcome = {"error": {"name": type(e).__name__, "message": str(e), "status": 0}}
    print(json.dumps(outcome, default=str), flush=True)
