# Writes the closure: init, activate, bin/switch-to-configuration, etc/. Everything comes from the environment.
# shellcheck shell=bash disable=SC2154 # the derivation's attributes
set -eu

echo "building the system of $hostName"
[ "$buildSeconds" = 0 ] || sleep "$buildSeconds"
if [ "$failBuild" = true ]; then
	echo "error: this build was told to fail" >&2
	exit 1
fi

put() {
	mkdir -p "$(dirname "$out/$1")"
	cat > "$out/$1"
	chmod 0555 "$out/$1"
}

units=$out/etc/systemd/system
mkdir -p "$units/multi-user.target.wants"
for mask in console-getty systemd-networkd-wait-online systemd-firstboot; do
	ln -s /dev/null "$units/$mask.service"
done
for ((i = 0; ; i++)); do
	name=unit_name_$i text=unit_text_$i script=unit_script_$i wanted=unit_wanted_$i
	[ -n "${!name-}" ] || break
	printf '%s' "${!text}" > "$units/${!name}.service"
	if [ -n "${!script}" ]; then
		printf '#!/bin/bash\nset -e\n%s\n' "${!script}" | put "libexec/${!name}"
		printf '[Service]\nExecStart=%s\n' "$out/libexec/${!name}" >> "$units/${!name}.service"
	fi
	for target in ${!wanted}; do
		mkdir -p "$units/$target.wants"
		ln -s "../${!name}.service" "$units/$target.wants/${!name}.service"
	done
done
for ((i = 0; ; i++)); do
	name=etc_name_$i text=etc_text_$i
	[ -n "${!name-}" ] || break
	mkdir -p "$(dirname "$out/etc/${!name}")"
	printf '%s' "${!text}" > "$out/etc/${!name}"
done
echo "$hostName" > "$out/etc/hostname"
printf %s "$(uname -m)-linux" > "$out/system"
printf stub > "$out/nixos-version"

# Started without a library path: the root it finds has a /usr and nothing else.
loader=$(echo /usr/lib/*/ld-linux-*.so.?)
put init <<INIT
#!$loader /usr/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for link in bin sbin lib lib64; do
	[ -e /\$link ] || [ ! -e /usr/\$link ] || $loader /usr/bin/ln -s usr/\$link /\$link
done
[ $failBoot = false ] || { echo 'this system was told not to boot' >&2; exit 1; }
$out/activate
exec /usr/lib/systemd/systemd "\$@"
INIT

put activate <<ACTIVATE
#!/bin/bash
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p -m 0755 /tmp /var/log /var/lib /run /etc/systemd /root
chmod 1777 /tmp
for file in $out/etc/*; do
	case \${file##*/} in
	systemd | hostname) ;;
	*) ln -sfn "\$file" "/etc/\${file##*/}" ;;
	esac
done
[ ! -d /etc/systemd/system ] || [ -L /etc/systemd/system ] || rm -r /etc/systemd/system
ln -sfn $out/etc/systemd/system /etc/systemd/system
[ -s /etc/os-release ] || cp /usr/lib/os-release /etc/os-release
[ -e /etc/passwd ] || { echo root:x:0:0::/root:/bin/bash > /etc/passwd; echo root:x:0: > /etc/group; systemd-sysusers > /dev/null 2>&1; }
$activation
ln -sfn $out /run/current-system
echo "activated $out" >> /var/log/activations
ACTIVATE

# What only a system of NixOS has, where only NixOS has it.
printf '#!/bin/sh\necho "a program of %s"\n' "$hostName" | put sw/bin/own-program

put bin/switch-to-configuration <<SWITCH
#!/bin/bash
# \$1 is what is to be done: test and switch activate now, boot and dry-activate do not
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
case \${1-} in
test | switch) ;;
boot | dry-activate) exit 0 ;;
*) echo "usage: switch-to-configuration switch|boot|test|dry-activate" >&2; exit 1 ;;
esac
old=\$(readlink /run/current-system)
[ $activationSeconds = 0 ] || sleep $activationSeconds
if [ $failActivation = true ]; then
	echo "error: this activation was told to fail" >&2
	exit 1
fi
$out/activate || exit 2
systemctl daemon-reload || exit 3
failed=0
for unit in "\$old"/etc/systemd/system/*.service; do
	name=\${unit##*/}
	[ -f "\$unit" ] && [ ! -e "$out/etc/systemd/system/\$name" ] && systemctl stop "\$name"
done
for unit in $out/etc/systemd/system/*.service; do
	name=\${unit##*/}
	[ -f "\$unit" ] || continue
	cmp -s "\$unit" "\$old/etc/systemd/system/\$name" || systemctl restart "\$name" || failed=4
done
exit \$failed
SWITCH
