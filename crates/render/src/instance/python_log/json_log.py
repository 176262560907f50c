import json
import logging.handlers
import time


class Json:
    def format(self, record):
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": "%s.%03dZ" % (seconds, record.msecs),
            "level": record.levelname,
            "logger": record.name,
            "file": record.filename,
            "line": record.lineno,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = logging.Formatter().formatException(record.exc_info)
        return json.dumps(entry)


class StreamHandler(Json, logging.StreamHandler):
    pass


class RotatingFileHandler(Json, logging.handlers.RotatingFileHandler):
    pass


class TimedRotatingFileHandler(Json, logging.handlers.TimedRotatingFileHandler):
    pass
