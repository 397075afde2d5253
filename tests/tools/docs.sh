#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The documentation as a site: the pages of docs/ and the reference of modules, roles and plugins.

part=docs
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

sources=$LOCKSTEP_CACHE/docs/sources site=$LOCKSTEP_CACHE/docs/site
rm -rf "$LOCKSTEP_CACHE/docs"
mkdir -p "$sources"
# What antsibull-docs writes into must be nobody else's to write.
mkdir -m 755 "$sources/reference"
cp -R "$root"/docs/. "$sources"
rm "$sources/conf.py"

step 'reference' -- antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
  --dest-dir "$sources/reference" lockstep.teleport
step 'site' -- "$LOCKSTEP_CACHE/venv/docs/bin/sphinx-build" --builder html --fail-on-warning --keep-going --quiet --jobs auto \
  --conf-dir "$root/docs" "$sources" "$site"
echo "The site: $site/index.html"
finish
