"""Runs a comparator of recordings (`make parity`) so that the inputs it writes mean the same to kubectl as to Python.

Python's YAML writes the strings y and n without quotes. Kubernetes' parser reads those as booleans, and so does `kubectl fmesh`
(`validation::manifests`): cases with such a string would be refused instead of compared.
"""
import re
import runpy
import sys

import yaml

yaml.SafeDumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]\Z"), list("yYnN"))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
