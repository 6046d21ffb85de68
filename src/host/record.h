/* What skep-exec remembers of a container it keeps by itself: <runtime>/exec/<agent>.json. */
#pragma once

#include "base/error.h"
#include "host/cgroup.h"
#include "host/place.h"
#include "host/proc.h"

#include <stdbool.h>
#include <stdint.h>

struct record {
	struct proc_id nspawn;
	struct proc_id leader; /* pid 0 before it was known */
	int64_t since_boot_ms; /* 0 before it was ready */
	struct cgroups cgroups;
	bool ended; /* it was seen to end without being asked to */
	bool clean; /* ... by a power-off inside */
	char exit[64];
};

/* -ENOENT: there is none, or it is of another boot of the machine. */
int record_read(const struct place *place, const char *agent, struct record *ret,
		struct error *err);
int record_write(const struct place *place, const char *agent, const struct record *record,
		 struct error *err);
int record_remove(const struct place *place, const char *agent, struct error *err);
void record_release(struct record *record);
#define _cleanup_record_ __attribute__((cleanup(record_release)))
