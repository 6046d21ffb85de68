/* What a process gives up before it reads foreign data: the machine's network, and memory. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/resource.h>

/*
 * RLIMIT_AS of such a process, and the last of the descriptors that it closes. A sanitizer
 * reserves terabytes of address space, and keeps its report open above.
 */
#ifdef SKEP_SANITIZE
#define ISOLATE_MEMORY(bytes) RLIM_INFINITY
#define ISOLATE_LAST_FD 999
#else
#define ISOLATE_MEMORY(bytes) (bytes)
#define ISOLATE_LAST_FD (~0u)
#endif

/*
 * Moves this process into fresh namespaces (CLONE_NEW*, with CLONE_NEWNET among them). Where a
 * sandbox around it forbids that, it has to have taken the network away itself: success then
 * means that there is no route but to the loopback.
 */
int isolate(int namespaces, struct error *err);

/*
 * Whether no route leads anywhere but to lo, by the texts of /proc/net/route and
 * /proc/net/ipv6_route (man proc; empty where the kernel has no IPv6).
 */
bool isolate_is_alone(const char *route, const char *ipv6_route);
