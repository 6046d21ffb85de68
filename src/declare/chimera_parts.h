/* The parts of a Chimera Spawn tree that become settings or files of an agent. */
#pragma once

#include "base/error.h"

#include <jansson.h>

/* Adds a line to the notes: "FILE: KEY: text". */
void chimera_note(json_t *notes, const char *file, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A profile's nspawn_config_content and systemd_override_content, laid into an agent's
 * settings. */
void chimera_lay_profile(const json_t *profile, const char *file, json_t *settings,
			 json_t *notes);

/* An image's custom_files and nspawn_parameters, added to files. */
void chimera_lay_image(const json_t *image, const char *file, json_t *files, json_t *notes);

/* cloud-init's user_data, parsed; what it writes is added to files. Of meta_data labels are
 * made. file is where it is said. */
void chimera_lay_user_data(const json_t *user_data, const char *file, json_t *files,
			   json_t *notes);
void chimera_lay_meta_data(const json_t *meta_data, const char *file, json_t *settings,
			   json_t *notes);

/* Puts one file into an image's list, in the place of one of the same path. */
void chimera_put_file(json_t *files, const char *path, const char *data, bool symlink,
		      bool executable);
