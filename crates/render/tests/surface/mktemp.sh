#!/bin/sh
# A folder whose name is always the same, so that two runs can be compared.
mkdir -p ../temporary && echo ../temporary
