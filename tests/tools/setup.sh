#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Brings a Debian machine with nothing but git and make to where the tests run. Needs root, apt and pip as the machine has
# them configured. Whatever cannot be had ends it: a test that silently does not run proves nothing.
# usage: setup.sh CORE…

# shellcheck source=tests/tools/env.sh
. "$(dirname "$0")/env.sh"

install_packages() {
  local wanted missing=()
  mapfile -t wanted < <(sed 's/#.*//' "$@" | tr -s ' \t' '\n' | sed '/^$/d' | sort -u)
  for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  echo "installing ${missing[*]}"
  keep_postgresql_from_starting
  apt-get update -q -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q -q --no-install-recommends "${missing[@]}" >/dev/null
}

# The tests start servers of their own; Debian's package would make and start one for the machine.
keep_postgresql_from_starting() {
  dpkg-query -W postgresql-common >/dev/null 2>&1 && return
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
}

# Ansible finds the collection by its path, so the checkout appears in one. ansible-test wants more: see sanity.sh.
link_collection() {
  mkdir -p "$collections/$(dirname "$inside")"
  ln -sfn "$root" "$collections/$inside"
}

# Debian's own; Ubuntu has Chromium as a snap only, which no container runs, so there Playwright brings its own.
install_browser() {
  command -v chromium >/dev/null && return
  apt-get update -q -q
  if apt-cache show chromium >/dev/null 2>&1; then
    echo 'installing chromium'
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q -q --no-install-recommends chromium >/dev/null
  else
    "$LOCKSTEP_CACHE/venv/docs/bin/playwright" install --with-deps chromium
  fi
}

install_packages "$tools/apt-packages.txt"
python3 "$tools/venvs.py" build "$@"
install_browser
link_collection
"$LOCKSTEP_CACHE/venv/dev/bin/python" "$tools/optional_collections.py" "$collections"
