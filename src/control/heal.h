/* What is done about drift where the policy is to apply: the least that puts it right. */
#pragma once

#include "control/hive.h"

/* Looks at what is known to differ of an agent and puts in line what mends it; pauses between
 * attempts grow. Nothing is removed, and a commit that failed is not started. */
void heal_agent(struct agent *agent);
