#!/usr/bin/env bats
# The services of a hive do not grow with what they are asked; one that does is noticed. LEAKS_OPERATIONS says how often.

bats_require_minimum_version 1.5.0
load ../host/lib/common
load ../host/lib/hive

setup_file() {
	hive_up proposals_per_hour=100000
	hand_in leaks.py talk.py
	in_host cp /helpers/verbs /run/tests/say-verbs
	in_host sh -c '/run/tests/say-verbs > /run/tests/verbs'
	# what is given back is given back to the system: large buffers that are free again do not look like a leak
	for unit in skepd skep-exec skep-web; do
		unit_setting $unit.service malloc 'Environment=MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536'
	done
	in_host systemctl start skepd.service
	in_host systemctl enable --now skep-web.socket skep-web.service
	skep spawn hm1nd
	skep spawn alice
	propose alice 'sed -i "s/\"soak\": 2/\"soak\": 0/" agent.json' 'first'
	approve
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

@test "whatever they are asked, memory and descriptors stay as they are" {
	in_host python3 /run/tests/leaks.py --operations "${LEAKS_OPERATIONS:-1000}" >&3
}

@test "a service that forgets to free is noticed" {
	unit_setting skepd.service leak 'Environment=LD_PRELOAD=/helpers/leak.so'
	in_host systemctl restart skepd.service
	run -1 in_host python3 /run/tests/leaks.py --operations 600
	echo "$output" >&3
	contains "$output" ': LEAKS'
	fails contains "$output" anew
}
