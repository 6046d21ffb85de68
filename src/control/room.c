#include "control/room.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/statvfs.h>

#define ROOM_LEAST_BYTES (64LL << 20) /* with less, a verdict may not find room for its tag */

int room_check(const struct hive *hive, struct error *err)
{
	/* all else of the state directory is read-only for skepd in any case */
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0)
		return error_set_errno(err, errno, "cannot look at the state directory");
	if (fs.f_flag & ST_RDONLY)
		return error_set(err, EROFS,
				 "the state directory is on a read-only file system");
	if ((int64_t)fs.f_bavail * (int64_t)fs.f_frsize < ROOM_LEAST_BYTES)
		return error_set(err, ENOSPC, "less than %lld MiB are free for the record",
				 ROOM_LEAST_BYTES >> 20);
	return 0;
}

bool room_is_why(const struct hive *hive, const struct error *err)
{
	return (err->err == -ENOSPC || err->err == -EDQUOT || err->err == -EROFS) &&
	       room_check(hive, NULL) < 0;
}
