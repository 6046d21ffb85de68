/*
 * What agents use: sampled through skep-exec only while somebody watches, the last samples of
 * each kept, and forgotten when nobody has asked for a while.
 */
#pragma once

struct metering;

void metering_free(struct metering *metering);
