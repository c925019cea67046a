"""One call of the management API from outside with boto3: outside.py ENDPOINT OP ID [DATA]"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint, op, connection_id, *data = sys.argv[1:]
api = boto3.client(
    "apigatewaymanagementapi",
    endpoint_url=endpoint,
    region_name="eu-west-1",
    aws_access_key_id="any",
    aws_secret_access_key="any",
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
            "statusCode": error.response["ResponseMetadata"]["HTTPStatusCode"],
        },
    }
print(json.dumps(outcome, default=str))
