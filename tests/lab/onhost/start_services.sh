#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts etcd, PostgreSQL and the balancer. Files come as a tar on stdin; arguments: the units.
set -eu
tar -xf - -C / --no-same-owner
if [ -d /etc/etcd-tls ]; then
    chown -R etcd:etcd /etc/etcd-tls
fi
systemctl daemon-reload
for unit in "$@"; do
    systemctl enable --quiet "$unit"
    systemctl restart "$unit"
done
