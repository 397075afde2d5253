# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of all finding codes of the planner; documentation and waivers are derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import Rule, rules

BLOCKER = "blocker"
WAIVED = "waived"
WARNING = "warning"
INFO = "info"

#: Gravest first.
SEVERITIES = (BLOCKER, WAIVED, WARNING, INFO)


@dataclass(frozen=True)
class Code:
    """One row: how grave the finding is by default, whether a blocker may be waived, what it means, what to do."""

    severity: str
    waivable: bool
    meaning: str
    hint: str


def _blocker(meaning: str, hint: str) -> Code:
    return Code(BLOCKER, waivable=False, meaning=meaning, hint=hint)


def _waivable(meaning: str, hint: str) -> Code:
    return Code(BLOCKER, waivable=True, meaning=meaning, hint=hint)


def _warning(meaning: str, hint: str) -> Code:
    return Code(WARNING, waivable=False, meaning=meaning, hint=hint)


def _info(meaning: str, hint: str) -> Code:
    return Code(INFO, waivable=False, meaning=meaning, hint=hint)


_INPUT = {
    "input-invalid": _blocker(
        "A value handed to the planner cannot be read.", "Correct the value in the inventory or the variables."
    ),
    "no-instances": _blocker(
        "There is no instance to plan for.", "Check the group teleport, or the pattern in teleport_hosts."
    ),
    "duplicate-host": _blocker(
        "Two instances claim one host name.", "Give every host one name and every instance a host of its own."
    ),
    "target-invalid": _blocker(
        "The target is no version, or of no release line.",
        "Name the whole version, e.g. teleport_target_version: '17.7.20'.",
    ),
    "pin-invalid": _blocker(
        "A pinned intermediate version cannot be used.",
        "Pin a full version of the line it stands under, e.g. teleport_hop_versions: {'6': '6.2.31'}.",
    ),
    "releases-invalid": _blocker(
        "A row added to the release catalogue cannot be read.", "Correct the row in teleport_releases."
    ),
    "hook-unusable": _blocker(
        "A task file that teleport_hooks names is not there, or is to run at a point that does not exist.",
        "Correct the name; relative paths start where the run is started.",
    ),
    "drain-unusable": _blocker(
        "A proxy could not be taken out of its load balancer the way teleport_proxy_drain says.",
        "Correct what is named there; docs/around.md says what each way needs.",
    ),
    "auth-group-unusable": _blocker(
        "What teleport_auth_group says manages the auth servers does not answer as it has to.",
        "Correct what is named there, or wait until it is done; docs/around.md says what each way needs.",
    ),
    "pin-unused": _info(
        "A version is pinned for a line that the plan does not go through.",
        "Remove the pin if it was meant for this upgrade.",
    ),
    "waiver-unknown": _warning(
        "A waiver names a code that does not exist.",
        "Check the spelling in teleport_waivers; nothing is accepted by it.",
    ),
    "waiver-refused": _warning(
        "A waiver names a finding that cannot be waived.",
        "Cure the finding, and remove the code from teleport_waivers.",
    ),
}

_CLUSTERS = {
    "no-auth": _blocker(
        "A cluster has instances but no Auth Service among them.",
        "Add the cluster's auth servers to the inventory, or correct teleport_cluster of these hosts.",
    ),
    "trust-cycle": _blocker(
        "Clusters trust each other in a circle.",
        "Correct the roots in teleport_clusters: a leaf names the one it trusts.",
    ),
    "root-unknown": _blocker(
        "A leaf names a root cluster that is not known at all.",
        "Correct the name, or declare the root in teleport_clusters (an empty entry is enough).",
    ),
    "root-unseen": _waivable(
        "A root cluster has no instance in the inventory, so its version is not known.",
        "Add its hosts, or make sure by other means that it is upgraded before its leaves, then waive this.",
    ),
    "cluster-empty": _warning(
        "A declared cluster has no instance in the inventory.", "Remove it from teleport_clusters, or correct its name."
    ),
    "auth-group-split": _blocker(
        "Auth servers of one cluster are more than one release line apart.",
        "Bring the oldest auth servers up by hand, or take the stray ones out of the inventory for good.",
    ),
    "auth-stopped": _warning(
        "No auth server of a cluster runs, so what is installed is taken for what last ran.",
        "Make sure that the installed version is the one that last used the backend.",
    ),
    "edition-mixed": _waivable(
        "Instances of one cluster are of different editions.", "Install one edition everywhere, or waive this."
    ),
    "edition-change": _blocker(
        "The edition asked for is not the one installed.",
        "Upgrades keep the edition. Change it on its own, or drop teleport_edition.",
    ),
    "leaf-newer": _warning(
        "A leaf cluster is newer than the root it trusts.",
        "The plan cures this; expect trouble between them until then.",
    ),
    "leaf-behind": _warning(
        "A leaf cluster is more than one release line behind its root.",
        "The plan cures this; expect trouble between them until then.",
    ),
}

