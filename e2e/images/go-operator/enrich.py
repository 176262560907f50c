"""Puts the name of the function before each message."""
from pulsar import Function


class Enrich(Function):
    def process(self, input, context):
        # The runtime turns digits into a number.
        return f"{context.get_function_name()} {input}"
