"""Requests to the broker for the matrix: messages, packages and the REST interface. Input and output are JSON documents.

Usage: client.py COMMAND < arguments > answer. Runs in a pod of the image of the matrix.
"""
import base64
import hashlib
import hmac
import io
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
import zipfile

WEB = os.environ.get("WEB_URL", "http://pulsar:8080")
BROKER = os.environ.get("BROKER_URL", "pulsar://pulsar:6650")


def client():
    import pulsar

    token = os.environ.get("TOKEN")
    authentication = pulsar.AuthenticationToken(token) if token else None
    logger = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    return pulsar.Client(BROKER, authentication=authentication, logger=logger, io_threads=1)


def send(topic, messages, producer=None, rate=0):
    """Sends messages: texts, or objects with value, key, properties, sequence. `rate` limits the messages per second."""
    import pulsar.schema

    connection = client()
    options = {"producer_name": producer} if producer else {}
    # Without it a Java function that says String is refused: its topic would have messages without a schema.
    if all("hex" not in message for message in messages):
        options["schema"] = pulsar.schema.StringSchema()
    # One entry a message: the broker counts what is not acknowledged in entries, and delivers a whole batch again.
    sender = connection.create_producer(topic, block_if_queue_full=True, batching_enabled=False, **options)
    failures = []
    started = time.time()
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            message = {"value": message}
        extra = {}
        if message.get("key"):
            extra["partition_key"] = message["key"]
        if message.get("properties"):
            extra["properties"] = message["properties"]
        if message.get("sequence") is not None:
            extra["sequence_id"] = message["sequence"]
        if rate:
            time.sleep(max(0, started + number / rate - time.time()))
        value = bytes.fromhex(message["hex"]) if "hex" in message else message["value"]
        sender.send_async(value, lambda result, _: failures.append(str(result)) if int(result) else None, **extra)
    sender.flush()
    connection.close()
    if failures:
        raise RuntimeError("%d messages were refused, the first: %s" % (len(failures), failures[0]))
    return len(messages)


def send_people(topic, name, number):
    """Sends a record with an id and a name for each number, with a JSON schema."""
    from pulsar import schema

    class Person(schema.Record):
        id = schema.Integer(required=True)
        name = schema.String()

    connection = client()
    sender = connection.create_producer(topic, schema=schema.JsonSchema(Person), block_if_queue_full=True)
    failures = []
    for one in range(number):
        person = Person(id=one, name="%s-%d" % (name, one))
        sender.send_async(person, lambda result, _: failures.append(str(result)) if int(result) else None)
    sender.flush()
    connection.close()
    if failures:
        raise RuntimeError("%d records were refused, the first: %s" % (len(failures), failures[0]))
    return number


def receive(topic, number, seconds, quiet=1.5):
    """Reads a topic from its beginning until `number` messages were received, and then until none arrives for `quiet` seconds."""
    import pulsar

    connection = client()
    reader = connection.create_reader(topic, pulsar.MessageId.earliest)
    end = time.time() + seconds
    seen = []
    while True:
        left = end - time.time()
        if len(seen) >= number:
            left = min(left, quiet)
        if left <= 0:
            break
        try:
            message = reader.read_next(timeout_millis=max(1, int(left * 1000)))
        except pulsar.Timeout:
            break
        data = message.data()
        seen.append({
            "value": data.decode("utf-8", "backslashreplace"), "hex": data.hex() if len(data) < 200 else "",
            "published": message.publish_timestamp(),
        })
    connection.close()
    return seen


def admin(method, path, body=None, content="application/json"):
    """A request to the broker's REST interface; returns JSON, or text."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(WEB + path, data=data, method=method, headers={"Content-Type": content})
    if os.environ.get("TOKEN"):
        request.add_header("Authorization", "Bearer " + os.environ["TOKEN"])
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise RuntimeError("%s %s: %s %s" % (method, path, error.code, error.read().decode()[:300]))
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def upload(package, file=None, zipped=None):
    """Uploads a package, such as function/public/default/name/v1, to the broker's package service: a file of the image, or a
    zip file of the given texts, in which a name that ends with .whl becomes a wheel."""
    if file:
        with open(file, "rb") as opened:
            content = opened.read()
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in zipped.items():
                if name.endswith(".whl"):
                    archive.writestr(name, wheel(**text))
                else:
                    archive.writestr(name, text)
        content = packed.getvalue()
    try:
        admin("DELETE", "/admin/v3/packages/" + package)
    except RuntimeError:
        pass  # There was none; what else is wrong the next request says.
    boundary = uuid.uuid4().hex
    metadata = json.dumps({"description": "matrix", "contact": "", "properties": {}})
    part = '--%s\r\nContent-Disposition: form-data; name="%s"%s\r\nContent-Type: %s\r\n\r\n'
    body = (part % (boundary, "metadata", "", "application/json") + metadata + "\r\n").encode()
    body += (part % (boundary, "file", '; filename="package"', "application/octet-stream")).encode()
    body += content + ("\r\n--%s--\r\n" % boundary).encode()
    return admin("POST", "/admin/v3/packages/" + package, body, "multipart/form-data; boundary=" + boundary)


def wheel(name, version, files):
    """A minimal wheel of the given texts that pip accepts."""
    packed = io.BytesIO()
    folder = "%s-%s.dist-info" % (name, version)
    files = dict(files)
    files[folder + "/METADATA"] = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)
    files[folder + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: matrix\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join("%s,,\n" % file for file in files) + folder + "/RECORD,,\n"
    with zipfile.ZipFile(packed, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(folder + "/RECORD", record)
    return packed.getvalue()


def upload_wheel(package, name, version, files):
    """A wheel as a package."""
    path = "/tmp/%s.whl" % uuid.uuid4().hex
    with open(path, "wb") as opened:
        opened.write(wheel(name, version, files))
    return upload(package, file=path)


def token(key, subject, seconds=None):
    """A token for a role, signed with a key in base64, that expires after `seconds`."""
    claims = {"sub": subject}
    if seconds:
        claims["exp"] = int(time.time()) + seconds

    def encoded(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    signature = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    return signed + "." + encoded(signature)


COMMANDS = {f.__name__: f for f in (send, send_people, receive, admin, upload, upload_wheel, token)}

if __name__ == "__main__":
    try:
        print(json.dumps(COMMANDS[sys.argv[1]](**json.load(sys.stdin))))
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - the caller gets the text
        print("%s: %s" % (type(error).__name__, error), file=sys.stderr)
        os._exit(1)
    # The client's threads are of no use any more.
    os._exit(0)