_INSTANCES = {
    "version-unknown": _waivable(
        "The version of an instance is not known.",
        "Find out what runs there. Waived, the instance stays as it is and nothing vouches for it.",
    ),
    "auth-version-unknown": _blocker(
        "The version of an auth server is not known.", "Find out what runs there; without it no order can be kept."
    ),
    "unreachable": _waivable(
        "An instance cannot be reached.", "Mend the connection. Waived, the instance stays as it is."
    ),
    "auth-unreachable": _blocker(
        "An auth server cannot be reached.", "Mend the connection, or take the server out of the inventory for good."
    ),
    "line-unknown": _blocker(
        "An instance runs a version that belongs to no known release line.",
        "If the line exists, add a row for it to teleport_releases.",
    ),
    "prerelease-running": _warning("An instance runs a pre-release.", "Nothing to do if this was wanted."),
    "newer-than-auth": _warning(
        "An instance is newer than an auth server of its cluster.",
        "Upgrading the auth servers cures it; until then the instance may not connect.",
    ),
    "behind-auth": _warning(
        "An instance is more than one release line behind an auth server of its cluster.",
        "The plan brings it up; until then it may not be able to restart.",
    ),
    "newer-than-proxy": _warning(
        "An instance is of a newer release line than a proxy of its cluster.",
        "The plan cures this by upgrading the proxy.",
    ),
    "downgrade": _blocker(
        "An instance is newer than the target.",
        "Name a target that nothing is newer than, or put the instance back by hand first.",
    ),
    "left-behind": _blocker(
        "An instance that does not move would be cut off.",
        "Mend the instance so that it can be upgraded, or take it out of the inventory for good.",
    ),
    "unmanaged": _warning(
        "The cluster reports an instance that the inventory lacks; it stays as it is.",
        "Upgrade it by whatever manages it before the next hop after this plan.",
    ),
    "unmanaged-version-unknown": _warning(
        "The cluster reports an instance that the inventory lacks, and not its version.",
        "Make sure that it is at most one release line behind. Clusters before 4.3 do not tell versions.",
    ),
    "unmanaged-left-behind": _waivable(
        "An instance that the inventory lacks would be cut off.",
        "Add it to the inventory or upgrade it first. Waived, it will lose its cluster.",
    ),
    "unmanaged-auth": _waivable(
        "The cluster reports an auth server that the inventory lacks: two versions would share one backend.",
        "Add it to the inventory. Clusters list stopped auth servers for ten minutes: wait, or waive if it is gone.",
    ),
}

