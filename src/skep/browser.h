/* Opening a link on a desktop. */
#pragma once

#include <stdbool.h>

/*
 * Whether a browser was started with it: only where there is a desktop (DISPLAY or
 * WAYLAND_DISPLAY, and XDG_RUNTIME_DIR) and xdg-open. The link holds a secret and command lines
 * can be read by everybody, so a file that only its owner can read is what is opened; it leads
 * on to the link.
 */
bool browser_open(const char *url);
