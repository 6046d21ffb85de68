/* Leaving the machine's network and other shared namespaces before foreign data is read. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

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
