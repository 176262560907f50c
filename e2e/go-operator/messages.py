"""Sends four numbers a second to the recorded functions, and counts which of them each function has answered.

`GET /?restarted=NAME` waits until every function has answered every number that was sent until then, and fails if one has answered
a number twice, unless its pod was restarted. Answers end with the line `complete`, or tell what is missing.
"""
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pulsar

BROKER = "pulsar://pulsar:6650"
FUNCTIONS = ["enrich", "resize", "a", "b", "c"]
sent = 0
answers = defaultdict(Counter)
client = pulsar.Client(BROKER)
# The subscription exists before the first message is sent.
consumer = client.subscribe("public/default/enriched", "count", initial_position=pulsar.InitialPosition.Earliest)
producer = client.create_producer("public/default/orders")


def send():
    global sent
    while True:
        producer.send(str(sent + 1).encode())
        sent += 1
        time.sleep(0.25)


def count():
    while True:
        message = consumer.receive()
        # The stand-in for a program in Go appends a mark, the others put their names before it.
        text = message.data().decode()
        name, number = ("c", text[:-1]) if text.endswith("!") else text.split(" ")
        answers[name][int(number)] += 1
        consumer.acknowledge(message)


def state(until, restarted):
    for name in FUNCTIONS:
        missing = [number for number in range(1, until + 1) if number not in answers[name]]
        twice = [number for number, times in answers[name].items() if times > 1]
        if missing:
            yield f"{name} did not answer {len(missing)} of {until}, the first {missing[0]}"
        if twice and name not in restarted:
            yield f"{name} answered {len(twice)} of {until} twice, the first {twice[0]}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        restarted, until = parse_qs(urlparse(self.path).query).get("restarted", []), sent
        deadline = time.monotonic() + 240
        while (wrong := list(state(until, restarted))) and time.monotonic() < deadline:
            time.sleep(0.5)
        self.send_response(500 if wrong else 200)
        self.end_headers()
        lines = wrong or [f"each of {until} numbers was answered by each of {len(FUNCTIONS)} functions", "complete"]
        self.wfile.write(("\n".join(lines) + "\n").encode())


for work in [send, count]:
    threading.Thread(target=work, daemon=True).start()
ThreadingHTTPServer(("", 8000), Answer).serve_forever()