_VERSIONS = {
    "target-older-than-cluster": _blocker(
        "A cluster is newer than the target.",
        "Name a target that no cluster is beyond. Going back needs a restored backup.",
    ),
    "prerelease": _blocker(
        "The plan would install a pre-release.",
        "Choose a finished release, or name this one in teleport_allow_prerelease.",
    ),
    "target-line-unknown": _warning(
        "The catalogue does not know the target's release line, so nothing is known against it or for it.",
        "Update the collection, or read the release's notes yourself.",
    ),
    "hop-version-missing": _blocker(
        "The plan must go through a release line that the catalogue does not know.",
        "Pin a version for it in teleport_hop_versions, or add a row to teleport_releases.",
    ),
    "below-minimum-safe": _waivable(
        "A version is below the minimum safe patch of its line.", "Choose a newer patch, or waive this."
    ),
    "line-never-safe": _warning(
        "A release line never got a safe patch.",
        "Pass through it quickly, away from the internet, and do not stay there.",
    ),
    "known-bad": _waivable(
        "A version is known to be bad.", "Choose another patch, or waive this if it does not concern you."
    ),
    "known-bad-pair": _waivable(
        "Two versions that will meet are known not to work together.",
        "Choose another patch for one of them, or waive this.",
    ),
    "artifact-unpinned": _blocker(
        "Digests of artefacts are pinned, but not that of a version which the plan installs.",
        "Add it to teleport_artifact_checksums, e.g. {'17.7.20': {amd64: …}}; intermediate versions need theirs too.",
    ),
    "rolling-not-allowed": _blocker(
        "Auth servers of two release lines would share a backend that cannot take it.",
        "Use teleport_auth_strategy: shrink. Rolling is allowed inside a line, and for hops to 17 and later.",
    ),
}

_PLAN = {
    "auth-rolls": _info(
        "Auth servers are upgraded one at a time while the others of their group serve, also during the backup before.",
        "A hop between lines that fails stops; going back then loses what was written since the backup. "
        "With teleport_auth_strategy: shrink a hop leaves one server, which goes back by itself with its data.",
    ),
    "more-stages-than-one-run": _info(
        "The plan has more stages than one run of the upgrade playbook carries out.",
        "Run the playbook again after it has finished: it continues from what it finds.",
    ),
    "plan-inconsistent": _blocker(
        "The replay of the plan broke a rule: a defect of the planner.",
        "Nothing has been changed. Please report this with the instances and the variables of the run.",
    ),
}


def _preflight(rule: Rule) -> Code:
    """Rules go by what Teleport's notes say in general; whoever knows that one does not apply may waive it."""
    return Code(
        rule.severity, waivable=rule.severity == BLOCKER, meaning=rule.message.format(found="…"), hint=rule.cure
    )


_PREFLIGHT = {rule.id: _preflight(rule) for rule in rules().values()}

_ROLLBACK = {
    "rollback-cluster-unknown": _blocker(
        "The cluster to take back is not named, or not in the inventory.",
        "Name one of them in teleport_rollback_cluster.",
    ),
    "rollback-no-backup": _blocker(
        "No auth host of the cluster holds a backup that leads back.",
        "Name one in teleport_rollback_backup (a path on an auth host), or copy one there and run again.",
    ),
    "rollback-backup-foreign": _blocker(
        "The backup is of another cluster.", "Name a backup of this cluster, or correct teleport_rollback_cluster."
    ),
    "rollback-backup-unusable": _blocker(
        "The backup does not verify: it is damaged, was changed, or is no backup of this collection.",
        "Name another backup in teleport_rollback_backup.",
    ),
    "rollback-backup-elsewhere": _blocker(
        "The backup belongs to another place: the storage section of that time differs, or it is of another host.",
        "Put the storage section of that time back (teleport.yaml lies in the backup), or name another backup.",
    ),
    "rollback-backup-version": _blocker(
        "The backup is not of the version to return to.",
        "Name another backup, or leave teleport_rollback_version out.",
    ),
    "rollback-newer-backup": _warning(
        "There are later backups of the same version, with which less would be lost.",
        "Make sure that the older one is meant.",
    ),
    "rollback-unacknowledged": _blocker(
        "The restore would lose what was written since the backup, and nobody has accepted that.",
        "Name the backup in teleport_rollback_acknowledge.",
    ),
    "rollback-too-far": _blocker(
        "More release lines lie between than one.",
        "Go back one line at a time, each from its own backup, newest first.",
    ),
    "rollback-not-back": _blocker(
        "The version to return to is not older.", "Name an older version or backup; forward leads the upgrade."
    ),
    "rollback-unreachable": _waivable(
        "An instance of the cluster cannot be reached.",
        "Mend the connection. Waived, it stays newer than its auth servers, and they may refuse it until it goes back.",
    ),
    "rollback-version-unknown": _waivable(
        "The version of an instance of the cluster is not known.",
        "Find out what runs there. Waived, it stays as it is.",
    ),
    "rollback-leaf-newer": _blocker(
        "A leaf would be of a newer release line than its root.", "Take the leaf back first, then its root."
    ),
    "rollback-leaf-behind": _blocker(
        "The cluster would be more than one release line behind its root.", "Take the root back first, or stay."
    ),
    "rollback-unmanaged-newer": _waivable(
        "The cluster lists a newer instance that the inventory lacks.",
        "Add it to the inventory, or take it back by what manages it. Waived, it may be refused by its auth servers.",
    ),
    "rollback-host-refuses": _blocker(
        "A host says that it cannot go back: the old version is not there and cannot be fetched, or there is no room.",
        "Cure what it says; teleport_artifact_url is where versions are fetched from.",
    ),
}

