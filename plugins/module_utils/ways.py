# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way of installing a host is upgraded by: always the one it was installed by.

A way is imported when it is taken, because a host compiles what is imported in every run anew.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, installation
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import Order
from ansible_collections.lockstep.teleport.plugins.module_utils.way import TarballWay, Way


def choose(
    host: Host,
    order: Order,
    method: Optional[str],
    unfinished: Optional[Mapping[str, Any]],
    opener: artifact.Opener,
) -> Way:
    """Return the way for this host.

    :param method: what `installation.install_method` found; None before anybody has looked.
    :param unfinished: the journal of an upgrade that was killed: a package that is half unpacked looks like none.
    """
    if method == installation.MANAGED_UPDATES:
        if not {"auth", "proxy"}.isdisjoint(order.instance["services"]):
            raise HostError(
                "teleport-update manages this host, which is no agent; it would be away for as long as it fetches. "
                "Uninstall it there, and install the tarball or the package."
            )
        from ansible_collections.lockstep.teleport.plugins.module_utils.way_updater import UpdaterWay

        return UpdaterWay(host, order.layout, order.release)
    remembered = (unfinished or {}).get("remembered")
    if method == installation.PACKAGE or remembered:
        from ansible_collections.lockstep.teleport.plugins.module_utils import package_tools
        from ansible_collections.lockstep.teleport.plugins.module_utils.way_package import PackageWay

        unit = "" if order.client else order.unit
        package = package_tools.remembered(host, remembered) if remembered else package_tools.find(host, order.layout)
        return PackageWay(host, order.layout, order.release, unit, package)
    return TarballWay(host, order.layout, order.release, order.client, opener)
