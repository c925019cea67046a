"""Two people who know each other's connection ID write to each other. Nothing is stored."""

import json

import boto3


def room(event, context):
    """Lets everybody in, and logs who comes and goes."""
    print(event["requestContext"]["eventType"], event["requestContext"]["connectionId"])
    return {"statusCode": 200}


def whoami(event, context):
    """Answers the caller's own connection ID, to be handed to somebody else."""
    return {"statusCode": 200, "body": event["requestContext"]["connectionId"]}


def tell(event, context):
    """Delivers {"action": "tell", "to": ID, "text": TEXT}, and answers the sender whether it was."""
    origin = event["requestContext"]
    message = json.loads(event["body"])
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{origin['domainName']}/{origin['stage']}",
    )
    try:
        api.post_to_connection(
            ConnectionId=message["to"],
            Data=json.dumps({"from": origin["connectionId"], "text": message["text"]}).encode(),
        )
    except api.exceptions.GoneException:
        return {"statusCode": 200, "body": json.dumps({"told": False, "why": "gone"})}
    return {"statusCode": 200, "body": json.dumps({"told": True})}
