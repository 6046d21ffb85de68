/* Named places at which a test can have the process die as if power had gone. */
#pragma once

/*
 * Does nothing unless SKEP_CRASH_FILE names a file whose first line is this name: then the file
 * is removed, so that it happens once, and the process kills itself with SIGKILL.
 */
void crash_point(const char *name);
