/* Named places at which a test can have the process die as if power had gone, or hold still. */
#pragma once

/*
 * Does nothing unless SKEP_CRASH_FILE names a file whose first line is this name: then the file
 * is removed, so that it happens once, and the process kills itself with SIGKILL. After the
 * name may stand " hold": then it stops, until somebody sends it SIGCONT.
 */
void crash_point(const char *name);
