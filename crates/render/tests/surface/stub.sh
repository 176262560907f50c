#!/bin/sh
# Ends each argument with a NUL, which no argument contains, and says first how many there are.
printf '%s\0' "$#" "${0##*/}" "$@" >> "$DUMP_FILE"