_ROTATION = {
    "rotation-cluster-unknown": _blocker(
        "A cluster is to be rotated that the inventory does not have.", "Correct teleport_rotate_clusters."
    ),
    "rotation-grace": _blocker(
        "The grace period is so short that running instances could be cut off by it.",
        "Set teleport_rotate_grace_period to 30m or more.",
    ),
    "rotation-silent": _blocker(
        "No Auth Service of the cluster answers, so where its authorities stand is not known.",
        "Start it, or name the clusters to rotate in teleport_rotate_clusters.",
    ),
    "rotation-type-unknown": _blocker(
        "The cluster has no authority of the type that is to be rotated.", "Correct teleport_rotate_types."
    ),
    "rotation-automatic": _blocker(
        "An authority is rotated automatically: it goes on by its schedule and waits for nobody.",
        "Wait until it has ended, or roll it back by hand: tctl auth rotate --manual --type=TYPE --phase=rollback.",
    ),
    "rotation-other": _warning(
        "Another authority is being rotated by hand.", "Add it to teleport_rotate_types to finish it too."
    ),
    "rotation-past": _blocker(
        "An authority is past the phase that was to be the last one.",
        "Set teleport_rotate_until to a later phase, or to rollback.",
    ),
    "rotation-rolling-back": _info(
        "An authority is being rolled back. That is finished first; nothing new is begun.",
        "Run again afterwards to begin anew.",
    ),
    "rotation-recent": _info(
        "An authority was rotated, or rolled back, a short while ago and counts as done.",
        "To rotate it again, set teleport_rotate_min_age to 0.",
    ),
    "rotation-upgrade": _blocker(
        "An upgrade is on its way: Auth Services of several versions, or an unfinished host.",
        "Finish the upgrade, then rotate.",
    ),
    "rotation-offline": _waivable(
        "An instance is not connected, or missed an earlier rotation. It would be cut off and have to join anew.",
        "Bring it back, or take it out of the inventory for good. Waived, it may be cut off.",
    ),
    "rotation-blind": _waivable(
        "The cluster does not show the phase of an instance: what it runs reports none in this version.",
        "Waived, teleport_rotate_settle seconds are waited after each phase instead, the time in which Teleport looks.",
    ),
    "rotation-behind": _info(
        "An instance has not reported the present phase yet. The next phase waits for it.",
        "Look at its log if it stays behind.",
    ),
    "rotation-leaf-offline": _waivable(
        "A leaf cluster is not connected, so it keeps trusting the old keys only.",
        "Connect it first. Waived, each cluster is a stranger to the other's users until they are connected again.",
    ),
    "rotation-trust-unseen": _waivable(
        "A cluster in trust is not in the inventory, so nobody can see whether it has learnt of the new keys.",
        "Add it. Waived, teleport_rotate_settle seconds are waited after each phase instead.",
    ),
    "rotation-pins": _warning(
        "Configurations name the CA pin that a rotation of the host authority replaces.",
        "Replace it there once the rotation has ended; running instances do not need it, joining ones do.",
    ),
}

CODES: dict[str, Code] = {
    **_INPUT,
    **_CLUSTERS,
    **_INSTANCES,
    **_VERSIONS,
    **_PLAN,
    **_ROLLBACK,
    **_ROTATION,
    **_PREFLIGHT,
}
