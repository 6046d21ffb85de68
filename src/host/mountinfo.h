/* Lines of a process's mountinfo (man proc_pid_mountinfo): what is mounted where, and from
 * what. */
#pragma once

#include <stdbool.h>

/* Borrowed from the line; paths are as the kernel writes them, with white space in octal. */
struct mount_line {
	const char *device;  /* "MAJOR:MINOR" */
	const char *root;    /* the directory of the device that is mounted */
	const char *point;   /* where */
	const char *options; /* of this mount: "rw,nosuid,..." */
};

/* Splits one line, which is changed; false for what is no such line. */
bool mount_line_split(char *line, struct mount_line *ret);

/*
 * The device and the directory of it that an absolute path without symlinks is, in the text of
 * the process's own mountinfo: by the last of the longest mount points. -ENOENT. The caller
 * frees both.
 */
int mount_locate(const char *mountinfo, const char *path, char **ret_device, char **ret_dir);
