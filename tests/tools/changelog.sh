#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Writes CHANGELOG.md anew for the version in galaxy.yml: fragments become entries, new plugins and roles are listed.

# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
cd "$collections/$inside"
version=$(sed -n 's/^version: //p' galaxy.yml)
antsibull-changelog release --version "$version" --date "$(date --utc +%F)" --update-existing --reload-plugins --refresh-plugins
rm -f changelogs/.plugin-cache.yaml
