"""A task as it would be written with boto3 and its default credential chain."""
import os
import sys

import boto3
from botocore.config import Config


def put(bucket, key):
    s3 = boto3.session.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
    s3.put_object(Bucket=bucket, Key=key, Body=b"content")


def whoami():
    # boto3 reads no AWS_REGION, and STS, unlike S3, does not do without one.
    session = boto3.session.Session(region_name=os.environ["AWS_REGION"])
    sts = session.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    print(sts.get_caller_identity()["Arn"])


mode, bucket, key = sys.argv[1:4]
try:
    if mode == "whoami":
        whoami()
    else:
        put(bucket, key)
    if mode == "put-twice":
        print("FIRST", flush=True)
        sys.stdin.readline()
        put(bucket, key)
    print("OK")
except Exception as e:  # what the user of the SDK would see
    print("ERR", e)
    sys.exit(1)
