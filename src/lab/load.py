"""load.py PORT TOKENS RATE: asks for credentials at a steady rate, each time on a connection of its own as an SDK does,
until a line comes on standard input; then tells what came of it, as JSON. Standard library only."""
import asyncio
import json
import sys
import time

PORT, TOKENS, RATE = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
PATIENCE = 20.0


class Tally:
    def __init__(self):
        self.sent = 0
        self.statuses = {}
        self.refused = self.cut = self.silent = 0
        self.worst = 0.0
        self.slow = []

    def note(self, due, outcome):
        waited = time.monotonic() - due
        if isinstance(outcome, int):
            self.statuses[str(outcome)] = self.statuses.get(str(outcome), 0) + 1
        else:
            setattr(self, outcome, getattr(self, outcome) + 1)
        self.worst = max(self.worst, waited)

    def told(self):
        return {"sent": self.sent, "statuses": self.statuses, "refused": self.refused, "cut": self.cut,
                "silent": self.silent, "worst": round(self.worst, 3)}


async def ask(token):
    """The status, or in a word what became of the connection."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "cut"
    try:
        writer.write(f"GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nAuthorization: {token}\r\n"
                     "Connection: close\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if len(words) < 2:
            return "cut"
        status = int(words[1])
        if status == 200 and not {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} <= set(json.loads(body)):
            return 599  # a 200 that is no answer
        return status
    except (OSError, ValueError):
        return "cut"
    finally:
        writer.close()


async def one(tally, token, due):
    try:
        outcome = await asyncio.wait_for(ask(token), PATIENCE)
    except asyncio.TimeoutError:
        outcome = "silent"
    tally.note(due, outcome)


async def main():
    with open(TOKENS) as f:
        tokens = f.read().split()
    tally = Tally()
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    told = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: told.put_nowait(sys.stdin.readline()))
    print("ready", flush=True)

    async def listen():
        while (await told.get()).strip() != "stop":
            print(json.dumps(tally.told()), flush=True)
        over.set()

    listening = asyncio.create_task(listen())
    due = time.monotonic()
    tasks = set()
    while not over.is_set():
        task = asyncio.create_task(one(tally, tokens[tally.sent % len(tokens)], due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        tally.sent += 1
        due += 1 / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*tasks)
    await listening
    print(json.dumps(tally.told()), flush=True)


asyncio.run(main())
