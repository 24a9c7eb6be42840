#!/bin/sh
# SPDX-License-Identifier: MIT
#
# poll.sh URL: prints the numbers of a stream with curl, one a line; each
# answer may come compressed, and waits until there is something.
set -eu
at=0
while :; do
	answer=$(curl -s --compressed "$1?since=$at&limit=4&wait=20") ||
	    continue
	epoch=$(echo "$answer" | sed -n 's/.*"epoch":"\([^"]*\)".*/\1/p')
	for seq in $(echo "$answer" | grep -o '"seq":[0-9]*' | cut -d: -f2)
	do
		echo "$seq"
		at=$epoch:$seq
	done
done
