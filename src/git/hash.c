#include "git/hash.h"

#include "git/internal.h"

#include <stdlib.h>

void hash_blob(const void *data, size_t size, char ret[OID_HEX_SIZE])
{
	git_oid id;

	if (git_odb_hash(&id, data, size, GIT_OBJECT_BLOB) < 0)
		abort(); /* only memory exhaustion or a collision attack on our own lines gets
			    here */
	oid_from_git(ret, &id);
}
