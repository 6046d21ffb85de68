/*
 * The names in a directory, straight from the kernel: opendir(3) asks it three more things
 * about each directory, which counts where thousands are looked at.
 */
#pragma once

#include <dirent.h>
#include <stddef.h>

struct dirlist {
	int fd; /* the directory, borrowed */
	size_t at, end;
	_Alignas(struct dirent64) char entries[4096];
};

void dirlist_begin(struct dirlist *list, int fd);

/*
 * The next name but "." and "..", borrowed until the next call, and its DT_… type. 1, 0 at the
 * end, -errno.
 */
int dirlist_next(struct dirlist *list, const char **ret_name, unsigned char *ret_type);
