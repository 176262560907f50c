"""Messages for the function that moves from Pulsar's function worker to Kubernetes.

messages.py consumed        waits until the function consumes
messages.py send FIRST LAST sends numbers
messages.py answered LAST   waits until each number up to LAST was answered, and fails if one was answered twice
"""
import json
import sys
import time
import urllib.request
from collections import Counter

import pulsar

NAMESPACE = "public/default"
STATS = f"http://pulsar:8080/admin/v2/persistent/{NAMESPACE}/sentences/stats"
LIMIT = 180


def consumed():
    for _ in range(LIMIT):
        try:
            subscriptions = json.load(urllib.request.urlopen(STATS))["subscriptions"]
            if subscriptions.get(f"{NAMESPACE}/WordCount", {}).get("consumers"):
                return
        except urllib.error.HTTPError:
            pass
        time.sleep(1)
    sys.exit("the function does not consume")


def send(first, last):
    producer = client.create_producer(f"{NAMESPACE}/sentences")
    for number in range(first, last + 1):
        producer.send(str(number).encode())


def answered(last):
    reader = client.create_reader(f"{NAMESPACE}/counts", pulsar.MessageId.earliest)
    expected, answers, deadline = {f"{number}!" for number in range(1, last + 1)}, Counter(), time.monotonic() + LIMIT
    while expected - set(answers) and time.monotonic() < deadline or reader.has_message_available():
        try:
            answers[reader.read_next(1000).data().decode()] += 1
        except pulsar.Timeout:
            pass
    missing, twice = sorted(expected - set(answers)), sorted(name for name, times in answers.items() if times > 1)
    if missing or twice:
        sys.exit(f"not answered: {missing}; answered twice: {twice}")
    print(f"each of {last} numbers was answered once")


client = pulsar.Client("pulsar://pulsar:6650", logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Warn))
{"consumed": consumed, "send": send, "answered": answered}[sys.argv[1]](*map(int, sys.argv[2:]))
