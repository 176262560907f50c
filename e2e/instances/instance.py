"""What one release of Pulsar's Python instance takes: `table FILE` prints it, `parse FILE COMMANDS` lets its own parser read.

The parser is taken out of the file: the rest of it needs Pulsar's client."""
import argparse
import ast
import json
import sys


def parser(file):
    with open(file) as source:
        tree = ast.parse(source.read())
    [function] = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "generate_arguments_parser"]
    names = {"argparse": argparse}
    exec(compile(ast.Module([function], []), file, "exec"), names)
    return names["generate_arguments_parser"]()


if sys.argv[1] == "table":
    for action in parser(sys.argv[2])._actions:
        if action.dest != "help":
            print("python", action.option_strings[-1], action.type.__name__ if action.type else "text")
else:
    with open(sys.argv[3]) as commands:
        commands = [json.loads(line) for line in commands]
    for command in commands:
        parser(sys.argv[2]).parse_args(command)
    print(len(commands))
