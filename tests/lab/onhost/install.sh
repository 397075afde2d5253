#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Puts a release on a host the way the tarball's own install script does. Files to be written come as a tar on stdin.
# Arguments: name of the tarball, "client" for the client tools only.
set -eu
tar -xf - -C / --no-same-owner
folder=$(mktemp -d)
tar -xzf "/srv/artifacts/$1" -C "$folder" --no-same-owner --strip-components=1
for tool in teleport tctl tsh tbot; do
    if [ "$tool $2" != "teleport client" ] && [ -e "$folder/$tool" ]; then
        cp -f "$folder/$tool" /usr/local/bin/
    fi
done
[ "$2" = client ] || mkdir -p /var/lib/teleport
rm -rf "$folder"
