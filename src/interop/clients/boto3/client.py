"""A task as it would be written with boto3 and its default credential chain."""
import sys

import boto3
from botocore.config import Config


def put(bucket, key):
    s3 = boto3.session.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
    s3.put_object(Bucket=bucket, Key=key, Body=b"content")


mode, bucket, key = sys.argv[1:4]
try:
    put(bucket, key)
    if mode == "put-twice":
        print("FIRST", flush=True)
        sys.stdin.readline()
        put(bucket, key)
    print("OK")
except Exception as e:  # what the user of the SDK would see
    print("ERR", e)
    sys.exit(1)
