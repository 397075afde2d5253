#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Tests with real processes on the loopback: backends against their servers, the double against its own promises, pages in a
# browser.

part=integration
# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"
suite begin "$part"

pytest_step backends dev tests/backends --numprocesses 2 --dist loadfile
# More at once than there are processors: they mostly wait for processes to become ready.
pytest_step double dev tests/double/tests --numprocesses 4
# Whole playbooks behind a real load balancer, whose clients never pause.
pytest_step drain dev tests/drain --numprocesses 2
# Jobs of the real ansible-runner, and the objects they are launched from.
pytest_step awx dev tests/awx tests/runner --numprocesses 2 --dist loadfile
pytest_step rotation dev tests/rotation --numprocesses 4
pytest_step security dev tests/security
pytest_step packages dev tests/packages --numprocesses 2 --dist loadfile
pytest_step sick dev tests/sick
pytest_step pages docs tests/pages
finish
