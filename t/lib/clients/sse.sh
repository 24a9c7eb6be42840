#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sse.sh URL PLACE: prints the numbers of a stream with curl, one a line, and
# comes back with the last id, which it keeps in the file PLACE.
set -eu
: >"$2"
while :; do
	curl -s --no-buffer -H "Last-Event-ID: $(cat "$2")" "$1?since=0" |
	    while IFS= read -r line; do
		case $line in
		id:*) printf '%s' "${line#id: }" >"$2" ;;
		data:*) echo "$line" | sed 's/.*"seq":\([0-9]*\).*/\1/' ;;
		esac
	    done
done
