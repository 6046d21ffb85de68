/* What Nix would answer, played. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Nix would have locked. */
static const char fake_lock[] =
	"{\"nodes\":{\"root\":{\"inputs\":{\"nixpkgs\":\"nixpkgs\",\"base\":\"base\"}},"
	"\"nixpkgs\":{\"locked\":{\"type\":\"path\"}},\"base\":{\"locked\":{\"type\":\"path\"}}"
	"},"
	"\"root\":\"root\",\"version\":7}";

/* The file "locked" is what Nix finds newer than that. */
static inline json_t *fake_locked(const char *dir)
{
	char path[256];
	json_t *lock, *answer;
	char *text;

	snprintf(path, sizeof(path), "%s/locked", dir);
	lock = json_load_file(path, 0, NULL);
	text = lock ? json_dumps(lock, 0) : NULL;
	answer = json_pack("{s:s}", "lock", text ? text : fake_lock);
	json_decref(lock);
	free(text);
	return answer;
}

static inline bool fake_is_sick(const char *dir, const char *agent, const char *system)
{
	char path[256], healthy[300] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/sick-%s", dir, agent);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%299s", healthy) != 1)
		healthy[0] = '\0';
	(void)fclose(f);
	return strcmp(healthy, system) != 0;
}

/* The tree itself, or what Nix would make of everything that skepd says goes into it. */
static inline json_t *fake_build(const json_t *request)
{
	const char *memo = json_string_value(json_object_get(request, "memo"));
	char system[300];

	if (!memo)
		return json_pack("{s:O}", "system", json_object_get(request, "tree"));
	snprintf(system, sizeof(system), "/nix/store/00000000000000000000000000000000-%.64s",
		 memo);
	return json_pack("{s:s}", "system", system);
}
