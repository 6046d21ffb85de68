#include "base/dirlist.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

void dirlist_begin(struct dirlist *list, int fd)
{
	list->fd = fd;
	list->at = list->end = 0;
}

int dirlist_next(struct dirlist *list, const char **ret_name, unsigned char *ret_type)
{
	for (;;) {
		const struct dirent64 *entry;

		if (list->at == list->end) {
			ssize_t n = getdents64(list->fd, list->entries, sizeof(list->entries));

			if (n <= 0)
				return n < 0 ? -errno : 0;
			list->at = 0;
			list->end = (size_t)n;
		}
		entry = (const void *)(list->entries + list->at);
		list->at += entry->d_reclen;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*ret_name = entry->d_name;
		*ret_type = entry->d_type;
		return 1;
	}
}
