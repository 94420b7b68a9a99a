"""SeaweedFS as STS and S3: it checks tokens and signatures, and what a role may do."""
import base64
import collections
import glob
import json
import os
import secrets
import subprocess

from processes import TIMEOUT, environment, free_port

ACCOUNT = "123456789012"

# A role that trusts one `sub`, and may put into one bucket.
Role = collections.namedtuple("Role", "name subject bucket")


class SeaweedFs:
    """Started in a lab, which ends its process; `within` makes a command one of another network."""

    def __init__(self, lab, python, issuer, key_set, roles, address="127.0.0.1", within=lambda *command: list(command)):
        iam = {
            "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs-sts",
                    "signingKey": base64.b64encode(secrets.token_bytes(32)).decode()},
            "providers": [{"name": "nomad", "type": "oidc", "enabled": True, "config": {
                "issuer": issuer, "clientId": "sts.amazonaws.com", "jwksUri": key_set}}],
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "roles": [{
                "roleName": role.name, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role.name}",
                "attachedPolicies": ["put-" + role.name],
                "trustPolicy": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Federated": "nomad"},
                    "Action": ["sts:AssumeRoleWithWebIdentity"],
                    "Condition": {"StringEquals": {"oidc:aud": "sts.amazonaws.com", "oidc:sub": role.subject}}}]},
            } for role in roles],
            "policies": [{"name": "put-" + role.name, "document": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": ["s3:PutObject"],
                "Resource": [f"arn:aws:s3:::{role.bucket}/*"]}]}} for role in roles],
        }
        admin = {"identities": [{"name": "admin", "actions": ["Admin", "Read", "Write", "List"],
                                 "credentials": [{"accessKey": "admin", "secretKey": "admin-secret"}]}]}
        os.mkdir(lab.path("weed"))
        ports = self.ports = [free_port((10000,)) for _ in range(6)]
        self.port = ports[0]
        lab.start(within(
            f"{python}/weed", "mini", "-dir=" + lab.path("weed"), f"-ip={address}", f"-ip.bind={address}",
            f"-s3.port={ports[0]}", "-s3.port.iceberg=0", f"-master.port={ports[1]}",
            f"-volume.port={ports[2]}", f"-filer.port={ports[3]}", f"-webdav.port={ports[4]}",
            f"-admin.port={ports[5]}",
            "-s3.config=" + lab.write("s3.json", json.dumps(admin)),
            "-s3.iam.config=" + lab.write("iam.json", json.dumps(iam))),
            env=environment({"TMPDIR": lab.directory, "HOME": lab.directory}), cwd=lab.directory)
        self.url = f"http://{address}:{self.port}"

    def make_buckets(self, lab, python, names, within=lambda *command: list(command)):
        for name in names:
            done = subprocess.run(
                within(f"{python}/aws", "--endpoint-url", self.url, "s3api", "create-bucket", "--bucket", name),
                env=environment({"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin-secret",
                                 "AWS_REGION": "us-east-1", "HOME": lab.directory}),
                capture_output=True, text=True, timeout=TIMEOUT)
            if done.returncode:
                raise RuntimeError("no bucket: " + done.stderr)

    def remove_sockets(self):
        """SeaweedFS leaves its sockets behind, named for its ports, in /tmp whatever TMPDIR says."""
        for port in self.ports:
            for socket_file in glob.glob(f"/tmp/seaweedfs-*-{port}.sock"):
                os.remove(socket_file)
