#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Enables and starts Teleport and waits until it says that it is ready. Argument: seconds to wait.
set -eu
systemctl enable --quiet --now teleport.service
polls=$(($1 * 5))
while [ "$polls" -gt 0 ]; do
    code=$(curl --silent --max-time 2 --output /dev/null --write-out '%{http_code}' http://127.0.0.1:3000/readyz || true)
    [ "$code" = 200 ] && exit 0
    polls=$((polls - 1))
    sleep 0.2
done
echo "teleport.service: readyz says $code after $1 s" >&2
journalctl --no-pager --unit teleport.service --lines 12 --output cat >&2
exit 1
