#!/bin/sh
# unzip -qo ARCHIVE [ENTRY] -d FOLDER: the content of an archive here is a folder beside it.
archive=$2
while [ "$1" != -d ]; do shift; done
cp -R "$archive.content/." "$2"
