#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Called by mmdebstrap with the root file system as its only argument.
set -eu
root=$1

# Identities belong to a host, not to its image.
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id"
: > "$root/etc/machine-id"
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"

chroot "$root" useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"

# The lab mounts /etc/lab: host key and authorized keys are known before the host has booted.
mkdir -p "$root/etc/lab" "$root/etc/ssh/sshd_config.d"
cat > "$root/etc/ssh/sshd_config.d/lab.conf" <<'CONF'
HostKey /etc/lab/ssh_host_ed25519_key
AuthorizedKeysFile /etc/lab/authorized_keys
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100
MaxSessions 100
CONF

# A pager would hang programs that call systemctl with a terminal.
echo 'SYSTEMD_PAGER=cat' >> "$root/etc/environment"

for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    motd-news.timer ua-timer.timer systemd-resolved.service systemd-networkd.service systemd-networkd-wait-online.service \
    systemd-timesyncd.service getty@tty1.service console-getty.service systemd-firstboot.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
