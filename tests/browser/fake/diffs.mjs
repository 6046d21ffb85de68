// Differences for the hive in memory.
const hunk = (lines, start = 1, header = '') => ({
	old_start: start, old_lines: lines.filter(([mark]) => ' -'.includes(mark)).length, new_start: start, new_lines: lines.filter(([mark]) => ' +'.includes(mark)).length, header, lines,
});
const file = (path, status, hunks, more = {}) => ({
	path, status, old_mode: status === 'added' ? '000000' : '100644', new_mode: status === 'deleted' ? '000000' : '100644', old_bytes: 900, new_bytes: 1100,
	added: hunks.flatMap((each) => each.lines).filter(([mark]) => mark === '+').length, removed: hunks.flatMap((each) => each.lines).filter(([mark]) => mark === '-').length, binary: false, too_large: false, truncated: false, hunks, ...more,
});
const whole = (files, more = {}) => ({ files, files_total: files.length, added: files.reduce((sum, each) => sum + each.added, 0), removed: files.reduce((sum, each) => sum + each.removed, 0), truncated: false, ...more });

export function smallDiff() {
	return whole([
		file('agent.json', 'modified', [hunk([[' ', '{'], [' ', '  "description": "indexes the mail archive",'], ['-', '  "limits": {"memory_max": "512M", "cpu_quota": "50%"},'], ['+', '  "limits": {"memory_max": "1G", "cpu_quota": "50%"},'], ['-', '  "probe": {"kind": "command", "command": ["/bin/true"]}'], ['+', '  "probe": {"kind": "command",  "command": ["/bin/true"]}'], [' ', '}'], ['\\', 'No newline at end of file']])]),
		file('rootfs/etc/hive/run.py', 'modified', [hunk([[' ', 'import os, time'], [' ', ''], [' ', 'def main():'], ['-', '    while reading:'], ['-', '        step(1)'], ['+', '    while reading:  # U+202E noitautis eht rof'], ['+', '        step(2, ahead=True)'], ['+', '        log("twice as fast")'], [' ', '        time.sleep(1)']], 12, 'class Agent:'), hunk([[' ', ''], ['+', 'print("\\x1b[31mready\\x1b[0m")'], [' ', 'if __name__ == "__main__":'], ['-', '\tmain()'], ['+', '    main()']], 61)]),
		file('rootfs/etc/systemd/system/readahead.service', 'added', [hunk([['+', '[Unit]'], ['+', 'Description=Read ahead of alice'], ['+', ''], ['+', '[Service]'], ['+', 'ExecStart=/usr/bin/python3 /etc/hive/readahead.py'], ['+', ''], ['+', '[Install]'], ['+', 'WantedBy=multi-user.target']])]),
		file('rootfs/srv/logo.png', 'added', [], { binary: true, new_bytes: 48213, added: 0, removed: 0 }),
		file('rootfs/usr/local/bin/tool', 'mode', [], { new_mode: '100755', added: 0, removed: 0 }),
	]);
}

export function bigDiff(lines) {
	const files = [];
	for (let n = 0; n < 10; n++) {
		const each = [];
		for (let i = 0; i < lines / 10; i++) {
			if (i % 3 === 0) each.push(['-', `    value_${i} = compute(${i}, "before")`]);
			else if (i % 3 === 1) each.push(['+', `    value_${i - 1} = compute(${i - 1}, "after", fast=True)`]);
			else each.push([' ', `    # line ${i} of file ${n}, which stays as it is`]);
		}
		files.push(file(`rootfs/srv/generated/part_${n}.py`, 'modified', [hunk(each, 1, 'def generated():')]));
	}
	return whole(files);
}
