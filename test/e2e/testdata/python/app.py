import json
import os

import boto3
from botocore.exceptions import ClientError


def connections(event, context):
    return {"statusCode": 200}


def whoami(event, context):
    return {"statusCode": 200, "body": event["requestContext"]["connectionId"]}


def ask(event, context):
    """Reads {"op", "via", "to", "data"} as the JavaScript project does, and answers in the same form."""
    message = json.loads(event["body"])
    origin = event["requestContext"]
    host = {
        "domain": origin["domainName"],
        "aws": f"{origin['apiId']}.execute-api.{os.environ['AWS_REGION']}.amazonaws.com",
    }[message["via"]]
    api = boto3.client("apigatewaymanagementapi", endpoint_url=f"https://{host}/{origin['stage']}")
    return {"statusCode": 200, "body": json.dumps(outcome(api, message), default=str)}


def outcome(api, message):
    op, to = message["op"], message.get("to")
    try:
        if op == "post":
            result = api.post_to_connection(ConnectionId=to, Data=message["data"].encode())
        elif op == "get":
            result = api.get_connection(ConnectionId=to)
        else:
            result = api.delete_connection(ConnectionId=to)
    except ClientError as error:
        return {
            "op": op,
            "error": {
                "name": type(error).__name__,
                "code": error.response["Error"]["Code"],
                "statusCode": error.response["ResponseMetadata"]["HTTPStatusCode"],
            },
        }
    return {"op": op, "result": result}
