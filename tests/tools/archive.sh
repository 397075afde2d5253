#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the archive that is published and has Galaxy's importer judge it, except for ansible-lint and ansible-test, which
# other steps run.

part=archive
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"

built=$LOCKSTEP_CACHE/archive
rm -rf "$built"
ansible-galaxy collection build --output-path "$built" "$collections/$inside" >/dev/null
# Its own ansible-doc is to be found, and no Ansible of the collection's development.
export PATH=$LOCKSTEP_CACHE/venv/docs/bin:$system_path
export GALAXY_IMPORTER_RUN_ANSIBLE_LINT=no GALAXY_IMPORTER_CHECK_REQUIRED_TAGS=yes GALAXY_IMPORTER_LOG_LEVEL_MAIN=INFO
cd "$built"
python -m galaxy_importer.main "$built"/*.tar.gz
