"""One call of the management API from outside with boto3: outside.py ENDPOINT OP ID [DATA]

Credentials are those of the environment, if it has any.
"""

import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

endpoint, op, connection_id, *data = sys.argv[1:]
api = boto3.client(
    "apigatewaymanagementapi",
    endpoint_url=endpoint,
    region_name="eu-west-1",
    aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "any"),
    aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "any"),
    aws_session_token=os.environ.get("AWS_SESSION_TOKEN"),
)
call = {"post": api.post_to_connection, "get": api.get_connection, "delete": api.delete_connection}[op]
arguments = {"ConnectionId": connection_id} | ({"Data": data[0].encode()} if data else {})
try:
    outcome = {"op": op, "result": call(**arguments)}
except ClientError as error:
    outcome = {
        "op": op,
        "error": {
            "name": type(error).__name__,
            "code": error.response["Error"]["Code"],
            "statusCode": error.response["ResponseMetadata"]["HTTPStatusCode"],
        },
    }
print(json.dumps(outcome, default=str))
