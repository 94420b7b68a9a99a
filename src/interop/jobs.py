"""The files of nomad-jobs/: read by HashiCorp's parsers, and the configuration in them judged by taskrole itself."""
import glob
import os
import re
import shutil
import subprocess
import sys

from processes import TIMEOUT


def check_jobs(home, work, launcher):
    """A result for each file, each configuration that a job makes, and each test of the checker."""
    rendered = os.path.join(work, "rendered")
    shutil.rmtree(rendered, ignore_errors=True)
    done = run([os.path.join(work, "hcl"), "-render", rendered, "nomad-jobs"], home)
    results = [verdict == "ok" for verdict in re.findall(r"^(ok|bad) ", done.stdout, re.M)]
    tell(done, done.returncode == 0 and results)

    configurations = glob.glob(f"{rendered}/*/taskrole.yaml")
    for configuration in configurations:
        judged = run([launcher, "check", "--config", configuration], home)
        results.append(judged.returncode == 0)
        tell(judged, results[-1])
    # Nothing read and nothing rendered is no success.
    results += [bool(results), bool(configurations)]

    tested = run(["go", "test", "-count=1", "-v", "."], os.path.join(home, "src", "interop", "hcl"))
    verdicts = re.findall(r"^ *--- \w+: (\S+)", tested.stdout, re.M)
    passed = set(re.findall(r"^ *--- PASS: (\S+)", tested.stdout, re.M))
    single = [name for name in verdicts if not any(other.startswith(name + "/") for other in verdicts)]
    results += [name in passed for name in single] + [tested.returncode == 0]
    tell(tested, tested.returncode == 0)
    return results


def run(command, directory):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=5 * TIMEOUT)


def tell(done, held):
    if not held:
        print(done.stdout, done.stderr, file=sys.stderr)
